"""Images between grids: left stays left in every orientation."""

import itertools

import numpy as np
import pytest

from brlp_models.errors import ModelError
from brlp_models.scans.grid import (
    Grid,
    find_points,
    make_grid,
    resample,
    resample_labels,
    resample_winner,
    sample_points,
)

ORIENTATIONS = [
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in ((1, 1, 1), (-1, 1, 1), (-1, -1, 1), (1, -1, -1))
]


def orient(order: tuple[int, ...], signs: tuple[int, ...]) -> Grid:
    """Return a grid of 40 x 44 x 48 voxels of 3 mm around the origin, axes permuted and flipped."""
    shape = (40, 44, 48)
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = 3.0 * sign
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def draw_left_ball(grid: Grid) -> np.ndarray:
    """Return a ball of 15 mm around a point on the person's left, in front, above."""
    voxels = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    world = voxels @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    distance = np.linalg.norm(world - np.array([-25.0, 18.0, 9.0]), axis=-1)
    return (distance < 15).astype(np.float32)


def center_of(image: np.ndarray, grid: Grid) -> np.ndarray:
    voxel = np.argwhere(image > 0.5).mean(0)
    return np.asarray(grid.affine[:3, :3] @ voxel + grid.affine[:3, 3])


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS)
def test_left_stays_left(order: tuple[int, ...], signs: tuple[int, ...]) -> None:
    source, target = orient(order, signs), orient((0, 1, 2), (-1, 1, 1))
    there = resample(draw_left_ball(source), source, target)
    np.testing.assert_allclose(center_of(there, target), [-25, 18, 9], atol=0.5)
    back = resample(there, target, source)
    overlap = (back > 0.5) & (draw_left_ball(source) > 0.5)
    assert overlap.sum() > 0.9 * draw_left_ball(source).sum()


def test_world_matrix_moves_the_image() -> None:
    grid = orient((0, 1, 2), (1, 1, 1))
    shift = np.eye(4)
    shift[:3, 3] = [6.0, -3.0, 9.0]
    moved = resample(draw_left_ball(grid), grid, grid, source_to_target=shift)
    np.testing.assert_allclose(center_of(moved, grid), [-19, 15, 18], atol=0.3)


@pytest.mark.parametrize("kind", [bool, np.int32, np.uint8])
def test_labels_keep_their_type_and_values(kind: type) -> None:
    source, target = orient((2, 0, 1), (1, -1, 1)), orient((0, 1, 2), (1, 1, 1))
    labels = draw_left_ball(source).astype(kind) * kind(1)
    there = resample(labels, source, target, order=0)
    assert there.dtype == labels.dtype
    assert set(np.unique(there)) == set(np.unique(labels))


def test_made_grid_covers_the_source() -> None:
    grid = make_grid(orient((2, 0, 1), (1, -1, 1)), 4.0)
    image = draw_left_ball(orient((2, 0, 1), (1, -1, 1)))
    there = resample(image, orient((2, 0, 1), (1, -1, 1)), grid)
    assert there.sum() * grid.voxel_volume_mm3 == pytest.approx(image.sum() * 27, rel=0.02)


@pytest.mark.parametrize(
    ("shape", "affine"),
    [((4, 4), np.eye(4)), ((4, 4, 4), np.zeros((4, 4))), ((4, 4, 4), np.eye(3))],
)
def test_impossible_grid_is_refused(shape: tuple[int, ...], affine: np.ndarray) -> None:
    with pytest.raises(ModelError, match="three axes and an invertible"):
        Grid(shape, affine)  # type: ignore[arg-type]


def tilt() -> np.ndarray:
    """Return an affine that no voxel of a grid leaves in place."""
    world = np.eye(4)
    world[:3, :3] += np.random.default_rng(3).normal(0, 0.05, (3, 3))
    world[:3, 3] = [6.3, -3.1, 9.7]
    return world


@pytest.mark.parametrize("order", [0, 1])
def test_points_have_the_very_values_of_the_whole_image(order: int) -> None:
    source, target = orient((2, 0, 1), (1, -1, 1)), orient((0, 1, 2), (1, 1, 1))
    image = np.random.default_rng(1).standard_normal(source.shape).astype(np.float32)
    whole = resample(image, source, target, source_to_target=tilt(), order=order)
    inside = np.random.default_rng(2).random(target.shape) < 0.3
    points = find_points(source, target, inside, source_to_target=tilt())
    np.testing.assert_array_equal(sample_points(image, points, order=order), whole[inside])


@pytest.mark.parametrize("move", [0, 2])
def test_an_oblique_image_keeps_its_faces_on_its_own_voxels(move: int) -> None:
    rng = np.random.default_rng(3)
    labels, grid = (
        rng.integers(1, 5, (7, 8, 9)),
        Grid((7, 8, 9), tilt() @ np.diag([0.9, 1.1, 3, 1])),
    )
    moved = grid.affine.copy()
    moved[:3, 3] += moved[:3, 0] * move
    target = Grid((7 - move, 8, 9), moved)
    assert np.array_equal(resample_labels(labels, grid, target), labels[move:])
    assert np.allclose(resample(labels, grid, target), labels[move:])


def test_labels_are_those_of_the_largest_interpolated_share() -> None:
    source, target = orient((2, 0, 1), (1, -1, 1)), orient((0, 1, 2), (1, 1, 1))
    # single voxels of 0 and larger blocks of 0 to 4, up to the edge of the map
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 5, (10, 11, 12)).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    labels = (labels * (rng.random(source.shape) < 0.9)).astype(np.uint8)
    layers = (labels == code for code in range(5))
    expected = resample_winner(layers, source, target, source_to_target=tilt())
    found = resample_labels(labels, source, target, source_to_target=tilt())
    assert found.dtype == labels.dtype
    np.testing.assert_array_equal(found, expected)
    inside = rng.random(target.shape) < 0.3
    part = resample_labels(labels, source, target, source_to_target=tilt(), inside=inside)
    np.testing.assert_array_equal(part, np.where(inside, expected, 0))
