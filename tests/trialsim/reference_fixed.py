"""Means compared once, adjusted or not, and enrichment: rpact, R, BioPET, published tables."""

import math
from collections.abc import Callable

from scipy.stats import norm

from tests.trialsim.reference_records import Inputs, Outputs
from trialsim import analytic
from trialsim.analytic.prognostic import compute_selected_decline

SIDES = {"one.sided": 1, "greater": 1, "two.sided": 2}


def rpact_means(given: Inputs) -> Outputs:
    ratio = 1 / given["allocation_n1_over_n2"]
    shared = {"delta": given["delta"], "sd": given["sd"], "power": given["power"]}
    shared |= {"alpha": given["alpha_one_sided"], "sides": 1, "allocation_ratio": ratio}
    t, z = (analytic.means(**shared, distribution=kind) for kind in ("t", "z"))
    return {
        "N_total_t": t.n_total,
        "n1_t": t.n_control,
        "n2_t": t.n_treatment,
        "N_total_z": z.n_total,
    }


def r_t_power(given: Inputs) -> Outputs:
    # R leaves out the wrong tail unless strict: that is a one-sided test at half the level.
    shared = {"delta": given["delta"], "sd": given["sd"], "n_control": given["n_per_group"]}
    return {
        "power": analytic.means(**shared, alpha=given["alpha"] / 2, sides=1).power,
        "power_strict": analytic.means(**shared, alpha=given["alpha"]).power,
    }


def r_t_size(given: Inputs) -> Outputs:
    point = analytic.means(
        delta=given["delta"],
        sd=given["sd"],
        power=given["power"],
        alpha=given["alpha"] / 2,
        sides=1,
    )
    return {"n_per_group": point.n_control, "ceiling": point.rounded().n_control}


def standardized_means(given: Inputs) -> Outputs:
    n_control = given.get("n", given.get("n1"))
    point = analytic.means(
        delta=given["d"],
        sd=1,
        n_control=n_control,
        power=given.get("power"),
        allocation_ratio=given["n2"] / n_control if "n2" in given else 1,
        alpha=given["alpha"],
        sides=SIDES[given.get("alternative", "two.sided")],
    )
    return {"power": point.power, "n_per_group": point.n_control}


def unequal_sds(given: Inputs) -> Outputs:
    shared = {"delta": given["delta1"], "sd": given["sd"], "sd_treatment": given["sd2"]}
    shared |= {"alpha": given["alpha"], "sides": 1, "allocation_ratio": given["ratio"]}
    shared["distribution"] = "z"
    n_control = 200 / (1 + given["ratio"])
    return {
        "n_total": analytic.means(**shared, power=1 - given["beta"]).n_total,
        "power_n200": analytic.means(**shared, n_control=n_control).power,
    }


def published_plan(given: Inputs) -> Outputs:
    point = analytic.means(
        delta=given["delta"],
        sd=given["sd1"],
        sd_treatment=given["sd2"],
        power=given["power"],
        distribution="z",
    )
    return {"N_fixed": point.rounded().n_total, "z_fixed_exact": point.n_total}


def non_inferiority(given: Inputs) -> Outputs:
    point = analytic.non_inferiority(
        margin=-given["margin"],
        delta=given["true"],
        sd=given["sd"],
        power=given["power"],
        alpha=given["alpha"],
    )
    return {"N_total": point.n_total}


def average_power(prior: analytic.NormalPrior, *, se: float, alpha: float, sides: int) -> float:
    """A z test's power over a normal prior (O'Hagan, Stevens & Campbell 2005, Pharm Stat 4:187)."""
    z = norm.isf(alpha / sides)
    return float(norm.cdf((prior.mean / se - z) / math.sqrt(1 + (prior.sd / se) ** 2)))


def assurance(given: Inputs) -> Outputs:
    prior = analytic.NormalPrior(given["prior_mean"], given["prior_sd"])
    shared = {"alpha": given["alpha_one_sided"], "sides": 1}
    drawn = analytic.assure(delta=prior, sd=given["sd"], n_control=given["n_per_arm"], **shared)
    se = given["sd"] * math.sqrt(2 / given["n_per_arm"])
    return {
        "assurance": drawn.assurance,
        "closed_form": average_power(prior, se=se, **shared),
    }


def schoenfeld(given: Inputs) -> Outputs:
    events = analytic.logrank_events(
        hazard_ratio=given["hr"], alpha=given["alpha_two_sided"], power=given["power"]
    )
    return {"events": events}


def bonett_ancova(given: Inputs) -> Outputs:
    point = analytic.ancova(
        delta=given["es"],
        sd=math.sqrt(given["evar"]),
        correlation=0,
        n_covariates=given["s"],
        power=given["power"],
        allocation_ratio=given["R"],
    )
    return {"n1": point.rounded().n_control, "n2": point.rounded().n_treatment}


def ancova_sizes(given: Inputs) -> Outputs:
    rho = given["corr_baseline_followup"]
    shared = {"delta": given["delta_over_sd"], "power": given["power"], "distribution": "z"}
    return {
        "post": analytic.means(sd=1, **shared).n_control,
        "change": analytic.means(sd=math.sqrt(2 * (1 - rho)), **shared).n_control,
        "ancova": analytic.ancova(sd=1, correlation=rho, **shared).n_control,
    }


