"""Who may be enrolled: inclusion criteria, with a count of who fails what."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.errors import CohortError
from cohorts.sources.records import join_names
from cohorts.sources.values import is_missing, parse_numbers

_COMPARISONS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}

_NUMBER: Final = r"[-+]?\d+(?:\.\d+)?"
_FORMS: Final = {
    "between": re.compile(rf"(\S+)\s+between\s+({_NUMBER})\s+and\s+({_NUMBER})"),
    "not in": re.compile(r"(\S+)\s+not\s+in\s+(.+)"),
    "in": re.compile(r"(\S+)\s+in\s+(.+)"),
    "compare": re.compile(r"([^\s<>=!]+)\s*(>=|<=|==|!=|>|<)\s*(.+)"),
}


@dataclass(frozen=True)
class Criterion:
    """One condition that a person must meet.

    Parameters
    ----------
    text
        As the user wrote it.
    column
        A column of the baseline table (`age_years`, `mmse`, `hippocampus_mm3`, any covariate).
    relation
        `between`, `in`, `not in`, or a comparison such as `>=`.
    operands
        The limits (both belong to the range), the values of a list, or the one compared with.
    """

    text: str
    column: str
    relation: str
    operands: tuple[str, ...]


@dataclass(frozen=True)
class EligibilityCheck:
    """What a screening by criteria came to.

    Parameters
    ----------
    eligible
        The cohort of the people who meet every criterion.
    flow
        Table `screening_flow`: criteria one after another, each counting those who passed the
        ones before; `n_failed_alone` counts over everyone, `n_missing` those who fail for lack of
        a value.
    failures
        `participant_id`, `criterion`, `value`: one row for each criterion that a person fails.
    """

    eligible: Cohort
    flow: pd.DataFrame
    failures: pd.DataFrame

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Who was screened out by name, as a cohort's folder keeps it."""
        return {"screening_flow": self.flow, "screening_failures": self.failures}


def parse_criterion(text: str) -> Criterion:
    """Return the criterion that a line of text states.

    Parameters
    ----------
    text
        `age_years between 55 and 85`, `diagnosis in MCI, AD`, `site not in 3`, `mmse >= 20`.

    Raises
    ------
    CohortError
        For any other form.

    Examples
    --------
    >>> parse_criterion("mmse between 20 and 28").operands
    ('20', '28')
    """
    plain = text.strip()
    for relation, form in _FORMS.items():
        match = form.fullmatch(plain)
        if match is None:
            continue
        if relation == "between":
            return _order_limits(Criterion(plain, match[1], relation, (match[2], match[3])))
        if relation == "compare":
            return Criterion(plain, match[1], match[2], (match[3].strip(),))
        values = tuple(value.strip() for value in match[2].split(",") if value.strip())
        return Criterion(plain, match[1], relation, values)
    raise CohortError(
        f"A criterion must read like 'age_years between 55 and 85', 'diagnosis in MCI, AD', "
        f"'site not in 3' or 'mmse >= 20', got '{text}'."
    )


def screen_cohort(cohort: Cohort, criteria: Sequence[str]) -> EligibilityCheck:
    """Apply criteria to what is known of each person at baseline.

    A person without the value that a criterion asks for does not meet it.

    Parameters
    ----------
    cohort
        A validated cohort.
    criteria
        In the order in which the flow counts them; see `parse_criterion`.

    Raises
    ------
    CohortError
        For each criterion that cannot be read, names a column that the cohort lacks, or compares
        text by size; and where nobody is eligible.
    """
    if criteria:
        people = cohort.baseline()
    else:
        cohort.require_unambiguous()  # as everyone's baseline does
        people = cohort.participants.set_index("participant_id")
    parsed = _parse_all(criteria, people)
    met = np.array([_is_met(criterion, people) for criterion in parsed], dtype=bool)
    met = met.reshape(len(parsed), len(people))
    flow = _count_flow(parsed, met, people)
    ids = people.index[np.flatnonzero(met.all(axis=0))]
    if ids.empty:
        counts = ", ".join(f"{row.criterion}: {row.n_failed_alone}" for row in flow.itertuples())
        raise CohortError(
            f"Nobody of {tally(len(people), 'people')} is eligible; each criterion alone "
            f"excludes {counts}."
        )
    eligible = cohort if len(ids) == len(people) else cohort.select(ids)
    return EligibilityCheck(eligible, flow, _list_failures(parsed, met, people))


