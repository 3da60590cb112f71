"""Operating characteristics that agree with a truncated normal, for the tests of the page."""

import itertools
import math
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

Tables = dict[str, pd.DataFrame]

PEOPLE = runpy.run_path(str(Path(__file__).with_name("example_people.py")))
CORRELATION, FRACTIONS = PEOPLE["CORRELATION"], PEOPLE["FRACTIONS"]
MEAN_DECLINE, SD_DECLINE, SLOWING = PEOPLE["MEAN_DECLINE"], PEOPLE["SD_DECLINE"], 0.25
SCREENING_COST, PARTICIPANT_COST = 9_000.0, 40_000.0


def design_point(rho: float, fraction: float, *, slowing: float = SLOWING) -> tuple[float, float]:
    """Return the treatment effect and the SD among the enrolled (truncated bivariate normal)."""
    cut = stats.norm.isf(fraction)
    shift = stats.norm.pdf(cut) / fraction
    sd = SD_DECLINE * np.sqrt(1 - rho**2 * shift * (shift - cut)) if fraction < 1 else SD_DECLINE
    return slowing * (MEAN_DECLINE + rho * SD_DECLINE * shift), sd


def needed(effect: float, sd: float, power: float = 0.8) -> float:
    return 2 * (stats.norm.isf(0.025) + stats.norm.ppf(power)) ** 2 * sd**2 / effect**2


def make_design_tables(
    rng: np.random.Generator, *, analyses: tuple[str, ...], sizes: tuple[int, ...], n_trials: int
) -> Tables:
    points, sizes_rows, savings = [], [], []
    for strategy, analysis in itertools.product(CORRELATION, analyses):
        fractions = (1.0,) if strategy == "random" else FRACTIONS
        for fraction in fractions:
            effect, sd = design_point(CORRELATION[strategy], fraction)
            sd *= {"change": 1.0, "ancova": 0.97}.get(analysis, 0.94)
            points += [
                operating_row(rng, strategy, fraction, analysis, n, effect, sd, n_trials)
                for n in sizes
            ]
            sizes_rows.append(size_row(strategy, fraction, analysis, needed(effect, sd)))
    table = pd.DataFrame(sizes_rows)
    for row in table[table["strategy"] != "random"].to_dict("records"):
        reference = table[(table["strategy"] == "random") & (table["analysis"] == row["analysis"])]
        saved = reference["n_control"].iloc[0] - row["n_control"]
        money = reference["cost"].iloc[0] - row["cost"]
        savings.append(
            {
                "strategy": row["strategy"],
                "reference_strategy": "random",
                "fraction_enrolled": row["fraction_enrolled"],
                "analysis": row["analysis"],
                "saving_n_control": saved,
                "saving_n_control_lower": saved - 18,
                "saving_n_control_upper": saved + 20,
                "saving_cost": money,
                "saving_cost_lower": money - 2.1e6,
                "saving_cost_upper": money + 2.4e6,
                "power_equal_budget": 0.86,
                "power_equal_budget_lower": 0.82,
                "power_equal_budget_upper": 0.90,
            }
        )
    return {
        "operating_characteristics": pd.DataFrame(points),
        "sample_sizes": table,
        "sample_size_savings": pd.DataFrame(savings),
        "power_differences": make_power_differences(pd.DataFrame(points)),
        "cheapest_fractions": make_cheapest(table),
        "sensitivity": make_sensitivity(),
        "estimands": make_estimands(table),
    }


def operating_row(
    rng: np.random.Generator,
    strategy: str,
    fraction: float,
    analysis: str,
    n: int,
    effect: float,
    sd: float,
    n_trials: int,
) -> dict[str, Any]:
    se = sd * np.sqrt(2 / n)
    exact = float(stats.norm.cdf(effect / se - stats.norm.isf(0.025)))
    power, alpha, coverage = (rng.binomial(n_trials, p) / n_trials for p in (exact, 0.05, 0.95))
    mcse = np.sqrt(power * (1 - power) / n_trials)
    expected_error = np.sqrt(exact * (1 - exact) / n_trials)
    return {
        "strategy": strategy,
        "fraction_enrolled": fraction,
        "analysis": analysis,
        "n_control": n,
        "n_treatment": n,
        "power": power,
        "mcse": mcse,
        "power_lower": max(power - 1.96 * mcse, 0),
        "power_upper": min(power + 1.96 * mcse, 1),
        "type_one_error": alpha,
        "type_one_error_mcse": np.sqrt(alpha * (1 - alpha) / n_trials),
        "bias": rng.normal(0, se / np.sqrt(n_trials)),
        "bias_mcse": se / np.sqrt(n_trials),
        "empirical_se": se * rng.normal(1, 0.01),
        "model_se": se,
        "coverage": coverage,
        "coverage_mcse": np.sqrt(coverage * (1 - coverage) / n_trials),
        "closed_form_power": exact,
        "difference_in_mcse": (power - exact) / max(expected_error, 1e-9),
        "n_to_screen": 2 * n / fraction,
        "cost": total_cost(2 * n, fraction, strategy),
        "months_to_enroll": 2 * n / fraction / 40,
        "pool_size": round(500 * fraction),
        "n_simulations": n_trials,
        "n_failed_fits": rng.binomial(3, 0.1),
    }


