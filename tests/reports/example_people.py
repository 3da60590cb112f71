"""A synthetic cohort with scores, selections and their performance, for the tests of the page."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
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
FRACTIONS = (0.2, 0.4, 0.6, 1.0)
MEAN_DECLINE, SD_DECLINE = 4.0, 3.0


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
        fold = pd.Series(rng.integers(0, 5, n), dtype="Int64")
        learned = fold if strategy in ("regression", "stacked") else fold.where(fold < 0)
        scores.append(
            people[["participant_id"]].assign(strategy=strategy, score=score, fold=learned)
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
