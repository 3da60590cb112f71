"""What must hold before a cohort is trusted: every problem at once, then a refusal."""

import re
from dataclasses import replace
from typing import Final

import pandas as pd

from cohorts.counting import tally
from cohorts.errors import CohortError, CohortValidationError
from cohorts.keys import number_names
from cohorts.sources.checks.people import check_people
from cohorts.sources.checks.visits import check_visits
from cohorts.sources.checks.volumes import check_volume_codes, check_volumes
from cohorts.sources.records import NAMELESS, Problem, Records

_N_SHOWN: Final = 3
"""Rows that are named where many have the same problem."""

_N_VALUES: Final = 5
"""Values of one column that are told one by one."""

_GOT: Final = re.compile(r"got ('[^']*'|[^',:]+)(?=[,:])")


def check_records(records: Records) -> None:
    """Add every problem of people, visits and volumes to `records.problems`."""
    frame = records.frame
    records.frame = number_keys(frame)
    check_people(records)
    check_visits(records)
    check_volumes(records)
    check_volume_codes(records)
    records.frame = frame


def number_keys(frame: pd.DataFrame) -> pd.DataFrame:
    """Return visits whose names of people and sessions are categories: far quicker to group by."""
    return frame.assign(
        **{
            key: pd.Categorical.from_codes(numbers, pd.Index(names.to_pandas(), dtype="str"))
            for key in ("participant_id", "session_id")
            for numbers, names in [number_names(frame[key].astype("str"))]
        }
    )


def separate_rejected(problems: list[Problem], *, quarantine: bool) -> pd.DataFrame:
    """Return who must be left out and why; refuse where leaving people out is not asked for.

    Parameters
    ----------
    problems
        Everything that was found.
    quarantine
        Whether sound people may go on without the others.

    Returns
    -------
    DataFrame
        `participant_id`, `problem`: one row a problem.

    Raises
    ------
    CohortValidationError
        With every problem, where there are any and `quarantine` is not set, and with the problems
        of the whole input in any case.
    """
    of_everyone = [problem for problem in problems if problem.participant_id is None]
    if problems and (not quarantine or of_everyone):
        raise CohortValidationError(*group_problems(problems))
    return pd.DataFrame(
        {
            "participant_id": [problem.participant_id for problem in problems],
            "problem": [str(problem) for problem in problems],
        },
        dtype="str",
    )


def require_people(frame: pd.DataFrame, rejected: pd.DataFrame) -> None:
    """Refuse a cohort without anybody.

    Raises
    ------
    CohortError
        With the problems of those who were left out.
    """
    if frame.empty:
        raise CohortError(*rejected["problem"], "Nobody is left: every person has a problem.")


def group_problems(problems: list[Problem]) -> list[str]:
    """Return one sentence for each different problem, with its first rows where there are many.

    Many values of one column that are wrong alike, such as dates of another order, are one problem.

    Parameters
    ----------
    problems
        In the order in which they were found.
    """
    alike: dict[tuple[str, str | None, str | None], dict[str, list[Problem]]] = {}
    for problem in problems:
        what = _GOT.sub("", problem.message, count=1)
        of_value = alike.setdefault((what, problem.file, problem.column), {})
        of_value.setdefault(problem.message, []).append(problem)
    groups: list[list[Problem]] = []
    for of_value in alike.values():
        groups += of_value.values() if len(of_value) <= _N_VALUES else [_join(of_value)]
    return [_tell(group) for group in groups]


def _join(of_value: dict[str, list[Problem]]) -> list[Problem]:
    """Return the problems of many values as those of the first, which tells how many others."""
    more = f" and {len(of_value) - 1} other values"
    everyone = (problem for group in of_value.values() for problem in group)
    first, *others = sorted(everyone, key=lambda problem: problem.row or 0)
    message = _GOT.sub(lambda got: got[0] + more, first.message, count=1)
    return [replace(first, message=message), *others]


def _tell(group: list[Problem]) -> str:
    if len(group) == 1:
        return str(group[0])
    rows = [problem.row for problem in group if problem.row is not None][:_N_SHOWN]
    people = [
        name
        for name in dict.fromkeys(problem.participant_id for problem in group)
        if not str(name).startswith(NAMELESS)
    ]
    whose = tally(len(group), "rows")
    if rows:
        whose += f", first {', '.join(map(str, rows))}"
    if people:
        whose += f"; {tally(len(people), 'people')}, first {people[0]}"
    return str(replace(group[0], participant_id=None, row=None)).removesuffix(".") + f" ({whose})."
