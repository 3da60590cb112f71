"""MRI panel: the baseline scan, the predicted one, their difference, the uncertainty."""

from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from matplotlib.figure import Figure

from reports.errors import ReportError
from reports.figures.labels import label_text
from reports.figures.style import INK, shared_style

_ROW_INCHES = 1.75


class _Row(NamedTuple):
    name: str
    image: nib.Nifti1Image
    colors: str
    low: float
    high: float


def plot_scan_panel(
    baseline: nib.Nifti1Image,
    predicted: nib.Nifti1Image,
    uncertainty: nib.Nifti1Image | None = None,
    *,
    title: str = "",
    cut_mm: tuple[float, float, float] | None = None,
) -> Figure:
    """Return a coronal, sagittal and axial slice of each image in world space, left on the left.

    Parameters
    ----------
    baseline, predicted
        3-D images of one person on one grid, intensities in the same unit.
    uncertainty
        Standard deviation of the predicted intensity at each voxel, in the same unit.
    title
        For example the participant and the horizon.
    cut_mm
        Where to cut, world millimeters; by default where nilearn finds the middle of the brain.

    Raises
    ------
    ReportError
        If the images are not on one grid.
    """
    _require_one_grid(baseline, predicted, uncertainty)
    # nilearn takes seconds to import, and only this figure needs it
    from nilearn.plotting import find_xyz_cut_coords, plot_img

    rows = _make_rows(baseline, predicted, uncertainty)
    center = cut_mm or tuple(find_xyz_cut_coords(baseline))
    head = 0.35
    height = _ROW_INCHES * len(rows) + head
    with shared_style():
        figure = Figure(figsize=(7.2, height), facecolor="white")
        figure.text(0.01, 1 - 0.22 / height, label_text(title, limit=80), weight="bold", color=INK)
        for place, row in enumerate(rows):
            bottom = 1 - (head + (place + 1) * _ROW_INCHES) / height
            size = _ROW_INCHES / height
            figure.text(0.015, bottom + size / 2, row.name, rotation=90, va="center", color=INK)
            plot_img(
                row.image,
                cut_coords=center,
                figure=figure,
                axes=figure.add_axes((0.05, bottom, 0.93, 0.96 * size)),
                cmap=row.colors,
                vmin=row.low,
                vmax=row.high,
                colorbar=True,
                annotate=place == 0,
                draw_cross=False,
                black_bg=False,
                interpolation="nearest",
            )
    return figure


def _make_rows(
    baseline: nib.Nifti1Image, predicted: nib.Nifti1Image, uncertainty: nib.Nifti1Image | None
) -> list[_Row]:
    before, after = _values(baseline), _values(predicted)
    difference = nib.nifti1.Nifti1Image(after - before, baseline.affine)  # type: ignore[no-untyped-call]
    top, reach = _reach(before), _reach(after - before)
    rows = [
        _Row("Baseline", baseline, "gray", 0.0, top),
        _Row("Predicted", predicted, "gray", 0.0, top),
        _Row("Difference", difference, "RdBu_r", -reach, reach),
    ]
    if uncertainty is not None:
        spread = _reach(_values(uncertainty))
        rows.append(_Row("Uncertainty, SD", uncertainty, "cividis", 0.0, spread))
    return rows


def _values(image: nib.Nifti1Image) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(image.dataobj, dtype=np.float64)


def _reach(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    inside = np.abs(values[np.isfinite(values) & (values != 0)])
    return float(np.percentile(inside, 99.5)) if inside.size else 1.0


def _require_one_grid(*images: nib.Nifti1Image | None) -> None:
    given = [image for image in images if image is not None]
    for image in given[1:]:
        if image.shape != given[0].shape or not np.allclose(image.affine, given[0].affine):
            raise ReportError(
                f"The images of a panel must be on one grid: the baseline has shape "
                f"{given[0].shape}, another has {image.shape} or another affine."
            )
