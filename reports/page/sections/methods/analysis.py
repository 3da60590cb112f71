"""The analysis models, their failed fits, the closed form beside the simulation."""

from typing import Final

import pandas as pd

from reports.figures.labels import analysis_label, strategy_label
from reports.page.choice import name_best_fraction, pick_best_fractions
from reports.page.columns import build_facts, build_table, number, simulated, words
from reports.page.content import Block, Paragraph, Section, Table
from reports.page.formats import show_count, show_fraction, show_number, show_share, show_text
from reports.page.gather import StudyFacts
from reports.page.sections.gaps import describe_gap

_TABLE = "operating_characteristics"

_BEYOND_3_SE: Final = 0.0027
"""The share of a normal distribution beyond 3 standard errors, on both sides."""

_MODELS: Final = {
    "change": "Two-sample t test of the change from baseline to the last visit",
    "ancova": "Last visit on arm and baseline, ordinary least squares, t with N - 2 - q df",
    "ancova_score": (
        "Last visit on arm, baseline and the strategy's score, ordinary least squares (PROCOVA)"
    ),
    "random_slope": "Random intercept and slope, difference of mean slopes, REML",
    "random_slope_score": (
        "Random intercept and slope, the strategy's score and score by time, difference of mean "
        "slopes, REML"
    ),
    "mmrm": (
        "Change from baseline: arm by visit, baseline by visit, unstructured covariance, REML; "
        "difference at the last visit"
    ),
    "mmrm_score": (
        "Change from baseline: arm by visit, baseline by visit, the strategy's score by visit, "
        "unstructured covariance, REML; difference at the last visit"
    ),
}

_INFERENCE: Final = {
    "satterthwaite": "Satterthwaite's degrees of freedom",
    "kenward_roger": "Kenward and Roger's standard error and degrees of freedom",
    "pooled": "one covariance for both arms",
    "by_arm": "a covariance for each arm",
    "model": "the model's standard error",
    "cr0": "standard errors clustered by participant (CR0), Bell and McCaffrey's df",
    "cr2": "standard errors clustered by participant (CR2), Bell and McCaffrey's df",
}


def describe_analysis(facts: StudyFacts) -> Section:
    """Return each analysis in words, failed fits, and the agreement with the closed form."""
    if not facts.has(_TABLE):
        return Section("Analysis model", describe_gap(facts, _TABLE))
    rows = facts.tables[_TABLE]
    models = [
        (analysis_label(name), _MODELS.get(name, "see the configuration of the run"))
        for name in dict.fromkeys(rows["analysis"])
    ]
    if any("mmrm" in name or "random_slope" in name for name in rows["analysis"]):
        models.append(("Mixed models", _describe_inference(facts)))
    blocks: list[Block] = [
        build_facts("Analyses", models, sources=facts.sources(_TABLE)),
        _failures(facts),
    ]
    compared = rows[rows["closed_form_power"].notna() & (rows["mcse"] > 0)]
    if len(compared):
        blocks += [
            _agreement(facts, compared),
            _closed_form(facts, pick_best_fractions(facts, compared)),
        ]
    return Section("Analysis model", tuple(blocks))


def _describe_inference(facts: StudyFacts) -> str:
    asked = facts.describe(_TABLE)
    standard_error = asked.standard_error or "model"
    named = [asked.covariance or "pooled", standard_error]
    if standard_error == "model":
        named.append(asked.degrees_of_freedom or "satterthwaite")
    return "; ".join(_INFERENCE.get(word, show_text(word)) for word in named)


def _failures(facts: StudyFacts) -> Paragraph:
    rows = facts.tables[_TABLE]
    failed, fitted = rows["n_failed_fits"].sum(), rows["n_simulations"].sum()
    return Paragraph(
        f"{show_count(failed)} of {show_count(fitted)} fits failed. A failed fit counts as not "
        "rejecting the null hypothesis; a random-slope fit on the boundary of its parameters is "
        "kept.",
        facts.sources(_TABLE),
    )


def _agreement(facts: StudyFacts, rows: pd.DataFrame) -> Paragraph:
    apart = rows["difference_in_mcse"].abs()
    beyond = int((apart > 3).sum())
    return Paragraph(
        f"{show_count(len(rows))} design points also have a closed form (and a simulated power "
        "other than 0 and 100\u00a0%). Those that differ from it by more than 3 Monte Carlo "
        f"standard errors: {beyond}, of which chance alone gives {_show_chance(len(rows))}; the "
        f"largest difference is {show_number(apart.max(), digits=2)} standard errors. The closed "
        "form is an approximation, so with many simulations small differences show.",
        facts.sources(_TABLE),
    )


def _show_chance(n_points: int) -> str:
    return show_number(_BEYOND_3_SE * n_points, digits=1)


def _closed_form(facts: StudyFacts, rows: pd.DataFrame) -> Table:
    rules = [
        words("strategy", "Strategy", strategy_label),
        number("fraction_enrolled", "Fraction enrolled", show_fraction),
        words("analysis", "Analysis", analysis_label),
        number("n_control", "Control arm, people", show_count),
        simulated("power", "mcse", "Simulated power ± MCSE", show_share),
        number("closed_form_power", "Closed-form power", show_share),
        number("difference_in_mcse", "Difference, MCSE", lambda v: show_number(v, digits=2)),
    ]
    return build_table(
        rows,
        rules,
        title="Simulation beside closed form",
        sources=facts.sources(_TABLE),
        note=f"Each strategy {name_best_fraction(facts)}; every point is in the appendix.",
    )
