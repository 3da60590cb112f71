"""What each choice buys: power, sizes, costs, decisions."""

from typing import Final

import pandera.pandas as pa

from cohorts.schema.columns import SHARE, count, flag, number, table, text

SIZES_TABLES: Final[tuple[pa.DataFrameSchema, ...]] = (
    table(
        "operating_characteristics",
        "trialsim power",
        ["strategy", "fraction_enrolled", "analysis", "n_control", "n_treatment"],
        {
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "analysis": text(),
            "n_control": count(1),
            "n_treatment": count(1),
            "power": number(*SHARE),
            "mcse": number(*SHARE),
            "power_lower": number(*SHARE),
            "power_upper": number(*SHARE),
            "type_one_error": number(*SHARE, nullable=True),
            "type_one_error_mcse": number(*SHARE, nullable=True),
            "bias": number(nullable=True),
            "bias_mcse": number(0, nullable=True),
            "empirical_se": number(0, nullable=True),
            "model_se": number(0, nullable=True),
            "coverage": number(*SHARE, nullable=True),
            "coverage_mcse": number(*SHARE, nullable=True),
            "closed_form_power": number(*SHARE, nullable=True),
            "difference_in_mcse": number(nullable=True),
            "n_to_screen": number(0),
            "cost": number(0),
            "months_to_enroll": number(0, nullable=True),
            "pool_size": count(),
            "n_simulations": count(1),
            "n_failed_fits": count(),
        },
    ),
    table(
        "sample_sizes",
        "trialsim power",
        ["strategy", "fraction_enrolled", "analysis", "target_power"],
        {
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "analysis": text(),
            "target_power": number(*SHARE),
            # nullable: a target that no sample size of the grid reaches
            "n_control": number(0, nullable=True),
            "n_treatment": number(0, nullable=True),
            # the arms rounded up; number to screen, cost and months are theirs
            "n_control_whole": number(0, nullable=True),
            "n_treatment_whole": number(0, nullable=True),
            # Monte Carlo error alone
            "n_control_lower": number(0, nullable=True),
            "n_control_upper": number(0, nullable=True),
            # error of the cohort: people drawn again, strategies that learn from them refitted
            "n_control_lower_cohort": number(0, nullable=True),
            "n_control_upper_cohort": number(0, nullable=True),
            # standard deviations of ln(n): between cohorts, between archives; Monte Carlo
            # standard error of ln of an interval's end
            "ln_n_sd_cohort": number(0, nullable=True),
            "ln_n_sd_archive": number(0, nullable=True),
            "ln_n_end_mcse": number(0, nullable=True),
            # with the decline from the next visit on, which shares no scan with the selection
            "n_control_next_visit": number(0, nullable=True),
            "closed_form_n_control": number(0, nullable=True),
            "n_to_screen": number(0, nullable=True),
            "cost": number(0, nullable=True),
            "cost_lower": number(0, nullable=True),
            "cost_upper": number(0, nullable=True),
            "months_to_enroll": number(0, nullable=True),
            "pool_size": count(),
        },
    ),
    table(
        "proposed_sizes",
        "trialsim power",
        ["analysis"],
        {
            # the cheapest attainable choice of an analysis (the smallest, where nothing costs)
            "analysis": text(),
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "target_power": number(*SHARE),
            # as found, then after the winner's curse, rounded up
            "n_control": number(0),
            "n_control_proposed": number(0),
            "n_treatment_proposed": number(0),
            # of the proposed arms
            "n_to_screen": number(0),
            "cost": number(0),
            "months_to_enroll": number(0, nullable=True),
            "optimism_factor": number(0, nullable=True),
            # over the error of cohort and choice: of the size as found, of the proposed one
            "uncorrected_power": number(*SHARE, nullable=True),
            "expected_power": number(*SHARE, nullable=True),
            "low_power_probability": number(*SHARE, nullable=True),
            # power at least .70 with probability at least .90
            "n_control_assured": number(0, nullable=True),
            "n_treatment_assured": number(0, nullable=True),
            "share_chosen": number(*SHARE, nullable=True),
            "truly_cheapest_rate": number(*SHARE, nullable=True),
            "pool_size": count(),
            # against the reference; empty where nothing costs
            "saving_cost": number(nullable=True),
            "saving_cost_lower": number(nullable=True),
            "saving_cost_upper": number(nullable=True),
            "n_screened_to_settle": number(0, nullable=True),
            "is_settled": flag(),
            # sentences; empty where the choice is settled
            "doubts": text(),
        },
    ),
    table(
        "pool_moments",
        "trialsim power",
        ["strategy", "fraction_enrolled", "quantity", "other"],
        {
            # "month 0", "month 12" ..., "score"; "intercept", "slope", "residual" of lines
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "quantity": text(),
            "other": text(),
            "covariance": number(nullable=True),
            # mean change of the true volume from baseline, of `quantity` where it is a visit
            "true_change": number(nullable=True),
            "pool_size": count(),
        },
    ),
    table(
        "sample_size_savings",
        "trialsim power",
        ["strategy", "reference_strategy", "fraction_enrolled", "analysis"],
        {
            "strategy": text(),
            "reference_strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "analysis": text(),
            # n of the reference minus n of the strategy, control arm
            "saving_n_control": number(nullable=True),
            "saving_n_control_lower": number(nullable=True),
            "saving_n_control_upper": number(nullable=True),
            "saving_cost": number(nullable=True),
            "saving_cost_lower": number(nullable=True),
            "saving_cost_upper": number(nullable=True),
            # power for the money that the reference's trial costs at the target power
            "power_equal_budget": number(*SHARE, nullable=True),
            "power_equal_budget_lower": number(*SHARE, nullable=True),
            "power_equal_budget_upper": number(*SHARE, nullable=True),
        },
    ),
    table(
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
            "strategy": text(),
            "reference_strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "analysis": text(),
            "n_control": count(1),
            "n_treatment": count(1),
            # power of the strategy minus that of the reference, in the same simulated trials
            "difference": number(-1, 1),
            "mcse": number(0),
            # no interval where the trials never differ
            "difference_lower": number(-1, 1, nullable=True),
            "difference_upper": number(-1, 1, nullable=True),
        },
    ),
    table(
        "decisions",
        "trialsim power",
        ["strategy", "fraction_enrolled", "analysis"],
        {
            "analysis": text(),
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            # empty where nothing costs
            "cost": number(0, nullable=True),
            # over the bootstrap of cohort and models; people in control, then money
            "probability_cheapest": number(*SHARE),
            "expected_n_control": number(0, nullable=True),
            "expected_cost": number(0, nullable=True),
            # cost (people in control where nothing costs) above the best choice of the sample
            "expected_regret": number(0),
            # against enrolling everyone
            "probability_saves": number(*SHARE, nullable=True),
            "is_least_regret": flag(),
        },
    ),
    table(
        "archive_balance",
        "trialsim power",
        ["strategy", "covariate"],
        {
            # a strategy whose score was balanced besides, or "everyone"
            "strategy": text(),
            "covariate": text(),
            # archive minus screened people, in standard deviations of the screened
            "difference_unweighted": number(),
            "difference_weighted": number(),
            "n_archive": number(0),
            "effective_size": number(0),
            # screened people beyond the archive's range in some covariate
            "n_outside": number(0),
        },
    ),
    table(
        "cheapest_fractions",
        "trialsim power",
        ["choice", "strategy", "analysis"],
        {
            # "fraction" of each strategy, or "strategy and fraction" of all attainable ones
            "choice": text(values=("fraction", "strategy and fraction")),
            "strategy": text(),
            "analysis": text(),
            "fraction_enrolled": number(*SHARE),
            "n_control": number(0),
            "cost": number(0),
            # both layers of error, around the cost after the winner's curse
            "cost_lower": number(0, nullable=True),
            "cost_upper": number(0, nullable=True),
            "share_chosen": number(*SHARE, nullable=True),
            "flat_from": number(*SHARE),
            "flat_to": number(*SHARE),
        },
    ),
    table(
        "accrual",
        "trialsim power",
        ["strategy", "fraction_enrolled", "analysis", "size"],
        {
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "analysis": text(),
            # as found, or as proposed; both arms, whole
            "size": text(values=("found", "proposed")),
            "n_enrolled": count(1),
            # expected, with the 95 % interval of what may come
            "n_to_screen": count(1),
            "n_to_screen_lower": count(1),
            "n_to_screen_upper": count(1),
            "months_to_last_person": number(0),
            "months_to_last_person_lower": number(0),
            "months_to_last_person_upper": number(0),
            "months_to_last_visit": number(0),
            "months_to_last_visit_lower": number(0),
            "months_to_last_visit_upper": number(0),
        },
    ),
    table(
        "design_front",
        "trialsim optimize",
        [
            "strategy",
            "fraction_enrolled",
            "rule",
            "analysis",
            "visits_months",
            "allocation_ratio",
        ],
        {
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            # who is chosen, in words
            "rule": text(),
            "analysis": text(),
            # of the schedule, with commas
            "visits_months": text(),
            "duration_months": number(0),
            "allocation_ratio": number(0),
            # whole, corrected for being the best of many; what follows is theirs
            "n_control": count(1),
            "n_treatment": count(1),
            # by closed form in this cohort, and the 95 % interval after the correction
            "n_control_found": number(0),
            "n_control_lower": number(0, nullable=True),
            "n_control_upper": number(0, nullable=True),
            "optimism_factor": number(0, nullable=True),
            "n_to_screen": count(1),
            # empty where nothing costs
            "cost": number(0, nullable=True),
            "cost_lower": number(0, nullable=True),
            "cost_upper": number(0, nullable=True),
            "months_to_enroll": number(0, nullable=True),
            # from randomization alone where it is not known how fast people come
            "months_to_last_visit": number(0),
            "months_to_last_visit_lower": number(0, nullable=True),
            "months_to_last_visit_upper": number(0, nullable=True),
            "share_left_out": number(*SHARE),
            # largest difference in the share of a group, those enrolled against those screened
            "group_difference": number(*SHARE, nullable=True),
            "group": text(),
            # of the choice of people, in other cohorts of the same kind
            "probability_cheapest": number(*SHARE, nullable=True),
            # in which aims no design is better
            "best_in": text(),
            "closed_form_power": number(*SHARE),
            # of the best few
            "simulated_power": number(*SHARE, nullable=True),
            "simulated_power_mcse": number(0, nullable=True),
        },
    ),
    table(
        "sensitivity",
        "trialsim power",
        ["parameter"],
        {
            "parameter": text(),
            "low_value": number(),
            "high_value": number(),
            "n_control_at_low": number(0, nullable=True),
            "n_control_at_high": number(0, nullable=True),
            "n_control_at_base": number(0, nullable=True),
        },
    ),
    table(
        "estimands",
        "trialsim power",
        ["strategy", "fraction_enrolled", "estimand", "analysis", "imputed_delta"],
        {
            "strategy": text(),
            "fraction_enrolled": number(*SHARE),
            "estimand": text(),
            "analysis": text(),
            "imputed_delta": number(),
            "n_control": count(1),
            "n_treatment": count(1),
            "true_difference": number(),
            "bias": number(nullable=True),
            "bias_mcse": number(0, nullable=True),
            "power": number(*SHARE),
            "mcse": number(*SHARE),
            "type_one_error": number(*SHARE, nullable=True),
            "type_one_error_mcse": number(*SHARE, nullable=True),
            "coverage": number(*SHARE, nullable=True),
            "tipping_delta": number(nullable=True),
        },
    ),
)
