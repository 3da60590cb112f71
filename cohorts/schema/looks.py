"""Interim looks, and populations chosen at them."""

from typing import Final

import pandera.pandas as pa

from cohorts.schema.columns import SHARE, count, number, table, text

LOOKS_TABLES: Final[tuple[pa.DataFrameSchema, ...]] = (
    table(
        "looks",
        "trialsim run",
        ["strategy", "fraction_enrolled", "look"],
        {
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "analysis": text(),
            "look": count(1),
            "calendar_months": number(0),
            "n_enrolled": number(0),
            "n_completers": number(0),
            # 1 / variance of the estimate, and its share of the maximum
            "information": number(0),
            "information_rate": number(*SHARE),
            # nullable: nobody may stop there
            "efficacy_z": number(nullable=True),
            "efficacy_p": number(*SHARE),
            "efficacy_effect": number(nullable=True),
            "futility_z": number(nullable=True),
            "futility_effect": number(nullable=True),
            "cumulative_alpha": number(*SHARE),
            "cumulative_beta": number(*SHARE),
            # without an effect, with half of it, with the whole one
            "stop_efficacy_none": number(*SHARE),
            "stop_futility_none": number(*SHARE),
            "stop_efficacy_half": number(*SHARE),
            "stop_futility_half": number(*SHARE),
            "stop_efficacy_whole": number(*SHARE),
            "stop_futility_whole": number(*SHARE),
            "simulated_stop_efficacy_none": number(*SHARE),
            "simulated_stop_efficacy_none_mcse": number(0),
            "simulated_stop_efficacy_whole": number(*SHARE),
            "simulated_stop_efficacy_whole_mcse": number(0),
        },
    ),
    table(
        "look_expectations",
        "trialsim run",
        ["strategy", "fraction_enrolled", "effect"],
        {
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "analysis": text(),
            "effect": text(values=("none", "half", "whole")),
            "power": number(*SHARE),
            # nullable: half of the effect is not simulated
            "simulated_power": number(*SHARE, nullable=True),
            "simulated_power_mcse": number(0, nullable=True),
            "expected_n": number(0),
            "expected_months": number(0),
            "expected_cost": number(0),
            "maximum_n": number(0),
            "maximum_months": number(0),
            "n_simulations": count(1),
            # of the plan, in words
            "paragraph": text(),
        },
    ),
    table(
        "reestimation",
        "trialsim run",
        ["strategy", "fraction_enrolled", "sd_factor", "effect"],
        {
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "analysis": text(),
            "rule": text(values=("blinded", "promising")),
            # the true standard deviation over the planned one
            "sd_factor": number(0),
            "effect": text(values=("none", "half", "whole")),
            "power_reestimated": number(*SHARE),
            "mcse": number(0),
            "power_planned": number(*SHARE),
            "expected_n": number(0),
            "planned_n": number(0),
            "maximum_n": number(0),
            # nullable: blinded sizes always move
            "share_enlarged": number(*SHARE, nullable=True),
            "n_simulations": count(1),
        },
    ),
    table(
        "adaptive_enrichment",
        "trialsim run",
        ["strategy", "fraction_enrolled", "design"],
        {
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "design": text(),
            "maximum_n": count(1),
            "reject_any": number(*SHARE),
            "mcse": number(0),
            "type_one_error": number(*SHARE),
            "chose_everyone": number(*SHARE),
            "chose_selected": number(*SHARE),
            "stopped_early": number(*SHARE),
            "expected_n": number(0),
            "expected_screened": number(0),
            "expected_cost": number(0, nullable=True),
            "expected_months": number(0, nullable=True),
            "n_simulations": count(1),
        },
    ),
)
