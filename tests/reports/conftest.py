"""A synthetic study for the tests of the page: numbers that agree with one another, seeded."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

Tables = dict[str, pd.DataFrame]

CORRELATION = {
    "random": 0.0,
    "baseline_volume": 0.25,
    "regression": 0.40,
    "brlp": 0.48,
    "stacked": 0.55,
    "oracle": 1.0,
}
FRACTIONS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
MEAN_DECLINE, SD_DECLINE, SLOWING = 4.0, 3.0, 0.25
SCREENING_COST, PARTICIPANT_COST = 9_000.0, 40_000.0


def make_cohort_tables(rng: np.random.Generator, n_people: int) -> Tables:
    ids = [f"sub-{number:05d}" for number in range(n_people)]
    people = pd.DataFrame(
        {
            "participant_id": ids,
            "sex": rng.choice(["F", "M"], n_people, p=[0.55, 0.45]),
            "age_years": rng.normal(73, 6, n_people).clip(55, 90),
            "diagnosis": rng.choice(["CN", "MCI", "AD"], n_people, p=[0.3, 0.5, 0.2]),
            "apoe4": rng.binomial(2, 0.25, n_people),
            "mmse": rng.integers(20, 31, n_people),
            "site": rng.choice(["Site A", "Site B", "Site C"], n_people),
        }
    )
    decline = rng.normal(MEAN_DECLINE, SD_DECLINE, n_people)
    last = rng.choice([2, 3, 4, 5], n_people, p=[0.05, 0.1, 0.15, 0.7])
    planned = np.array([0.0, 6.0, 12.0, 18.0, 24.0])
    row = np.repeat(np.arange(n_people), last)
    step = np.concatenate([np.arange(count) for count in last])
    months = np.where(step == 0, 0.0, planned[step] + rng.normal(0, 0.4, row.size)).clip(0)
    visits = pd.DataFrame(
        {
            "participant_id": np.array(ids)[row],
            "session_id": [f"ses-{value:02.0f}" for value in planned[step]],
            "age_years": people["age_years"].to_numpy()[row] + months / 12,
            "months_from_baseline": months,
            "diagnosis": people["diagnosis"].to_numpy()[row],
            "image_path": None,
            "segmentation_path": None,
        }
    )
    size = rng.normal(6500, 700, n_people)
    volume = size[row] * (1 - decline[row] / 100 * months / 24) + rng.normal(0, 40, row.size)
    volumes = visits[["participant_id", "session_id"]].assign(
        region="hippocampus", volume_mm3=volume.clip(1500), source="synthetic"
    )
    return {
        "participants": people,
        "visits": visits,
        "volumes": volumes,
        "_decline": people[["participant_id"]].assign(decline=decline),
    }


def make_selection_tables(rng: np.random.Generator, cohort: Tables) -> Tables:
    people, decline = cohort["participants"], cohort["_decline"]["decline"].to_numpy()
    n = len(people)
    standard = (decline - MEAN_DECLINE) / SD_DECLINE
    scores, selections, captures, differences, performance, changes, groups = ([] for _ in range(7))
    for strategy, rho in CORRELATION.items():
        score = rho * standard + np.sqrt(1 - rho**2) * rng.normal(size=n)
        rank = (-score).argsort().argsort() + 1
        scores.append(
            people[["participant_id"]].assign(
                strategy=strategy, score=score, fold=rng.integers(0, 5, n)
            )
        )
        for fraction in FRACTIONS:
            selected = rank <= round(fraction * n)
            selections.append(
                people[["participant_id"]].assign(
                    strategy=strategy, fraction_enrolled=fraction, rank=rank, is_selected=selected
                )
            )
            groups += group_rows(people, strategy, fraction, selected)
            captures.append(capture_row(strategy, round(fraction * n), rank, decline))
        predicted = -(MEAN_DECLINE + SD_DECLINE * rho * score)
        observed = -decline + rng.normal(0, 0.5, n)
        changes.append(
            people[["participant_id"]].assign(
                strategy=strategy,
                predicted_change_percent=predicted,
                observed_change_percent=observed,
                truth="latent",
            )
        )
        performance += performance_rows(strategy, rho, n)
    for strategy in CORRELATION:
        if strategy != "random":
            gain = CORRELATION[strategy] * 0.3
            differences.append(
                {
                    "strategy": strategy,
                    "reference_strategy": "random",
                    "n_selected": round(0.4 * n),
                    "difference": gain,
                    "difference_lower": gain - 0.05,
                    "difference_upper": gain + 0.05,
                }
            )
    return {
        "scores": pd.concat(scores, ignore_index=True),
        "selections": pd.concat(selections, ignore_index=True),
        "capture_rates": pd.DataFrame(captures),
        "capture_differences": pd.DataFrame(differences),
        "predictor_performance": pd.DataFrame(performance),
        "predicted_changes": pd.concat(changes, ignore_index=True),
        "group_differences": pd.DataFrame(groups),
    }


def group_rows(
    people: pd.DataFrame, strategy: str, fraction: float, selected: np.ndarray
) -> list[dict[str, Any]]:
    rows = []
    for covariate in ("age_years", "apoe4", "mmse"):
        inside, outside = people[covariate][selected], people[covariate][~selected]
        spread = np.sqrt((inside.var() + outside.var()) / 2)
        whole = len(outside) == 0
        rows.append(
            {
                "strategy": strategy,
                "fraction_enrolled": fraction,
                "covariate": covariate,
                "mean_selected": inside.mean(),
                "mean_not_selected": None if whole else outside.mean(),
                "standardized_difference": None
                if whole
                else (inside.mean() - outside.mean()) / spread,
            }
        )
    return rows


def capture_row(strategy: str, count: int, rank: np.ndarray, decline: np.ndarray) -> dict[str, Any]:
    n = len(decline)
    fastest = (-decline).argsort().argsort() < count
    hits = int((fastest & (rank <= count)).sum())
    rate = hits / count
    error = 1.96 * np.sqrt(rate * (1 - rate) / count)
    return {
        "strategy": strategy,
        "n_selected": count,
        "n_evaluated": n,
        "definition": "same number as selected",
        "truth": "latent",
        "capture_rate": rate,
        "capture_rate_lower": max(rate - error, 0),
        "capture_rate_upper": min(rate + error, 1),
        "chance_rate": count / n,
        "chance_p_value": stats.hypergeom.sf(hits - 1, n, count, count).clip(0, 1),
    }


def performance_rows(strategy: str, rho: float, n: int) -> list[dict[str, Any]]:
    values = {
        "r_squared": rho**2,
        "spearman": rho * 0.97,
        "calibration_slope": 1.0,
        "calibration_intercept": 0.0,
        "auc": 0.5 + rho / 2,
        "missing_score_rate": 0.0,
    }
    groups = {"all": n, "site: Site A": n // 3, "site: Site B": n // 3}
    return [
        {
            "strategy": strategy,
            "metric": metric,
            "subgroup": group,
            "value": value,
            "value_lower": value - 1.5 / np.sqrt(size),
            "value_upper": value + 1.5 / np.sqrt(size),
            "n": size,
        }
        for (metric, value), (group, size) in itertools.product(values.items(), groups.items())
    ]


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
            }
        )
    return {
        "operating_characteristics": pd.DataFrame(points),
        "sample_sizes": table,
        "sample_size_savings": pd.DataFrame(savings),
        "sensitivity": make_sensitivity(),
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
        "difference_in_mcse": (power - exact) / max(mcse, 1e-9),
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
        "n_control_lower": n * 0.98,
        "n_control_upper": n * 1.02,
        "n_control_lower_cohort": n * 0.9,
        "n_control_upper_cohort": n * 1.13,
        "closed_form_n_control": n * 1.004,
        "n_to_screen": 2 * n / fraction,
        "cost": cost,
        "cost_lower": cost * 0.9,
        "cost_upper": cost * 1.13,
        "months_to_enroll": 2 * n / fraction / 40,
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


def make_screening_flow(n_people: int) -> pd.DataFrame:
    failed = {
        "Age 55 to 90 years": 31,
        "Diagnosis CN, MCI or AD": 12,
        "Usable baseline MRI": 24,
        "Hippocampal volume measured": 7,
    }
    remaining = n_people + sum(failed.values())
    rows = []
    for step, (criterion, count) in enumerate(failed.items(), start=1):
        rows.append(
            {
                "step": step,
                "criterion": criterion,
                "n_entering": remaining,
                "n_failed": count,
                "n_remaining": remaining - count,
            }
        )
        remaining -= count
    return pd.DataFrame(rows)


def make_study_tables(
    *,
    n_people: int = 400,
    sizes: tuple[int, ...] = (50, 100, 150, 200, 300),
    analyses: tuple[str, ...] = ("change", "mmrm"),
    n_trials: int = 5000,
    seed: int = 7,
) -> Tables:
    """Return every table of a finished study, by name."""
    rng = np.random.default_rng(seed)
    cohort = make_cohort_tables(rng, n_people)
    tables = {
        **cohort,
        **make_selection_tables(rng, cohort),
        **make_design_tables(rng, analyses=analyses, sizes=sizes, n_trials=n_trials),
        "screening_flow": make_screening_flow(n_people),
        "scan_checks": pd.DataFrame(
            [
                {
                    "participant_id": "sub-00003",
                    "session_id": "ses-00",
                    "model_id": "mini",
                    "verdict": "warn",
                    "reasons": "slices of 3 mm, the model was trained on 1 mm",
                },
                {
                    "participant_id": "sub-00004",
                    "session_id": "ses-00",
                    "model_id": "mini",
                    "verdict": "pass",
                    "reasons": "",
                },
            ]
        ),
    }
    del tables["_decline"]
    return tables


@pytest.fixture(scope="session")
def study_tables() -> Tables:
    return make_study_tables()
