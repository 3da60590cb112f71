"""Trials with looks, by rpact, gsDesign, lrstat and published tables."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import norm

from tests.trialsim.reference_fixed import published_plan
from tests.trialsim.reference_records import Inputs, Outputs
from trialsim import analytic

BOUNDARIES = {
    "OF": {"efficacy": "obrien_fleming"},
    "P": {"efficacy": "pocock"},
    "asOF": {"efficacy": "lan_demets_obrien_fleming"},
    "asP": {"efficacy": "lan_demets_pocock"},
}


def list_rates(given: Inputs) -> Any:
    n_looks = given.get("K", given.get("kMax"))
    return given.get("information_rates", np.arange(1, n_looks + 1) / n_looks if n_looks else None)


def equal_looks(given: Inputs) -> Outputs:
    """Bounds of rpact, gsDesign at 80 % and 90 % power, or at the power of the record."""
    choice = BOUNDARIES.get(given.get("type", ""), {})
    if "deltaWT" in given:
        choice = {"efficacy": "wang_tsiatis", "efficacy_parameter": given["deltaWT"]}
    if "gamma" in given:
        choice = {"efficacy": "hwang_shih_decani", "efficacy_parameter": given["gamma"]}
    shared = choice | {"alpha": given["alpha"]}
    design = analytic.group_sequential(list_rates(given), power=given.get("power", 0.8), **shared)
    stronger = analytic.group_sequential(list_rates(given), power=0.9, **shared)
    z, p = design.efficacy_z.tolist(), design.nominal_p.tolist()
    return {
        "z": z,
        "gsDesign_z": z,
        "nominal_one_sided_p": p,
        "cumulative_alpha": design.cumulative_alpha.tolist(),
        "inflation": design.inflation_factor,
        "inflation_power80": design.inflation_factor,
        "gsDesign_inflation_power80": design.inflation_factor,
        "inflation_power90": stronger.inflation_factor,
        "gsDesign_inflation_power90": stronger.inflation_factor,
        "ASN_ratio_H0_power80": design.expected_information(0).of_fixed,
        "ASN_ratio_H01_power80": design.expected_information(0.5).of_fixed,
        "ASN_ratio_H1_power80": design.expected_information(1).of_fixed,
        "cum_power_at_looks_power80": np.cumsum(design.stop_probabilities().efficacy).tolist(),
    }


def futility(given: Inputs) -> Outputs:
    lan_demets = {"efficacy": "lan_demets_obrien_fleming"}
    spending = {"efficacy": "hwang_shih_decani", "efficacy_parameter": -4.0}
    design = analytic.group_sequential(
        list_rates(given),
        power=0.9,
        futility="hwang_shih_decani",
        futility_parameter=-2.0,
        binding=given.get("binding", False),
        **(lan_demets if "upper" in given else spending),
    )
    return {
        "upper": design.efficacy_z.tolist(),
        "lower": design.futility_z.tolist(),
        "inflation": design.inflation_factor,
        "EN_ratio_H0": design.expected_information(0).of_fixed,
        "EN_ratio_H1": design.expected_information(1).of_fixed,
    }


def fixed_futility(given: Inputs) -> Outputs:
    design = analytic.group_sequential(
        [0.5, 1], power=given["power"], futility={"z": [given["futility_z"]]}
    )
    return {
        "z": design.efficacy_z.tolist(),
        "inflation": design.inflation_factor,
        "ASN_ratio_H0": design.expected_information(0).of_fixed,
        "ASN_ratio_H1": design.expected_information(1).of_fixed,
    }


def repeated_testing(given: Inputs) -> Outputs:
    crossed = [
        analytic.group_sequential(
            np.arange(1, k + 1) / k, alpha=0.3, sides=2, efficacy={"z": [given["bound"]] * k}
        ).cumulative_alpha[-1]
        for k in given["K"]
    ]
    return {"upper_crossing_prob": [total / 2 for total in crossed]}


def two_sided(family: str, name: str | None = None) -> Callable[[Inputs], Outputs]:
    def compute(given: Inputs) -> Outputs:
        design = analytic.group_sequential(
            list_rates(given),
            alpha=0.05,
            sides=2,
            power=1 - given.get("beta", 0.2),
            efficacy=family,
            efficacy_parameter=given[name] if name else None,
        )
        expected = design.expected_information(np.array([0, 0.5, 1, 1.5])).of_fixed
        return {
            "max_n_pct": 100 * design.inflation_factor,
            "max_n_ratio": design.inflation_factor,
            "final_z": design.efficacy_z[-1],
            "z": design.efficacy_z.tolist(),
            "EN_H0_pct": 100 * expected[0],
            "EN_pct": (100 * expected).tolist(),
        }

    return compute


def binding_power_family(given: Inputs) -> Outputs:
    design = analytic.group_sequential(
        list_rates(given),
        alpha=given["alpha"],
        power=1 - given["beta"],
        efficacy="kim_demets",
        efficacy_parameter=given["rho"],
        futility="kim_demets",
        futility_parameter=given["rho"],
        binding=True,
    )
    expected = design.expected_information(np.array([0, 0.5, 1])).of_fixed
    return {
        "max_n_pct": 100 * design.inflation_factor,
        "EN_pct_theta_0_half_1": (100 * expected).tolist(),
    }


def bound_as_effect(given: Inputs) -> Outputs:
    design = analytic.group_sequential([0.5, 1], alpha=given["alpha"], power=1 - given["beta"])
    point = analytic.means(delta=given["delta1"], sd=1, power=0.9, distribution="z")
    return {"delta_at_bound": design.effect_bounds(point).tolist()}


def sequential_means(given: Inputs) -> Outputs:
    """Sizes of rpact: those of one analysis by t, times the inflation."""
    stops = {"futility": {"z": [given["futility_z"]]}} if "futility_z" in given else {}
    shared = {"alpha": given["alpha"], "sides": 1, "power": given["power"]}
    design = analytic.group_sequential(
        list_rates(given), **shared, **BOUNDARIES[given["type"]], **stops
    )
    point = analytic.means(
        delta=given["delta"],
        sd=given["sd"],
        allocation_ratio=given.get("allocation", 1),
        **shared,
    )
    fixed = point.n_total
    sizes = fixed * design.inflation_factor * design.information_rates
    half, whole = (design.expected_information(effect).of_fixed * fixed for effect in (0.5, 1))
    early = design.stop_probabilities()
    return {
        "N_by_look": sizes.tolist(),
        "max_N": sizes[-1],
        "EN_H0": design.expected_information(0).of_fixed * fixed,
        "EN_H01": half,
        "EN_H1": whole,
        "crit_effect": design.effect_bounds(point, degrees_of_freedom=sizes - 2).tolist(),
        "early_stop_H1": (early.efficacy + early.futility)[:-1].sum(),
    }


def sequential_power(given: Inputs) -> Outputs:
    size = given.get("max_N", given.get("N", given.get("planned", [0])[-1]))
    design = analytic.group_sequential(given.get("information_rates") or list_rates(given))
    delta = np.array(given.get("alternative", given.get("delta")), dtype=float)
    fixed = analytic.means(
        delta=delta, sd=given.get("sd", 1), n_control=size / 2, alpha=0.025, sides=1
    )
    # The drift at which one analysis by z has the power that the t test has.
    effects = np.asarray(norm.ppf(fixed.power) - norm.ppf(0.025)) / design.drift
    stops = design.stop_probabilities(effects)
    expected = design.expected_information(effects).of_maximum * size
    return {
        "power": stops.efficacy.sum(axis=1).tolist(),
        "EN": expected.tolist(),
        "early_stop": stops.efficacy[:, :-1].sum(axis=1).tolist(),
        "reject_per_stage": stops.efficacy.T.tolist(),
    }


def simulated_power(given: Inputs) -> Outputs:
    # its tolerance is that of a share; the expected sizes are off by as much as people's own error
    return {"power": sequential_power(given)["power"]}


def published_sequential_plan(given: Inputs) -> Outputs:
    shared = {"alpha": given["alpha_two_sided"], "sides": 2, "power": given["power"]}
    design = analytic.group_sequential(given["information_rates"], **shared)
    one_sided = analytic.group_sequential(given["information_rates"], power=given["power"])
    point = analytic.means(
        delta=given["delta"],
        sd=given["sd1"],
        sd_treatment=given["sd2"],
        distribution="z",
        **shared,
    )
    planned = published_plan(given)
    return planned | {
        "inflation_two_sided": design.inflation_factor,
        "inflation_one_sided_.025": one_sided.inflation_factor,
        "N_gsd_raw": point.n_total * design.inflation_factor,
        "N_gsd_SAP": math.ceil(planned["N_fixed"] * design.inflation_factor),
    }


def conditional_power(given: Inputs) -> Outputs:
    design = analytic.group_sequential([0.5, 1], power=1 - given["beta"])
    information = given["n_fix"] * design.inflation_factor * design.information_rates
    observed = given["z1"] / math.sqrt(information[0])
    chances = [design.conditional_power(1, given["z1"], effect) for effect in ("observed", 0, 1)]
    return {
        "n_I": information.tolist(),
        "theta": [observed, 0, design.drift / math.sqrt(information[-1])],
        "cond_power": chances,
    }


def look_at_half(given: Inputs) -> Outputs:
    design = analytic.group_sequential(
        [given["t"], 1], efficacy={"z": [math.nan, given["final_critical"]]}
    )
    drift = given.get("drift", 0.0)
    return {
        "cp": design.conditional_power(1, given["z1"], drift / design.drift),
        "pp": design.predictive_power(1, given["z1"]),
    }


def lrstat_sequential_means(given: Inputs) -> Outputs:
    design = analytic.group_sequential(list_rates(given), power=1 - given["beta"])
    point = analytic.means(
        delta=given["meanDiff"],
        sd=given["stDev"],
        power=1 - given["beta"],
        alpha=given["alpha"],
        sides=1,
        distribution="z",
    )
    maximum = point.n_total * design.inflation_factor
    return {
        "overallReject": design.stop_probabilities().efficacy.sum(),
        "drift": design.drift,
        "inflationFactor": design.inflation_factor,
        "information": (design.drift / given["meanDiff"]) ** 2,
        "numberOfSubjects": maximum,
        "expectedNumberOfSubjectsH1": design.expected_information(1).of_maximum * maximum,
        "expectedNumberOfSubjectsH0": design.expected_information(0).of_maximum * maximum,
    }


def lrstat_looks(given: Inputs) -> Outputs:
    plan_at = partial(
        analytic.plan_looks,
        analytic.MmrmEndpoint(given["t"], sd=1, correlation=given["covar1"]),
        list_rates(given),
        delta=given["meanDiff"],
        accrual=given["accrualIntensity"],
        power=1 - given["beta"],
        alpha=given["alpha"],
        dropout_per_month=given["gamma1"],
    )
    # it rounds both arms together up to whole people
    plan = plan_at(n_total=float(np.ceil(plan_at().n_total)))
    looks, expected = plan.tabulate_looks(), plan.tabulate_expectations()
    # lrstat's completers have had the time for every visit, whether they stayed or not
    due = looks["n_completers"] * np.exp(given["gamma1"] * given["t"][-1])
    return {
        "overallReject": plan.design.power,
        "information": plan.information[-1],
        "expectedInformationH1": expected["expected_information"][2],
        "drift": plan.design.drift,
        "numberOfSubjects": plan.n_total,
        "studyDuration": plan.months[-1],
        "expectedNumberOfSubjectsH1": expected["expected_n"][2],
        "expectedNumberOfSubjectsH0": expected["expected_n"][0],
        "expectedStudyDurationH1": expected["expected_months"][2],
        "by_stage": {
            "informationRates": looks["information_rate"],
            "efficacyBounds": looks["efficacy_z"],
            "cumulativeRejection": looks["stop_efficacy_whole"].cumsum(),
            "cumulativeAlphaSpent": looks["cumulative_alpha"],
            "efficacyMeanDiff": looks["efficacy_effect"],
            "numberOfSubjects": looks["n_enrolled"],
            "numberOfCompleters": due,
            "analysisTime": looks["calendar_months"],
        },
    }


MAPPED: dict[str, Callable[[Inputs], Outputs]] = {
    "SAP-": published_sequential_plan,
    "gs-": equal_looks,
    "gs-futility": futility,
    "gs-gsDesign-default": futility,
    "gs-K2-asOF-fut0": fixed_futility,
    "gs-means": sequential_means,
    "gs-power": sequential_power,
    "jt-repeated": repeated_testing,
    "jt-OF": two_sided("obrien_fleming"),
    "jt-Pocock": two_sided("pocock"),
    "jt-WT": two_sided("wang_tsiatis", "Delta"),
    "jt-power": two_sided("kim_demets", "rho"),
    "jt-type3": binding_power_family,
    "east-": bound_as_effect,
    "lrstat-meandiff-K3": lrstat_sequential_means,
    "lrstat-MMRM-gsd": lrstat_looks,
    "sim-means-asOF3": simulated_power,
    "cond-power": conditional_power,
    "cp-": look_at_half,
    "predictive-power": look_at_half,
}
