"""Simulated trials do not depend on how they are computed, and agree with the closed forms."""

import numpy as np
import pytest
from numpy.typing import NDArray

from trialsim.analyses import ANALYSES
from trialsim.comparison.closed_form import (
    compute_model_moments,
    compute_power,
    compute_sample_size,
)
from trialsim.design import DropOut, TrialDesign
from trialsim.errors import DesignError
from trialsim.simulation.effects import Estimand, compute_shift
from trialsim.simulation.observing import compute_leaving_hazard
from trialsim.simulation.outcomes import (
    GrowthModel,
    ResamplingModel,
    find_drawn,
    fit_growth_model,
)
from trialsim.simulation.performance import compute_characteristics, compute_rejections
from trialsim.simulation.pool import Pool, build_pool
from trialsim.simulation.trials import Fits, SimulatedTrials, simulate_trials

Floats = NDArray[np.float64]
MONTHS = (0.0, 6.0, 12.0, 18.0, 24.0)
SEED = 20260101
SIZES = [(40, 40), (70, 70), (100, 100)]
NAMES = tuple(name for name, kind in ANALYSES.items() if kind.imputation is None)
DESIGN = TrialDesign(MONTHS, slowing=0.3, dropout=DropOut(0.3), analyses=NAMES)


def build_model(months: tuple[float, ...] = MONTHS) -> GrowthModel:
    return GrowthModel(
        intercept=6500.0,
        slope=-14.0,
        score_intercept=-150.0,
        score_slope=-4.0,
        covariance=np.array([[700.0**2, 600.0], [600.0, 25.0]]),
        residual_variance=4900.0,
        times=np.array(months),
        scores=np.linspace(-1.7, 1.7, 501),
    )


def build_people(n: int = 200) -> Pool:
    rng = np.random.default_rng(SEED)
    model = build_model()
    lines = rng.multivariate_normal([6500, -14], model.total_covariance, size=n)
    outcome = lines[:, :1] + lines[:, 1:] * model.times + 70 * rng.normal(size=(n, 5))
    return build_pool(outcome, -lines[:, 1])


def run(design: TrialDesign = DESIGN, **changes: object) -> SimulatedTrials:
    options = {"seed": SEED, "replicates": range(30), **changes}
    return simulate_trials(ResamplingModel(build_people()), design, SIZES, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{"batch_size": 7}, {"workers": 1}, {"batch_size": 1}])
def test_results_do_not_depend_on_batches_or_workers(changes: dict[str, int]) -> None:
    expected, found = run(), run(**changes)
    for name in NAMES:
        assert np.array_equal(found.effect[name].estimate, expected.effect[name].estimate)
        assert np.array_equal(found.null[name].df, expected.null[name].df)


@pytest.mark.parametrize("kind", ["equal", "uneven", "mostly none", "one"])
def test_who_is_drawn_is_whom_a_search_finds(kind: str) -> None:
    rng = np.random.default_rng(8)
    n = 1 if kind == "one" else 3000
    weights = {"uneven": rng.exponential(size=n), "mostly none": (rng.random(n) < 0.01) * 1.0}
    until = np.cumsum(weights.get(kind, np.full(n, 1 / n)))
    edges = np.append(until[:-1] / until[-1], [0.0, 1 - 2**-53])  # where rounding decides
    share = np.concatenate([rng.random(5000), edges, edges * (1 - 2**-53)])
    share = share[(share >= 0) & (share < 1)]
    expected = np.searchsorted(until, share * until[-1], side="right")
    assert find_drawn(until, share).tolist() == expected.tolist()
    assert find_drawn(until, share[:6].reshape(2, 3)).shape == (2, 3)


def test_any_replicate_can_be_run_alone() -> None:
    together, alone = run(), run(replicates=range(17, 18))
    for name in NAMES:
        assert alone.effect[name].se[:, 0] == pytest.approx(together.effect[name].se[:, 17])


def test_a_smaller_trial_is_the_beginning_of_a_larger_one() -> None:
    model = ResamplingModel(build_people())
    alone = simulate_trials(model, DESIGN, SIZES[:1], seed=SEED, replicates=range(30))
    assert alone.effect["mmrm"].estimate == pytest.approx(run().effect["mmrm"].estimate[:1])


def test_another_seed_or_scenario_gives_other_trials() -> None:
    expected = run().effect["change"].estimate
    for other in (run(seed=SEED + 1), run(scenario=1)):
        correlation = np.corrcoef(other.effect["change"].estimate[0], expected[0])[0, 1]
        assert abs(correlation) < 4 / np.sqrt(30)


