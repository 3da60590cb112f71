"""Power, sample size, type I error, bias, coverage."""

import pandas as pd

from reports.figures import plot_error_rates, plot_power_curves, plot_sample_sizes
from reports.figures.error_rates import compute_interval_level
from reports.figures.labels import analysis_label, percent, strategy_label
from reports.page.choice import (
    best_fractions,
    choose,
    name_best_fraction,
    pick_best_fractions,
    primary_analysis,
    primary_sizes,
    target_power,
)
from reports.page.columns import beside, build_table, number, simulated, with_interval, words
from reports.page.content import Block, Paragraph, Picture, Section, Table
from reports.page.formats import (
    is_blank,
    show_count,
    show_fraction,
    show_number,
    show_share,
    show_size,
)
from reports.page.gather import StudyFacts
from reports.page.sections.gaps import describe_gap
from reports.page.units import show_unit

_TABLE = "operating_characteristics"


def describe_power(facts: StudyFacts) -> Section:
    """Return power curves, sample sizes with their rounding, and the tests of the tests."""
    blocks: list[Block] = []
    if facts.has(_TABLE):
        blocks.append(_curves(facts))
    if facts.has("sample_sizes"):
        best = best_fractions(facts)
        title = f"Sample sizes, each strategy {name_best_fraction(facts)}"
        blocks += [_proposed(facts), _sizes_figure(facts), build_sizes(facts, best, title=title)]
    if facts.has(_TABLE):
        nearest = _nearest_rows(facts)
        title = "Operating characteristics near the proposed sample size"
        blocks += [*_errors(facts), build_characteristics(facts, nearest, title=title)]
    blocks += describe_gap(facts, _TABLE, "sample_sizes")
    return Section("Power and type I error", tuple(blocks))


def _curves(facts: StudyFacts) -> Picture:
    rows = _primary_rows(facts)
    shown = pick_best_fractions(facts, rows)
    power = target_power(facts) if facts.has("sample_sizes") else None
    analysis = analysis_label(primary_analysis(facts))
    return Picture(
        "power-curves",
        f"Power against sample size ({analysis}), each strategy "
        f"{name_best_fraction(facts)}; bands: "
        "95 % Monte Carlo intervals",
        "One curve a strategy (of more than three a panel each, the others gray), rising with the "
        "total sample size, with the target power as a horizontal line; the values are in the "
        "appendix.",
        plot_power_curves(shown, target_power=power),
        {"power_curves": shown},
        facts.sources(_TABLE),
    )


def _primary_rows(facts: StudyFacts) -> pd.DataFrame:
    rows = facts.tables[_TABLE]
    return rows[rows["analysis"] == primary_analysis(facts)]


def _proposed(facts: StudyFacts) -> Paragraph:
    choice = choose(facts)
    rule = (
        "Sample sizes are sought unrounded; each arm is then rounded up, and the number to screen "
        "is rounded up after that. "
    )
    if choice is None:
        return Paragraph(f"{rule}No sample size that was tried reaches the target power.")
    asked = facts.describe("sample_sizes")
    left = (
        "Drop-out is part of the simulation, so no inflation is added afterwards."
        if asked.dropout_control or asked.dropout_treatment
        else "No drop-out is assumed: a trial that loses people needs more."
    )
    best, trial = choice.best, choice.trial
    corrected = "" if choice.proposal is None else ", as found before its optimism is taken off"
    closed = best["closed_form_n_control"]
    second = "" if is_blank(closed) else f" The closed form gives {show_number(closed, digits=4)}."
    return Paragraph(
        f"{rule}Proposed: {show_size(trial['n_control'])} in the control and "
        f"{show_size(trial['n_treatment'])} in the treatment arm "
        f"(unrounded {show_number(best['n_control'], digits=4)} and "
        f"{show_number(best['n_treatment'], digits=4)}{corrected}).{second} {left}",
        facts.sources("sample_sizes"),
    )


def _sizes_figure(facts: StudyFacts) -> Picture:
    rows = primary_sizes(facts)
    return Picture(
        "sample-size-by-fraction",
        "Sample size of the control arm against the fraction enrolled, a panel a strategy (gray: "
        "the others); bands: 95 % intervals",
        "One panel a strategy: the sample size falls as fewer people are enrolled; the values are "
        "in the appendix.",
        plot_sample_sizes(rows),
        {"sample_sizes": rows},
        facts.sources("sample_sizes"),
    )


