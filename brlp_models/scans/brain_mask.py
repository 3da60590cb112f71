"""Where the brain is in a scan."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from brlp_models.errors import ScanError
from brlp_models.scans.files import Scan, read_labels
from brlp_models.scans.grid import Affine, Grid, make_grid, resample
from brlp_models.scans.template import compute_template_dice, load_template, load_widened_mask
from cohorts.labels import get_codes, get_intracranial_codes

_STRIPPED_SHARE = 0.02
_LEAST_DICE = 0.80
"""Good masks of five real scans overlap with the template's by a Dice of .90 to .97; those of the
same scans put 3 cm away, or shrunk by a fifth, by .64 to .79."""


class BrainSegmenter(Protocol):
    """Anything that finds the brain in a whole head."""

    @property
    def name(self) -> str:
        """Which one, with which weights: two of one name find the same."""
        ...

    def find_brain(
        self, scan: Scan, native_to_mni: Affine, exponent: float = 1.0
    ) -> NDArray[np.bool_]:
        """Return the brain on the scan's own grid.

        Parameters
        ----------
        scan
            A whole head, after bias correction.
        native_to_mni
            Matrix from the scan's world to MNI152.
        exponent
            Power that brightness is raised to first, white matter staying as bright as it is.
        """
        ...

    def measure(self, brain: NDArray[np.float32]) -> Mapping[str, float]:
        """Return the volumes in a brain on the model's grid, (*shape), 0 to 1, by region."""
        ...


class BrainMask(NamedTuple):
    """A brain mask and where it came from.

    Parameters
    ----------
    voxels
        On the scan's grid.
    source
        ``"segmentation"``, ``"mask"``, ``"stripped scan"``, ``"segmenter"`` or ``"template"``.
    doubt
        Why a better source was not used; empty where there is no doubt.
    """

    voxels: NDArray[np.bool_]
    source: str
    doubt: str = ""


def find_brain_mask(
    scan: Scan,
    native_to_mni: Affine,
    *,
    segmentation: Path | str | None = None,
    mask: Path | str | None = None,
    segment: Callable[[], NDArray[np.bool_]] | None = None,
) -> BrainMask:
    """Return the brain mask on the scan's grid.

    The first that there is: the labels of `segmentation`, `mask`, the scan's own outline when it
    is skull-stripped already, what `segment` finds unless it grossly disagrees with the template,
    the template's mask warped back.

    Parameters
    ----------
    scan
        Before bias correction, which blurs the edge of a stripped scan.
    native_to_mni
        Matrix from the scan's world to MNI152.
    segmentation, mask
        Files in the scan's world.
    segment
        Finds the brain when it is called, on the scan's grid.

    Raises
    ------
    ScanError
        Where a given segmentation or mask does not overlap with the scan.
    """
    if segmentation is not None:
        return BrainMask(_read_mask(segmentation, scan, is_segmentation=True), "segmentation")
    if mask is not None:
        return BrainMask(_read_mask(mask, scan, is_segmentation=False), "mask")
    if is_stripped(scan, native_to_mni):
        return BrainMask(_fill(_find_outline(scan)), "stripped scan")
    if segment is None:
        return BrainMask(_warp_template(scan.grid, native_to_mni), "template")
    return _choose(segment(), scan.grid, native_to_mni)


def _choose(found: NDArray[np.bool_], grid: Grid, native_to_mni: Affine) -> BrainMask:
    """Return what a network found, or the template's mask where the two hardly overlap."""
    dice = compute_template_dice(found, grid, native_to_mni)
    if dice >= _LEAST_DICE:
        return BrainMask(found, "segmenter")
    return BrainMask(
        _warp_template(grid, native_to_mni),
        "template",
        f"the template's brain mask was used, because the one that the model's segmenter found "
        f"overlaps with it by a Dice of {dice:.2f}, at least {_LEAST_DICE:.2f} is expected",
    )


def _warp_template(grid: Grid, native_to_mni: Affine) -> NDArray[np.bool_]:
    template = load_template()
    back = np.linalg.inv(native_to_mni)
    return np.asarray(resample(template.mask, template.grid, grid, source_to_target=back))


def is_stripped(scan: Scan, native_to_mni: Affine) -> bool:
    """Tell whether a scan shows nothing but brain.

    True when at most 2 % of what is not background lies more than 10 mm outside of the template's
    mask; scalp and neck are much more than that.
    """
    outside = Grid(scan.grid.shape, native_to_mni @ scan.grid.affine)
    coarse = make_grid(outside, 4.0)
    shown = resample(_find_outline(scan), outside, coarse)
    if not shown.any():
        return False
    near = resample(*load_widened_mask(), coarse)
    return float((shown & ~near).sum() / shown.sum()) <= _STRIPPED_SHARE


def _find_outline(scan: Scan) -> NDArray[np.bool_]:
    """Return what differs from the background, whose value is the scan's commonest.

    A scan with noise in its air has no exact background: a hundredth of its bright end counts.
    """
    values, counts = np.unique(scan.data[::2, ::2, ::2], return_counts=True)
    background = values[counts.argmax()]
    noise = 0.01 * abs(float(np.percentile(scan.data, 99)) - background)
    return np.asarray(np.abs(scan.data - background) > noise)


def keep_largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected part of a mask; nothing of nothing."""
    from scipy.ndimage import label

    parts, n_parts = label(mask)
    if n_parts == 0:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray(parts == sizes.argmax())


def _fill(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected part with its holes filled."""
    from scipy.ndimage import binary_fill_holes

    return np.asarray(binary_fill_holes(keep_largest_part(mask)))


def _read_mask(path: Path | str, scan: Scan, *, is_segmentation: bool) -> NDArray[np.bool_]:
    labels, grid = read_labels(path)
    if is_segmentation:
        wanted = np.setdiff1d(get_intracranial_codes(), get_codes("csf"))
        brain = np.isin(labels, wanted)
    else:
        brain = labels > 0
    mask = brain if grid == scan.grid else resample(brain, grid, scan.grid)
    if mask.sum() * scan.grid.voxel_volume_mm3 < 1e5:
        raise ScanError(
            f"{path} covers {mask.sum() * scan.grid.voxel_volume_mm3 / 1000:.0f} ml of brain in "
            f"{scan.name}; it is not a segmentation of this scan or lies in another space."
        )
    return _fill(mask)
