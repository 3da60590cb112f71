"""The table of a trial, one row a person and visit, as arrays."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from cohorts.alike import ALIKE, find_alike
from cohorts.counting import tally
from cohorts.sources.checks.volumes import (
    describe_plausible,
    find_implausible,
    find_volume_codes,
    get_limits,
)
from cohorts.sources.records import join_names
from cohorts.sources.tables.table import read_table
from cohorts.sources.tables.waves import find_waves, split_waves
from cohorts.sources.values import is_missing, parse_numbers, parse_text
from cohorts.sources.visit_times.times import (
    DAYS_PER_MONTH,
    LONG_MONTHS,
    MONTHS_PER_YEAR,
    SHORT_MONTHS,
    read_months_of_name,
)
from trialsim.defaults import LAST_MONTH
from trialsim.errors import DesignError
from trialsim.finished.arms import read_arms
from trialsim.finished.covariates import read_covariates
from trialsim.finished.trial import FinishedTrial, Floats
from trialsim.units import find_unit_problems

_KEYS = ("participant_id", "months")
_MAX_VISITS = 12

_SAME_VISIT = 0.75, 1.25
"""The time of a last visit, in parts of the planned one, that makes it that visit."""

_FASTEST_PERCENT = 10.0
"""A loss in a year beyond that of a region in most dementias."""


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
        outcome `<endpoint>_mm3`, and covariates known at baseline. Or one row a person, with a
        column for each visit: `<endpoint>_m00_mm3`, `<endpoint>_m12_mm3`.
    endpoint
        Name of the outcome, with or without `_mm3`.
    unit
        "mm3", or "log_percent" (100 ln volume).
    covariates
        Columns to adjust for; every further column of the table when None.
    control
        Value of `arm` that is the control, where it is not called control.
    visits_months
        Planned visits, from 0; each row counts for the nearest, and rows that come after the last
        one by more than half its distance from the one before are left out. The months in the table
        when None.

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
    _refuse_unreadable(frame)
    frame, notes = _take_visits(frame)
    column = _find_outcome(frame, endpoint)
    long = _parse(frame, column)
    planned = _plan_visits(long["months"], visits_months)
    _refuse_years(long["months"], planned)
    notes += _tell_length(long, planned, column)
    late = (long["months"] > planned[-1] + (planned[-1] - planned[-2]) / 2).to_numpy()
    if late.any():
        notes.append(
            f"Left out: {tally(late.sum(), 'rows')} long after the last visit, month "
            f"{planned[-1]:g}."
        )
    frame, long = frame[~late], long[~late].copy()
    long["visit"] = _assign_visits(long, planned)
    treatment = read_arms(frame, long["participant_id"], control)
    _refuse_repeated(long, planned)
    names, place = np.unique(long["participant_id"].to_numpy(dtype=str), return_inverse=True)
    values = np.full((len(names), len(planned)), np.nan)
    values[place, long["visit"]] = long["outcome"]
    known = ~np.isnan(values[:, 0])
    if not known.any():
        raise DesignError(
            f"Nobody has {column} at month 0, the baseline of every analysis: months count from "
            "randomization."
        )
    people, values = pd.Index(names[known]), values[known]
    extra, told = read_covariates(frame, long, people, chosen=covariates, outcome=column)
    notes += told
    if not known.all():
        without = tally((~known).sum(), "people have")
        notes.append(f"Left out: {without} no outcome at month 0.")
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


def _refuse_unreadable(frame: pd.DataFrame) -> None:
    twice = list(dict.fromkeys(map(str, frame.columns[frame.columns.duplicated()])))
    if twice:
        raise DesignError(f"The trial's table has two columns {', '.join(twice)}: keep one.")
    if frame.empty:
        raise DesignError("The trial's table has no rows: one a person and visit is expected.")


def _take_visits(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return a table of one row a person with a row for each visit, others as they are.

    Raises
    ------
    DesignError
        Visits whose names tell no months.
    CohortError
        Where two columns hold one measurement of one visit.
    """
    key, time = _KEYS
    if time in frame or key not in frame or frame[key].duplicated().any():
        return frame, []
    waves = find_waves([str(name) for name in frame])
    if not waves:
        return frame, []
    long = split_waves(frame, waves)
    named = ", ".join(waves.sessions)
    if time not in long:
        months = long["session_id"].map(read_months_of_name).astype(float)
        if months.isna().any():
            raise DesignError(
                f"The names of the visits {named} tell no months since randomization: give those "
                "in columns months_W1, months_W2, or name the columns by them, such as "
                "hippocampus_m00_mm3, hippocampus_m12_mm3."
            )
        long[time] = months
    return long, [f"Columns of the visits {named} became rows."]


