"""The columns of every table that passes between rooms, with their types, ranges and keys.

A number with a unit carries it in its name. Tables may hold further columns (covariates, site);
the columns written here are the ones that other rooms rely on.
"""

from collections.abc import Hashable, Mapping
from typing import Any, Final

import pandas as pd
import pandera.errors
import pandera.pandas as pa

from cohorts.errors import CohortValidationError

SEXES: Final = ("F", "M")
DIAGNOSES: Final = ("CN", "MCI", "AD")

HEAD_SIZE: Final = "head_size_mm3"
"""The region name under which `volumes` holds the head (intracranial) size."""

BRAIN: Final = "brain"
"""The region name under which `volumes` holds the total brain volume (the paper's denominator)."""

CONTEXT_REGIONS: Final = (
    "cerebral_cortex",
    "hippocampus",
    "amygdala",
    "cerebral_white_matter",
    "lateral_ventricle",
)
"""The five regions of BrLP's context, in its order; both sides together."""

REPORTED_REGIONS: Final = ("hippocampus", "amygdala", "lateral_ventricle", "thalamus", "csf")
"""The regions whose errors the paper reports."""

IMAGE_KINDS: Final = ("baseline", "predicted", "difference", "uncertainty", "reconstructed")
"""What an image of `prediction_images` shows; `reconstructed` is the baseline, decoded."""

SIDES: Final = ("left", "right")
"""Prefixes of one-sided regions: `left_hippocampus`; a name without a prefix is both sides."""


def _text(*, nullable: bool = False, values: tuple[str, ...] | None = None) -> pa.Column:
    return pa.Column(str, pa.Check.isin(values) if values else None, nullable=nullable, coerce=True)


def _number(
    low: float | None = None, high: float | None = None, *, nullable: bool = False
) -> pa.Column:
    checks = [pa.Check.ge(low)] if low is not None else []
    checks += [pa.Check.le(high)] if high is not None else []
    return pa.Column(float, checks, nullable=nullable, coerce=True)


def _count(low: int = 0) -> pa.Column:
    return pa.Column("int64", pa.Check.ge(low), coerce=True)


def _flag() -> pa.Column:
    return pa.Column(bool, coerce=True)


def _table(
    name: str, command: str, key: list[str], columns: dict[str, pa.Column]
) -> pa.DataFrameSchema:
    """Return a table's schema; `command` is the one that fills it first."""
    return pa.DataFrameSchema(
        columns, name=name, unique=key, strict=False, metadata={"command": command}
    )


_SHARE = (0.0, 1.0)

