"""The short form of `benchmarks/validate_intervals.py`: coverage, power, true decline."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from trialsim.comparison.candidates import list_candidates
from trialsim.comparison.pools import find_enrolled, gather_pool
from trialsim.comparison.screened import Screened, expect_each, share_weights

N_COHORTS = 24


@pytest.fixture(scope="module")
def benchmark_module() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks/validate_intervals.py"
    spec = importlib.util.spec_from_file_location("validate_intervals", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found(benchmark_module: ModuleType) -> tuple[pd.DataFrame, pd.DataFrame]:
    population = benchmark_module.build_population(seeds=(20260101,), n_people=8000)
    lines, choices = benchmark_module.run(
        benchmark_module.ROWS[:1], population, N_COHORTS, n_bootstrap=200
    )
    return lines, choices


@pytest.mark.slow
def test_intervals_cover_as_often_as_they_say(found: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    lines, _ = found
    inside = lines["log_ratio"].between(lines["lower"], lines["upper"])
    covered = inside.groupby(lines["rule"]).sum()
    # at a coverage of .92 fewer happen with probability 0.0005
    assert (covered >= stats.binom.ppf(0.0005, N_COHORTS, 0.92)).all()


@pytest.mark.slow
def test_proposed_trials_have_their_power(found: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    _, choices = found
    error = choices["power_proposed"].std() / np.sqrt(N_COHORTS)
    assert choices["power_proposed"].mean() == pytest.approx(0.80, abs=0.01 + 4 * error)
    assert (choices["power_proposed"] >= choices["power_found"]).all()
    low = int((choices["power_assured"] < 0.70).sum())
    # at the wanted .14 more happen with probability 0.0005
    assert low <= stats.binom.ppf(0.9995, N_COHORTS, 0.14)


@pytest.mark.parametrize(
    ("noise", "tolerance"), [(0.01, 0.06), (0.02, 0.06), (0.03, 0.07), (0.05, 0.12)]
)
def test_n_is_that_of_true_decline_whatever_the_measurement_error(
    benchmark_module: ModuleType, noise: float, tolerance: float
) -> None:
    validate: Any = benchmark_module
    population = validate.build_population(seeds=(20260102,), n_people=6000, noise=noise)
    people = np.arange(population.size)
    tables = population.screen(people)
    rng = np.random.default_rng(1)
    scores = {"baseline_volume": validate.BaselineVolume().score(tables, rng)["score"].to_numpy()}
    features = validate.build_all_features(tables)
    weights = np.ones(population.size)
    expected = expect_each(
        population.measured, scores, validate.DESIGN.times, features, share_weights(weights, scores)
    )
    screened = Screened(population.measured, scores, None, expected, share_weights(weights, scores))
    (candidate,) = list_candidates(["baseline_volume"], [0.5])
    pool = gather_pool(candidate, screened, rng)
    moments = validate.compute_pool_moments(pool, validate.DESIGN)
    n_control = validate.compute_sample_size("ancova", moments, validate.DESIGN)
    right = validate.compute_true_size(population, find_enrolled(candidate, screened, rng))
    # bias as measured (at most 7 %) and the sampling error of 3,000 people
    assert n_control == pytest.approx(right, rel=tolerance)
