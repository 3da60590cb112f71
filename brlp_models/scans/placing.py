"""From files to a model's grid: the one way of predictions, evaluations and the input check."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from brlp_models.errors import ScanError
from brlp_models.scans.cache import ScanCache, compute_key
from brlp_models.scans.contrast import compute_exponent, measure_white_over_gray
from brlp_models.scans.files import Scan, read_labels
from brlp_models.scans.grid import Grid
from brlp_models.scans.metrics import compute_placement_metrics
from brlp_models.scans.preprocessing import (
    PreprocessedScan,
    VisitScan,
    preprocess_visits,
    read_channels,
    tell_orientation,
)
from cohorts.errors import CohortError
from cohorts.labels import SIDED_CODES
from cohorts.sources.bids.files import find_contrast

if TYPE_CHECKING:
    from brlp_models.model.model import BrlpModel

PREPROCESSED_BEFORE: Final = "preprocessed before"
"""Where the brain mask of a scan comes from that was on the model's grid when it was read."""

_LEAST_BACKGROUND: Final = 0.05
"""The share of voxels that are exactly 0 in a scan that is preprocessed already."""

_FEWEST_VOXELS: Final = 20


def load_onto_grid(
    model: "BrlpModel", visits: Sequence[VisitScan], cache: ScanCache | None = None
) -> PreprocessedScan:
    """Return the last of one person's scans on a model's grid, with what the input check judges.

    A scan that is there already, with intensities 0 to 1 around a background of 0 in every channel,
    is taken as it is, with the determinant that its visit states. Any other is preprocessed through
    the affine of the person's first scan, which says how large it becomes: one stated beside it
    would be of another space than the file's.

    Parameters
    ----------
    model
        Its grid, its contrast, and the segmenter that finds a brain.
    visits
        The baseline first; only the T1w of the first, and the last, are read. Channels of the model
        that the last does not name are looked for beside its T1w.
    cache
        Keeps preprocessed scans.

    Raises
    ------
    ScanError
        Where a file cannot be read, or no brain is found in it; where a channel is not there; where
        a determinant is stated of a scan that is not on the grid.
    """
    from brlp_models.scans.brain_network import choose_brain_segmenter

    config, grid = model.config, Grid.of_config(model.config)
    last = add_channels(visits[-1], config.channels)
    visits, scans = [*visits[:-1], last], read_channels(last)
    if are_preprocessed(scans, grid):
        placed = take_as_they_are(scans, config.white_over_gray, determinant=last.determinant)
    else:
        refuse_determinant(last, scans[0])
        segmenter, wanted = choose_brain_segmenter(model), config.white_over_gray

        def make() -> PreprocessedScan:
            return preprocess_visits(visits, grid, segmenter=segmenter, white_over_gray=wanted)[-1]

        key = compute_key(visits, grid, segmenter=segmenter, white_over_gray=wanted)
        placed = make() if cache is None else cache.fetch(key, make)
    sides = "" if last.segmentation is None else judge_sides(last.segmentation)
    return replace(placed, provenance={**placed.provenance, "sides": sides})


def is_placed(model: "BrlpModel", visit: VisitScan) -> bool:
    """Say whether `load_onto_grid` would take a visit's scan as it is.

    Raises
    ------
    ScanError
        Where a file cannot be read, or a channel is not there.
    """
    config = model.config
    scans = read_channels(add_channels(visit, config.channels))
    return are_preprocessed(scans, Grid.of_config(config))


def refuse_determinant(visit: VisitScan, scan: Scan) -> None:
    """Raise `ScanError` where a visit states a determinant, though its scan is not on the grid."""
    if visit.determinant in (None, 1.0):
        return
    raise ScanError(
        f"{scan.name}: the visit states a determinant of {visit.determinant:g}, so the scan should "
        "lie on the model's grid with intensities from 0 to 1, and it does not; leave the "
        "determinant out where the scan is in the person's own space."
    )


