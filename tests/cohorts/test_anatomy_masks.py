import numpy as np
import pytest
from scipy import ndimage

from cohorts.synthetic.anatomy.masks import fill_holes, find_box, find_near


@pytest.fixture
def mask() -> np.ndarray:
    """Return a few blobs, some of them at the edge, and a hollow cube."""
    noise = np.random.default_rng(1).standard_normal((20, 17, 23))
    blobs = ndimage.gaussian_filter(noise, 1.5) > 0.15
    blobs[5:12, 5:12, 5:12] = True
    blobs[7:10, 7:10, 7:10] = False
    return blobs


@pytest.mark.parametrize("distance", [0, 1, 2.5, 3.5])
def test_near_is_what_distances_say(mask, distance):
    sparse = mask & (np.random.default_rng(2).random(mask.shape) < 0.02)
    expected = ndimage.distance_transform_edt(~sparse) <= distance
    np.testing.assert_array_equal(find_near(sparse, distance), expected)


def test_holes_are_filled_as_by_growing_the_outside(mask):
    filled = fill_holes(mask)
    np.testing.assert_array_equal(filled, ndimage.binary_fill_holes(mask))
    assert filled.sum() > mask.sum()


def test_nothing_of_a_mask_lies_outside_of_its_box():
    mask = np.zeros((9, 9, 9), dtype=bool)
    mask[2:4, 5, 8] = True
    assert find_box(mask) == (slice(2, 4), slice(5, 6), slice(8, 9))
    assert find_box(mask, margin=3) == (slice(0, 7), slice(2, 9), slice(5, 9))