TABLES: Final[dict[str, pa.DataFrameSchema]] = {
    schema.name: schema
    for schema in (
        # --- what is screened -----------------------------------------------------------
        _table(
            "participants",
            "trialsim cohort import",
            ["participant_id"],
            {
                "participant_id": _text(),
                "sex": _text(values=SEXES),
                "age_years": _number(0, 120),
                "diagnosis": _text(values=DIAGNOSES),
            },
        ),
        _table(
            "visits",
            "trialsim cohort import",
            ["participant_id", "session_id"],
            {
                "participant_id": _text(),
                "session_id": _text(),
                "age_years": _number(0, 120),
                "months_from_baseline": _number(0),
                "diagnosis": _text(nullable=True),
                "image_path": _text(nullable=True),
                "segmentation_path": _text(nullable=True),
            },
        ),
        _table(
            "volumes",
            "trialsim cohort import",
            ["participant_id", "session_id", "region", "source"],
            {
                "participant_id": _text(),
                "session_id": _text(),
                "region": _text(),
                "volume_mm3": _number(0),
                "source": _text(),
            },
        ),
        _table(
            "screening_flow",
            "trialsim cohort import",
            ["step"],
            {
                "step": _count(),
                "criterion": _text(),
                "n_entering": _count(),
                "n_failed": _count(),
                "n_remaining": _count(),
            },
        ),
        # --- what the model says --------------------------------------------------------
        _table(
            "scan_volumes",
            "trialsim predict",
            ["participant_id", "session_id", "region"],
            {
                "participant_id": _text(),
                "session_id": _text(),
                "region": _text(),
                "volume_mm3": _number(0),
                "source": _text(),
            },
        ),
        _table(
            "scan_checks",
            "trialsim predict",
            ["participant_id", "session_id", "model_id"],
            {
                "participant_id": _text(),
                "session_id": _text(),
                "model_id": _text(),
                "verdict": _text(values=("pass", "warn", "fail")),
                "reasons": _text(),
            },
        ),
        _table(
            "predictions",
            "trialsim predict",
            ["participant_id", "model_id", "horizon_months", "region"],
            {
                "participant_id": _text(),
                "model_id": _text(),
                "horizon_months": _number(0),
                "region": _text(),
                "volume_mm3": _number(0),
                "volume_sd_mm3": _number(0, nullable=True),
                "n_samples": _count(1),
                "baseline_volume_mm3": _number(0),
            },
        ),
        _table(
            "prediction_images",
            "trialsim predict",
            ["participant_id", "model_id", "horizon_months", "kind"],
            {
                "participant_id": _text(),
                "model_id": _text(),
                "horizon_months": _number(0),
                "kind": _text(values=IMAGE_KINDS),
                "path": _text(),
            },
        ),
        # --- who would be enrolled ------------------------------------------------------
        _table(
            "scores",
            "trialsim rank",
            ["participant_id", "strategy"],
            {
                "participant_id": _text(),
                "strategy": _text(),
                "score": _number(nullable=True),
                "fold": pa.Column("Int64", nullable=True, coerce=True),
            },
        ),
        _table(
            "selections",
            "trialsim rank",
            ["participant_id", "strategy", "fraction_enrolled"],
            {
                "participant_id": _text(),
                "strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "rank": _count(1),
                "is_selected": _flag(),
            },
        ),
        _table(
            "capture_rates",
            "trialsim compare",
            ["strategy", "n_selected", "definition", "truth"],
            {
                "strategy": _text(),
                "n_selected": _count(1),
                "n_evaluated": _count(1),
                "definition": _text(),
                "truth": _text(values=("latent", "measured")),
                "capture_rate": _number(*_SHARE),
                "capture_rate_lower": _number(*_SHARE, nullable=True),
                "capture_rate_upper": _number(*_SHARE, nullable=True),
                "chance_rate": _number(*_SHARE),
                # adjusted over all rows of a table of several strategies (max-T)
                "chance_p_value": _number(*_SHARE),
            },
        ),
        _table(
            "capture_differences",
            "trialsim compare",
            ["strategy", "reference_strategy", "n_selected"],
            {
                "strategy": _text(),
                "reference_strategy": _text(),
                "n_selected": _count(1),
                "difference": _number(-1, 1),
                # no interval where no resample differs
                "difference_lower": _number(-1, 1, nullable=True),
                "difference_upper": _number(-1, 1, nullable=True),
            },
        ),
        _table(
            "predictor_performance",
            "trialsim compare",
            ["strategy", "metric", "subgroup"],
            {
                "strategy": _text(),
                "metric": _text(),
                "subgroup": _text(),
                "value": _number(nullable=True),
                "value_lower": _number(nullable=True),
                "value_upper": _number(nullable=True),
                "n": _count(),
            },
        ),
        _table(
            "predicted_changes",
            "trialsim compare",
            ["participant_id", "strategy"],
            {
                "participant_id": _text(),
                "strategy": _text(),
                "predicted_change_percent": _number(),
                "observed_change_percent": _number(),
                "truth": _text(values=("latent", "measured")),
            },
        ),
        _table(
            "group_differences",
            "trialsim rank",
            ["strategy", "fraction_enrolled", "covariate"],
            {
                "strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "covariate": _text(),
                "mean_selected": _number(),
                "mean_not_selected": _number(nullable=True),
                "standardized_difference": _number(nullable=True),
            },
        ),
        # --- what each choice buys ------------------------------------------------------
        _table(
            "operating_characteristics",
            "trialsim power",
            ["strategy", "fraction_enrolled", "analysis", "n_control", "n_treatment"],
            {
                "strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "analysis": _text(),
                "n_control": _count(1),
                "n_treatment": _count(1),
                "power": _number(*_SHARE),
                "mcse": _number(*_SHARE),
                "power_lower": _number(*_SHARE),
                "power_upper": _number(*_SHARE),
                "type_one_error": _number(*_SHARE, nullable=True),
                "type_one_error_mcse": _number(*_SHARE, nullable=True),
                "bias": _number(nullable=True),
                "bias_mcse": _number(0, nullable=True),
                "empirical_se": _number(0, nullable=True),
                "model_se": _number(0, nullable=True),
                "coverage": _number(*_SHARE, nullable=True),
                "coverage_mcse": _number(*_SHARE, nullable=True),
                "closed_form_power": _number(*_SHARE, nullable=True),
                "difference_in_mcse": _number(nullable=True),
                "n_to_screen": _number(0),
                "cost": _number(0),
                "months_to_enroll": _number(0, nullable=True),
                "pool_size": _count(),
                "n_simulations": _count(1),
                "n_failed_fits": _count(),
            },
        ),
        _table(
            "sample_sizes",
            "trialsim power",
            ["strategy", "fraction_enrolled", "analysis", "target_power"],
            {
                "strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "analysis": _text(),
                "target_power": _number(*_SHARE),
                # nullable: a target that no sample size of the grid reaches
                "n_control": _number(0, nullable=True),
                "n_treatment": _number(0, nullable=True),
                # the arms rounded up; number to screen, cost and months are theirs
                "n_control_whole": _number(0, nullable=True),
                "n_treatment_whole": _number(0, nullable=True),
                # Monte Carlo error alone
                "n_control_lower": _number(0, nullable=True),
                "n_control_upper": _number(0, nullable=True),
                # error of the cohort: people drawn again, strategies that learn from them refitted
                "n_control_lower_cohort": _number(0, nullable=True),
                "n_control_upper_cohort": _number(0, nullable=True),
                # standard deviations of ln(n): between cohorts, between archives; Monte Carlo
                # standard error of ln of an interval's end
                "ln_n_sd_cohort": _number(0, nullable=True),
                "ln_n_sd_archive": _number(0, nullable=True),
                "ln_n_end_mcse": _number(0, nullable=True),
                # with the decline from the next visit on, which shares no scan with the selection
                "n_control_next_visit": _number(0, nullable=True),
                "closed_form_n_control": _number(0, nullable=True),
                "n_to_screen": _number(0, nullable=True),
                "cost": _number(0, nullable=True),
                "cost_lower": _number(0, nullable=True),
                "cost_upper": _number(0, nullable=True),
                "months_to_enroll": _number(0, nullable=True),
                "pool_size": _count(),
            },
        ),
        _table(
            "proposed_sizes",
            "trialsim power",
            ["analysis"],
            {
                # the cheapest attainable choice of an analysis (the smallest, where nothing costs)
                "analysis": _text(),
                "strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "target_power": _number(*_SHARE),
                # as found, then after the winner's curse, rounded up
                "n_control": _number(0),
                "n_control_proposed": _number(0),
                "n_treatment_proposed": _number(0),
                # of the proposed arms
                "n_to_screen": _number(0),
                "cost": _number(0),
                "months_to_enroll": _number(0, nullable=True),
                "optimism_factor": _number(0, nullable=True),
                # over the error of cohort and choice: of the size as found, of the proposed one
                "uncorrected_power": _number(*_SHARE, nullable=True),
                "expected_power": _number(*_SHARE, nullable=True),
                "low_power_probability": _number(*_SHARE, nullable=True),
                # power at least .70 with probability at least .90
                "n_control_assured": _number(0, nullable=True),
                "n_treatment_assured": _number(0, nullable=True),
                "share_chosen": _number(*_SHARE, nullable=True),
                "truly_cheapest_rate": _number(*_SHARE, nullable=True),
                "pool_size": _count(),
                # against the reference; people of the control arm where nothing costs
                "saving_cost": _number(nullable=True),
                "saving_cost_lower": _number(nullable=True),
                "saving_cost_upper": _number(nullable=True),
                "n_screened_to_settle": _number(0, nullable=True),
                "is_settled": _flag(),
                # sentences; empty where the choice is settled
                "doubts": _text(),
            },
        ),
        _table(
            "pool_moments",
            "trialsim power",
            ["strategy", "fraction_enrolled", "quantity", "other"],
            {
                # "month 0", "month 12" ..., "score"; "intercept", "slope", "residual" of lines
                "strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "quantity": _text(),
                "other": _text(),
                "covariance": _number(nullable=True),
                # mean change of the true volume from baseline, of `quantity` where it is a visit
                "true_change": _number(nullable=True),
                "pool_size": _count(),
            },
        ),
        _table(
            "sample_size_savings",
            "trialsim power",
            ["strategy", "reference_strategy", "fraction_enrolled", "analysis"],
            {
                "strategy": _text(),
                "reference_strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "analysis": _text(),
                # n of the reference minus n of the strategy, control arm
                "saving_n_control": _number(nullable=True),
                "saving_n_control_lower": _number(nullable=True),
                "saving_n_control_upper": _number(nullable=True),
                "saving_cost": _number(nullable=True),
                "saving_cost_lower": _number(nullable=True),
                "saving_cost_upper": _number(nullable=True),
                # power for the money that the reference's trial costs at the target power
                "power_equal_budget": _number(*_SHARE, nullable=True),
                "power_equal_budget_lower": _number(*_SHARE, nullable=True),
                "power_equal_budget_upper": _number(*_SHARE, nullable=True),
            },
        ),
        _table(
            "power_differences",
            "trialsim power",
            [
                "strategy",
                "reference_strategy",
                "fraction_enrolled",
                "analysis",
                "n_control",
                "n_treatment",
            ],
            {
                "strategy": _text(),
                "reference_strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "analysis": _text(),
                "n_control": _count(1),
                "n_treatment": _count(1),
                # power of the strategy minus that of the reference, in the same simulated trials
                "difference": _number(-1, 1),
                "mcse": _number(0),
                # no interval where the trials never differ
                "difference_lower": _number(-1, 1, nullable=True),
                "difference_upper": _number(-1, 1, nullable=True),
            },
        ),
        _table(
            "decisions",
            "trialsim power",
            ["strategy", "fraction_enrolled", "analysis"],
            {
                "analysis": _text(),
                "strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                # people in control where nothing costs; over the bootstrap of cohort and models
                "cost": _number(0),
                "probability_cheapest": _number(*_SHARE),
                "expected_cost": _number(0),
                # cost minus that of the best choice of the same sample
                "expected_regret": _number(0),
                # against enrolling everyone
                "probability_saves": _number(*_SHARE, nullable=True),
                "is_least_regret": _flag(),
            },
        ),
        _table(
            "archive_balance",
            "trialsim power",
            ["strategy", "covariate"],
            {
                # a strategy whose score was balanced besides, or "everyone"
                "strategy": _text(),
                "covariate": _text(),
                # archive minus screened people, in standard deviations of the screened
                "difference_unweighted": _number(),
                "difference_weighted": _number(),
                "n_archive": _number(0),
                "effective_size": _number(0),
                # screened people beyond the archive's range in some covariate
                "n_outside": _number(0),
            },
        ),
        _table(
            "cheapest_fractions",
            "trialsim power",
            ["choice", "strategy", "analysis"],
            {
                # "fraction" of each strategy, or "strategy and fraction" of all attainable ones
                "choice": _text(values=("fraction", "strategy and fraction")),
                "strategy": _text(),
                "analysis": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "n_control": _number(0),
                "cost": _number(0),
                # both layers of error, around the cost after the winner's curse
                "cost_lower": _number(0, nullable=True),
                "cost_upper": _number(0, nullable=True),
                "share_chosen": _number(*_SHARE, nullable=True),
                "flat_from": _number(*_SHARE),
                "flat_to": _number(*_SHARE),
            },
        ),
        _table(
            "sensitivity",
            "trialsim power",
            ["parameter"],
            {
                "parameter": _text(),
                "low_value": _number(),
                "high_value": _number(),
                "n_control_at_low": _number(0, nullable=True),
                "n_control_at_high": _number(0, nullable=True),
                "n_control_at_base": _number(0, nullable=True),
            },
        ),
        # --- interim looks ----------------------------------------------------------------
        _table(
            "looks",
            "trialsim run",
            ["strategy", "fraction_enrolled", "look"],
            {
                "strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "analysis": _text(),
                "look": _count(1),
                "calendar_months": _number(0),
                "n_enrolled": _number(0),
                "n_completers": _number(0),
                # 1 / variance of the estimate, and its share of the maximum
                "information": _number(0),
                "information_rate": _number(*_SHARE),
                # nullable: nobody may stop there
                "efficacy_z": _number(nullable=True),
                "efficacy_p": _number(*_SHARE),
                "efficacy_effect": _number(nullable=True),
                "futility_z": _number(nullable=True),
                "futility_effect": _number(nullable=True),
                "cumulative_alpha": _number(*_SHARE),
                "cumulative_beta": _number(*_SHARE),
                # without an effect, with half of it, with the whole one
                "stop_efficacy_none": _number(*_SHARE),
                "stop_futility_none": _number(*_SHARE),
                "stop_efficacy_half": _number(*_SHARE),
                "stop_futility_half": _number(*_SHARE),
                "stop_efficacy_whole": _number(*_SHARE),
                "stop_futility_whole": _number(*_SHARE),
                "simulated_stop_efficacy_none": _number(*_SHARE),
                "simulated_stop_efficacy_none_mcse": _number(0),
                "simulated_stop_efficacy_whole": _number(*_SHARE),
                "simulated_stop_efficacy_whole_mcse": _number(0),
            },
        ),
        _table(
            "look_expectations",
            "trialsim run",
            ["strategy", "fraction_enrolled", "effect"],
            {
                "strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "analysis": _text(),
                "effect": _text(values=("none", "half", "whole")),
                "power": _number(*_SHARE),
                # nullable: half of the effect is not simulated
                "simulated_power": _number(*_SHARE, nullable=True),
                "simulated_power_mcse": _number(0, nullable=True),
                "expected_n": _number(0),
                "expected_months": _number(0),
                "expected_cost": _number(0),
                "maximum_n": _number(0),
                "maximum_months": _number(0),
                "n_simulations": _count(1),
                # of the plan, in words
                "paragraph": _text(),
            },
        ),
        _table(
            "reestimation",
            "trialsim run",
            ["strategy", "fraction_enrolled", "sd_factor", "effect"],
            {
                "strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "analysis": _text(),
                "rule": _text(values=("blinded", "promising")),
                # the true standard deviation over the planned one
                "sd_factor": _number(0),
                "effect": _text(values=("none", "half", "whole")),
                "power_reestimated": _number(*_SHARE),
                "mcse": _number(0),
                "power_planned": _number(*_SHARE),
                "expected_n": _number(0),
                "planned_n": _number(0),
                "maximum_n": _number(0),
                # nullable: blinded sizes always move
                "share_enlarged": _number(*_SHARE, nullable=True),
                "n_simulations": _count(1),
            },
        ),
        _table(
            "adaptive_enrichment",
            "trialsim run",
            ["strategy", "fraction_enrolled", "design"],
            {
                "strategy": _text(),
                "fraction_enrolled": _number(*_SHARE),
                "design": _text(),
                "maximum_n": _count(1),
                "reject_any": _number(*_SHARE),
                "mcse": _number(0),
                "type_one_error": _number(*_SHARE),
                "chose_everyone": _number(*_SHARE),
                "chose_selected": _number(*_SHARE),
                "stopped_early": _number(*_SHARE),
                "expected_n": _number(0),
                "expected_screened": _number(0),
                "expected_cost": _number(0, nullable=True),
                "expected_months": _number(0, nullable=True),
                "n_simulations": _count(1),
            },
        ),
        _table(
            "study_description",
            "trialsim rank",
            ["key"],
            {
                # a key of the protocol with its section: design.slowing; under `resolved.` what
                # follows from others where it is not stated
                "key": _text(),
                # as JSON
                "value": _text(),
            },
        ),
        # --- what a finished trial says -------------------------------------------------
        _table(
            "twins",
            "trialsim twins",
            ["participant_id", "months", "region"],
            {
                "participant_id": _text(),
                "months": _number(0),
                "region": _text(),
                # untreated, from baseline alone
                "predicted_mm3": _number(0),
                "sd_mm3": _number(0, nullable=True),
            },
        ),
        _table(
            "trial_effects",
            "trialsim analyze",
            ["estimator"],
            {
                "estimator": _text(),
                "effect": _text(values=("last visit", "slope")),
                "estimate": _number(nullable=True),
                "se": _number(0, nullable=True),
                "df": _number(0, nullable=True),
                "lower": _number(nullable=True),
                "upper": _number(nullable=True),
                "p_value": _number(*_SHARE, nullable=True),
                "is_primary": _flag(),
                "standard_error": _text(values=("robust", "model")),
                "se_model": _number(0, nullable=True),
                "se_robust": _number(0, nullable=True),
                "n_control": _count(),
                "n_treatment": _count(),
                "unit": _text(),
                "estimand": _text(),
            },
        ),
        _table(
            "trial_visits",
            "trialsim analyze",
            ["arm", "months"],
            {
                "arm": _text(values=("control", "treatment", "all")),
                "months": _number(0),
                "n": _count(),
                "n_seen": _count(),
                "share_seen": _number(*_SHARE),
            },
        ),
        _table(
            "trial_baseline",
            "trialsim analyze",
            ["covariate"],
            {
                "covariate": _text(),
                "mean": _number(nullable=True),
                "sd": _number(0, nullable=True),
                "mean_control": _number(nullable=True),
                "mean_treatment": _number(nullable=True),
                "standardized_difference": _number(nullable=True),
            },
        ),
        _table(
            "trial_assumptions",
            "trialsim analyze",
            ["strategy"],
            {
                "strategy": _text(),
                "estimate": _number(nullable=True),
                "se": _number(0, nullable=True),
                "lower": _number(nullable=True),
                "upper": _number(nullable=True),
                "p_value": _number(*_SHARE, nullable=True),
                "estimate_rubin": _number(nullable=True),
                "se_rubin": _number(0, nullable=True),
                "n_imputed_control": _count(),
                "n_imputed_treatment": _count(),
                "assumption": _text(),
            },
        ),
        _table(
            "trial_tipping_point",
            "trialsim analyze",
            ["delta"],
            {
                "delta": _number(),
                "estimate": _number(),
                "se": _number(0),
                "lower": _number(),
                "upper": _number(),
                "p_value": _number(*_SHARE),
            },
        ),
        _table(
            "trial_findings",
            "trialsim analyze",
            ["finding"],
            {
                "finding": _text(),
                "value": _number(nullable=True),
                "lower": _number(nullable=True),
                "upper": _number(nullable=True),
                "p_value": _number(*_SHARE, nullable=True),
            },
        ),
        _table(
            "twin_outcomes",
            "trialsim analyze",
            ["participant_id", "months"],
            {
                "participant_id": _text(),
                "arm": _text(values=("control", "treatment")),
                "months": _number(0),
                "observed": _number(nullable=True),
                "twin": _number(),
            },
        ),
        _table(
            "individual_effects",
            "trialsim analyze",
            ["participant_id"],
            {
                "participant_id": _text(),
                "observed": _number(),
                "twin": _number(),
                "difference": _number(),
                "lower": _number(),
                "upper": _number(),
                # the interval leaves out 0
                "says_something": _flag(),
            },
        ),
        _table(
            "effects_by_decline",
            "trialsim analyze",
            ["predicted_decline"],
            {
                "predicted_decline": _number(),
                "effect": _number(),
                "lower": _number(),
                "upper": _number(),
            },
        ),
    )
}
"""Every table that passes between rooms, by name."""


def find_command(table: str) -> str:
    """Return the command that fills a table of `TABLES` first."""
    return str((TABLES[table].metadata or {})["command"])


def validate_table(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """Return `frame` with the types of `table`, or say everything that is wrong with it.

    Parameters
    ----------
    frame
        The table to check.
    table
        A name in `TABLES`.

    Raises
    ------
    CohortValidationError
        One sentence for each missing column, wrong type, value out of range and repeated key.
    """
    try:
        return TABLES[table].validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        raise CohortValidationError(*_sentences(table, error.failure_cases)) from error


def _sentences(table: str, failures: pd.DataFrame) -> list[str]:
    return [
        f"Table {table}, {_place(row)}: {row['check']}, got {row['failure_case']!r}."
        for row in failures.to_dict("records")
    ]


def _place(row: Mapping[Hashable, Any]) -> str:
    where = f"column {row['column']}" if row["column"] is not None else "columns"
    return where if pd.isna(row["index"]) else f"{where}, row {row['index']}"
