"""From a scan in its own space to a model's grid, with the way back.

A scan has one channel or more; the first is the T1w, which says where the brain is.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from brlp_models.errors import ModelError, ScanError
from brlp_models.scans.brain_mask import BrainMask, BrainSegmenter, find_brain_mask
from brlp_models.scans.contrast import MASK_CONTRASTS, compute_spread, standardize_contrast
from brlp_models.scans.files import Scan, make_nifti, read_scan
from brlp_models.scans.grid import Affine, Grid, resample
from brlp_models.scans.intensity import correct_bias_field, scale_intensity, shift_to_positive
from brlp_models.scans.metrics import compute_placement_metrics, compute_scan_metrics
from brlp_models.scans.registration import Registration, register_to_baseline, register_to_template
from brlp_models.scans.template import TEMPLATE_NAME
from cohorts.files.atomic import write_file_with

PREPROCESSING_VERSION: Final = 6
"""Rises with every change that gives other numbers, so that scans kept by an older one are not
taken for its own."""


@dataclass(frozen=True)
class VisitScan:
    """One visit's scan and what is known of its brain.

    Parameters
    ----------
    scan
        The T1w file, or a scan in memory.
    segmentation
        A label map (SynthSeg or FreeSurfer codes) in the scan's world.
    mask
        A brain mask in the scan's world.
    others
        The further channels by name, in the model's order.
    determinant
        Volume in MNI152 of 1 mm3 of the person, where the scan was brought onto the model's grid
        elsewhere and this is known.
    """

    scan: Path | str | Scan
    segmentation: Path | str | None = None
    mask: Path | str | None = None
    others: Mapping[str, Path | str | Scan] = field(default_factory=dict)
    determinant: float | None = None


@dataclass(frozen=True)
class PreprocessedScan:
    """A scan on a model's grid.

    Parameters
    ----------
    image
        (channels, *shape): brain from 0 to 1, background exactly 0, on `grid`.
    mask
        Brain on `grid`.
    grid
        The model's grid in MNI152.
    native_grid
        The scan's own.
    native_to_mni
        Matrix from the scan's world to MNI152 (RAS, mm).
    metrics
        What the input check judges; see `compute_scan_metrics` and `compute_placement_metrics`.
    provenance
        The file, the template, where the brain mask came from (`BrainMask`), and how each further
        channel, by its name, came to lie on the first.
    given_determinant
        Of the way that a scan came before it was read, where it lay on the grid already. It is no
        property of the file, and `save` leaves it out.
    mask_spread
        By region, how far its volume differs between brains that were found in other contrasts of
        the head, as a share of it; nothing where no network looked for the brain.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    grid: Grid
    native_grid: Grid
    native_to_mni: Affine
    metrics: dict[str, float]
    provenance: dict[str, str]
    given_determinant: float = 1.0
    mask_spread: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_in_place(self) -> bool:
        """Whether the scan was on the model's grid when it was read."""
        return self.native_grid == self.grid and np.array_equal(self.native_to_mni, np.eye(4))

    @property
    def determinant(self) -> float:
        """Volume in MNI152 of 1 mm3 of the person: MNI-space volume = native mm3 x determinant."""
        return self.given_determinant * float(np.linalg.det(self.native_to_mni[:3, :3]))

    def save(self, path: Path) -> None:
        """Write everything into one `.npz` file, which appears in one step when it is complete.

        Raises
        ------
        StorageError
            If the folder cannot be written, or the disk is full.
        """
        content = {
            "grid": [list(self.grid.shape), self.grid.affine.tolist()],
            "native_grid": [list(self.native_grid.shape), self.native_grid.affine.tolist()],
            "native_to_mni": self.native_to_mni.tolist(),
            "metrics": self.metrics,
            "provenance": self.provenance,
            "mask_spread": dict(self.mask_spread),
        }
        described = np.array(json.dumps(content))
        write_file_with(
            path,
            lambda place: np.savez_compressed(
                place, image=self.image, mask=self.mask, content=described
            ),
        )

    @classmethod
    def load(cls, path: Path) -> "PreprocessedScan":
        """Read what `save` wrote, number for number.

        Raises
        ------
        ModelError
            Where the file is missing, truncated or damaged.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                image, mask, text = file["image"], file["mask"], str(file["content"])
            content = json.loads(text)
            grid = Grid(*content["grid"])
            return cls(
                # files that hold a T1w scan alone were written without an axis of channels
                image=image.reshape(-1, *grid.shape),
                mask=mask,
                grid=grid,
                native_grid=Grid(*content["native_grid"]),
                native_to_mni=np.asarray(content["native_to_mni"], dtype=float),
                metrics=content["metrics"],
                provenance=content["provenance"],
                mask_spread=content["mask_spread"],
            )
        except (OSError, EOFError, KeyError, ValueError, BadZipFile, zlib.error) as error:
            raise ModelError(f"{path} is no complete preprocessed scan: {error}.") from error


def preprocess_visits(
    visits: Sequence[VisitScan],
    grid: Grid,
    *,
    segmenter: BrainSegmenter | None = None,
    white_over_gray: float | None = None,
) -> list[PreprocessedScan]:
    """Bring all scans of one person into MNI152 through one affine.

    Bias field (N4), affine of the baseline scan to MNI152, rigid map of every follow-up to the
    baseline, brain mask, resampling, intensities from 0 to 1. Only the baseline's affine has a
    determinant other than 1, so that a change of volume is never a change of registration.

    All of it is found in the T1w; further channels are mapped rigidly to the T1w of their visit,
    unless they lie on the same voxels, and go the same way. Each is scaled on its own.

    Parameters
    ----------
    visits
        The person's scans, the baseline first.
    grid
        The model's.
    segmenter
        Finds the brain in whole heads without segmentation or mask; see `find_brain_mask`.
    white_over_gray
        The contrast that the T1w is brought to; None leaves it as it is.

    Raises
    ------
    ScanError
        Where a file cannot be used.
    """
    results: list[PreprocessedScan] = []
    baseline: _Prepared | None = None
    for visit in visits:
        scan = _read(visit.scan)
        scan = replace(scan, data=shift_to_positive(scan.data))
        corrected = replace(scan, data=correct_bias_field(scan))
        registration = _register(corrected, baseline)
        mask = find_brain_mask(
            scan,
            registration.affine,
            segmentation=visit.segmentation,
            mask=visit.mask,
            segment=None
            if segmenter is None
            else partial(segmenter.find_brain, corrected, registration.affine),
        )
        prepared = _Prepared(corrected, mask, registration)
        baseline = baseline or prepared
        placed = _carry_to_grid(prepared, grid, white_over_gray)
        if segmenter is not None and mask.source == "segmenter":
            spread = _spread_masks(prepared, segmenter, grid, white_over_gray)
            placed = replace(placed, mask_spread=spread)
        for name, other in visit.others.items():
            placed = _add_channel(placed, name, _read(other), prepared)
        results.append(placed)
    return results


def read_channels(visit: VisitScan) -> list[Scan]:
    """Return the scans of a visit's channels, the T1w first."""
    return [_read(source) for source in (visit.scan, *visit.others.values())]


