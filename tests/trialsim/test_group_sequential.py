"""Group-sequential designs against a second program, simulation and what must hold of any."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.stats import norm

from trialsim.analytic import DesignPoint, GroupSequentialDesign, group_sequential, means
from trialsim.errors import DesignError

RATES = [0.3, 0.55, 0.8, 1.0]
HSD = {"futility": "hwang_shih_decani", "futility_parameter": -2.0}


def integrate_with_gsdesign(
    design: GroupSequentialDesign, effect: float, lower: Any, r: int = 40
) -> list[tuple[float, float]]:
    """Probability of crossing each bound by Simpson's rule of the package gsdesign."""
    gsdesign = pytest.importorskip("gsdesign")
    theta, rates = effect * design.drift, design.information_rates
    grid, found = None, []
    for k, (t, a, b) in enumerate(zip(rates, lower, design.efficacy_z, strict=True)):
        if grid is None:
            found.append((norm.sf(b - theta * np.sqrt(t)), norm.cdf(a - theta * np.sqrt(t))))
            grid = gsdesign.h1(r=r, theta=theta, info=t, a=a, b=b)
            continue
        before = rates[k - 1]
        z, _, h = grid
        mean = z * np.sqrt(before) + theta * (t - before)
        sd = np.sqrt(t - before)
        above = h @ norm.sf((b * np.sqrt(t) - mean) / sd)
        found.append((above, h @ norm.cdf((a * np.sqrt(t) - mean) / sd)))
        if k + 1 < len(rates):
            grid = gsdesign.hupdate(r, theta, t, a, b, theta, before, grid)
    return found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"efficacy": "pocock"},
        {"efficacy": "hwang_shih_decani", "efficacy_parameter": 1.0, "sides": 2},
        {"efficacy": "kim_demets", "efficacy_parameter": 3.0, **HSD},
        {"efficacy": "wang_tsiatis", "efficacy_parameter": 0.25, **HSD, "binding": True},
    ],
)
def test_stopping_probabilities_agree_with_gsdesign(options: dict[str, Any]) -> None:
    design = group_sequential(RATES, power=0.9, **options)
    for effect in (0.0, 0.5, 1.0):
        stops = design.stop_probabilities(effect)
        ours = list(zip(stops.efficacy, stops.futility, strict=True))
        theirs = integrate_with_gsdesign(design, effect, design.futility_z)
        assert np.array(ours) == pytest.approx(np.array(theirs), abs=5e-8)


DESIGNS = [
    {"information_rates": rates, "efficacy": name, "efficacy_parameter": parameter, **more}
    for rates, (name, parameter), more in itertools.product(
        ([0.5, 1.0], [0.25, 0.6, 0.85, 1.0]),
        (
            ("lan_demets_obrien_fleming", None),
            ("pocock", None),
            ("kim_demets", 2.0),
            ("haybittle_peto", None),
        ),
        ({}, {"sides": 2}, HSD),
    )
]


@pytest.mark.parametrize("options", DESIGNS)
def test_stopping_probabilities_agree_with_simulated_trials(options: dict[str, Any]) -> None:
    n = 40_000
    design = group_sequential(power=0.85, **options)
    rng = np.random.default_rng(20 + DESIGNS.index(options))
    steps = np.diff(design.information_rates, prepend=0)
    noise = np.cumsum(rng.standard_normal((n, len(steps))) * np.sqrt(steps), axis=1)
    for effect in (0.0, 1.0):
        score = noise + effect * design.drift * design.information_rates
        z = score / np.sqrt(design.information_rates)
        up, down = z >= design.efficacy_z, z < design.futility_z
        first = np.argmax(up | down | (np.arange(len(steps)) == len(steps) - 1), axis=1)
        stops = design.stop_probabilities(effect)
        for crossed, expected in ((up, stops.efficacy), (down, stops.futility)):
            at = [((first == k) & crossed[:, k]).mean() for k in range(len(steps))]
            mcse = np.sqrt(expected * (1 - expected) / n)
            # 288 shares are compared: 3.9 errors is what one in a hundred such tables exceeds
            assert np.all(np.abs(at - expected) <= 3.9 * mcse + 1e-9)


