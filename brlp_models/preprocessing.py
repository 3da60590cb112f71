"""From a T1w scan in its own space to a model's grid, with the way back."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brlp_models.bias_field import correct_bias_field
from brlp_models.brain_mask import BrainSegmenter, find_brain_mask
from brlp_models.errors import ModelError, ScanError
from brlp_models.grid import Affine, Grid, resample
from brlp_models.intensity import scale_intensity, shift_to_positive
from brlp_models.registration import Registration, register_to_baseline, register_to_template
from brlp_models.scan_metrics import compute_scan_metrics
from brlp_models.scans import Scan, make_nifti, read_labels, read_scan
from brlp_models.template import TEMPLATE_NAME


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
    """

    scan: Path | str | Scan
    segmentation: Path | str | None = None
    mask: Path | str | None = None


@dataclass(frozen=True)
class PreprocessedScan:
    """A scan on a model's grid.

    Parameters
    ----------
    image
        Brain from 0 to 1, background exactly 0, on `grid`.
    mask
        Brain on `grid`.
    grid
        The model's grid in MNI152.
    native_grid
        The scan's own.
    native_to_mni
        Matrix from the scan's world to MNI152 (RAS, mm).
    metrics
        What the input check judges; see `compute_scan_metrics`.
    provenance
        The file, the template, where the brain mask came from.
    """

    image: NDArray[np.float32]
    mask: NDArray[np.bool_]
    grid: Grid
    native_grid: Grid
    native_to_mni: Affine
    metrics: dict[str, float]
    provenance: dict[str, str]

    @property
    def determinant(self) -> float:
        """Volume in MNI152 of 1 mm3 of the person: MNI-space volume = native mm3 x determinant."""
        return float(np.linalg.det(self.native_to_mni[:3, :3]))

    def save(self, stem: Path | str) -> None:
        """Write `<stem>.nii.gz`, `<stem>_mask.nii.gz` and `<stem>.json`."""
        make_nifti(self.image, self.grid.affine).to_filename(f"{stem}.nii.gz")
        make_nifti(self.mask, self.grid.affine).to_filename(f"{stem}_mask.nii.gz")
        content = {
            "native_shape": list(self.native_grid.shape),
            "native_affine": self.native_grid.affine.tolist(),
            "native_to_mni": self.native_to_mni.tolist(),
            "determinant": self.determinant,
            "metrics": self.metrics,
            "provenance": self.provenance,
        }
        Path(f"{stem}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, stem: Path | str) -> "PreprocessedScan":
        """Read what `save` wrote.

        Raises
        ------
        ModelError
            Where a file is missing or damaged.
        """
        try:
            content = json.loads(Path(f"{stem}.json").read_text(encoding="utf-8"))
            image = read_scan(f"{stem}.nii.gz")
            mask, _ = read_labels(f"{stem}_mask.nii.gz")
            return cls(
                image=image.data,
                mask=mask > 0,
                grid=image.grid,
                native_grid=Grid(tuple(content["native_shape"]), content["native_affine"]),
                native_to_mni=np.asarray(content["native_to_mni"], dtype=float),
                metrics=content["metrics"],
                provenance=content["provenance"],
            )
        except (OSError, KeyError, ValueError) as error:
            raise ModelError(f"{stem} is no complete preprocessed scan: {error}.") from error


def preprocess_scan(
    visit: VisitScan | Path | str,
    grid: Grid,
    *,
    segmenter: BrainSegmenter | None = None,
) -> PreprocessedScan:
    """Preprocess one scan; see `preprocess_visits`."""
    visit = visit if isinstance(visit, VisitScan) else VisitScan(visit)
    return preprocess_visits([visit], grid, segmenter=segmenter)[0]


def preprocess_visits(
    visits: Sequence[VisitScan],
    grid: Grid,
    *,
    segmenter: BrainSegmenter | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> list[PreprocessedScan]:
    """Bring all scans of one person into MNI152 through one affine.

    Bias field (N4), affine of the baseline scan to MNI152, rigid map of every follow-up to the
    baseline, brain mask, resampling, intensities from 0 to 1. Only the baseline's affine has a
    determinant other than 1, so that a change of volume is never a change of registration.

    Parameters
    ----------
    visits
        The person's scans, the baseline first.
    grid
        The model's.
    segmenter
        Finds the brain in whole heads; see `find_brain_mask`.
    report
        Called with what is being done.

    Raises
    ------
    ScanError
        Where a file cannot be used.
    """
    results: list[PreprocessedScan] = []
    baseline: _Prepared | None = None
    for visit in visits:
        scan = visit.scan if isinstance(visit.scan, Scan) else read_scan(visit.scan)
        report(f"{scan.name}: bias field")
        scan = replace(scan, data=shift_to_positive(scan.data))
        corrected = replace(scan, data=correct_bias_field(scan))
        report(f"{scan.name}: registration")
        registration = _register(corrected, baseline)
        mask, source = find_brain_mask(
            scan,
            registration.affine,
            segmentation=visit.segmentation,
            mask=visit.mask,
            segmenter=segmenter,
        )
        prepared = _Prepared(corrected, mask, source, registration)
        baseline = baseline or prepared
        results.append(_carry_to_grid(prepared, grid))
    return results


def to_native_space(
    predicted: NDArray[Any], preprocessed: PreprocessedScan, *, order: int = 1
) -> Any:
    """Return a predicted scan, mask or label map in the person's own space.

    Parameters
    ----------
    predicted
        On the model's grid.
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
    mask: NDArray[np.bool_]
    mask_source: str
    registration: Registration


def _register(scan: Scan, baseline: _Prepared | None) -> Registration:
    if baseline is None:
        return register_to_template(scan.data, scan.grid)
    rigid = register_to_baseline(
        scan.data,
        scan.grid,
        baseline=baseline.scan.data,
        baseline_grid=baseline.scan.grid,
        baseline_mask=baseline.mask,
    )
    return replace(rigid, affine=baseline.registration.affine @ rigid.affine)


def _carry_to_grid(prepared: _Prepared, grid: Grid) -> PreprocessedScan:
    scan, to_mni = prepared.scan, prepared.registration.affine
    smooth_mask = resample(
        prepared.mask.astype(np.float32), scan.grid, grid, source_to_target=to_mni
    )
    mask = smooth_mask >= 0.5
    brain, cut = scale_intensity(
        resample(scan.data, scan.grid, grid, source_to_target=to_mni), mask
    )
    metrics = compute_scan_metrics(scan, prepared.mask, prepared.registration)
    return PreprocessedScan(
        image=brain,
        mask=mask,
        grid=grid,
        native_grid=scan.grid,
        native_to_mni=to_mni,
        metrics={
            **metrics,
            "brightness_cut_share": cut,
            "brightness_95": float(np.percentile(brain[mask], 95)) if mask.any() else 0.0,
        },
        provenance={
            "scan": scan.name,
            "template": TEMPLATE_NAME,
            "mask": prepared.mask_source,
            "orientation": "given" if scan.has_orientation else "not given by the file",
        },
    )