def test_the_null_taken_from_the_effect_is_the_null_fitted_itself() -> None:
    shifted = run()
    # a hazard ratio of nearly 1 makes the engine simulate the null on its own
    fitted = run(DESIGN.change(dropout=DropOut(0.3, decline_hazard_ratio=1 + 1e-9)))
    for name in NAMES:
        assert fitted.null[name].estimate == pytest.approx(
            shifted.null[name].estimate, rel=1e-5, abs=1e-5
        )
        assert fitted.null[name].se == pytest.approx(shifted.null[name].se, rel=1e-5)


def test_power_and_type_one_error_agree_with_the_closed_form() -> None:
    n, model = 1500, build_model()
    design, size = DESIGN.change(slowing=0.2, dropout=DropOut(0.2)), (100, 100)
    trials = simulate_trials(model, design, [size], seed=SEED, replicates=range(n))
    moments = compute_model_moments(model)
    for name in NAMES:
        row = compute_characteristics(trials, name, design)[0]
        power = compute_power(name, moments, design, *size)
        assert row["power"] == pytest.approx(power, abs=4 * np.sqrt(power * (1 - power) / n))
        assert row["type_one_error"] == pytest.approx(0.05, abs=4 * np.sqrt(0.0475 / n))
        assert row["coverage"] == pytest.approx(0.95, abs=4 * np.sqrt(0.0475 / n))
        assert abs(row["bias"]) < 4 * row["bias_mcse"]
        assert row["model_se"] == pytest.approx(row["empirical_se"], rel=4 / np.sqrt(2 * n))
        assert row["n_failed_fits"] == 0


def test_the_closed_form_sample_size_has_the_target_power() -> None:
    design = DESIGN.change(allocation_ratio=1.5, dropout=DropOut(0.3, 0.1), target_power=0.9)
    moments = compute_model_moments(build_model())
    for name in NAMES:
        n = compute_sample_size(name, moments, design)
        assert compute_power(name, moments, design, n, 1.5 * n) == pytest.approx(0.9)  # type: ignore[arg-type]


def test_one_sided_tests_look_for_less_loss_alone() -> None:
    trials, two_sided = run(replicates=range(300)), DESIGN
    one_sided = compute_rejections(trials, "mmrm", DESIGN.change(sides=1, alpha=0.025))
    both = compute_rejections(trials, "mmrm", two_sided)
    positive = trials.null["mmrm"].estimate > 0
    assert np.array_equal(one_sided.null, both.null & positive)
    assert both.null.sum() > one_sided.null.sum() > 0


def test_people_leave_as_often_as_the_design_says() -> None:
    leave = np.random.default_rng(SEED).exponential(size=(1, 20_000))
    outcome = np.zeros((1, 20_000, 5))
    hazard = compute_leaving_hazard(DESIGN, 0, outcome, np.zeros(5), np.ones(5))
    seen = leave[..., None] >= hazard
    error = 4 * np.sqrt(0.25 / 20_000)
    assert seen[0].mean(axis=0) == pytest.approx(DESIGN.compute_retention(0), abs=error)
    assert (np.diff(seen.astype(int), axis=-1) <= 0).all()


def test_those_who_decline_faster_leave_sooner_where_the_design_says_so() -> None:
    people = build_people()
    design = DESIGN.change(dropout=DropOut(0.3, decline_hazard_ratio=3.0))
    leave = np.random.default_rng(SEED).exponential(size=(50, people.size))
    outcome = np.broadcast_to(people.outcome, (50, *people.outcome.shape))
    change = people.outcome - people.outcome[:, :1]
    hazard = compute_leaving_hazard(design, 0, outcome, change.mean(axis=0), change.std(axis=0))
    stayed = (leave[..., None] >= hazard)[:, :, -1].mean(axis=0)
    assert np.corrcoef(stayed, change[:, -1])[0, 1] > 0.5


def test_a_decline_that_was_seen_drives_the_hazard_until_the_next_visit() -> None:
    design = DESIGN.change(dropout=DropOut(0.3, decline_hazard_ratio=3.0))
    # one standard deviation below the mean at month 6, at the mean before and after
    outcome = np.array([[[0.0, -20.0, 0.0, 0.0, 0.0]]])
    sd = np.array([0.0, 20.0, 20.0, 20.0, 20.0])
    found = compute_leaving_hazard(design, 0, outcome, np.zeros(5), sd)
    usual = np.diff(-np.log(design.compute_retention(0)))
    assert np.diff(found[0, 0]) == pytest.approx(usual * [1, 3, 1, 1])


