"""Covariates: whatever a source tells of people beside the standard columns and volumes."""

from shlex import quote
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.sources.columns import get_region, list_volume_columns, tells_later
from cohorts.sources.records import PROVENANCE, Records, join_names
from cohorts.sources.values import (
    USUAL_MISSING_CODES,
    find_suspected_codes,
    is_missing,
    parse_block,
    parse_text,
)

NUMERIC_COVARIATES: Final = {"apoe4": (0, 2), "education_years": (0, 35), "mmse": (0, 30)}
"""Covariates that are numbers, with their least and greatest value."""

TEXT_COVARIATES: Final = frozenset({"site"})
"""Covariates that are names, even where they are written in digits."""

STANDARD: Final = (
    "participant_id",
    "session_id",
    "sex",
    "age_years",
    "diagnosis",
    "months_from_baseline",
    "image_path",
    "segmentation_path",
    "determinant",
)


def list_covariates(frame: pd.DataFrame) -> list[str]:
    """Return the columns that are neither standard ones nor volumes."""
    known = {*STANDARD, *PROVENANCE, *list_volume_columns(frame)}
    return [str(name) for name in frame if name not in known]


def interpret_covariates(records: Records) -> None:
    """Turn covariates into numbers or text; leave out what tells of the time after baseline."""
    volumes = list_volume_columns(records.frame)
    later_volumes = [name for name in volumes if tells_later(get_region(name))]
    names = [*list_covariates(records.frame), *later_volumes]
    later = [name for name in names if tells_later(name) or name in later_volumes]
    if later:
        records.notes.append(
            f"Left out, because they tell what happened after baseline: "
            f"{', '.join(join_names(later))}. One that was known at baseline, such as a walk of 6 "
            f"minutes, is kept under a name that tells of no later time: "
            f"--map {quote(f'{later[0]}=NAME')}."
        )
    kept = [name for name in names if name not in set(later)]
    if not kept:
        records.frame = records.frame.drop(columns=names)
        return
    # One block and one new frame: parsing and setting thousands of columns one by one is slow.
    numbers, wrong = parse_block(records.frame[kept])
    typed: dict[str, npt.ArrayLike] = {name: numbers[:, i] for i, name in enumerate(kept)}
    is_doubtful = wrong.any(axis=0) | np.isin(kept, list(TEXT_COVARIATES))
    for i in np.flatnonzero(is_doubtful):
        if not _is_numeric(records, kept[i], wrong[:, i]):
            typed[kept[i]] = parse_text(records.frame[kept[i]]).array
            _report_code_among_words(records, kept[i], numbers[:, i])
            numbers[:, i] = np.nan
    _report_infinite(records, kept, numbers)
    _report_suspected_codes(records, kept, numbers)
    others = records.frame.drop(columns=names)
    records.frame = pd.concat([others, pd.DataFrame(typed, index=others.index)], axis=1)


def _is_numeric(records: Records, name: str, wrong: npt.NDArray[np.bool_]) -> bool:
    """Return whether a column with text in it holds numbers; report the text if so."""
    if name in TEXT_COVARIATES:
        return False
    if name in NUMERIC_COVARIATES:
        records.report_text(wrong, name, "a number")
        return True
    if wrong.sum() >= 0.5 * (~is_missing(records.frame[name])).sum():
        return False
    records.report(
        wrong,
        name,
        "got {value}, a number is expected as in most rows; --missing declares codes for a "
        "missing value, --ignore leaves the column out",
    )
    return True


def _report_infinite(records: Records, names: list[str], numbers: npt.NDArray[np.float64]) -> None:
    """Report numbers without end; those with a range of their own are checked by it."""
    for i in np.flatnonzero(np.isinf(numbers).any(axis=0)):
        if names[i] not in NUMERIC_COVARIATES:
            records.report(
                np.isinf(numbers[:, i]),
                names[i],
                "got {value}, a finite number is expected, and nothing where none is known",
            )


def _report_code_among_words(records: Records, name: str, numbers: npt.NDArray[np.float64]) -> None:
    """Report negative codes in a column of words, which are no category."""
    if records.missing_codes == ():
        return
    for code in [code for code in USUAL_MISSING_CODES if code < 0]:
        records.report(numbers == code, name, _describe_code(code))


def _describe_code(code: float) -> str:
    return (
        "got {value}, which looks like a code for a missing value; say so with --missing "
        f"{code:g}, or --missing none where every number is a value"
    )


def _report_suspected_codes(
    records: Records, names: list[str], numbers: npt.NDArray[np.float64]
) -> None:
    if records.missing_codes == ():
        return
    suspected = np.isin(numbers, list(USUAL_MISSING_CODES)).any(axis=0)
    for i in np.flatnonzero(suspected):
        if names[i] in NUMERIC_COVARIATES:
            continue
        for code in find_suspected_codes(numbers[:, i]):
            records.report(numbers[:, i] == code, names[i], _describe_code(code))
