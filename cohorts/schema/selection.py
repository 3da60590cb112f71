"""Who would be enrolled, and how well the fast progressors are found."""

from typing import Final

import pandera.pandas as pa

from cohorts.schema.columns import SHARE, count, flag, number, table, text

SELECTION_TABLES: Final[tuple[pa.DataFrameSchema, ...]] = (
    table(
        "scores",
        "trialsim rank",
        ["participant_id", "strategy"],
        {
            "participant_id": text(),
            "strategy": text(),
            "score": number(nullable=True),
            "fold": pa.Column("Int64", nullable=True, coerce=True),
        },
    ),
    table(
        "selections",
        "trialsim rank",
        ["participant_id", "strategy", "fraction_enrolled"],
        {
            "participant_id": text(),
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "rank": count(1),
            "is_selected": flag(),
        },
    ),
    # what `selections` says, in as many rows fewer as there are fractions
    table(
        "rankings",
        "trialsim rank",
        ["participant_id", "strategy"],
        {"participant_id": text(), "strategy": text(), "rank": count(1)},
    ),
    table(
        "selection_counts",
        "trialsim rank",
        ["strategy", "fraction_enrolled"],
        {
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "n_ranked": count(1),
            "n_selected": count(1),
        },
    ),
    table(
        "capture_rates",
        "trialsim compare",
        ["strategy", "n_selected", "definition", "truth"],
        {
            "strategy": text(),
            "n_selected": count(1),
            "n_evaluated": count(1),
            "definition": text(),
            "truth": text(values=("latent", "measured")),
            "capture_rate": number(*SHARE),
            "capture_rate_lower": number(*SHARE, nullable=True),
            "capture_rate_upper": number(*SHARE, nullable=True),
            "chance_rate": number(*SHARE),
            # adjusted over all rows of a table of several strategies (min-P)
            "chance_p_value": number(*SHARE),
        },
    ),
    table(
        "capture_differences",
        "trialsim compare",
        ["strategy", "reference_strategy", "n_selected"],
        {
            "strategy": text(),
            "reference_strategy": text(),
            "n_selected": count(1),
            "difference": number(-1, 1),
            # no interval where no resample differs
            "difference_lower": number(-1, 1, nullable=True),
            "difference_upper": number(-1, 1, nullable=True),
        },
    ),
    table(
        "predictor_performance",
        "trialsim compare",
        ["strategy", "metric", "subgroup"],
        {
            "strategy": text(),
            "metric": text(),
            "subgroup": text(),
            "value": number(nullable=True),
            "value_lower": number(nullable=True),
            "value_upper": number(nullable=True),
            "n": count(),
        },
    ),
    table(
        "predicted_changes",
        "trialsim compare",
        ["participant_id", "strategy"],
        {
            "participant_id": text(),
            "strategy": text(),
            "predicted_change_percent": number(),
            "observed_change_percent": number(),
            "truth": text(values=("latent", "measured")),
        },
    ),
    table(
        "group_differences",
        "trialsim rank",
        ["strategy", "fraction_enrolled", "covariate"],
        {
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "covariate": text(),
            "mean_selected": number(),
            "mean_not_selected": number(nullable=True),
            "standardized_difference": number(nullable=True),
        },
    ),
)
