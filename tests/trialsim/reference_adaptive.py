"""Trials that change on the way, by rpact."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import special

from tests.trialsim.reference_looks import list_rates
from tests.trialsim.reference_records import Inputs, Outputs
from trialsim import analytic
from trialsim.adaptive import StageResults, analyze_stages, reestimate_blinded
from trialsim.adaptive.combination import compute_next_bound
from trialsim.adaptive.enrichment import (
    EnrichmentRule,
    Population,
    simulate_adaptive_enrichment,
)


def combined_stages(given: Inputs) -> Outputs:
    design = analytic.group_sequential(list_rates(given), alpha=given["alpha"])
    sizes = np.array([given["n1"], given["n2"]], dtype=float)
    squares = (sizes - 1) * np.array([given["sds1"], given["sds2"]]) ** 2
    df = sizes.sum(axis=0) - 2
    se = np.sqrt(squares.sum(axis=0) / df * (1 / sizes).sum(axis=0))
    estimate = np.subtract(given["means1"], given["means2"])
    found = analyze_stages(design, StageResults(estimate, se, df))
    next_drift = given["thetaH1"] / given["assumedStDev"] * math.sqrt(given["nPlanned"] / 4)
    needed = compute_next_bound(design, 2, found.z[-1])
    return {
        "conditional_power_stage3": special.ndtr(next_drift - needed),
        "repeated_CI_lower": found.repeated_lower.tolist(),
        "repeated_CI_upper": found.repeated_upper.tolist(),
        "repeated_p": found.repeated_p.tolist(),
        "overall_test_stat": found.z.tolist(),
    }


def blinded(given: Inputs) -> Outputs:
    shared = {"delta": given["delta"], "alpha": given["alpha"], "power": given["power"]}
    return {
        name: reestimate_blinded(given["s2_total"], adjusted=adjusted, **shared).n_control
        for name, adjusted in (("n_adjusted", True), ("n_unadjusted", False))
    }


def adaptive_enrichment(given: Inputs) -> Outputs:
    # rpact stops at the look only once every hypothesis is rejected
    first, last = given["planned"]
    design = analytic.group_sequential([first / last, 1], alpha=given["alpha"])
    rule = EnrichmentRule(design, test="simes", success="all")
    found = [
        simulate_adaptive_enrichment(
            rule,
            Population(given["prevalence_S"], *effects, given["sd"], given["sd"]),
            n_total=last,
        )
        for effects in given["effects_S_and_rest"]
    ]
    assert [one.expected_n for one in found] == pytest.approx([300, 297.93, 291.36], abs=1.5)
    return {"reject_at_least_one": [one.reject_any for one in found]}


MAPPED: dict[str, Callable[[Inputs], Outputs]] = {
    "analysis-inversenormal": combined_stages,
    "blinded-ssr": blinded,
    "rpact-adaptive": adaptive_enrichment,
}
