"""What a finished trial says, and the twins that it is compared with."""

from typing import Final

import pandera.pandas as pa

from cohorts.schema.columns import SHARE, count, flag, number, table, text
from cohorts.schema.names import OBSERVED_KINDS

TRIALS_TABLES: Final[tuple[pa.DataFrameSchema, ...]] = (
    table(
        "twins",
        "trialsim twins",
        ["participant_id", "months", "region"],
        {
            "participant_id": text(),
            "months": number(0),
            "region": text(),
            # untreated, from baseline alone
            "predicted_mm3": number(0),
            "sd_mm3": number(0, nullable=True),
        },
    ),
    table(
        "twin_correlations",
        "trialsim twins",
        ["region", "months", "other_months"],
        {
            "region": text(),
            "months": number(0),
            "other_months": number(0),
            # of the twin's errors at two visits; times both sds it is their covariance
            "error_correlation": number(-1, 1),
            "n_people": count(1),
        },
    ),
    table(
        "trial_effects",
        "trialsim analyze",
        ["estimator"],
        {
            "estimator": text(),
            "effect": text(values=("last visit", "slope")),
            "estimate": number(nullable=True),
            "se": number(0, nullable=True),
            "df": number(0, nullable=True),
            "lower": number(nullable=True),
            "upper": number(nullable=True),
            "p_value": number(*SHARE, nullable=True),
            "is_primary": flag(),
            "standard_error": text(values=("robust", "model")),
            "se_model": number(0, nullable=True),
            "se_robust": number(0, nullable=True),
            "n_control": count(),
            "n_treatment": count(),
            "unit": text(),
            "estimand": text(),
        },
    ),
    table(
        "trial_visits",
        "trialsim analyze",
        ["arm", "months"],
        {
            "arm": text(values=("control", "treatment", "all")),
            "months": number(0),
            "n": count(),
            "n_seen": count(),
            "share_seen": number(*SHARE),
        },
    ),
    table(
        "trial_baseline",
        "trialsim analyze",
        ["covariate"],
        {
            "covariate": text(),
            "mean": number(nullable=True),
            "sd": number(0, nullable=True),
            "mean_control": number(nullable=True),
            "mean_treatment": number(nullable=True),
            "standardized_difference": number(nullable=True),
        },
    ),
    table(
        "trial_assumptions",
        "trialsim analyze",
        ["strategy"],
        {
            "strategy": text(),
            "estimate": number(nullable=True),
            "se": number(0, nullable=True),
            "lower": number(nullable=True),
            "upper": number(nullable=True),
            "p_value": number(*SHARE, nullable=True),
            "estimate_rubin": number(nullable=True),
            "se_rubin": number(0, nullable=True),
            "n_imputed_control": count(),
            "n_imputed_treatment": count(),
            "assumption": text(),
        },
    ),
    table(
        "trial_tipping_point",
        "trialsim analyze",
        ["delta"],
        {
            "delta": number(),
            "estimate": number(),
            "se": number(0),
            "lower": number(),
            "upper": number(),
            "p_value": number(*SHARE),
        },
    ),
    table(
        "trial_findings",
        "trialsim analyze",
        ["finding"],
        {
            "finding": text(),
            "value": number(nullable=True),
            "lower": number(nullable=True),
            "upper": number(nullable=True),
            "p_value": number(*SHARE, nullable=True),
        },
    ),
    table(
        "twin_outcomes",
        "trialsim analyze",
        ["participant_id", "months"],
        {
            "participant_id": text(),
            "arm": text(values=("control", "treatment")),
            "months": number(0),
            "observed": number(nullable=True),
            "twin": number(),
        },
    ),
    table(
        "observed_images",
        "trialsim analyze",
        ["participant_id", "months", "kind"],
        {
            "participant_id": text(),
            "session_id": text(),
            "arm": text(values=("control", "treatment")),
            # of the trial's visit
            "months": number(0),
            "kind": text(values=OBSERVED_KINDS),
            "path": text(),
        },
    ),
    table(
        "individual_effects",
        "trialsim analyze",
        ["participant_id"],
        {
            "participant_id": text(),
            "observed": number(),
            "twin": number(),
            "difference": number(),
            "lower": number(),
            "upper": number(),
            # the interval leaves out 0
            "says_something": flag(),
        },
    ),
    table(
        "effects_by_decline",
        "trialsim analyze",
        ["predicted_decline"],
        {
            "predicted_decline": number(),
            "effect": number(),
            "lower": number(),
            "upper": number(),
        },
    ),
)