def _read(source: Path | str | Scan) -> Scan:
    return source if isinstance(source, Scan) else read_scan(source)


def to_native_space(
    predicted: NDArray[Any], preprocessed: PreprocessedScan, *, order: int = 1
) -> Any:
    """Return a predicted scan, mask or label map in the person's own space.

    Parameters
    ----------
    predicted
        One channel, on the model's grid.
    preprocessed
        The scan it was predicted from.
    order
        1 for images, 0 for masks and labels.

    Returns
    -------
    nibabel.Nifti1Image
        On the voxels of the original file, with its affine.

    Raises
    ------
    ScanError
        Where `predicted` is not on the model's grid.
    """
    if predicted.shape != preprocessed.grid.shape:
        raise ScanError(
            f"The predicted scan has the shape {predicted.shape}; the model's grid has "
            f"{preprocessed.grid.shape}."
        )
    back = np.linalg.inv(preprocessed.native_to_mni)
    data = resample(
        predicted, preprocessed.grid, preprocessed.native_grid, source_to_target=back, order=order
    )
    return make_nifti(data, preprocessed.native_grid.affine)


@dataclass(frozen=True)
class _Prepared:
    """A bias-corrected scan with its brain and its way to MNI152."""

    scan: Scan
    mask: BrainMask
    registration: Registration