def test_bias_and_errors_of_four_estimates_are_those_of_a_textbook() -> None:
    estimate, se = np.array([[1.0, 2.0, 3.0, 6.0]]), np.array([[1.0, 1.0, 1.0, 3.0]])
    fine = np.ones((1, 4), dtype=bool)
    fits = Fits(estimate, se, np.full((1, 4), 50.0), fine, ~fine)
    estimand = Estimand(np.array([0.0, 0.5, 1.0, 1.5, 2.0]), DESIGN.times)
    trials = SimulatedTrials([(40, 40)], {"mmrm": fits}, {"mmrm": fits}, estimand)
    (row,) = compute_characteristics(trials, "mmrm", DESIGN)
    assert (row["bias"], row["true_difference"]) == (1, 2)
    assert row["empirical_se"] == pytest.approx((14 / 3) ** 0.5)
    assert row["bias_mcse"] == pytest.approx((14 / 3 / 4) ** 0.5)
    assert row["model_se"] == pytest.approx(3**0.5)
    # t is 1, 2, 3, 2, and 2.01 is needed; all lie within as much of the truth
    assert (row["power"], row["coverage"]) == (0.25, 1)


def test_outcomes_that_nobody_saw_belong_to_the_estimand() -> None:
    dropout = DropOut(0.3, 0.2, unseen_shift_control=0.0, unseen_shift_treatment=-50.0)
    plain, shifted = run(), run(DESIGN.change(dropout=dropout))
    expected = plain.estimand.difference[-1] - 50 * 0.2
    assert shifted.estimand.difference[-1] == pytest.approx(expected)


def test_proportional_slowing_has_the_mean_effect() -> None:
    model, size = build_model(), [(150, 150)]
    design = TrialDesign(
        MONTHS, slowing=0.5, trajectories="parametric", effect_model="proportional",
        analyses=("random_slope",),
    )  # fmt: skip
    trials = simulate_trials(model, design, size, seed=SEED, replicates=range(400))
    row = compute_characteristics(trials, "random_slope", design)[0]
    assert trials.estimand.get_value("random_slope") == pytest.approx(0.5 * 14)
    assert abs(row["bias"]) < 4 * row["bias_mcse"]


@pytest.mark.parametrize(
    ("changes", "at_last", "at_first"),
    [
        ({}, 0.3 * 240, 0.3 * 60),
        ({"effect": "offset"}, 0.3 * 240, 0.3 * 240),
        (
            {"relative_to": "decline above normal ageing", "normal_change_per_year": -40.0},
            0.3 * 160,
            0.3 * 40,
        ),
    ],
)
def test_the_effect_is_a_share_of_the_decline_that_counts(
    changes: dict[str, object], at_last: float, at_first: float
) -> None:
    shift = compute_shift(DESIGN.change(**changes), -10.0 * DESIGN.times)
    assert (shift[0], shift[-1], shift[1]) == pytest.approx((0, at_last, at_first))


def test_people_who_do_not_decline_have_nothing_to_slow() -> None:
    with pytest.raises(DesignError, match="so there is no decline to slow"):
        compute_shift(DESIGN, 2.0 * DESIGN.times)


def test_normal_ageing_must_be_known_where_it_is_taken_off() -> None:
    design = DESIGN.change(relative_to="decline above normal ageing")
    with pytest.raises(DesignError, match="needs normal_change_per_year"):
        compute_shift(design, -DESIGN.times)


def test_the_growth_model_recovers_what_made_the_people() -> None:
    rng, model, n = np.random.default_rng(SEED), build_model(), 4000
    scores = rng.choice(model.scores, size=n)
    effects = rng.multivariate_normal([0, 0], model.covariance, size=n)
    level = 6500 - 150 * scores + effects[:, 0]
    slope = -14 - 4 * scores + effects[:, 1]
    noise = 70 * rng.normal(size=(n, 5))
    fitted = fit_growth_model(
        build_pool(level[:, None] + slope[:, None] * model.times + noise, scores), model.times
    )
    assert fitted.slope == pytest.approx(-14, abs=0.5)
    assert fitted.score_slope == pytest.approx(-4, abs=0.5)
    assert fitted.covariance[1, 1] == pytest.approx(25, rel=0.15)
    assert fitted.residual_variance == pytest.approx(4900, rel=4 * np.sqrt(2 / (3 * n)))


@pytest.mark.parametrize(
    ("sizes", "replicates", "words"),
    [
        ([(3, 50)], range(5), "Each arm needs at least 5 people, got 3 . 50"),
        ([(50, 50), (40, 40)], range(5), "in increasing order"),
        ([], range(5), "in increasing order"),
        ([(50, 50)], range(0), "at least 1 replicate"),
    ],
)
def test_trials_that_cannot_be_are_refused(
    sizes: list[tuple[int, int]], replicates: range, words: str
) -> None:
    with pytest.raises(DesignError, match=words):
        simulate_trials(build_model(), DESIGN, sizes, seed=1, replicates=replicates)


def test_a_pool_of_few_complete_people_is_refused() -> None:
    outcome = np.full((30, 5), 1.0) * np.arange(30)[:, None]
    outcome[9:, 2] = np.nan
    with pytest.raises(DesignError, match="only 9 people, 9 of them with"):
        build_pool(outcome)