def _find_outcome(frame: pd.DataFrame, endpoint: str) -> str:
    missing = [name for name in _KEYS if name not in frame]
    named = [name for name in (f"{endpoint.removesuffix('_mm3')}_mm3", endpoint) if name in frame]
    problems = [f"The trial's table has no column {name}{_hint(frame, name)}." for name in missing]
    if not named:
        problems.append(
            f"The trial's table has no column {endpoint.removesuffix('_mm3')}_mm3; its columns "
            f"are {', '.join(map(str, frame.columns))}: name the outcome (--endpoint NAME)."
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
    if missing == "months":
        return (
            ", time since randomization: give one row a person and visit, or one a person with "
            "columns such as hippocampus_m00_mm3, hippocampus_m12_mm3"
        )
    return ": rename the one that says who"


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
        nameless = tally(long["participant_id"].isna().sum(), "rows have")
        problems.append(f"{nameless} no participant_id: each says whose it is.")
    alike = find_alike(long["participant_id"].dropna().drop_duplicates())
    if len(alike):
        problems.append(
            f"participant_id: {', '.join(join_names(alike))} differ from each other {ALIKE}; one "
            "name for each person is expected."
        )
    no_time = months_wrong | (~np.isfinite(months)).to_numpy()
    for name, wrong in (("months", no_time), (column, outcome_wrong)):
        problems += _tell(frame, long, np.asarray(wrong), name, "a number")
    early = (long["months"] < 0).to_numpy()
    problems += _tell(frame, long, early, "months", "0 (randomization) or later")
    late = long["months"].between(LAST_MONTH, np.inf, inclusive="neither").to_numpy()
    problems += _tell(frame, long, late, "months", f"at most {LAST_MONTH}, no days")
    impossible = ((long["outcome"] <= 0) | np.isinf(long["outcome"])).to_numpy()
    problems += _tell(frame, long, impossible, column, "a volume greater than 0")
    if in_ml := _tell_ml(long["outcome"], column):
        problems.append(in_ml)
    else:
        outside = find_implausible(long["outcome"].to_numpy(), column)
        problems += _tell(frame, long, outside, column, describe_plausible(column))
    problems += _tell_codes(long, column)
    if problems:
        raise DesignError(*problems)
    return long


def _tell_codes(long: pd.DataFrame, column: str) -> list[str]:
    volumes = long["outcome"].to_numpy(float)
    return [
        f"{column} holds {code:g} in {tally(coded.sum(), 'rows')} (first: participant "
        f"{long['participant_id'][coded].iloc[0]}), which looks like a code for a missing value: "
        "leave the cell empty, or write a volume with its decimals."
        for code in find_volume_codes(volumes, column)
        for coded in (volumes == code,)
    ]


def _tell_ml(outcome: pd.Series, column: str) -> str:
    limits, usual = get_limits(column), float(outcome.median())
    if limits is None or not limits[0] / 1000 <= usual <= limits[1] / 1000:
        return ""
    return (
        f"{column} looks like ml (median {usual:.4g}): volumes in mm3 are expected, a thousand "
        "times as many."
    )


def _tell(
    frame: pd.DataFrame, long: pd.DataFrame, wrong: np.ndarray, name: str, right: str
) -> list[str]:
    if not wrong.any():
        return []
    first = int(np.flatnonzero(wrong)[0])
    others = int(wrong.sum()) - 1
    more = f", and {tally(others, 'rows')} more" if others else ""
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
            "(--visits-months, such as 0,12,24), each row then counts for the nearest."
        )
    if len(planned) < 2 or planned[0] != 0:
        raise DesignError(
            "A trial needs a visit at month 0 and a later one, got "
            f"{', '.join(f'{month:g}' for month in planned)}: months count from randomization."
        )
    return np.asarray(planned, dtype=float)


