"""Checks of volumes: in mm3, larger than zero, sides that add up and stay on their side."""

import math
from shlex import quote
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.labels import SIDED_CODES
from cohorts.schema import BRAIN, HEAD_SIZE, SIDES
from cohorts.sources.assembly import are_baseline_rows
from cohorts.sources.columns import list_volume_columns, name_volume_column
from cohorts.sources.records import VOLUME_SOURCE, Records
from cohorts.sources.values import USUAL_MISSING_CODES

PLAUSIBLE_MM3: Final[dict[str, tuple[float, float]]] = {
    "hippocampus": (1_000, 14_500),
    "amygdala": (300, 7_000),
    "lateral_ventricle": (1_000, 700_000),
    "thalamus": (4_000, 30_000),
    "cerebral_cortex": (150_000, 950_000),
    "cerebral_white_matter": (120_000, 1_000_000),
    BRAIN: (400_000, 2_300_000),
    HEAD_SIZE: (600_000, 3_000_000),
}
"""Volumes of both sides of an adult, generously; BrLP's training ranges lie inside."""

_ANY_REGION: Final = (0.0, PLAUSIBLE_MM3[HEAD_SIZE][1])

_SIDES_AGREE_WITHIN: Final = 0.02
_CLEAR_ASYMMETRY: Final = 0.2
_UNSIDED_SHARE: Final = {"cerebral_white_matter": 0.06}
"""What both sides together may have beyond left plus right (corpus callosum, hypointensities)."""


_NEAR: Final = 0.05
"""How far from a code, as a part of it, volumes tell how many may be it by chance."""

_BY_CHANCE: Final = 0.001
"""Up to here, so many volumes that are a code are no chance."""

_FINEST_MM3: Final = 0.1
"""What volumes with decimals are taken to be rounded to: fewer are told than with a finer one."""


def check_volumes(records: Records) -> None:
    """Report volumes that cannot be right."""
    for column in list_volume_columns(records.frame):
        _check_positive(records, column)
        _check_plausible(records, column)
    for region in SIDED_CODES:
        _check_sides(records, region)
    _check_swapped_sides(records)
    _check_parts(records)
    _check_sources(records)


def _check_positive(records: Records, column: str) -> None:
    volumes = records.frame[column].to_numpy(float)
    records.report(
        (volumes <= 0) | np.isinf(volumes), column, "got {value}, a volume above 0 mm3 is expected"
    )


def _check_plausible(records: Records, column: str) -> None:
    volumes = records.frame[column].to_numpy(float)
    outside = find_implausible(volumes, column)
    if not outside.any():
        return
    low, high = get_limits(column) or _ANY_REGION
    in_ml = outside & (volumes >= low / 1000) & (volumes <= high / 1000)
    expected = f"{describe_plausible(column)} is expected"
    if in_ml.sum() > 0.5 * (~np.isnan(volumes)).sum():
        name = records.get_source_name(column)
        in_ml_named = quote(f"{name}={column.removesuffix('_mm3')}_ml")
        records.report_all(
            column,
            f"the volumes look like ml (median {np.nanmedian(volumes):.4g}); {expected}; if they "
            f"are, say so with --map {in_ml_named}",
        )
        return
    records.report(in_ml, column, f"got {{value}}, which looks like ml (cm3); {expected}")
    records.report(outside & ~in_ml, column, f"got {{value}}, {expected}")


def get_limits(column: str) -> tuple[float, float] | None:
    """Return what a volume of an adult lies between, by the name of its column; None if unknown."""
    for region, (low, high) in PLAUSIBLE_MM3.items():
        if column == name_volume_column(region):
            return low, high
        if column in (f"left_{region}_mm3", f"right_{region}_mm3"):
            return low / 4, high * 0.6
    return None


def find_implausible(volumes: npt.NDArray[np.float64], column: str) -> npt.NDArray[np.bool_]:
    """Return which volumes (mm3) are no adult's, by the name of their column.

    Those of a region that is not known are no larger than a head. What is no volume at all (0,
    negative, infinite) is another problem.
    """
    low, high = get_limits(column) or _ANY_REGION
    outside = (volumes > 0) & ((volumes < low) | (volumes > high)) & np.isfinite(volumes)
    return np.asarray(outside)


def describe_plausible(column: str) -> str:
    """Return what a volume must be, by the name of its column."""
    low, high = get_limits(column) or _ANY_REGION
    return f"a volume in mm3 ({low:g} to {high:g})"


def check_volume_codes(records: Records) -> None:
    """Report volumes of a source that look like codes of missing values, such as 9999."""
    if records.missing_codes == ():
        return
    for column in list_volume_columns(records.frame):
        volumes = records.frame[column].to_numpy(float)
        for code in find_volume_codes(volumes, column):
            records.report(
                volumes == code,
                column,
                "got {value}, which looks like a code for a missing value; say so with --missing "
                f"{code:g}, or --missing none where every number is a value",
            )


