"""Words that tables may hold."""

from collections.abc import Iterable
from typing import Final

SEXES: Final = ("F", "M")
DIAGNOSES: Final = ("CN", "MCI", "AD")
"""The diagnoses that are read without being told, in their order; others are stated."""

HEAD_SIZE: Final = "head_size_mm3"
"""The region name under which `volumes` holds the head (intracranial) size."""

BRAIN: Final = "brain"
"""The region name under which `volumes` holds the total brain volume (the paper's denominator)."""

CONTEXT_REGIONS: Final = (
    "cerebral_cortex",
    "hippocampus",
    "amygdala",
    "cerebral_white_matter",
    "lateral_ventricle",
)
"""The five regions of BrLP's context, in its order; both sides together."""

REPORTED_REGIONS: Final = ("hippocampus", "amygdala", "lateral_ventricle", "thalamus", "csf")
"""The regions whose errors the paper reports."""

IMAGE_KINDS: Final = (
    "baseline", "predicted", "difference", "uncertainty", "reconstructed",
    "reconstructed_hippocampus", "predicted_hippocampus",
)  # fmt: skip
"""What an image of `prediction_images` shows; `reconstructed` is the baseline, decoded; of a
hippocampus it is the share of each voxel that it fills."""

OBSERVED_KINDS: Final = ("observed", "decoded")
"""What an image of `observed_images` shows: the follow-up scan, and how the model decodes it."""

BREAK_EVEN: Final = "slowing in the selected over slowing in everyone"
"""The assumption in `sensitivity` whose value other than 1 is that at which nothing is saved."""

SIDES: Final = ("left", "right")
"""Prefixes of one-sided regions: `left_hippocampus`; a name without a prefix is both sides."""


def order_diagnoses(found: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct diagnoses: cognitively normal, MCI and AD in this order, then others.

    Examples
    --------
    >>> order_diagnoses(["MS", "AD", "CN", "AD"])
    ('CN', 'AD', 'MS')
    """
    there = set(found)
    return (*(name for name in DIAGNOSES if name in there), *sorted(there - set(DIAGNOSES)))


def join_sides(region: str) -> str:
    """Return the region that has both sides of a one-sided one; others are their own.

    Examples
    --------
    >>> join_sides("left_hippocampus"), join_sides("thalamus")
    ('hippocampus', 'thalamus')
    """
    left, right = (f"{side}_" for side in SIDES)
    return region.removeprefix(left).removeprefix(right)