def ancova_power(given: Inputs) -> Outputs:
    rho = given["rho"]
    shared = {"delta": given["delta_sd"], "n_control": given["n_per_arm"]}
    post = analytic.means(sd=1, **shared).power
    change = analytic.means(sd=math.sqrt(2 * (1 - rho)), **shared).power
    ancova = analytic.ancova(sd=1, correlation=rho, **shared).power
    return {
        "sim_post": post,
        "sim_change": change,
        "sim_ancova": ancova,
        "formula_post": post,
        "formula_change": change,
        "formula_ancova": ancova,
    }


def procova(given: Inputs) -> Outputs:
    shared = {"delta": given["delta"], "sd": given["sd"], "distribution": "z"}
    plain = analytic.means(**shared, power=given["power"])
    shared["r_squared"] = given["corr_prognostic_score"] ** 2
    adjusted = analytic.prognostic_ancova(**shared, power=given["power"])
    two_to_one = analytic.prognostic_ancova(**shared, power=given["power"], allocation_ratio=2)
    at_plain = analytic.prognostic_ancova(**shared, n_control=plain.n_control)
    return {
        "n_per_arm_unadjusted": plain.n_control,
        "n_per_arm_adjusted": adjusted.n_control,
        "N_total_2to1_adjusted": two_to_one.n_total,
        "N_ratio": adjusted.n_control / plain.n_control,
        "power_at_unadjusted_n": at_plain.power,
    }


def biopet_size(given: Inputs) -> Outputs:
    point = analytic.binary_enrichment(
        event_rate=given["event_rate"],
        reduction=given["reduction"],
        power=given["power"],
        alpha=given["alpha_one_sided"],
        sides=1,
    )
    return {"N_total": point.n_total}


def biopet_threshold(given: Inputs) -> Outputs:
    fraction = 1 - given["quantile"]
    rate = analytic.compute_binormal_event_rate(
        event_rate=given["baseline_event_rate"], auc=given["auc"], fraction_enrolled=fraction
    )
    point = analytic.binary_enrichment(
        event_rate=rate,
        reduction=given["reduction"],
        fraction_enrolled=fraction,
        screening_cost=given["cost_screening"],
        participant_cost=given["cost_keeping"],
        power=given["power"],
        alpha=given["alpha_one_sided"],
        sides=1,
    )
    values = {"N_total": point.n_total, "N_screen": point.n_to_screen, "total_cost": point.cost}
    values |= {"NNS": 1 / point.fraction_enrolled, "event_rate": rate, "event.rate": rate}
    names = {"SS": "N_total", "N.screen": "N_screen", "total.cost": "total_cost"}
    return values | {theirs: values[ours] for theirs, ours in names.items()}


def truncated_normal(given: Inputs) -> Outputs:
    chosen = compute_selected_decline(0.0, 1.0, given["rho"], given["fraction_selected"])
    sizes = [
        analytic.prognostic_enrichment(
            mean_decline=1,
            sd_decline=1,
            score_correlation=given["rho"],
            fraction_enrolled=fraction,
            slowing=0.3,
            power=0.8,
        ).n_control
        for fraction in (given["fraction_selected"], 1.0)
    ]
    return {
        "mean_outcome_selected": chosen.mean,
        "var_outcome_selected": chosen.sd**2,
        "example_n_ratio_vs_random_proportional_effect": sizes[0] / sizes[1],
    }


def continuous_enrichment(given: Inputs) -> Outputs:
    point = analytic.prognostic_enrichment(
        mean_decline=given["mean_decline"],
        sd_decline=given["sd_decline"],
        score_correlation=given["corr_pred_outcome"],
        fraction_enrolled=given["fraction_selected"],
        slowing=given["slowing"],
        screening_cost=given["cost_screen"],
        participant_cost=given["cost_trial"],
        power=given["power"],
    )
    return {
        "mean_decline": point.mean_selected,
        "sd_selected": point.sd_selected,
        "n_per_arm": point.n_control,
        "N_total": point.n_total,
        "N_screen": point.n_to_screen,
        "cost": point.cost,
    }


MAPPED: dict[str, Callable[[Inputs], Outputs]] = {
    "fixed-means": rpact_means,
    "t-power-n": r_t_power,
    "t-n-": r_t_size,
    "t-power-unequal": standardized_means,
    "sm-": standardized_means,
    "pg-two": standardized_means,
    "nNormal": unequal_sds,
    "noninf-": non_inferiority,
    "statpsych-ancova-1": bonett_ancova,
    "ancova-rho": ancova_sizes,
    "ancova-power": ancova_power,
    "procova": procova,
    "biopet-ss": biopet_size,
    "biopet-sim": biopet_threshold,
    "binormal": biopet_threshold,
    "truncnorm": truncated_normal,
    "continuous-enrichment": continuous_enrichment,
    "assurance": assurance,
    "schoenfeld": schoenfeld,
}
