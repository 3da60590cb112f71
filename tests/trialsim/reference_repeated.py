"""Slopes and means of repeated measures, by longpower, powerlmm, lrstat and published tables."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.trialsim.reference_records import Inputs, Outputs
from trialsim import analytic


def retained(last_visit_shares: list[float] | None) -> Any:
    if last_visit_shares is None:
        return None
    return np.minimum(np.cumsum(last_visit_shares[::-1])[::-1], 1.0)


def diggle_slope(given: Inputs) -> Outputs:
    point = analytic.marginal_slope(
        delta=given["delta"],
        visit_times=given["t"],
        variance=given["sigma2"],
        correlation=given["R_exchangeable"],
        power=given["power"],
        sides=1,
    )
    return {"n_per_group": point.n_control, "n_per_group_ceiling": point.rounded().n_control}


def diggle_mean(given: Inputs) -> Outputs:
    point = analytic.time_averaged(
        delta=given["delta"],
        n_visits=given["n_visits"],
        variance=given["sigma2"],
        correlation=given["R_exchangeable"],
        power=given["power"],
        sides=1,
    )
    return {"n_per_group": point.n_control, "n_per_group_ceiling": point.rounded().n_control}


def adas(given: Inputs) -> Outputs:
    point = analytic.random_slope(
        delta=given["delta"],
        visit_times=given["t"],
        slope_variance=given["sig2.s"],
        residual_variance=given["sig2.e"],
        intercept_variance=given["sig2.i"],
        intercept_slope_covariance=given["cov.s.i"],
        power=given["power"],
    )
    return {"n_per_group": point.n_control}


def edland(given: Inputs) -> Outputs:
    point = analytic.random_slope(
        delta=given["delta"],
        visit_times=given["t"],
        slope_variance=given["sig2.s"],
        residual_variance=given["sig2.e"],
        intercept_variance=given["sig2.int"],
        intercept_slope_covariance=given["sig.b0b1"],
        slope_variance_treatment=given.get("sig2.s_2"),
        residual_variance_treatment=given.get("sig2.e_2"),
        intercept_variance_treatment=given.get("sig2.int_2"),
        intercept_slope_covariance_treatment=given.get("sig.b0b1_2"),
        retention=retained(given.get("p")),
        retention_treatment=retained(given.get("p_2")),
        power=given["power"],
        allocation_ratio=1 / given["lambda"],
    )
    return {"n": [point.n_control, point.n_treatment], "N": point.n_total}


def hu(given: Inputs) -> Outputs:
    point = analytic.random_slope(
        delta=given["delta"],
        visit_times=given["t"],
        slope_variance=given["sig2.s"],
        residual_variance=given["sig2.e"],
        intercept_variance=given["sig2.i"],
        intercept_slope_covariance=given["cor.s.i"] * math.sqrt(given["sig2.i"] * given["sig2.s"]),
        baseline="common",
        retention=retained(given["p"]),
        power=given["power"],
        allocation_ratio=1 / given["lambda"],
    )
    return {"n": [point.n_control, point.n_treatment], "N": point.n_total}


def last_against_first(given: Inputs) -> Outputs:
    # The contrast of last and first visit is a comparison of two mean changes.
    span = given["t"][-1] - given["t"][0]
    sd = math.sqrt(given["sig2.s"] * span**2 + 2 * given["sig2.e"])
    point = analytic.means(delta=given["delta"], sd=sd, n_control=given["n"], distribution="z")
    return {"power": point.power}


# REML estimates of lme4's example Reaction ~ Days + (Days | Subject) on sleepstudy (Bates et al.
# 2015, J Stat Softw 67(1), print fewer digits).
SLEEPSTUDY = {
    "slope_variance": 35.07171,
    "residual_variance": 654.94001,
    "intercept_variance": 612.1002,
    "intercept_slope_covariance": 9.6044,
}


def sleepstudy(given: Inputs) -> Outputs:
    point = analytic.random_slope(
        delta=given["pct.change"] * 10.467286,
        visit_times=given["t"],
        baseline="common" if "p" in given else "free",
        power=given["power"],
        **SLEEPSTUDY,
    )
    return {"n_per_group": point.n_control}


def phi(given: Inputs) -> Outputs:
    point = analytic.mmrm(
        delta=1,
        sd=1,
        correlation=analytic.ar1(given["rho_ar1"], given["J"]),
        retention=given["retention"],
        power=0.8,
    )
    return {"phi": point.variance_inflation_control}


def size_from_phi(given: Inputs) -> Outputs:
    # Without correlation the inflation is one over the share that stays.
    point = analytic.mmrm(
        delta=given["delta_over_sigma"],
        sd=1,
        correlation=np.eye(2),
        retention=[1, 1 / given["phi_a"]],
        retention_treatment=[1, 1 / given["phi_b"]],
        power=given["power"],
        allocation_ratio=1 / given["lambda_na_over_nb"],
    )
    return {"N_z": point.n_total}


def mmrm(given: Inputs) -> Outputs:
    correlation = given["Ra"] if "Ra" in given else analytic.ar1(given["rho"], len(given["ra"]))
    ratio = 1 / given.get("lambda", 1)
    point = analytic.mmrm(
        delta=given.get("delta"),
        sd=given["sigmaa"],
        correlation=correlation,
        retention=given["ra"],
        retention_treatment=given.get("rb"),
        n_control=given["N"] / (1 + ratio) if "N" in given else None,
        power=given.get("power"),
        allocation_ratio=ratio,
    )
    return {
        "n1": point.n_control,
        "n2": point.n_treatment,
        "N": point.n_total,
        "phi_a": point.variance_inflation_control,
        "phi_b": point.variance_inflation_treatment,
        "power": point.power,
        "delta": point.delta,
        "delta_general": point.delta,
        "delta_ar1": point.delta,
    }


def hippocampus(given: Inputs, **options: Any) -> float:
    covariance = given["cor"] * given["sd_int"] * given["sd_slope"]
    return float(
        analytic.random_slope(
            delta=given["slope_difference"],
            visit_times=np.linspace(0, given["T_end"], given["n_visits"]),
            slope_variance=given["sd_slope"] ** 2,
            residual_variance=given["sd_error"] ** 2,
            intercept_variance=given["sd_int"] ** 2,
            intercept_slope_covariance=covariance,
            n_control=given["n_per_arm"],
            **options,
        ).power
    )


def powerlmm(given: Inputs) -> Outputs:
    times = np.linspace(0, given["T_end"], given["n_visits"])
    stay = 1 - given.get("dropout_end", 0.0)
    retention = stay ** (times / given["T_end"])
    return {"power": hippocampus(given, distribution="t", retention=retention)}


def two_baselines(given: Inputs) -> Outputs:
    renamed = {"cor": given["cor"], "n_per_arm": given["n_per_arm"], "n_visits": 5, "T_end": 2}
    renamed |= {"slope_difference": given["delta"], "sd_int": math.sqrt(given["var_int"])}
    renamed |= {"sd_slope": math.sqrt(given["var_slope"]), "sd_error": math.sqrt(given["sigma2"])}
    return {
        "power_free_baseline": hippocampus(renamed, baseline="free"),
        "power_common_baseline": hippocampus(renamed, baseline="common"),
    }


def lrstat_hippocampus(given: Inputs) -> Outputs:
    renamed = {"cor": given["corrInterceptSlope"], "n_per_arm": 249, "n_visits": 5, "T_end": 2}
    renamed |= {"slope_difference": given["slopeDiff"], "sd_int": given["stDevIntercept"]}
    renamed |= {"sd_slope": given["stDevSlope"], "sd_error": given["stDev"]}
    return {"power": hippocampus(renamed, baseline="common")}


def lrstat_mmrm(given: Inputs) -> Outputs:
    # Everyone is followed to the last visit, so only drop-out at a constant hazard loses people.
    shared = {
        "delta": given["meanDiff"],
        "sd": 1,
        "correlation": given["covar1"],
        "retention": np.exp(-given["gamma1"] * np.asarray(given["t"])),
        "alpha": given["alpha"],
        "sides": 1,
    }
    rounds = given.get("rounding", True)
    point = analytic.mmrm(**shared, power=1 - given["beta"])
    total = math.ceil(point.n_total) if rounds else point.n_total
    attained = analytic.mmrm(**shared, n_control=total / 2)
    return {"numberOfSubjects": total, "overallReject": attained.power}


def lrstat_slope(given: Inputs) -> Outputs:
    # The analysis comes `followupTime` after the last entry; entry is uniform, so the share seen
    # at t is the share that entered early enough and has not dropped out.
    total = 1013
    accrual = total / given["accrualIntensity"]
    duration = accrual + given["followupTime"]
    times = np.arange(0, duration, given["w"])
    entered = np.minimum((duration - times) / accrual, 1)
    sds = given["stDevIntercept"], given["stDevSlope"]
    point = analytic.random_slope(
        delta=given["slopeDiff"],
        visit_times=times,
        slope_variance=sds[1] ** 2,
        residual_variance=given["stDev"] ** 2,
        intercept_variance=sds[0] ** 2,
        intercept_slope_covariance=given["corrInterceptSlope"] * sds[0] * sds[1],
        baseline="common",
        retention=entered * np.exp(-given["gamma1"] * times),
        n_control=total / 2,
        alpha=given["alpha"],
        sides=1,
    )
    return {"overallReject": point.power}


MAPPED: dict[str, Callable[[Inputs], Outputs]] = {
    "diggle-p29": diggle_slope,
    "diggle-p30": diggle_mean,
    "lmmpower-ADAS": adas,
    "edland": edland,
    "hu-": hu,
    "cprm-": last_against_first,
    "lmmpower-sleepstudy": sleepstudy,
    "luo-table2": phi,
    "luo-table1": size_from_phi,
    "mmrm-": mmrm,
    "powerlmm": powerlmm,
    "slope-free": two_baselines,
    "lrstat-slope-hippo": lrstat_hippocampus,
    "lrstat-MMRM-fixed": lrstat_mmrm,
    "lrstat-slopeMMRM": lrstat_slope,
}
