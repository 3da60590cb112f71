"""Covariates of a trial: what was known of each person at baseline, as numbers."""

from collections.abc import Sequence

import pandas as pd

from cohorts.sources.meaning.identifying import find_identifying
from cohorts.sources.values import is_missing, parse_numbers, parse_text
from trialsim.errors import DesignError

_MAX_LEVELS = 8
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

    A column of words becomes one column a level but the first.

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
        has gaps, or has too many levels.
    """
    if chosen is not None:
        unknown = [name for name in chosen if name not in frame]
        if unknown:
            raise DesignError(*(f"The trial's table has no column {name}." for name in unknown))
        wrong = [name for name in chosen if name in _NOT_COVARIATES or name == outcome]
        if wrong:
            raise DesignError(
                *(
                    f"{name} is no covariate: it changes after baseline, and its baseline is "
                    "adjusted for as it is."
                    if name == outcome
                    else f"{name} is no covariate: it says who, when or which arm."
                    for name in wrong
                )
            )
    names = [
        str(name)
        for name in (frame.columns if chosen is None else chosen)
        if name not in _NOT_COVARIATES and name != outcome
    ]
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
        raise DesignError(
            *(
                f"{name} changes after baseline, so the treatment may have changed it: a covariate "
                "must be known before randomization; give its baseline value, or name the "
                "covariates without it."
                for name in offered
            )
        )
    first = rows[names].set_axis(long["participant_id"].to_numpy()).groupby(level=0).first()
    kept = [name for name in names if name not in endpoints]
    columns = [_encode(first[name].reindex(people)) for name in kept]
    notes += [f"{name} changes after baseline: another endpoint, not used." for name in endpoints]
    table = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=people)
    constant = [str(name) for name in table if table[name].nunique() < 2]
    notes += [f"{name} is the same for everyone: not used." for name in constant]
    return table.drop(columns=constant), notes


def _changes(values: pd.Series, people: pd.Series) -> bool:
    pairs = pd.DataFrame({"person": people.to_numpy(), "value": parse_text(values).to_numpy()})
    return bool(pairs.dropna().drop_duplicates().duplicated("person").any())


def _encode(values: pd.Series) -> pd.DataFrame:
    name = str(values.name)
    gaps = is_missing(values)
    if gaps.any():
        raise DesignError(
            f"{name} is missing for {int(gaps.sum())} people (first: {values.index[gaps][0]}): "
            "fill it in, or name the covariates without it."
        )
    numbers, wrong = parse_numbers(values)
    if not wrong.any():
        return numbers.to_frame(name)
    text = parse_text(values)
    levels = sorted(text.unique())
    if len(levels) > _MAX_LEVELS:
        raise DesignError(
            f"{name} has {len(levels)} different words, at most {_MAX_LEVELS} can be adjusted for: "
            "name the covariates without it."
        )
    return pd.DataFrame({f"{name}={level}": (text == level).astype(float) for level in levels[1:]})