def _order_limits(criterion: Criterion) -> Criterion:
    low, high = criterion.operands
    if float(low) > float(high):
        raise CohortError(f"'{criterion.text}' has its limits the wrong way round.")
    return criterion


def _parse_all(criteria: Sequence[str], people: pd.DataFrame) -> list[Criterion]:
    parsed: list[Criterion] = []
    problems: list[str] = []
    for text in criteria:
        try:
            criterion = parse_criterion(text)
            _check_column(criterion, people)
            parsed.append(criterion)
        except CohortError as error:
            problems += error.problems
    if problems:
        raise CohortError(*problems)
    return parsed


def _check_column(criterion: Criterion, people: pd.DataFrame) -> None:
    if criterion.column not in people:
        raise CohortError(
            f"'{criterion.text}' asks for {criterion.column}, which is not known at baseline: "
            f"{', '.join(join_names(people.columns, limit=30))} are."
        )
    is_text = not pd.api.types.is_numeric_dtype(people[criterion.column])
    if criterion.relation in ("between", ">=", "<=", ">", "<"):
        wrong = parse_numbers(pd.Series(criterion.operands, dtype="str"))[1].any()
        if is_text or wrong:
            raise CohortError(
                f"'{criterion.text}' compares by size, so the column {criterion.column} and the "
                "limits must be numbers."
            )


def _is_met(criterion: Criterion, people: pd.DataFrame) -> npt.NDArray[np.bool_]:
    values = people[criterion.column]
    known = ~is_missing(values)
    if criterion.relation in ("in", "not in", "==", "!="):
        listed = _is_listed(values, criterion.operands)
        found = listed if criterion.relation in ("in", "==") else ~listed
    elif criterion.relation == "between":
        low, high = map(float, criterion.operands)
        found = values.between(low, high).to_numpy()
    else:
        limit = float(criterion.operands[0])
        found = _COMPARISONS[criterion.relation](values.to_numpy(float), limit)
    met: npt.NDArray[np.bool_] = known & found
    return met


def _is_listed(values: pd.Series, listed: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    if pd.api.types.is_numeric_dtype(values):
        numbers = pd.to_numeric(pd.Series(listed, dtype="str"), errors="coerce")
        return values.astype(float).isin(numbers.dropna()).to_numpy()
    return values.astype("str").isin(listed).to_numpy()


def _count_flow(
    criteria: list[Criterion], met: npt.NDArray[np.bool_], people: pd.DataFrame
) -> pd.DataFrame:
    remaining = np.cumprod(np.vstack([np.ones(len(people), dtype=bool), met]), axis=0).sum(axis=1)
    return pd.DataFrame(
        {
            "step": np.arange(1, len(criteria) + 1),
            "criterion": [criterion.text for criterion in criteria],
            "n_entering": remaining[:-1],
            "n_failed": remaining[:-1] - remaining[1:],
            "n_remaining": remaining[1:],
            "n_failed_alone": (~met).sum(axis=1),
            "n_missing": [int(is_missing(people[c.column]).sum()) for c in criteria],
        }
    )


def _list_failures(
    criteria: list[Criterion], met: npt.NDArray[np.bool_], people: pd.DataFrame
) -> pd.DataFrame:
    failed = [(criterion, people[~own]) for criterion, own in zip(criteria, met, strict=True)]
    rows = [
        (person, criterion.text, "" if pd.isna(value) else str(value))
        for criterion, those in failed
        for person, value in those[criterion.column].items()
    ]
    return pd.DataFrame(rows, columns=["participant_id", "criterion", "value"], dtype="str")