def add_channels(visit: VisitScan, channels: Sequence[str]) -> VisitScan:
    """Return a visit with all channels of a model; those that it does not name lie beside its T1w.

    Parameters
    ----------
    visit
        With its T1w.
    channels
        Of the model, the T1w first.

    Raises
    ------
    ScanError
        Where a channel is not there.
    """
    others = dict(visit.others)
    for name in channels[1:]:
        if name in others:
            continue
        if isinstance(visit.scan, Scan):
            raise ScanError(f"{visit.scan.name}: the model reads {name} as well; got none.")
        try:
            others[name] = find_contrast(Path(visit.scan), name)
        except CohortError as error:
            raise ScanError(*error.problems) from error
    return replace(visit, others={name: others[name] for name in channels[1:]})


def are_preprocessed(scans: Sequence[Scan], grid: Grid) -> bool:
    """Say whether all channels of a scan are on a model's grid as `is_preprocessed` says."""
    return all(is_preprocessed(scan, grid) for scan in scans)


def is_preprocessed(scan: Scan, grid: Grid) -> bool:
    """Say whether a scan lies on a model's grid, a brain from 0 to 1 around a background of 0."""
    if scan.grid != grid:
        return False
    low, high = float(scan.data.min()), float(scan.data.max())
    background = float(np.mean(scan.data == 0))
    return low == 0 and 0.5 < high <= 1.001 and background >= _LEAST_BACKGROUND


def take_as_they_are(
    scans: Sequence[Scan], white_over_gray: float | None, *, determinant: float | None = None
) -> PreprocessedScan:
    """Return a scan that is on the model's grid already, with what can be judged of it there.

    Its contrast is not changed: how far it is from that of training is judged instead.

    Parameters
    ----------
    scans
        Brain from 0 to 1, background exactly 0, one a channel; the first is judged.
    white_over_gray
        The contrast of the model's training, where it is known.
    determinant
        Of the way that the scan came to the grid, where it is known.
    """
    scan = scans[0]
    mask = scan.data > 0
    metrics = dict(_measure(scan.data, scan.grid))
    if white_over_gray is not None:
        lacking = compute_exponent(metrics["white_over_gray"], white_over_gray)
        metrics["contrast_lacking"] = lacking
    return PreprocessedScan(
        image=np.stack([one.data for one in scans]),
        mask=mask,
        grid=scan.grid,
        native_grid=scan.grid,
        native_to_mni=np.eye(4),
        metrics=metrics,
        provenance={
            "scan": scan.name,
            "mask": PREPROCESSED_BEFORE,
            "orientation": tell_orientation(scan),
        },
        given_determinant=determinant or 1.0,
    )


_MEASURED: Final[dict[tuple[bytes, str, Grid], Mapping[str, float]]] = {}
"""What the latest scans measure, by the digest of their voxels.

A person's scan is placed for the model, again for what tells its context, and by an evaluation
once for each of the ways of predicting that it compares.
"""

_MOST_MEASURED: Final = 1000


def _measure(image: NDArray[np.float32], grid: Grid) -> Mapping[str, float]:
    key = (hashlib.sha256(image.tobytes()).digest(), image.dtype.str, grid)
    if key not in _MEASURED:
        contrast = measure_white_over_gray(image, grid)
        placement = compute_placement_metrics(image, image > 0, grid)
        if len(_MEASURED) == _MOST_MEASURED:
            _MEASURED.pop(next(iter(_MEASURED)), None)
        _MEASURED[key] = {**placement, "white_over_gray": contrast}
    return _MEASURED[key]


def judge_sides(segmentation: Path | str) -> str:
    """Return what is wrong with left and right of a segmentation in its world; empty if nothing."""
    labels, grid = read_labels(segmentation)
    left, right = (
        np.argwhere(np.isin(labels, [code for codes in SIDED_CODES.values() for code in codes[k]]))
        for k in (0, 1)
    )
    if min(len(left), len(right)) < _FEWEST_VOXELS:
        return ""
    toward_right = grid.affine[0, :3] @ (right.mean(axis=0) - left.mean(axis=0))
    if toward_right > 0:
        return ""
    return (
        "the segmentation's left structures lie on the right of the head, so one of them is flipped"
    )
