"""A preprocessed scan as a picture, with the template's outline over it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from brlp_models.grid import resample
from brlp_models.preprocessing import PreprocessedScan
from brlp_models.template import load_template

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PLACES_MM = (
    ("sagittal", 0, (-25.0, 0.0, 25.0)),
    ("coronal", 1, (-50.0, -20.0, 15.0)),
    ("axial", 2, (-15.0, 10.0, 40.0)),
)
"""Slices in MNI152: through the hippocampi, the midline, the ventricles."""


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
    image, outline, inverse = _to_ras(preprocessed, outline)
    figure = Figure(figsize=(7.5, 7.8), facecolor="black")
    axes = figure.subplots(3, 3)
    for row, (name, axis, places) in enumerate(_PLACES_MM):
        for panel, place in zip(axes[row], places, strict=True):
            world = np.zeros(4)
            world[axis], world[3] = place, 1
            index = int(np.clip(round((inverse @ world)[axis]), 0, image.shape[axis] - 1))
            panel.imshow(np.take(image, index, axis).T, origin="lower", cmap="gray", vmin=0, vmax=1)
            edge = np.take(outline, index, axis).T
            if edge.any() and not edge.all():
                panel.contour(edge, levels=[0.5], colors="#ff6b4a", linewidths=0.9)
            panel.set_title(f"{name}, {'xyz'[axis]} = {place:g} mm", color="white", fontsize=8)
            panel.set_axis_off()
    figure.suptitle(title, color="white", fontsize=10)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.91, wspace=0.02, hspace=0.12)
    return figure


def _to_ras(
    preprocessed: PreprocessedScan, outline: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return image and outline with axes right-anterior-superior, and world-to-voxel."""
    import nibabel as nib

    orientations: Any = nib.orientations
    affine = preprocessed.grid.affine
    order = orientations.io_orientation(affine)
    image = orientations.apply_orientation(preprocessed.image, order)
    outline = orientations.apply_orientation(outline, order)
    moved = affine @ orientations.inv_ornt_aff(order, preprocessed.grid.shape)
    return image, outline, np.linalg.inv(moved)
