"""Sites in simulated trials: stratified randomization, fixed and random effects."""

from typing import Any

import numpy as np
import pytest
from statsmodels.regression.mixed_linear_model import MixedLM

from tests.trialsim.growth_model import MONTHS, build_model
from trialsim.analysis.patterns import summarize
from trialsim.analysis.regression import fit_ancova_statistics, fit_change_statistics
from trialsim.design import Sites, TrialDesign, build_design
from trialsim.errors import DesignError
from trialsim.simulation.observing import draw_people
from trialsim.simulation.performance import compute_characteristics
from trialsim.simulation.trials import simulate_trials

SEED = 20260101
DESIGN = TrialDesign(MONTHS, slowing=0.3, analyses=("ancova",))


def describe(design: TrialDesign, name: str = "ancova", n: int = 300) -> dict[str, float]:
    trials = simulate_trials(
        build_model(), design, [(60, 60)], seed=SEED, replicates=range(n), workers=1
    )
    return compute_characteristics(trials, name, design)[0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sites": 0}, "sites.n must be a whole number from 1, got 0"),
        ({"sites": {"sd": 10.0}}, "sites.n must be at least 2 where sites are to differ, got 1"),
        ({"sites": {"n": 5, "change_sd": -1.0}}, "sites.change_sd must be 0 or more, got -1"),
        ({"sites": {"n": 5, "effect": "mixed"}}, "must be one of none, fixed, random, got 'mixed'"),
        (
            {"sites": {"n": 5, "effect": "random"}, "analyses": ["jump_to_reference"]},
            '"random" is for models that impute nothing, got jump_to_reference',
        ),
        (
            {"sites": {"n": 5, "effect": "random"}, "standard_error": "cr2"},
            'standard_error "cr2" takes them for independent: use "model", or a "fixed" effect',
        ),
    ],
)
def test_sites_that_cannot_be_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        build_design({"visits_months": MONTHS, **values})


def test_stratified_arms_are_spread_evenly_over_sites() -> None:
    design = DESIGN.change(sites=Sites(4, randomization="stratified", effect="random"))
    arm = draw_people(build_model(), design, range(3), arm=1, n_people=42, seed=SEED, scenario=0)
    assert arm.site_columns is not None
    assert np.ptp(arm.site_columns.sum(axis=1)) == 1


def test_both_arms_of_a_site_share_its_effect() -> None:
    design = DESIGN.change(sites=Sites(3, sd=1e6, randomization="stratified"))
    first, second = (
        draw_people(build_model(), design, range(2), arm=arm, n_people=9, seed=SEED, scenario=0)
        for arm in (0, 1)
    )
    apart = first.people.outcome - second.people.outcome
    assert np.abs(apart).max() < 1e4
    assert np.ptp(first.people.outcome[..., 0], axis=1).min() > 1e5


def test_what_sites_add_to_change_grows_in_proportion_to_time() -> None:
    sites = Sites(4, change_sd=20.0)
    model, plain = build_model(), DESIGN.change(sites=Sites(4))
    with_sites, without = (
        draw_people(model, design, range(500), arm=0, n_people=8, seed=SEED, scenario=0)
        for design in (DESIGN.change(sites=sites), plain)
    )
    added = with_sites.people.outcome - without.people.outcome
    at_end = added[..., -1:]
    assert added == pytest.approx(at_end * np.array(MONTHS) / MONTHS[-1])
    # of 500 trials with 4 sites each
    assert at_end.std() == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize("effect", ["fixed", "random"])
def test_an_effect_of_site_keeps_the_error_at_its_level_and_wins_power(effect: Any) -> None:
    sites = Sites(5, change_sd=150.0, randomization="stratified")
    plain, modelled = (
        describe(DESIGN.change(sites=sites)),
        describe(DESIGN.change(sites=Sites(5, 0.0, 150.0, "stratified", effect))),
    )
    error = 4 * np.sqrt(0.0475 / 300)
    assert modelled["type_one_error"] == pytest.approx(0.05, abs=error)
    assert modelled["coverage"] == pytest.approx(0.95, abs=error)
    assert abs(modelled["bias"]) < 4 * modelled["bias_mcse"]
    # strata that the analysis leaves out make its own standard error too large
    assert plain["model_se"] > 1.2 * plain["empirical_se"]
    assert modelled["power"] > plain["power"] + 0.05


@pytest.mark.parametrize("name", ["mmrm", "random_slope"])
@pytest.mark.parametrize("effect", ["fixed", "random"])
def test_mixed_models_take_sites(name: str, effect: Any) -> None:
    sites = Sites(4, 300.0, 100.0, "stratified", effect)
    row = describe(DESIGN.change(sites=sites, analyses=(name,)), name, n=150)
    assert row["n_failed_fits"] == 0
    assert abs(row["bias"]) < 4 * row["bias_mcse"]
    error = 4 * np.sqrt(0.0475 / 150)
    assert row["coverage"] == pytest.approx(0.95, abs=error)
    assert row["type_one_error"] == pytest.approx(0.05, abs=error)
    assert row["model_se"] == pytest.approx(row["empirical_se"], rel=0.2)


def test_a_random_effect_of_site_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(SEED)
    n, k = 90, 6
    site = rng.integers(k, size=n)
    arm = (np.arange(n) % 2).astype(float)
    start = rng.normal(size=n)
    last = 0.5 * start + 0.4 * arm + rng.normal(size=k)[site] + rng.normal(size=n)
    columns = np.column_stack([np.ones(n), arm, site[:, None] == np.arange(k)])[None].astype(float)
    statistics = summarize(np.stack([start, last], axis=1)[None], columns)
    fixed = np.column_stack([np.ones(n), arm, start])
    slow = MixedLM(last, fixed, groups=site).fit(reml=True)
    fast = fit_ancova_statistics(statistics, n_random=k)
    assert fast.estimate[0] == pytest.approx(slow.fe_params[1], rel=1e-4)
    assert fast.se[0] == pytest.approx(slow.bse_fe[1], rel=1e-3)
    assert fast.df[0] == n - k - 2
    slow = MixedLM(last - start, fixed[:, :2], groups=site).fit(reml=True)
    change = fit_change_statistics(statistics, n_random=k)
    assert change.estimate[0] == pytest.approx(slow.fe_params[1], rel=1e-4)


def test_sites_that_do_not_differ_leave_a_fit_on_the_boundary() -> None:
    rng = np.random.default_rng(SEED)
    y = rng.normal(size=(40, 60, 2))
    site = np.arange(60) % 6
    arm = (np.arange(60) // 6 % 2).astype(float)
    columns = np.column_stack([np.ones(60), arm, site[:, None] == np.arange(6)]).astype(float)
    statistics = summarize(y, np.broadcast_to(columns, (40, 60, 8)))
    fit = fit_change_statistics(statistics, n_random=6)
    plain = fit_change_statistics(statistics.keep_predictors([0, 1]))
    edge = fit.boundary
    assert 5 < edge.sum() < 35
    assert fit.estimate[edge] == pytest.approx(plain.estimate[edge])
    assert fit.se[edge] == pytest.approx(plain.se[edge])
