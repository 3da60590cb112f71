"""The affine map from a scan's own space to MNI152."""

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brlp_models.scans.grid import Affine, Grid, make_grid, resample
from brlp_models.scans.template import load_template

PITCHES_DEGREES = (0.0, 15.0, -15.0, 30.0, -30.0)
LIFTS_MM = (0.0, 20.0)
_COARSE_MM = 4.0
_FINE_MM = 2.0
_SAMPLING_SEED = 1
_TOGETHER_MM = 3.0
"""Ends of two starts are one where the brain's edge lies no farther apart; wrong ends of real heads
lay more than 20 mm from each other."""

_BRAIN_RADIUS_MM = 70.0


@dataclass(frozen=True)
class Registration:
    """A linear map to a reference, and how well the two images agree under it.

    Parameters
    ----------
    affine
        From the scan's world to the reference's (RAS, mm).
    mutual_information
        Mattes mutual information (nats) of the two images within the reference's mask.
    """

    affine: Affine
    mutual_information: float

    @property
    def determinant(self) -> float:
        """Volume in the reference's space of 1 mm3 of the scan's own."""
        return float(np.linalg.det(self.affine[:3, :3]))

    @property
    def rotation_degrees(self) -> float:
        """Angle of the rotation in the affine's polar decomposition."""
        u, _, vt = np.linalg.svd(self.affine[:3, :3])
        return math.degrees(math.acos(np.clip((np.trace(u @ vt) - 1) / 2, -1, 1)))


def register_to_template(data: NDArray[np.float32], grid: Grid) -> Registration:
    """Return the affine from a whole-head or stripped T1w scan to the MNI152 template.

    Similarity transforms are searched at 4 mm from up to ten starts (five pitches of the head, with
    and without a lift of 20 mm for scans that show the neck), until two end together, better than
    any before; the best is refined to an affine at 2 mm. The metric is Mattes mutual information
    inside the template's brain mask, so that what lies outside of the brain does not pull; for the
    affine the mask is widened by 2 mm, which ties the scale to the brain's edge.

    Parameters
    ----------
    data
        Intensities after bias correction.
    grid
        The scan's grid.
    """
    template = load_template()
    fixed = _load_template_pyramid()
    moving = _Pyramid(data, grid)
    center = _find_center(template.mask, template.grid)
    target = moving.find_foreground_center()
    ends: list[tuple[Any, float]] = []
    for lift, pitch in itertools.product(LIFTS_MM, PITCHES_DEGREES):
        end = _run_similarity(fixed, moving, center, target, pitch, lift)
        ends.append(end)
        best = min(ends, key=lambda one: one[1])
        if any(_end_together(best[0], one[0], center) for one in ends if one is not best):
            break
    return _run_affine(fixed, moving, best[0], center)


def register_to_baseline(
    data: NDArray[np.float32],
    grid: Grid,
    *,
    baseline: NDArray[np.float32],
    baseline_grid: Grid,
    baseline_mask: NDArray[np.bool_],
) -> Registration:
    """Return the rigid map from a follow-up scan to the baseline scan of the same person.

    Parameters
    ----------
    data, grid
        The follow-up, after bias correction.
    baseline, baseline_grid
        The baseline scan, after bias correction.
    baseline_mask
        Its brain, on `baseline_grid`.
    """
    fixed = _Pyramid(baseline, baseline_grid, baseline_mask)
    moving = _Pyramid(data, grid)
    center = _find_center(baseline_mask, baseline_grid)
    shift = moving.find_foreground_center() - fixed.find_foreground_center()
    starts = [_run_rigid(fixed, moving, center, offset, "coarse") for offset in (shift, 0 * shift)]
    best = min(starts, key=lambda start: start[1])[0]
    rigid, value = _run_rigid(fixed, moving, center, best, "fine")
    return Registration(_invert(to_affine(rigid)), -value)


