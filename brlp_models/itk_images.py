"""Images and matrices in SimpleITK's terms, whose world axes run left, posterior, superior."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from brlp_models.grid import Affine, Grid, resample

_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


def load_simpleitk() -> Any:
    """Return the SimpleITK module; it is imported when a scan is first preprocessed."""
    import SimpleITK

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
