"""Outcomes that nobody measured: assumed in numbers, or predicted for people only screened."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from trialsim import analytic
from trialsim.comparison import compare_strategies
from trialsim.comparison.archive import ScreenedPeople
from trialsim.comparison.candidates import list_candidates
from trialsim.comparison.closed_form import compute_pool_moments, compute_sample_size
from trialsim.comparison.cohort_error.bootstrap import bootstrap_sizes
from trialsim.comparison.pools import gather_pool
from trialsim.comparison.screened import read_screened
from trialsim.design import TrialDesign, build_design
from trialsim.errors import DesignError
from trialsim.simulation.assumed import draw_assumed_people
from trialsim.stated import AssumedDecline

ASSUMED = AssumedDecline(
    decline_mean=5.0,
    decline_sd=3.5,
    baseline_sd=12.0,
    baseline_correlation=0.1,
    noise_sd=1.0,
    score_correlation={"score": 0.6},
)
DESIGN = TrialDesign(
    unit="log_percent", slowing=0.3, analyses=("ancova",), outcomes="assumed", assumed=ASSUMED
)


def find_size(design: TrialDesign, strategy: str, fraction: float) -> float:
    people = draw_assumed_people(design, ["random", "score"], 7000.0)
    screened = read_screened(people.trajectories, people.scores, design)
    candidate = next(
        one for one in list_candidates(["random", "score"], [fraction]) if one.strategy == strategy
    )
    pool = gather_pool(candidate, screened, np.random.default_rng(1))
    return compute_sample_size("ancova", compute_pool_moments(pool, design), design)


def test_assumed_numbers_give_the_size_of_the_formula() -> None:
    wanted = analytic.ancova(
        delta=0.3 * 5.0, sd=3.5, correlation=0.1, power=0.8, distribution="t"
    ).n_control
    # the loss given the baseline is what is left of the last visit given the baseline
    assert find_size(DESIGN, "random", 1.0) == pytest.approx(wanted, rel=0.002)


def test_a_score_of_known_correlation_gives_the_size_of_the_truncated_normal() -> None:
    found = find_size(DESIGN, "score", 0.5) / find_size(DESIGN, "random", 1.0)
    hazard = np.sqrt(2 / np.pi)
    mean = 1 + 0.6 * hazard * 3.5 / 5.0
    # the baseline explains 1 % of the decline, in everyone and in the upper half about alike
    assert found == pytest.approx((1 - 0.6**2 * hazard**2) / mean**2, rel=0.03)


@pytest.mark.parametrize("name", ["decline_mean", "decline_sd", "noise_sd", "score_correlation"])
def test_each_number_that_is_lacking_is_one_sentence(name: str) -> None:
    with pytest.raises(DesignError) as told:
        DESIGN.change(assumed=replace(ASSUMED, **{name: None}))
    assert len(told.value.problems) == 1
    assert f"assumed.{name}" in told.value.problems[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"noise_sd": 3.0}, "differ by 4.24 on their own"),
        ({"score_correlation": 0.99}, "no score can know measurement error"),
        ({"baseline_correlation": 2.0}, "between -1 and 1"),
        ({"decline_sd": 0.0}, "greater than 0"),
        ({"noise_sd": 2.4, "baseline_sd": 2.4, "baseline_correlation": 0.9}, "no baseline can"),
    ],
)
def test_numbers_that_contradict_each_other_are_told(changes: dict, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        DESIGN.change(assumed=replace(ASSUMED, **changes))


def test_a_strategy_without_a_correlation_is_told() -> None:
    with pytest.raises(DesignError, match=r"brlp: state assumed\.score_correlation\.brlp"):
        draw_assumed_people(DESIGN, ["random", "brlp"], 7000.0)


def test_a_covariance_of_another_size_is_told() -> None:
    with pytest.raises(DesignError, match="2 rows of 2 numbers"):
        build_design({"calibration": {"error_covariance": [[1.0]]}})


# --- predicted: what an archive says of a prediction, for people who were only screened ----------


def draw_people(n: int, seed: int, slope: float = 1.0) -> tuple[pd.DataFrame, pd.Series]:
    """Skewed declines whose error grows with the prediction."""
    rng = np.random.default_rng(seed)
    names = pd.Index([f"{seed}-{k}" for k in range(n)], name="participant_id")
    predicted = rng.gamma(4.0, 1.2, n)
    decline = predicted + 0.5 * predicted * rng.standard_normal(n)
    level = 880 + 12 * rng.standard_normal(n)
    noise = rng.normal(0, 1.0, (n, 3))
    y = level[:, None] - decline[:, None] * np.array([0, 0.5, 1]) + noise
    table = pd.DataFrame(np.exp(y / 100), names, [0.0, 12.0, 24.0])
    return table, pd.Series(slope * predicted, names)


def predict(slope: float, n: int = 4000) -> tuple[float, float]:
    """Return the size that a prediction gives, and the true one."""
    design = DESIGN.change(outcomes="predicted")
    archive, theirs = draw_people(n, 1, slope)
    screened, own = draw_people(n, 2, slope)
    sizes = []
    for people, scores, stands_for in (
        (
            archive,
            theirs,
            ScreenedPeople(
                own.to_frame("file"),
                pd.DataFrame({"hippocampus_mm3": screened[0.0]}),
                is_predicted=True,
            ),
        ),
        (screened, own, None),
    ):
        read = read_screened(people, scores.to_frame("file"), design, stands_for=stands_for)
        candidate = list_candidates(["file"], [0.25])[0]
        pool = gather_pool(candidate, read, np.random.default_rng(0))
        sizes.append(compute_sample_size("ancova", compute_pool_moments(pool, design), design))
    return sizes[0], sizes[1]


@pytest.mark.parametrize("slope", [1.0, 0.5])
def test_a_calibrated_prediction_gives_the_size_that_follow_up_would(slope: float) -> None:
    found, true = predict(slope)
    assert found / true == pytest.approx(1.0, abs=0.08)


def test_futures_are_those_of_the_screened_people() -> None:
    design = DESIGN.change(outcomes="predicted")
    archive, theirs = draw_people(1000, 1)
    screened, own = draw_people(300, 2)
    stands_for = ScreenedPeople(
        own.to_frame("file"), pd.DataFrame({"hippocampus_mm3": screened[0.0]}), is_predicted=True
    )
    read = read_screened(archive, theirs.to_frame("file"), design, stands_for=stands_for)
    candidates = list_candidates(["file"], [0.5])
    pool = gather_pool(candidates[0], read, np.random.default_rng(0))
    enrolled = own.nlargest(150).index
    start = 100 * np.log(screened.loc[enrolled, 0.0])
    assert pool.outcome[:, 0].mean() == pytest.approx(start.mean(), abs=1e-6)
    assert pool.n_people < 1000 <= pool.size
    error = bootstrap_sizes(read, candidates, design, n_bootstrap=200, seed=1)
    spread = error.log_ratios["ancova"].std()
    assert 0.02 < spread < 0.3


def test_predictions_with_a_stated_error_give_power_without_an_archive() -> None:
    n = 300
    truth, own = draw_people(n, 2)
    level = np.log(truth[[0.0]].to_numpy())
    course = np.exp(level - own.to_numpy()[:, None] * np.array([0, 0.5, 1.0]) / 100)
    people = pd.DataFrame(course, truth.index, [0.0, 12.0, 24.0])
    error = np.zeros((n, 3, 3))
    error[:, 1:, 1:] = [[4.0, 4.0], [4.0, 9.0]]
    design = DESIGN.change(outcomes="predicted")
    found = compare_strategies(
        people,
        pd.DataFrame({"random": 0.0, "file": own}),
        design,
        sample_sizes=[100, 200],
        fractions_enrolled=[0.5],
        n_simulations=100,
        n_bootstrap=200,
        error_covariance=error,
    ).tables["sample_sizes"]
    row = found.set_index("strategy").loc["random"]
    delta = 0.3 * own.mean()
    wanted = analytic.ancova(
        delta=delta, sd=float(np.sqrt(own.var() + 9.0)), correlation=0.0, power=0.8,
        distribution="t",
    ).n_control  # fmt: skip
    assert row["closed_form_n_control"] == pytest.approx(wanted, rel=0.08)
    assert row["pool_size"] == n
    assert row["n_control_lower_cohort"] < row["n_control"] < row["n_control_upper_cohort"]
