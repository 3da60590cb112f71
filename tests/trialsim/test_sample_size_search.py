"""The search finds the sample size of a known power curve, with an honest interval."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from trialsim.comparison.sizes.search import draw_replicate_weights, estimate_sample_size

SIZES = np.linspace(25.0, 300.0, 12)
TRUE_SIZE = 100.0


def simulate(n_replicates: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return rejections whose power is Phi(b sqrt(n) - 1.96), 0.8 at the true size."""
    drift = (stats.norm.ppf(0.8) + 1.96) / np.sqrt(TRUE_SIZE)
    z = rng.normal(size=n_replicates)
    return np.asarray(drift * np.sqrt(SIZES)[:, None] + z > 1.96)


@pytest.mark.slow
def test_interval_covers_the_true_size_as_often_as_it_says() -> None:
    rng = np.random.default_rng(20260101)
    weights = draw_replicate_weights(400, rng)
    found = [estimate_sample_size(SIZES, simulate(400, rng), 0.8, weights) for _ in range(200)]
    covered = np.mean([one.lower <= TRUE_SIZE <= one.upper for one in found])
    assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.0475 / 200))
    assert np.median([one.n_control for one in found]) == pytest.approx(TRUE_SIZE, rel=0.03)


def test_a_target_outside_the_sizes_is_not_invented() -> None:
    rng = np.random.default_rng(20260101)
    weights = draw_replicate_weights(400, rng)
    found = estimate_sample_size(SIZES[-4:], simulate(400, rng)[-4:], 0.8, weights)
    assert np.isnan([found.n_control, found.lower, found.upper]).all()


def test_power_that_is_always_one_gives_no_size() -> None:
    weights = draw_replicate_weights(50, np.random.default_rng(1))
    found = estimate_sample_size(SIZES, np.ones((12, 50), dtype=bool), 0.8, weights)
    assert np.isnan(found.n_control)