def _refuse_years(months: pd.Series, planned: Floats) -> None:
    """Refuse a table whose last visit is the last planned one only if its times are years."""
    last = float(months.max())
    if _SAME_VISIT[0] <= last * MONTHS_PER_YEAR / planned[-1] <= _SAME_VISIT[1]:
        raise DesignError(
            f"The months of the table end at {last:g}, where the last visit is planned at month "
            f"{planned[-1]:g}: they look like years; multiply them by {MONTHS_PER_YEAR:g}."
        )


def _tell_length(long: pd.DataFrame, planned: Floats, column: str) -> list[str]:
    """Tell of follow-up as long as that of another unit; a short trial may be meant."""
    last = float(planned[-1])
    if last > LONG_MONTHS:
        return [
            f"The last visit is at month {last:g}, after {last / MONTHS_PER_YEAR:.0f} years: if "
            f"months are days, divide them by {DAYS_PER_MONTH:.2f}."
        ]
    if last >= SHORT_MONTHS:
        return []
    loss = _measure_annual_loss(long, column)
    fast = (
        f", and {column} falls by {loss:.0f} % a year, faster than in dementia"
        if loss > _FASTEST_PERCENT
        else ""
    )
    return [
        f"The last visit is at month {last:g}{fast}: a trial this short may be meant; if months "
        f"are years, multiply them by {MONTHS_PER_YEAR:g}."
    ]


def _measure_annual_loss(long: pd.DataFrame, column: str) -> float:
    """Return the median loss of a region's volume, percent a year; 0 for what is none."""
    if get_limits(column) is None:
        return 0.0
    rows = long.dropna(subset="outcome").sort_values("months").groupby("participant_id")
    first, last = rows.first(), rows.last()
    years = (last["months"] - first["months"]) / MONTHS_PER_YEAR
    annual = 100 * (1 - last["outcome"] / first["outcome"])[years > 0] / years[years > 0]
    return 0.0 if annual.empty else float(annual.median())


def _assign_visits(long: pd.DataFrame, planned: Floats) -> np.ndarray:
    nearest = np.abs(long["months"].to_numpy()[:, None] - planned).argmin(axis=1)
    # a visit after randomization is never the baseline, however soon it comes
    return np.where((nearest == 0) & (long["months"].to_numpy() > 0), 1, nearest)


def _refuse_repeated(long: pd.DataFrame, planned: Floats) -> None:
    repeated = long[long.duplicated(["participant_id", "visit"])]
    if len(repeated):
        first = repeated.iloc[0]
        raise DesignError(
            f"{tally(repeated['participant_id'].nunique(), 'people have')} two rows for one visit "
            f"(first: {first['participant_id']}, month {planned[int(first['visit'])]:g}): keep one."
        )


def _refuse_empty_visits(outcome: Floats, planned: Floats, column: str) -> None:
    empty = np.asarray(np.isnan(outcome).all(axis=0))
    if empty[1:].all():
        raise DesignError(f"Nobody has {column} after month 0: an effect needs a later visit.")
    if empty.any():
        seen = ",".join(f"{month:g}" for month in planned[~empty])
        raise DesignError(
            *(
                f"Nobody has {column} at month {month:g}: an analysis takes the visits without it "
                f"(--visits-months {seen})."
                for month in planned[empty]
            )
        )