def find_volume_codes(volumes: npt.NDArray[np.float64], column: str) -> list[float]:
    """Return the volumes (mm3) that look like codes of missing values, though an adult may have it.

    A code such as 9999 lies among the volumes of a large structure. It is told by how often it
    comes: volumes are spread evenly over a few percent, so that those around a code tell how many
    are it by chance. A person who has that volume has nearly the same at other visits.

    Parameters
    ----------
    volumes
        A column of them, NaN where none is known.
    column
        Its name.

    Examples
    --------
    >>> find_volume_codes(np.array([6881.2, 9999.0, 7012.9, 6540.4]), "hippocampus_mm3")
    [9999.0]
    >>> find_volume_codes(np.array([9999.0, 9871.0, 9702.0, 9540.0]), "hippocampus_mm3")
    []
    """
    known = volumes[np.isfinite(volumes) & (volumes > 0)]
    known = known[~find_implausible(known, column)]
    codes = np.unique(known[np.isin(known, list(USUAL_MISSING_CODES))])
    if not codes.size:
        return []
    others = known[~np.isin(known, codes)]
    step = 1.0 if np.all(others == np.rint(others)) else _FINEST_MM3
    return [float(code) for code in codes if _is_no_chance(known, others, float(code), step)]


def _is_no_chance(
    known: npt.NDArray[np.float64], others: npt.NDArray[np.float64], code: float, step: float
) -> bool:
    n_near = int((np.abs(others - code) <= _NEAR * code).sum())
    expected = (n_near + 1) * step / (2 * _NEAR * code)
    n_codes = int((known == code).sum())
    # what a Poisson number reaches with, at most
    log_chance = n_codes * math.log(expected) - math.lgamma(n_codes + 1)
    return log_chance <= math.log(_BY_CHANCE) + 1e-3


def _check_sides(records: Records, region: str) -> None:
    names = [name_volume_column(name) for name in (f"left_{region}", f"right_{region}", region)]
    if not {names[0], names[1], names[2]} <= set(records.frame):
        _check_lone_side(records, region)
        return
    left, right, both = (records.frame[name] for name in names)
    ratio = both / (left + right)
    high = 1 + _SIDES_AGREE_WITHIN + _UNSIDED_SHARE.get(region, 0.0)
    wrong = ~ratio.between(1 - _SIDES_AGREE_WITHIN, high) & ratio.notna() & (both > 0)
    twice = wrong & ratio.between(1.9, 2.1)
    records.report(
        twice,
        names[2],
        "got {value}, twice left plus right: both sides were summed twice; left plus right "
        "is expected",
    )
    records.report(
        wrong & ~twice,
        names[2],
        f"got {{value}}, left plus right is expected ({{{names[0]}:.10g}} + {{{names[1]}:.10g}})",
    )


def _check_lone_side(records: Records, region: str) -> None:
    both = name_volume_column(region)
    for side in ("left", "right"):
        one = name_volume_column(f"{side}_{region}")
        if {one, both} <= set(records.frame):
            records.report(
                records.frame[one] > 0.9 * records.frame[both],
                one,
                f"got {{value}}, as large as both sides together ({{{both}:.10g}}); about half is "
                "expected",
            )


def _check_swapped_sides(records: Records) -> None:
    """Report visits whose asymmetries mirror those of the baseline visit, over all regions.

    A swap turns every asymmetry a = log(left / right) round, and atrophy of both sides cancels in
    it; measurement error alone does not turn large ones round.
    """
    frame = records.frame
    asymmetries = _compute_asymmetries(frame)
    if asymmetries.empty:
        return
    first = asymmetries.where(pd.Series(are_baseline_rows(frame)), axis=0)
    before = first.groupby(frame["participant_id"]).transform("first").to_numpy()
    now = asymmetries.to_numpy()
    mirrored = np.nansum((now + before) ** 2, axis=1) < 0.1 * np.nansum((now - before) ** 2, axis=1)
    clear = np.nansum(np.where(np.isnan(now), np.nan, before) ** 2, axis=1) > _CLEAR_ASYMMETRY**2
    records.report(
        mirrored & clear,
        None,
        "left and right volumes of {session_id} mirror those of the baseline visit; "
        "the same sides in every visit are expected",
    )


def _compute_asymmetries(frame: pd.DataFrame) -> pd.DataFrame:
    found = {}
    for region in SIDED_CODES:
        left, right = (name_volume_column(f"{side}_{region}") for side in SIDES)
        if {left, right} <= set(frame):
            both = frame[left].between(0, np.inf, "neither") & frame[right].between(
                0, np.inf, "neither"
            )
            found[region] = np.log(frame[left].where(both) / frame[right].where(both))
    return pd.DataFrame(found, index=frame.index)


def _check_parts(records: Records) -> None:
    frame = records.frame
    brain, head = name_volume_column(BRAIN), HEAD_SIZE
    if {brain, head} <= set(frame):
        records.report(
            frame[brain] > 1.02 * frame[head],
            brain,
            f"got {{value}}, no more than the head size is expected ({{{head}:.10g}})",
        )


def _check_sources(records: Records) -> None:
    """Report visits whose volumes another tool measured than those of the person's first visit.

    Tools and versions differ by several percent, as much as years of atrophy.
    """
    frame = records.frame
    columns = list_volume_columns(frame)
    if VOLUME_SOURCE not in frame or not columns:
        return
    source = frame[VOLUME_SOURCE].where(frame[columns].notna().any(axis=1))
    if source.nunique() < 2:
        return
    ordered = source.reindex(frame["months_from_baseline"].sort_values(kind="stable").index)
    first = ordered.groupby(frame["participant_id"]).transform("first").reindex(frame.index)
    records.frame = frame.assign(_first=first)
    records.report(
        source.notna() & (source != first),
        None,
        f"the volumes of {{session_id}} are from {{{VOLUME_SOURCE}}}, those of the first visit "
        "from {_first}; one tool for all visits of a person is expected",
    )
    records.frame = frame
