"""The T1w of a preprocessed scan as a picture, with the template's outline over it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from brlp_models.scans.grid import resample
from brlp_models.scans.preprocessing import PreprocessedScan
from brlp_models.scans.template import load_template

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_VIEWS = ("sagittal", "coronal", "axial")
_PLACES = (0.36, 0.5, 0.64)
"""Slices as shares of the grid; on a whole-head grid they cross the hippocampi and the midline."""


def plot_preprocessed_scan(preprocessed: PreprocessedScan, *, title: str = "") -> "Figure":
    """Return nine slices of the scan on the model's grid, the template's brain outlined.

    Axial and coronal slices show the person's left on the left.

    Parameters
    ----------
    preprocessed
        The scan.
    title
        Written above.
    """
    from matplotlib.figure import Figure

    template = load_template()
    outline = resample(template.mask, template.grid, preprocessed.grid)
    image, outline, affine = _to_ras(preprocessed, outline)
    figure = Figure(figsize=(7.5, 7.8), facecolor="black")
    axes = figure.subplots(3, 3)
    for axis, view in enumerate(_VIEWS):
        for panel, place in zip(axes[axis], _PLACES, strict=True):
            index = round(place * (image.shape[axis] - 1))
            millimeters = affine[axis, axis] * index + affine[axis, 3]
            panel.imshow(np.take(image, index, axis).T, origin="lower", cmap="gray", vmin=0, vmax=1)
            edge = np.take(outline, index, axis).T
            if edge.any() and not edge.all():
                panel.contour(edge, levels=[0.5], colors="#ff6b4a", linewidths=0.9)
            panel.set_title(
                f"{view}, {'xyz'[axis]} = {millimeters:.0f} mm", color="white", fontsize=8
            )
            panel.set_axis_off()
    figure.suptitle(title, color="white", fontsize=10)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.91, wspace=0.02, hspace=0.12)
    return figure


def _to_ras(
    preprocessed: PreprocessedScan, outline: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return image and outline with axes right-anterior-superior, and their voxel-to-world."""
    import nibabel as nib

    orientations: Any = nib.orientations
    affine = preprocessed.grid.affine
    order = orientations.io_orientation(affine)
    image = orientations.apply_orientation(preprocessed.image[0], order)
    outline = orientations.apply_orientation(outline, order)
    moved = affine @ orientations.inv_ornt_aff(order, preprocessed.grid.shape)
    return image, outline, moved