def _nearest_rows(facts: StudyFacts) -> pd.DataFrame:
    """Return a design point a strategy, that of the size nearest to the proposed one."""
    rows = pick_best_fractions(facts, _primary_rows(facts))
    choice = choose(facts)
    wanted = choice.trial["n_control"] if choice else rows["n_control"].max()
    ordered = rows.assign(apart=(rows["n_control"] - wanted).abs())
    return ordered.sort_values("apart", kind="stable").drop_duplicates("strategy")


def build_sizes(facts: StudyFacts, rows: pd.DataFrame, *, title: str) -> Table:
    """Return rows of `sample_sizes` as a table."""
    rules = [
        words("strategy", "Strategy", strategy_label),
        number("fraction_enrolled", "Fraction", show_fraction),
        words("analysis", "Analysis", analysis_label),
        number("target_power", "Target power", show_fraction),
        with_interval(
            "n_control",
            "n_control_lower",
            "n_control_upper",
            "Control arm (Monte Carlo)",
            show_size,
        ),
        with_interval(
            "n_control",
            "n_control_lower_cohort",
            "n_control_upper_cohort",
            "Control arm (cohort and model)",
            show_size,
        ),
        number("closed_form_n_control", "Closed form", show_size),
        number("n_treatment", "Treatment arm", show_size),
        number("n_to_screen", "To screen", show_size),
    ]
    return build_table(
        rows,
        rules,
        title=title,
        sources=facts.sources("sample_sizes"),
        note="People, with 95 % intervals in brackets. A dash: the target is not reached, or the "
        "number was not computed.",
    )


def _errors(facts: StudyFacts) -> list[Block]:
    rows = pick_best_fractions(facts, _primary_rows(facts))
    checked = rows.dropna(subset=["type_one_error", "coverage"])
    if checked.empty:
        text = "Type I error and coverage were not simulated; `trialsim power` can do so."
        return [Paragraph(text, facts.sources(_TABLE))]
    asked = facts.describe(_TABLE)
    alpha, sides = asked.alpha or 0.05, asked.sides or 2
    level = compute_interval_level(alpha, sides)
    return [
        Picture(
            "error-rates",
            "Type I error under no effect, and coverage, with 95 % Monte Carlo intervals",
            f"Two panels of points with intervals about the nominal {percent(alpha, 1)} and "
            f"{percent(level, 1)}; the values are in the next table.",
            plot_error_rates(checked, alpha=alpha, sides=sides),
            {"error_rates": checked},
            facts.sources(_TABLE),
        )
    ]


def build_characteristics(facts: StudyFacts, rows: pd.DataFrame, *, title: str) -> Table:
    """Return rows of `operating_characteristics` as a table."""
    unit = show_unit(facts.describe(_TABLE).unit)
    of_unit = f", {unit}" if unit else ""
    rules = [
        words("strategy", "Strategy", strategy_label),
        number("fraction_enrolled", "Fraction", show_fraction),
        words("analysis", "Analysis", analysis_label),
        number("n_control", "Control", show_count),
        number("n_treatment", "Treated", show_count),
        simulated("power", "mcse", "Power ± MCSE", show_share),
        number("closed_form_power", "Closed form", show_share),
        simulated("type_one_error", "type_one_error_mcse", "Type I error ± MCSE", _show_rate),
        simulated("bias", "bias_mcse", f"Bias ± MCSE{of_unit}", _show_bias),
        beside("empirical_se", "model_se", f"SE, empirical / model{of_unit}", show_number),
        simulated("coverage", "coverage_mcse", "Coverage ± MCSE", _show_rate),
    ]
    return build_table(
        rows,
        rules,
        title=title,
        sources=facts.sources(_TABLE),
        note="MCSE: Monte Carlo standard error; it is 0 where every trial rejects, or none. Bias "
        "is the estimate minus the difference that complete outcomes would show.",
    )


def _show_rate(value: float) -> str:
    return show_share(value, digits=2)


def _show_bias(value: float) -> str:
    return show_number(value, digits=2)
