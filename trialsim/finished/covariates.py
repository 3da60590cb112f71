"""Covariates of a trial: what was known of each person at baseline, as numbers."""

from collections.abc import Container, Iterable, Sequence

import numpy as np
import pandas as pd

from cohorts.counting import tally
from cohorts.sources.checks.volumes import get_limits
from cohorts.sources.meaning.covariates import NUMERIC_COVARIATES, TEXT_COVARIATES
from cohorts.sources.meaning.identifying import find_identifying
from cohorts.sources.values import (
    USUAL_MISSING_CODES,
    find_suspected_codes,
    is_missing,
    parse_numbers,
    parse_text,
)
from trialsim.errors import DesignError
from trialsim.finished.trial import FinishedTrial, Floats

_MAX_LEVELS = 8
_RANGES = {**NUMERIC_COVARIATES, "age_years": (0, 120)}
_NOT_COVARIATES = frozenset(
    {
        "participant_id",
        "arm",
        "months",
        "session_id",
        "image_path",
        "segmentation_path",
        "determinant",
        "visit",
    }
)


def read_covariates(
    frame: pd.DataFrame,
    long: pd.DataFrame,
    people: pd.Index,
    *,
    chosen: Sequence[str] | None,
    outcome: str,
) -> tuple[pd.DataFrame, list[str]]:
    """Return the covariates of everyone in `people`, with notes on what was left out.

    A column of words becomes one column a level but the first; names of sites are words, even
    where they are written in digits.

    Parameters
    ----------
    frame
        The trial's table.
    long
        `participant_id` and `visit` of its rows.
    people
        Whose, in the order of the rows.
    chosen
        Columns to adjust for; every further column when None, but for volumes that change after
        baseline, which are other endpoints.
    outcome
        The outcome's column.

    Raises
    ------
    DesignError
        A column that is not there, is the outcome or no covariate at all, changes after baseline,
        has gaps, numbers that cannot be or what looks like a code for a missing value, or has too
        many levels.
    """
    if chosen is not None:
        unknown = [name for name in chosen if name not in frame]
        if unknown:
            offered = _list_offered(frame, outcome)
            raise DesignError(
                *(
                    f"The trial's table has no column {name}: covariates may be "
                    f"{', '.join(offered) or 'none'}."
                    for name in unknown
                )
            )
        wrong = [name for name in chosen if name in _NOT_COVARIATES or name == outcome]
        if wrong:
            raise DesignError(
                *(
                    f"{name} is no covariate: it changes after baseline, and its baseline is "
                    f"adjusted for as it is; {_name_without(chosen, wrong)}."
                    if name == outcome
                    else f"{name} is no covariate: it says who, when or which arm; "
                    f"{_name_without(chosen, wrong)}."
                    for name in wrong
                )
            )
    names = _list_offered(frame, outcome) if chosen is None else [str(name) for name in chosen]
    rows = frame.set_axis(long.index)
    notes = []
    if chosen is None:
        dated, named = find_identifying(rows[names])
        if dated or named:
            own = ", ".join(name for name in names if name in {*dated, *named})
            notes.append(f"Not adjusted for, because they identify people: {own}.")
            names = [name for name in names if name not in {*dated, *named}]
    changing = [name for name in names if _changes(rows[name], long["participant_id"])]
    endpoints = [name for name in changing if chosen is None and name.endswith("_mm3")]
    offered = [name for name in changing if name not in endpoints]
    if offered:
        without = _name_without(names, changing)
        raise DesignError(
            *(
                f"{name} changes after baseline, so the treatment may have changed it: a covariate "
                f"must be known before randomization; give its baseline value, or {without}."
                for name in offered
            )
        )
    first = rows[names].set_axis(long["participant_id"].to_numpy()).groupby(level=0).first()
    known = first.drop(columns=endpoints).reindex(people)
    if problems := _find_problems(known):
        without = _name_without(map(str, known), problems)
        raise DesignError(*(f"{problem}{without}." for problem in problems.values()))
    columns = [_encode(known[name]) for name in known]
    notes += [f"{name} changes after baseline: another endpoint, not used." for name in endpoints]
    table = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=people)
    constant = [str(name) for name in table if table[name].nunique() < 2]
    notes += [f"{name} is the same for everyone: not used." for name in constant]
    return table.drop(columns=constant), notes


def _changes(values: pd.Series, people: pd.Series) -> bool:
    pairs = pd.DataFrame({"person": people.to_numpy(), "value": parse_text(values).to_numpy()})
    return bool(pairs.dropna().drop_duplicates().duplicated("person").any())