class _Pyramid:
    """An image at the two working resolutions, as SimpleITK sees it."""

    def __init__(
        self, data: NDArray[np.float32], grid: Grid, mask: NDArray[np.bool_] | None = None
    ) -> None:
        self.fine_data, self.fine_grid = _downsample(data, grid, _FINE_MM)
        self.coarse_data, self.coarse_grid = _downsample(data, grid, _COARSE_MM)
        self.fine = to_itk(self.fine_data, self.fine_grid)
        self.coarse = to_itk(self.coarse_data, self.coarse_grid)
        self.fine_mask = self.coarse_mask = None
        if mask is not None:
            self.fine_mask = to_itk(resample(mask, grid, self.fine_grid), self.fine_grid)
            self.coarse_mask = to_itk(resample(mask, grid, self.coarse_grid), self.coarse_grid)

    def find_foreground_center(self) -> NDArray[np.float64]:
        """Return the center of what Otsu's threshold keeps, in SimpleITK's world (mm)."""
        sitk = load_simpleitk()

        foreground = sitk.GetArrayFromImage(sitk.OtsuThreshold(self.coarse, 0, 1, 200)).T
        return _find_center(foreground > 0, self.coarse_grid)


@lru_cache(maxsize=1)
def _load_template_pyramid() -> _Pyramid:
    template = load_template()
    return _Pyramid(template.image, template.grid, template.mask)


def _downsample(
    data: NDArray[np.float32], grid: Grid, spacing_mm: float
) -> tuple[NDArray[np.float32], Grid]:
    from scipy.ndimage import gaussian_filter

    sigma = 0.425 * np.sqrt(np.maximum((spacing_mm / grid.spacing_mm) ** 2 - 1, 0))
    target = make_grid(grid, spacing_mm)
    return resample(gaussian_filter(data, sigma), grid, target), target


def _find_center(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Return the center of a mask in SimpleITK's world (LPS, mm)."""
    voxel = np.argwhere(mask).mean(0) if mask.any() else (np.asarray(grid.shape) - 1) / 2
    ras = grid.affine[:3, :3] @ voxel + grid.affine[:3, 3]
    return np.asarray(ras * [-1, -1, 1], dtype=float)


def _invert(affine: Affine) -> Affine:
    return np.asarray(np.linalg.inv(affine), dtype=float)


def _make_method(mask: Any, share: float) -> Any:
    sitk = load_simpleitk()

    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricFixedMask(mask)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(share, _SAMPLING_SEED)
    method.SetInterpolator(sitk.sitkLinear)
    return method


def _optimize(method: Any, fixed: Any, moving: Any, transform: Any) -> tuple[Any, float]:
    """Run the registration; a start from which no image overlaps is worth nothing."""
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(transform, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:
        return transform, math.inf
    return transform, float(method.GetMetricValue())


def _run_similarity(
    fixed: _Pyramid,
    moving: _Pyramid,
    center: NDArray[np.float64],
    target: NDArray[np.float64],
    pitch_degrees: float,
    lift_mm: float,
) -> tuple[Any, float]:
    sitk = load_simpleitk()

    transform = sitk.Similarity3DTransform()
    transform.SetCenter(center.tolist())
    transform.SetRotation((1.0, 0.0, 0.0), math.radians(pitch_degrees))
    transform.SetTranslation((target - center + [0, 0, lift_mm]).tolist())
    method = _make_method(fixed.coarse_mask, 0.5)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=4.0, minStep=0.05, numberOfIterations=60
    )
    return _optimize(method, fixed.coarse, moving.coarse, transform)


def _end_together(first: Any, second: Any, center: NDArray[np.float64]) -> bool:
    """Say whether two transforms move the brain's edge to the same place."""
    edge = center + _BRAIN_RADIUS_MM * np.vstack([np.eye(3), -np.eye(3)])
    one, other = (
        np.array([transform.TransformPoint(point.tolist()) for point in edge])
        for transform in (first, second)
    )
    return bool(np.linalg.norm(one - other, axis=1).max() <= _TOGETHER_MM)


def _run_affine(
    fixed: _Pyramid, moving: _Pyramid, start: Any, center: NDArray[np.float64]
) -> Registration:
    sitk = load_simpleitk()

    transform = sitk.AffineTransform(3)
    transform.SetCenter(center.tolist())
    transform.SetMatrix(start.GetMatrix())
    transform.SetTranslation(start.GetTranslation())
    method = _make_method(sitk.BinaryDilate(fixed.fine_mask, [1, 1, 1]), 0.4)
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([2.0, 0.0])
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0, minStep=0.001, numberOfIterations=100
    )
    found, value = _optimize(method, fixed.fine, moving.fine, transform)
    return Registration(_invert(to_affine(found)), -value)


