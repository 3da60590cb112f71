"""The tables that a command shows: the columns and rows that answer its question."""

from typing import Final

import pandas as pd

from reports.store import queries
from trialsim.enrichment.scoring import count_missing_scores
from trialsim.study.result import StudyResult

RANKING_TABLES: Final = ("scores", "selections", "group_differences")
COMPARISON_TABLES: Final = (
    "capture_rates",
    "capture_differences",
    "predictor_performance",
    "predicted_changes",
)
POWER_TABLES: Final = (
    "operating_characteristics",
    "power_differences",
    "sample_sizes",
    "sample_size_savings",
    "cheapest_fractions",
    "sensitivity",
    "estimands",
)
PREDICTION_TABLES: Final = ("predictions", "scan_checks", "prediction_images")


def summarize_selections(result: StudyResult) -> pd.DataFrame:
    """Return how many people each strategy selects at each fraction, how many it cannot score."""
    study = result.study
    counts = study.query(queries.SELECTED_COUNTS, [study.writers()["selections"]])
    summary = counts.rename(columns={"n_ranked": "n_screened"})
    missing = count_missing_scores(result.table("scores"))
    return summary.assign(n_without_score=summary["strategy"].map(missing))


def summarize_capture(result: StudyResult) -> dict[str, pd.DataFrame]:
    """Return the capture rates of each definition of fast progressors, by its title."""
    columns = ["strategy", "n_selected", "n_evaluated", "capture_rate", "capture_rate_lower"]
    columns += ["capture_rate_upper", "chance_rate", "chance_p_value"]
    groups = result.table("capture_rates").groupby(["definition", "truth"], sort=False)
    return {
        f"Fast progressors: {definition} ({kind} truth)": rows[columns].round(3)
        for (definition, kind), rows in groups
    }


def summarize_sizes(result: StudyResult) -> pd.DataFrame:
    """Return the sample size of each choice, simulated and by formula, with its cost."""
    columns = ["strategy", "fraction_enrolled", "analysis", "n_control", "n_control_lower"]
    columns += ["n_control_upper", "n_control_lower_cohort", "n_control_upper_cohort"]
    columns += ["closed_form_n_control", "n_to_screen", "cost"]
    return result.table("sample_sizes")[columns]


def pick_near_target(result: StudyResult) -> pd.DataFrame:
    """Return the simulated size whose power is nearest the target, by choice and analysis."""
    keys = ["strategy", "fraction_enrolled", "analysis"]
    table = result.table("operating_characteristics")
    target = result.table("sample_sizes")["target_power"].iloc[0]
    nearest = (table["power"] - target).abs().groupby([table[key] for key in keys], sort=False)
    columns = [*keys, "n_control", "n_treatment", "power", "mcse", "closed_form_power"]
    columns += ["difference_in_mcse", "type_one_error", "n_failed_fits"]
    chosen: pd.DataFrame = table.loc[nearest.idxmin(), columns]
    return chosen.round(3)


def summarize_front(result: StudyResult) -> pd.DataFrame:
    """Return the designs that are the best in an aim, and those that were simulated.

    Where nothing costs, people enrolled stand in the place of the cost.
    """
    table = result.table("design_front")
    columns = ["best_in", "strategy", "rule", "visits_months", "analysis", "allocation_ratio"]
    columns += ["n_control", "n_control_lower", "n_control_upper", "n_treatment", "n_to_screen"]
    columns += ["cost", "cost_lower", "cost_upper", "months_to_last_visit"]
    columns += ["group_difference", "simulated_power", "simulated_power_mcse"]
    shown = (table["best_in"] != "") | table["simulated_power"].notna()
    chosen: pd.DataFrame = table.loc[shown, columns].round(3)
    if result.protocol.trial_costs.is_priced:
        return chosen
    enrolled = chosen["n_control"] + chosen["n_treatment"]
    free = chosen.drop(columns=["cost_lower", "cost_upper"])
    return free.assign(cost=enrolled).rename(columns={"cost": "n_enrolled"})


def summarize_predictions(result: StudyResult) -> pd.DataFrame:
    """Return each person's predicted volumes."""
    columns = ["participant_id", "horizon_months", "region", "baseline_volume_mm3"]
    return result.table("predictions")[[*columns, "volume_mm3", "volume_sd_mm3", "n_samples"]]