def test_bounds_spend_what_the_function_says() -> None:
    design = group_sequential(RATES)
    t = np.array(RATES)
    assert design.cumulative_alpha == pytest.approx(2 * norm.sf(norm.isf(0.0125) / np.sqrt(t)))
    assert group_sequential(RATES, **HSD, power=0.9).cumulative_beta == pytest.approx(
        0.1 * np.expm1(2 * t) / np.expm1(2)
    )


RULES: list[dict[str, Any]] = [
    {"conditional_power": 0.2},
    {"conditional_power": [0.1, 0.2], "effect": "observed"},
    {"predictive_power": 0.1, "prior": (0.5, 0.5)},
    {"posterior": 0.3, "minimum": 0.5},
    {"posterior": [0.2, np.nan], "prior": (0.5, 0.5)},
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("binding", [False, True])
def test_a_futility_rule_stops_where_its_chance_is_the_threshold(
    rule: dict[str, Any], binding: bool
) -> None:
    design = group_sequential([0.4, 0.7, 1], futility=rule, binding=binding)
    assert design.power == 0.8
    assert design.stop_probabilities().efficacy.sum() == pytest.approx(0.8, abs=1e-8)
    assert design.cumulative_alpha[-1] == pytest.approx(0.025, abs=1e-8)
    measure = next(iter(rule))
    wanted = np.broadcast_to(rule[measure], 2)
    # conditional and predictive power ignore futility at later looks
    known = replace(design, futility_z=np.full(3, -np.inf))
    for look, below in enumerate(wanted, start=1):
        z = design.futility_z[look - 1]
        if np.isnan(below):
            assert z == -np.inf
        elif measure == "conditional_power":
            effect = rule.get("effect", 1.0)
            assert known.conditional_power(look, z, effect) == pytest.approx(below, abs=1e-6)
        elif measure == "predictive_power":
            found = known.predictive_power(look, z, rule["prior"])
            assert found == pytest.approx(below, abs=1e-6)
        else:
            assert _believe(design, look, z, rule) == pytest.approx(below, abs=1e-3)


def _believe(design: Any, look: int, z: float, rule: dict[str, Any]) -> float:
    """Return P(effect > minimum | z) by a sum over effects."""
    effects = np.linspace(-6, 6, 24_001)
    mean, sd = rule.get("prior", (0.0, 1e6))
    weight = norm.pdf(z, effects * design.drift * np.sqrt(design.information_rates[look - 1]))
    weight *= norm.pdf(effects, mean, sd)
    return float(weight[effects > rule.get("minimum", 0.0)].sum() / weight.sum())


def test_correlated_bounds_are_the_usual_ones_with_independent_increments() -> None:
    options: list[dict[str, Any]] = [
        {},
        {"sides": 2, "alpha": 0.05, "efficacy": "pocock"},
        {"futility": {"z": [0.0, 0.5]}, "binding": True},
    ]
    rates = np.array([0.4, 0.7, 1.0])
    ratio = np.sqrt(np.divide.outer(rates, rates))
    for rules in options:
        design = group_sequential(rates, **rules)
        same = design.correlate(np.minimum(ratio, 1 / ratio))
        assert same.efficacy_z == pytest.approx(design.efficacy_z, abs=5e-4)
        assert same.power == pytest.approx(design.power, abs=2e-4)
        # nearly the same statistic at every look leaves more alpha to the last one
        alike = design.correlate(np.full((3, 3), 0.98) + 0.02 * np.eye(3))
        assert alike.efficacy_z[2] < design.efficacy_z[2]
        assert alike.cumulative_alpha[-1] == pytest.approx(design.cumulative_alpha[-1], abs=1e-6)
    with pytest.raises(DesignError, match="positive definite"):
        design.correlate([[1, 2, 0], [2, 1, 0], [0, 0, 1]])


def test_looks_close_together_are_as_exact_as_others() -> None:
    rates = [0.3, 0.8148, 0.8174, 0.81774, 1.0]
    design = group_sequential(rates, efficacy="lan_demets_pocock")
    spent = np.diff(0.025 * np.log1p((np.e - 1) * np.array(rates)), prepend=0)
    theirs = integrate_with_gsdesign(design, 0.0, np.full(5, -np.inf), r=300)
    assert np.array([above for above, _ in theirs]) == pytest.approx(spent, abs=1e-9)


def test_one_look_is_the_fixed_design() -> None:
    design = group_sequential([1], alpha=0.05, sides=2, power=0.9)
    assert design.efficacy_z[0] == pytest.approx(norm.isf(0.025))
    assert design.inflation_factor == pytest.approx(1)
    assert design.nominal_p[0] == pytest.approx(0.05)


def test_wang_tsiatis_holds_its_two_special_cases() -> None:
    for delta, name in ((0.0, "obrien_fleming"), (0.5, "pocock")):
        general = group_sequential(RATES, efficacy="wang_tsiatis", efficacy_parameter=delta)
        assert general.efficacy_z == pytest.approx(
            group_sequential(RATES, efficacy=name).efficacy_z
        )


def test_explicit_bounds_give_the_design_they_come_from() -> None:
    design = group_sequential(RATES, power=0.9, **HSD)
    for bounds in ({"z": design.efficacy_z}, {"spent": design.cumulative_alpha}):
        again = group_sequential(
            RATES, power=0.9, efficacy=bounds, futility={"spent": design.cumulative_beta}
        )
        assert again.efficacy_z == pytest.approx(design.efficacy_z, abs=1e-8)
        assert again.futility_z == pytest.approx(design.futility_z, abs=1e-6)


def test_nobody_stops_where_no_bound_is_given() -> None:
    design = group_sequential(RATES, efficacy={"spent": [np.nan, 0.01, np.nan, 0.025]})
    assert np.isinf(design.efficacy_z).tolist() == [True, False, True, False]
    assert design.cumulative_alpha == pytest.approx([0, 0.01, 0.01, 0.025])


def test_tiny_spending_has_no_bound() -> None:
    design = group_sequential([0.02, 1])
    assert np.isinf(design.efficacy_z[0])
    assert design.to_dict()["efficacy_z"][0] is None


def test_spending_times_move_the_spending_only() -> None:
    late = group_sequential([0.5, 1], spending_times=[0.25, 1])
    assert late.cumulative_alpha[0] == pytest.approx(2 * norm.sf(2 * norm.isf(0.0125)))
    assert late.efficacy_z[0] == pytest.approx(group_sequential([0.25, 1]).efficacy_z[0])


def test_alpha_ignores_futility_unless_it_is_binding() -> None:
    free, bound = (group_sequential(RATES, **HSD, binding=binding) for binding in (False, True))
    assert np.all(free.efficacy_z >= bound.efficacy_z - 1e-9)
    assert free.stop_probabilities(0).efficacy.sum() < 0.0249
    assert bound.stop_probabilities(0).efficacy.sum() == pytest.approx(0.025)
    for design in (free, bound):
        assert design.futility_z[-1] == design.efficacy_z[-1]
        assert design.cumulative_alpha[-1] == pytest.approx(0.025)
        assert design.stop_probabilities().efficacy.sum() == pytest.approx(0.8)


def test_two_sides_count_power_in_one_direction() -> None:
    design = group_sequential(RATES, alpha=0.05, sides=2)
    assert design.cumulative_alpha[-1] == pytest.approx(0.05)
    assert design.stop_probabilities(0).futility.sum() == pytest.approx(0.025)
    assert design.stop_probabilities(1).efficacy.sum() == pytest.approx(0.8)


def test_conditional_power_averages_to_the_power_still_to_come() -> None:
    design = group_sequential(RATES, power=0.9, **HSD)
    z = np.linspace(design.futility_z[0], design.efficacy_z[0], 2001)
    density = norm.pdf(z - design.drift * np.sqrt(RATES[0]))
    later = np.trapezoid(density * design.conditional_power(1, z), z)
    assert later == pytest.approx(0.9 - design.stop_probabilities().efficacy[0], abs=1e-6)


def test_predictive_power_averages_conditional_power() -> None:
    design = group_sequential(RATES, power=0.9)
    effects = np.linspace(-2, 4, 4001)
    t, z = RATES[1], 1.2
    # posterior of the effect: prior N(0.8, 0.5), data N(z / (drift sqrt(t)), 1 / (drift^2 t))
    weight = norm.pdf(effects, 0.8, 0.5) * norm.pdf(z, effects * design.drift * np.sqrt(t))
    average = weight @ design.conditional_power(2, z, effects) / weight.sum()
    assert design.predictive_power(2, z, prior=(0.8, 0.5)) == pytest.approx(average, abs=1e-6)
    assert design.predictive_power(2, z, prior=(1.0, 1e-4)) == pytest.approx(
        design.conditional_power(2, z), abs=1e-6
    )


def test_effect_bounds_are_z_bounds_times_the_standard_error() -> None:
    design = group_sequential([0.5, 1], power=0.9)
    point = means(delta=3.0, sd=10, power=0.9, alpha=0.025, sides=1, distribution="z")
    n = point.n_control * design.inflation_factor * design.information_rates
    assert design.effect_bounds(point) == pytest.approx(design.efficacy_z * 10 * np.sqrt(2 / n))


def test_effect_bounds_of_few_people_are_met_by_the_same_p_value() -> None:
    design = group_sequential([0.5, 1])
    point = means(delta=0.5, sd=1, power=0.8, alpha=0.025, sides=1)
    df = np.array([10.0, 22.0])
    wider = design.effect_bounds(point, degrees_of_freedom=df) / design.effect_bounds(point)
    assert stats.t.sf(wider * design.efficacy_z, df) == pytest.approx(norm.sf(design.efficacy_z))


BAD = [
    ([0.5, 1], {"futility": {"posterior": 1.2}}, "needs a threshold between 0 and 1"),
    ([0.5, 1], {"futility": {"posterior": 0.2, "effect": 1}}, "takes minimum, prior beside its"),
    ([0.5, 1], {"futility": {"posterior": 0.2, "prior": [0.5, 0]}}, "prior must be above 0"),
    ([0.5, 1], {"futility": {"posterior": 0.2, "prior": (-9, 0.5)}}, "gives a benefit less than"),
    ([0.5, 1], {"futility": {"conditional_power": 0.2, "effect": "half"}}, 'or "observed", got'),
    ([0.5, 1], {"futility": {"conditional_power": 0.999}}, "lower the threshold of futility"),
    ([0.5, 0.4, 1], {}, "information_rates must be greater than 0, increase and end at 1"),
    ([0.5, 0.9], {}, "end at 1, got \\[0.5, 0.9\\]"),
    ([], {}, "must list the looks"),
    ([0.5, 0.50001, 1], {}, "at least 0.0001 apart"),
    ([0.5, 1], {"spending_times": [0.2, 0.5, 1]}, "one number a look \\(2\\), got 3"),
    ([0.5, 1], {"efficacy": "pocock", "spending_times": [0.2, 1]}, "need a spending function"),
    ([0.5, 1], {"alpha": 0.6}, "alpha of one side must be below 0.5"),
    ([0.5, 1], {"sides": 3}, "sides must be 1 or 2"),
    ([0.5, 1], {"power": 0.02}, "below power"),
    ([0.5, 1], {"efficacy": "fleming"}, "must be one of obrien_fleming"),
    ([0.5, 1], {"efficacy_parameter": 2.0}, "means nothing for lan_demets_obrien_fleming"),
    ([0.5, 1], {"efficacy": "hwang_shih_decani"}, "must be gamma"),
    (
        [0.5, 1],
        {"efficacy": "kim_demets", "efficacy_parameter": 0.0},
        "must be rho, greater than 0",
    ),
    ([0.5, 1], {"efficacy": "wang_tsiatis"}, "must be Delta"),
    ([0.5, 1], {"efficacy": "haybittle_peto", "efficacy_parameter": 1.9}, "leave nothing of alpha"),
    ([0.5, 1], {"efficacy": {"z": [-1.0, 1.96]}}, "spend more than alpha"),
    ([0.5, 1], {"efficacy": {"z": [1.96, 1.96]}}, "must not spend more than alpha \\(0.025\\)"),
    ([0.5, 1], {"efficacy": {"spent": [0.01, 0.03]}}, "must not spend more than alpha"),
    ([0.5, 1], {"futility": {"spent": [0.3, 0.3]}}, "must not spend more than 1 - power"),
    ([0.5, 1], {"efficacy": {"spent": [0.02, 0.01]}}, "errors that do not fall"),
    ([0.5, 1], {"efficacy": {"p": [0.01, 0.02]}}, 'must hold "z" or "spent"'),
    ([0.5, 1], {"efficacy": {"z": [3.0]}}, "2 numbers, one a look, got 1"),
    ([0.5, 1], {"efficacy": {"z": [3.0, np.nan]}}, "a bound at the last look"),
    ([0.5, 1], {"futility": "pocock"}, "futility must be a spending function"),
    ([0.5, 1], {**HSD, "sides": 2}, "futility bounds need sides=1"),
    ([0.5, 1], {"futility": {"z": [3.5]}}, "must not lie above the efficacy bound, got 3.5"),
    ([0.5, 1], {"binding": True}, "counts on futility bounds: give some"),
    (
        [0.5, 1],
        {"efficacy": {"z": [2.9626, 1.95]}, "futility": {"z": [0.5]}},
        "state binding=True",
    ),
]


@pytest.mark.parametrize(("rates", "options", "words"), BAD)
def test_impossible_designs_are_refused(
    rates: list[float], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(DesignError, match=words):
        group_sequential(rates, **options)


def test_impossible_questions_are_refused() -> None:
    design = group_sequential(RATES)
    several = means(delta=[1.0, 2.0], sd=1, power=0.8)
    assert isinstance(several, DesignPoint)
    for ask, words in (
        (lambda: design.conditional_power(4, 1.0), "a look before the last \\(1 to 3\\), got 4"),
        (lambda: design.conditional_power(0, 1.0), "got 0"),
        (lambda: design.conditional_power(1, np.nan), "z must be a finite number"),
        (lambda: design.conditional_power(1, 1.0, "seen"), 'or "observed", got "seen"'),
        (lambda: design.predictive_power(1, 1.0, prior=(-5, 0.1)), "one chance in a million"),
        (lambda: design.predictive_power(1, 1.0, prior=(1, 0)), "prior_sd must be greater than 0"),
        (lambda: design.infer(5, 1.0), "a look \\(1 to 4\\), got 5"),
        (lambda: design.infer(1, 1.0, level=1.5), "level must be between 0 and 1"),
        (lambda: design.effect_bounds(several), "holds one design"),
        (lambda: design.adjust([0.5, 0.4]), "must be greater than 0 and increase"),
        (lambda: design.adjust([1.2, 1.3]), "below 1 before the last look"),
        (lambda: design.adjust([0.1, 0.2, 0.3, 0.4, 0.5]), "5 looks, 4 were planned"),
        (lambda: design.adjust([]), "must list the looks held"),
        (lambda: design.adjust([0.5, 0.5 + 1e-7]), "at least 0.0001 apart"),
    ):
        with pytest.raises(DesignError, match=words):
            ask()