def _register(scan: Scan, baseline: _Prepared | None) -> Registration:
    if baseline is None:
        return register_to_template(scan.data, scan.grid)
    rigid = register_to_baseline(
        scan.data,
        scan.grid,
        baseline=baseline.scan.data,
        baseline_grid=baseline.scan.grid,
        baseline_mask=baseline.mask.voxels,
    )
    return replace(rigid, affine=baseline.registration.affine @ rigid.affine)


def _carry_to_grid(
    prepared: _Prepared, grid: Grid, white_over_gray: float | None
) -> PreprocessedScan:
    scan, to_mni = prepared.scan, prepared.registration.affine
    brain, mask, cut = _place_brain(prepared, prepared.mask.voxels, grid)
    metrics = compute_scan_metrics(scan, prepared.mask.voxels, prepared.registration)
    metrics |= compute_placement_metrics(brain, mask, grid)
    metrics["brightness_cut_share"] = cut
    metrics["brightness_95"] = float(np.percentile(brain[mask], 95)) if mask.any() else 0.0
    if white_over_gray is not None:
        brain, metrics["contrast_exponent"] = standardize_contrast(brain, grid, white_over_gray)
    return PreprocessedScan(
        image=brain[None],
        mask=mask,
        grid=grid,
        native_grid=scan.grid,
        native_to_mni=to_mni,
        metrics=metrics,
        provenance={
            "scan": scan.name,
            "template": TEMPLATE_NAME,
            "mask": prepared.mask.source,
            "mask_doubt": prepared.mask.doubt,
            "orientation": tell_orientation(scan),
        },
    )


def _place_brain(
    prepared: _Prepared, voxels: NDArray[np.bool_], grid: Grid
) -> tuple[NDArray[np.float32], NDArray[np.bool_], float]:
    """Return a brain, 0 to 1, and its mask on a grid, and the share of it that was cut."""
    scan, to_mni = prepared.scan, prepared.registration.affine
    smooth = resample(voxels.astype(np.float32), scan.grid, grid, source_to_target=to_mni)
    mask = smooth >= 0.5
    brain, cut = scale_intensity(
        resample(scan.data, scan.grid, grid, source_to_target=to_mni), mask
    )
    return brain, mask, cut


def _spread_masks(
    prepared: _Prepared, segmenter: BrainSegmenter, grid: Grid, white_over_gray: float | None
) -> dict[str, float]:
    """Return how far volumes differ between brains that are found in two contrasts of a head."""
    volumes = []
    for exponent in MASK_CONTRASTS:
        found = segmenter.find_brain(prepared.scan, prepared.registration.affine, exponent)
        brain, _, _ = _place_brain(prepared, found, grid)
        if white_over_gray is not None:
            brain, _ = standardize_contrast(brain, grid, white_over_gray)
        volumes.append(segmenter.measure(brain))
    return compute_spread(*volumes)


def _add_channel(
    placed: PreprocessedScan, name: str, other: Scan, first: _Prepared
) -> PreprocessedScan:
    """Return a placed scan with one more channel, which goes the way of the first."""
    other = replace(other, data=shift_to_positive(other.data))
    corrected = replace(other, data=correct_bias_field(other))
    to_mni, said = first.registration.affine, "on the voxels of the T1w"
    if other.grid != first.scan.grid:
        rigid = register_to_baseline(
            corrected.data,
            corrected.grid,
            baseline=first.scan.data,
            baseline_grid=first.scan.grid,
            baseline_mask=first.mask.voxels,
        )
        to_mni, said = to_mni @ rigid.affine, "registered rigidly to the T1w"
    carried = resample(corrected.data, other.grid, placed.grid, source_to_target=to_mni)
    field_of_view = np.ones(other.grid.shape, dtype=bool)
    seen = resample(field_of_view, other.grid, placed.grid, source_to_target=to_mni)[placed.mask]
    brain, _ = scale_intensity(carried, placed.mask)
    metrics = dict(placed.metrics)
    metrics["coverage"] = min(metrics["coverage"], float(seen.mean()) if seen.size else 0.0)
    return replace(
        placed,
        image=np.concatenate([placed.image, brain[None]]),
        metrics=metrics,
        provenance={**placed.provenance, name: f"{other.name}, {said}"},
    )


def tell_orientation(scan: Scan) -> str:
    """Return what is doubtful about left and right in a file's header, or `given`."""
    if not scan.has_orientation:
        return "the file's header does not say which side is the patient's left"
    if not scan.has_one_orientation:
        return "the header's sform and qform disagree about the patient's left or place"
    return "given"