def find_redundant(trial: FinishedTrial) -> str:
    """Return what to do about covariates that say nothing of their own of people seen last.

    Empty where each says something.
    """
    seen = ~np.isnan(trial.outcome[:, -1])
    known = np.column_stack([trial.arms, trial.outcome[:, 0]])[seen]
    redundant = []
    for name in trial.covariates:
        more = np.column_stack([known, trial.covariates[name].to_numpy(float)[seen]])
        if _count_dimensions(more) == _count_dimensions(known):
            redundant.append(str(name).partition("=")[0])
        else:
            known = more
    if not redundant:
        return ""
    named = list(dict.fromkeys(str(name).partition("=")[0] for name in trial.covariates))
    without = _name_without(named, redundant)
    return (
        f"{', '.join(dict.fromkeys(redundant))}: in people with an outcome at month "
        f"{trial.months[-1]:g} other predictors say the same, or it has one value; {without}."
    )


def _count_dimensions(columns: Floats) -> int:
    """Return the rank of columns around their means, whatever their units."""
    centred = columns - columns.mean(axis=0)
    scaled = centred / np.maximum(np.abs(centred).max(axis=0), np.finfo(float).tiny)
    return int(np.linalg.matrix_rank(scaled, tol=1e-8))


def _list_offered(frame: pd.DataFrame, outcome: str) -> list[str]:
    return [str(name) for name in frame if name not in _NOT_COVARIATES and name != outcome]


def _name_without(names: Iterable[str], wrong: Container[str]) -> str:
    """Return what to do without some of the covariates."""
    others = ",".join(name for name in names if name not in wrong)
    return f"name the covariates without it (--covariates {others or 'none'})"


def _find_problems(known: pd.DataFrame) -> dict[str, str]:
    """Return what is wrong with each covariate that nothing can be adjusted for."""
    problems = {}
    for name, values in known.items():
        gaps = is_missing(values)
        n_levels = 0 if _is_number(values) else parse_text(values).nunique()
        if gaps.any():
            problems[str(name)] = (
                f"{name} is missing for {tally(gaps.sum(), 'people')} (first: "
                f"{values.index[gaps][0]}): fill it in, or "
            )
        elif not n_levels and np.isinf(parse_numbers(values)[0]).any():
            problems[str(name)] = f"{name} must hold finite numbers: correct it, or "
        elif (impossible := _find_impossible(values)).any():
            low, high = _find_range(str(name))
            problems[str(name)] = (
                f"{name} must be a number from {low:g} to {high:g}, got {_name_first(impossible)}: "
                "correct it, or "
            )
        elif (coded := _find_coded(values)).any():
            problems[str(name)] = (
                f"{name} holds {_name_first(coded)}, which looks like a code for a missing value: "
                "fill in what it was, write it otherwise where it is a value, or "
            )
        elif n_levels > _MAX_LEVELS:
            problems[str(name)] = (
                f"{name} has {n_levels} different words, at most {_MAX_LEVELS} can be adjusted "
                "for: "
            )
    return problems


def _find_impossible(values: pd.Series) -> pd.Series:
    """Return the values out of a covariate's range; none of one without."""
    low, high = _find_range(str(values.name))
    numbers = parse_numbers(values)[0].to_numpy()
    return values[(numbers < low) | (numbers > high)]


def _find_range(name: str) -> tuple[float, float]:
    return _RANGES.get(name) or get_limits(name) or (-np.inf, np.inf)


def _find_coded(values: pd.Series) -> pd.Series:
    """Return the values that look like codes for a missing one; of names only negative numbers."""
    numbers = parse_numbers(values)[0]
    if _is_number(values):
        return values[numbers.isin(find_suspected_codes(numbers.to_numpy()))]
    return values[numbers.isin([code for code in USUAL_MISSING_CODES if code < 0])]


def _name_first(found: pd.Series) -> str:
    more = f", and {tally(len(found) - 1, 'people')} more" if len(found) > 1 else ""
    return f"{found.iloc[0]} (participant {found.index[0]}{more})"


def _is_number(values: pd.Series) -> bool:
    return str(values.name) not in TEXT_COVARIATES and not parse_numbers(values)[1].any()


def _encode(values: pd.Series) -> pd.DataFrame:
    name = str(values.name)
    if _is_number(values):
        return parse_numbers(values)[0].to_frame(name)
    text = parse_text(values)
    levels = sorted(text.unique())
    # of one word alone a constant is left, which is told like any other
    told = levels[1:] or levels
    return pd.DataFrame({f"{name}={level}": (text == level).astype(float) for level in told})