def total_cost(n_total: float, fraction: float, strategy: str) -> float:
    screened = 0.0 if strategy == "random" else n_total / fraction
    return n_total * PARTICIPANT_COST + screened * SCREENING_COST


def size_row(strategy: str, fraction: float, analysis: str, n: float) -> dict[str, Any]:
    cost = total_cost(2 * n, fraction, strategy)
    return {
        "strategy": strategy,
        "fraction_enrolled": fraction,
        "analysis": analysis,
        "target_power": 0.8,
        "n_control": n,
        "n_treatment": n,
        "n_control_next_visit": n / 0.96,
        "n_control_whole": math.ceil(n),
        "n_treatment_whole": math.ceil(n),
        "n_control_lower": n * 0.98,
        "n_control_upper": n * 1.02,
        "n_control_lower_cohort": n * 0.9,
        "n_control_upper_cohort": n * 1.13,
        "ln_n_sd_cohort": 0.06,
        "ln_n_sd_archive": 0.0,
        "ln_n_end_mcse": 0.01,
        "closed_form_n_control": n * 1.004,
        "n_to_screen": 2 * n / fraction,
        "cost": cost,
        "cost_lower": cost * 0.9,
        "cost_upper": cost * 1.13,
        "months_to_enroll": 2 * n / fraction / 40,
        "pool_size": 150,
    }


def make_sensitivity() -> pd.DataFrame:
    def size(rho: float = 0.55, sd: float = 1.0, slowing: float = SLOWING) -> float:
        effect, spread = design_point(rho, 0.4, slowing=slowing)
        return needed(effect, spread * sd)

    ranges: dict[str, tuple[float, float, Callable[[float], float]]] = {
        "SD of the change": (0.9, 1.1, lambda value: size(sd=value)),
        "Score correlation": (0.45, 0.65, lambda value: size(rho=value)),
        "Slowing": (0.20, 0.30, lambda value: size(slowing=value)),
        "Drop-out per year": (0.05, 0.15, lambda value: size() * (1 + (value - 0.1) * 1.2)),
    }
    return pd.DataFrame(
        [
            {
                "parameter": name,
                "low_value": low,
                "high_value": high,
                "n_control_at_low": at(low),
                "n_control_at_high": at(high),
                "n_control_at_base": size(),
            }
            for name, (low, high, at) in ranges.items()
        ]
    )


def make_estimands(sizes: pd.DataFrame) -> pd.DataFrame:
    """Three analyses of the first choice of `sizes`; the mixed model is wrong for one of them."""
    rows = [
        ("hypothetical", "mmrm", 0.0, 1.2, 0.01, 0.82, np.nan),
        ("treatment_policy", "mmrm", 0.0, 0.9, 0.21, 0.74, np.nan),
        ("treatment_policy", "jump_to_reference", 0.0, 0.9, -0.03, 0.71, np.nan),
        ("treatment_policy", "missing_at_random", -2.0, 0.9, -0.05, 0.48, -1.9),
    ]
    names = ["estimand", "analysis", "imputed_delta", "true_difference", "bias", "power"]
    frame = pd.DataFrame(rows, columns=[*names, "tipping_delta"])
    return frame.assign(
        strategy=sizes["strategy"].iloc[0],
        fraction_enrolled=sizes["fraction_enrolled"].iloc[0],
        n_control=120,
        n_treatment=120,
        bias_mcse=0.02,
        mcse=0.006,
        type_one_error=0.05,
        type_one_error_mcse=0.003,
        coverage=0.95,
    )


def make_power_differences(points: pd.DataFrame) -> pd.DataFrame:
    size = ["analysis", "n_control", "n_treatment"]
    base = points[points["strategy"] == "random"][[*size, "power"]]
    pairs = points[points["strategy"] != "random"].merge(base, on=size, suffixes=("", "_base"))
    difference = pairs["power"] - pairs["power_base"]
    return pairs[["strategy", "fraction_enrolled", *size]].assign(
        reference_strategy="random",
        difference=difference,
        mcse=0.006,
        difference_lower=(difference - 0.012).clip(-1, 1),
        difference_upper=(difference + 0.012).clip(-1, 1),
    )


def make_cheapest(sizes: pd.DataFrame) -> pd.DataFrame:
    best = sizes.loc[sizes.groupby(["strategy", "analysis"])["cost"].idxmin()]
    attainable = best[best["strategy"] != "oracle"]
    overall = attainable.loc[attainable.groupby("analysis")["cost"].idxmin()]
    rows = pd.concat(
        [best.assign(choice="fraction"), overall.assign(choice="strategy and fraction")]
    )
    near = rows["fraction_enrolled"]
    columns = ["choice", "strategy", "analysis", "fraction_enrolled", "n_control", "cost"]
    return rows[[*columns, "cost_lower", "cost_upper"]].assign(
        share_chosen=0.62, flat_from=(near - 0.1).clip(0.2), flat_to=(near + 0.1).clip(upper=1)
    )
