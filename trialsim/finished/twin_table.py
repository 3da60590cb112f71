"""The table of twins, matched to the people and visits of a trial."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from cohorts.counting import tally
from cohorts.sources.checks.volumes import (
    describe_plausible,
    find_implausible,
    find_volume_codes,
)
from cohorts.sources.columns import name_volume_column
from cohorts.sources.tables.table import read_table
from cohorts.sources.values import is_missing, parse_numbers, parse_text
from trialsim.errors import DesignError
from trialsim.finished.trial import FinishedTrial, Floats, TwinPredictions

_COLUMNS = ("participant_id", "months", "predicted_mm3")

_ERROR: Final = re.compile(
    r"(^|[_\W])(sd|se|std|stdev|stddev|sigma|variance)([_\W]|$)", re.IGNORECASE
)
"""Names of columns that tell how far a prediction may be off."""


def add_twins(trial: FinishedTrial, table: Path | pd.DataFrame) -> FinishedTrial:
    """Return the trial with its people's twins.

    Parameters
    ----------
    trial
        As `read_trial` returns it.
    table
        A file or frame: `participant_id`, `months`, `predicted_mm3` (untreated, from baseline
        alone), optional `sd_mm3` of its error. Where it has a column `region`, that of the trial's
        endpoint counts. People and visits that the trial does not have are not used.

    Raises
    ------
    DesignError
        One sentence for each problem: columns, numbers, people or visits without a twin.
    CohortError
        If the file cannot be read.
    """
    frame = read_table(table) if isinstance(table, Path) else table
    missing = [name for name in _COLUMNS if name not in frame]
    if missing:
        raise DesignError(
            *(
                f"The table of twins has no column {name}: it has one row a person and visit, with "
                f"{', '.join(_COLUMNS)}."
                for name in missing
            )
        )
    _refuse_other_errors(frame)
    if "region" in frame:
        frame = frame[parse_text(frame["region"]) == trial.endpoint]
        if frame.empty:
            raise DesignError(
                f"The table of twins has no rows of the region {trial.endpoint}: it must be made "
                "for the trial's endpoint."
            )
    long = _parse(frame, trial.endpoint)
    later = trial.months[1:]
    _refuse_others(long, trial)
    predicted = _arrange(long, "predicted_mm3", trial.participant_id, later)
    _refuse_gaps(predicted, trial, long["months"])
    _refuse_constant(predicted, later)
    sd = None
    if "sd_mm3" in long:
        sd = _arrange(long, "sd_mm3", trial.participant_id, later)
        if not (sd > 0).all():
            raise DesignError("sd_mm3 of the twins must be greater than 0 for everyone.")
    if trial.unit == "log_percent":
        sd = None if sd is None else 100 * sd / predicted
        predicted = 100 * np.log(predicted)
    return replace(trial, twins=TwinPredictions(predicted, sd))


def _refuse_other_errors(frame: pd.DataFrame) -> None:
    """Refuse an error of the twins by another name: without it weights and intervals differ."""
    errors = [] if "sd_mm3" in frame else [name for name in map(str, frame) if _ERROR.search(name)]
    if errors:
        raise DesignError(
            f"The table of twins has no column sd_mm3 but {', '.join(errors)}: call the standard "
            "deviation of their error in mm3 so, or leave the column out."
        )


def _parse(frame: pd.DataFrame, endpoint: str) -> pd.DataFrame:
    region = name_volume_column(endpoint)
    long = pd.DataFrame({"participant_id": parse_text(frame["participant_id"]).to_numpy()})
    for name in ("months", "predicted_mm3", "sd_mm3"):
        if name not in frame:
            continue
        numbers, wrong = parse_numbers(frame[name])
        values, right = numbers.to_numpy(), "a number"
        bad = wrong | ~np.isfinite(values)
        if name == "predicted_mm3":
            bad, right = bad | (values <= 0), "a volume greater than 0"
            if not bad.any():
                bad, right = find_implausible(values, region), describe_plausible(region)
            if not bad.any():
                bad = np.isin(values, find_volume_codes(values, region))
                right = "a volume, no code for a missing value"
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            given = frame[name].iloc[[first]]
            got = "nothing" if is_missing(given).any() else given.iloc[0]
            raise DesignError(
                f"{name} of the twins must be {right}, got {got} (participant "
                f"{long['participant_id'].iloc[first]})."
            )
        long[name] = values
    repeated = long.duplicated(["participant_id", "months"])
    if repeated.any():
        raise DesignError(
            f"The table of twins has {tally(repeated.sum(), 'rows')} too many (first: "
            f"{long['participant_id'][repeated].iloc[0]}): one a person and month is expected."
        )
    return long


def _refuse_others(long: pd.DataFrame, trial: FinishedTrial) -> None:
    without = ~np.isin(trial.participant_id, long["participant_id"].to_numpy(dtype=str))
    if without.any():
        raise DesignError(
            f"There is no twin of {without.sum()} of the {tally(trial.size, 'people')} of "
            "the trial (first: "
            f"{trial.participant_id[without][0]}); the table of twins is about "
            f"{long['participant_id'].iloc[0]} and others: it must be made for this trial."
        )


def _arrange(long: pd.DataFrame, name: str, people: np.ndarray, months: Floats) -> Floats:
    values = long.set_index(["participant_id", "months"])[name]
    wanted = pd.MultiIndex.from_product([people, months])
    return values.reindex(wanted).to_numpy(dtype=float).reshape(len(people), len(months))


def _refuse_constant(predicted: Floats, months: Floats) -> None:
    same = np.ptp(predicted, axis=0) == 0
    if same.any():
        raise DesignError(
            f"The twins predict the same volume for everyone at {_name_months(months[same])}: such "
            "a twin says nothing of anybody."
        )


def _refuse_gaps(predicted: Floats, trial: FinishedTrial, made: pd.Series) -> None:
    """Refuse visits without a twin, those that as many people lack in one sentence."""
    lacking, later = np.isnan(predicted).sum(axis=0), trial.months[1:]
    own = _name_months(np.unique(made.to_numpy(dtype=float)))
    if lacking.any():
        raise DesignError(
            *(
                f"The twins have no prediction at {_name_months(later[lacking == n])} for {n} of "
                f"the {tally(trial.size, 'people')}; the trial has visits there, the twins "
                f"are of {own}."
                for n in np.unique(lacking[lacking > 0])
            )
        )


def _name_months(months: Floats) -> str:
    """Return months in words, such as "month 6", "months 6, 12 and 18"."""
    names = [f"{month:g}" for month in months]
    if len(names) == 1:
        return f"month {names[0]}"
    return f"months {', '.join(names[:-1])} and {names[-1]}"