def _run_rigid(
    fixed: _Pyramid, moving: _Pyramid, center: NDArray[np.float64], start: Any, level: str
) -> tuple[Any, float]:
    sitk = load_simpleitk()

    transform = sitk.Euler3DTransform()
    transform.SetCenter(center.tolist())
    if isinstance(start, sitk.Euler3DTransform):
        transform.SetParameters(start.GetParameters())
    else:
        transform.SetTranslation(start.tolist())
    is_fine = level == "fine"
    method = _make_method(
        fixed.fine_mask if is_fine else fixed.coarse_mask, 0.25 if is_fine else 0.5
    )
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0 if is_fine else 4.0, minStep=0.002, numberOfIterations=100
    )
    images = (fixed.fine, moving.fine) if is_fine else (fixed.coarse, moving.coarse)
    return _optimize(method, *images, transform)


_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def load_simpleitk() -> Any:
    """Return the SimpleITK module; it is imported when a scan is first preprocessed.

    It is left one thread in the whole process: the threads of a registration's metric, which
    `SetNumberOfThreads` does not reach, add up in the order in which they end, so that the same
    scan came onto the grid with other last bits each time.
    """
    import SimpleITK

    process: Any = SimpleITK.ProcessObject
    process.SetGlobalDefaultNumberOfThreads(1)
    return SimpleITK


def to_itk(data: NDArray[Any], grid: Grid) -> Any:
    """Return a SimpleITK image (float32 or uint8) of an array on a grid.

    A sheared grid, which ITK cannot hold, is resampled onto its nearest orthogonal one first.
    """
    sitk = load_simpleitk()

    orthogonal = _make_orthogonal(grid)
    values = data if orthogonal is grid else resample(data, grid, orthogonal)
    kind = np.uint8 if values.dtype == bool else np.float32
    image = sitk.GetImageFromArray(np.ascontiguousarray(values.T.astype(kind)))
    matrix = _FLIP @ orthogonal.affine
    image.SetSpacing(orthogonal.spacing_mm.tolist())
    image.SetDirection((matrix[:3, :3] / orthogonal.spacing_mm).flatten().tolist())
    image.SetOrigin(matrix[:3, 3].tolist())
    return image


def from_itk(image: Any) -> NDArray[np.float32]:
    """Return the voxels of a SimpleITK image, first axis first."""
    sitk = load_simpleitk()

    return np.asarray(sitk.GetArrayFromImage(image).T, dtype=np.float32)


def to_affine(transform: Any) -> Affine:
    """Return the 4 x 4 matrix (RAS, mm) of a linear SimpleITK transform, in its own direction."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.array(transform.TransformPoint(tuple(unit))) - origin for unit in np.eye(3)]
    matrix = np.eye(4)
    matrix[:3, :3] = np.column_stack(columns)
    matrix[:3, 3] = origin
    return np.asarray(_FLIP @ matrix @ _FLIP, dtype=float)


def to_itk_transform(matrix: Affine) -> Any:
    """Return the SimpleITK affine transform of a 4 x 4 matrix (RAS, mm)."""
    sitk = load_simpleitk()

    flipped = _FLIP @ matrix @ _FLIP
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(flipped[:3, :3].flatten().tolist())
    transform.SetTranslation(flipped[:3, 3].tolist())
    return transform


def _make_orthogonal(grid: Grid) -> Grid:
    directions = grid.affine[:3, :3] / grid.spacing_mm
    u, _, vt = np.linalg.svd(directions)
    nearest = u @ vt
    if np.allclose(nearest, directions, atol=1e-5):
        return grid
    affine = grid.affine.copy()
    affine[:3, :3] = nearest * grid.spacing_mm
    center = (np.asarray(grid.shape) - 1) / 2
    affine[:3, 3] += (grid.affine[:3, :3] - affine[:3, :3]) @ center
    return Grid(grid.shape, affine)
