"""The table of a trial, one row a person and visit, as arrays."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cohorts.identifiers import ALIKE, find_alike
from cohorts.sources.records import join_names
from cohorts.sources.tables.table import read_table
from cohorts.sources.values import is_missing, parse_numbers, parse_text
from trialsim.errors import DesignError
from trialsim.finished.arms import read_arms
from trialsim.finished.covariates import read_covariates
from trialsim.finished.trial import FinishedTrial, Floats
from trialsim.units import find_unit_problems

_KEYS = ("participant_id", "months")
_MAX_VISITS = 12


def read_trial(
    table: Path | pd.DataFrame,
    *,
    endpoint: str = "hippocampus",
    unit: str = "mm3",
    covariates: Sequence[str] | None = None,
    control: str | None = None,
    visits_months: Sequence[float] | None = None,
) -> FinishedTrial:
    """Return the trial that a table holds.

    Parameters
    ----------
    table
        A file or frame, one row a person and visit: `participant_id`, `arm` (control, treatment;
        absent or empty while blinded), `months` since randomization (0 is the baseline), the
        outcome `<endpoint>_mm3`, and covariates known at baseline.
    endpoint
        Name of the outcome, with or without `_mm3`.
    unit
        "mm3", or "log_percent" (100 ln volume).
    covariates
        Columns to adjust for; every further column of the table when None.
    control
        Value of `arm` that is the control, where it is not called control.
    visits_months
        Planned visits, from 0; each row counts for the nearest. The months in the table when None.

    Raises
    ------
    DesignError
        One sentence for each problem of the table.
    CohortError
        If the file cannot be read.
    """
    if wrong := find_unit_problems(unit):
        raise DesignError(*wrong)
    frame = read_table(table) if isinstance(table, Path) else table
    column = _find_outcome(frame, endpoint)
    long = _parse(frame, column)
    planned = _plan_visits(long["months"], visits_months)
    long["visit"] = _assign_visits(long, planned)
    treatment = read_arms(frame, long["participant_id"], control)
    _refuse_repeated(long, planned)
    names, place = np.unique(long["participant_id"].to_numpy(dtype=str), return_inverse=True)
    values = np.full((len(names), len(planned)), np.nan)
    values[place, long["visit"]] = long["outcome"]
    known = ~np.isnan(values[:, 0])
    if not known.any():
        raise DesignError(f"Nobody has {column} at month 0, the baseline of every analysis.")
    people, values = pd.Index(names[known]), values[known]
    extra, notes = read_covariates(frame, long, people, chosen=covariates, outcome=column)
    if not known.all():
        notes.append(f"{int((~known).sum())} people have no outcome at month 0 and are left out.")
    _refuse_empty_visits(values, planned, column)
    return FinishedTrial(
        participant_id=people.to_numpy(dtype=str),
        treatment=None if treatment is None else treatment[people].to_numpy(dtype=float),
        months=planned,
        outcome=100 * np.log(values) if unit == "log_percent" else values,
        covariates=extra,
        endpoint=endpoint.removesuffix("_mm3"),
        unit=unit,
        notes=tuple(notes),
    )


def _find_outcome(frame: pd.DataFrame, endpoint: str) -> str:
    missing = [name for name in _KEYS if name not in frame]
    named = [name for name in (f"{endpoint.removesuffix('_mm3')}_mm3", endpoint) if name in frame]
    problems = [f"The trial's table has no column {name}{_hint(frame, name)}." for name in missing]
    if not named:
        problems.append(
            f"The trial's table has no column {endpoint.removesuffix('_mm3')}_mm3; its columns "
            f"are {', '.join(map(str, frame.columns))}."
        )
    if problems:
        raise DesignError(*problems)
    return named[0]


def _hint(frame: pd.DataFrame, missing: str) -> str:
    if missing == "months" and "months_from_baseline" in frame:
        return (
            ", time since randomization: rename months_from_baseline where people were randomized "
            "at their baseline visit"
        )
    return ""


def _parse(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    months, months_wrong = parse_numbers(frame["months"])
    outcome, outcome_wrong = parse_numbers(frame[column])
    long = pd.DataFrame(
        {
            "participant_id": parse_text(frame["participant_id"]).to_numpy(),
            "months": months.to_numpy(),
            "outcome": outcome.to_numpy(),
        }
    )
    problems = []
    if long["participant_id"].isna().any():
        problems.append(f"{long['participant_id'].isna().sum()} rows have no participant_id.")
    alike = find_alike(long["participant_id"].dropna().drop_duplicates())
    if len(alike):
        problems.append(
            f"participant_id: {', '.join(join_names(alike))} differ from each other {ALIKE}; one "
            "name for each person is expected."
        )
    for name, wrong in (("months", months_wrong | months.isna()), (column, outcome_wrong)):
        problems += _tell(frame, long, np.asarray(wrong), name, "a number")
    early = (long["months"] < 0).to_numpy()
    problems += _tell(frame, long, early, "months", "0 (randomization) or later")
    impossible = ((long["outcome"] <= 0) | np.isinf(long["outcome"])).to_numpy()
    problems += _tell(frame, long, impossible, column, "a volume greater than 0")
    if problems:
        raise DesignError(*problems)
    return long


def _tell(
    frame: pd.DataFrame, long: pd.DataFrame, wrong: np.ndarray, name: str, right: str
) -> list[str]:
    if not wrong.any():
        return []
    first = int(np.flatnonzero(wrong)[0])
    others = int(wrong.sum()) - 1
    more = f", and {others} rows more" if others else ""
    person, given = long["participant_id"].iloc[first], frame[name].iloc[[first]]
    got = "nothing" if is_missing(given).any() else given.iloc[0]
    return [f"{name} must be {right}, got {got} (participant {person}{more})."]


def _plan_visits(months: pd.Series, visits_months: Sequence[float] | None) -> Floats:
    planned = np.unique(months if visits_months is None else np.asarray(visits_months, float))
    if not np.isfinite(planned).all():
        raise DesignError(f"visits_months must be finite numbers, got {list(visits_months or [])}.")
    if visits_months is None and len(planned) > _MAX_VISITS:
        raise DesignError(
            f"The table has {len(planned)} different months: name the planned visits "
            "(visits_months, such as 0,12,24), each row then counts for the nearest."
        )
    if len(planned) < 2 or planned[0] != 0:
        raise DesignError(
            "A trial needs a visit at month 0 and a later one, got "
            f"{', '.join(f'{month:g}' for month in planned)}."
        )
    return np.asarray(planned, dtype=float)


def _assign_visits(long: pd.DataFrame, planned: Floats) -> np.ndarray:
    nearest = np.abs(long["months"].to_numpy()[:, None] - planned).argmin(axis=1)
    # a visit after randomization is never the baseline, however soon it comes
    return np.where((nearest == 0) & (long["months"].to_numpy() > 0), 1, nearest)


def _refuse_repeated(long: pd.DataFrame, planned: Floats) -> None:
    repeated = long[long.duplicated(["participant_id", "visit"])]
    if len(repeated):
        first = repeated.iloc[0]
        raise DesignError(
            f"{repeated['participant_id'].nunique()} people have two rows for one visit (first: "
            f"{first['participant_id']}, month {planned[int(first['visit'])]:g}): keep one."
        )


def _refuse_empty_visits(outcome: Floats, planned: Floats, column: str) -> None:
    empty = np.isnan(outcome).all(axis=0)
    if empty.any():
        raise DesignError(*(f"Nobody has {column} at month {month:g}." for month in planned[empty]))
