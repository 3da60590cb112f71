"""What must hold before a cohort is trusted: every problem at once, then a refusal."""

import pandas as pd

from cohorts.errors import CohortValidationError
from cohorts.sources.checks.people import check_people
from cohorts.sources.checks.visits import check_visits
from cohorts.sources.checks.volumes import check_volumes
from cohorts.sources.records import Problem, Records


def check_records(records: Records) -> None:
    """Add every problem of people, visits and volumes to `records.problems`."""
    frame = records.frame
    records.frame = number_keys(frame)
    check_people(records)
    check_visits(records)
    check_volumes(records)
    records.frame = frame


def number_keys(frame: pd.DataFrame) -> pd.DataFrame:
    """Return visits whose names of people and sessions are categories: far quicker to group by."""
    keys = ("participant_id", "session_id")
    return frame.assign(**{key: frame[key].astype("category") for key in keys})


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
        raise CohortValidationError(*(str(problem) for problem in problems))
    return pd.DataFrame(
        {
            "participant_id": [problem.participant_id for problem in problems],
            "problem": [str(problem) for problem in problems],
        },
        dtype="str",
    )
