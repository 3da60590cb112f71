"""Sentences to paste into the sample-size section of a protocol and into the analysis plan."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from reports.figures.labels import analysis_label
from reports.page.choice import CheapestChoice, choose, pick_best_fractions, primary_analysis
from reports.page.content import Block, Listing, Section
from reports.page.formats import (
    is_blank,
    show_count,
    show_fraction,
    show_number,
    show_share,
    show_size,
    show_tally,
    show_text,
)
from reports.page.gather import StudyFacts
from reports.page.sections.gaps import describe_gap, show_setting
from reports.page.size_words import describe_group, describe_size, describe_uncertainty
from reports.page.units import show_region, show_unit

_TITLE = "Text for the protocol and the analysis plan"
_TABLE = "operating_characteristics"
_MOMENTS = "pool_moments"
_SYNTHETIC = "SYNTHETIC people: these numbers show how the software answers, and plan no trial."


def describe_paragraphs(facts: StudyFacts) -> Section:
    """Return one paragraph for the sample-size section and one for the analysis plan."""
    choice = choose(facts)
    if choice is None or not facts.has(_TABLE):
        return Section(_TITLE, describe_gap(facts, "sample_sizes", _TABLE))
    # what is pasted elsewhere leaves the page's own mark behind
    mark = [_SYNTHETIC] if facts.is_synthetic else []
    protocol = [*mark, *_sample_size(facts, choice), *_effect(facts, choice), _software(facts)]
    plan = [*mark, *_analysis(facts), *_performance(facts, choice), _software(facts)]
    blocks: tuple[Block, ...] = (
        Listing("Protocol, sample size", (" ".join(protocol),)),
        Listing("Statistical analysis plan, simulation and analysis", (" ".join(plan),)),
    )
    return Section(_TITLE, blocks)


def _sample_size(facts: StudyFacts, choice: CheapestChoice) -> list[str]:
    best, trial, reference = choice.best, choice.trial, choice.reference
    total = show_size(trial["n_control"] + trial["n_treatment"])
    sure = describe_uncertainty(best)
    if choice.proposal is not None:
        sure = f"as found {describe_size(best)}, {sure}"
    sentences = [
        f"A total of {total} participants ({describe_size(trial)}; {sure}) "
        f"gives {show_fraction(best['target_power'])} power {_error(facts)}.",
        f"Participants are {describe_group(best)}: "
        f"{show_tally(trial['n_to_screen'], 'people have', show_size)} to be screened.",
    ]
    if choice.is_enriched and reference is not None:
        sentences.append(
            f"Without this selection (prognostic enrichment) the trial would need "
            f"{describe_size(reference)}."
        )
    if not is_blank(best["closed_form_n_control"]):
        closed = show_size(best["closed_form_n_control"])
        sentences.append(f"The closed form gives {closed} in the control arm.")
    return sentences


def _effect(facts: StudyFacts, choice: CheapestChoice) -> list[str]:
    asked = facts.describe(_TABLE)
    effect = show_setting(asked.slowing, "slowing")
    what = show_text(asked.relative_to or "the decline")
    control = show_setting(asked.dropout_control, "dropout_control")
    treated = show_setting(asked.dropout_treatment, "dropout_treatment")
    left = f"{control} of each arm has"
    if control != treated:
        left = f"{control} of the control and {treated} of the treatment arm have"
    return [
        f"The treatment is assumed to slow {what} of the volume ({show_region(asked.endpoint)}) by "
        f"{effect}, with visits at months {show_setting(asked.visits_months)}; by the last visit "
        f"{left} left, which is part of the simulation.",
        *_assumed_change(facts, choice),
    ]


def _assumed_change(facts: StudyFacts, choice: CheapestChoice) -> list[str]:
    asked = facts.describe(_TABLE)
    if not asked.visits_months or not facts.has(_MOMENTS):
        return []
    rows = facts.tables[_MOMENTS]
    mine = (rows["strategy"] == choice.best["strategy"]) & (
        rows["fraction_enrolled"] == choice.best["fraction_enrolled"]
    )
    told = show_assumed_change(rows[mine], asked.visits_months, asked.unit)
    return [] if told is None else [told]


def show_assumed_change(
    moments: pd.DataFrame, visits_months: Sequence[float], unit: str | None
) -> str | None:
    """Tell what untreated people are expected to do: mean, standard deviation and correlation.

    Parameters
    ----------
    moments
        The rows of `pool_moments` of one choice.
    visits_months
        The design's, from the baseline on.
    unit
        Of the outcome.

    Returns
    -------
    str or None
        A sentence; None where the moments are not those of the first and the last visit.
    """
    table = moments.set_index(["quantity", "other"])
    first, last = (f"month {month:g}" for month in (visits_months[0], visits_months[-1]))
    pairs = [(first, first), (last, last), (last, first)]
    if not all(pair in table.index for pair in pairs):
        return None
    start, end, joint = table["covariance"].loc[pairs].to_numpy(float)
    (_, change, _) = table["true_change"].loc[pairs].to_numpy(float)
    words = show_unit(unit)
    # var(Y_last - Y_first) = var(Y_last) + var(Y_first) - 2 cov
    sd = (start + end - 2 * joint) ** 0.5
    return (
        f"Untreated, those enrolled are taken to change by {show_number(change, digits=3)} {words} "
        f"until month {visits_months[-1]:g}; the standard deviation of the measured change between "
        f"them is {show_number(sd, digits=3)} {words}, and the first and the last volume correlate "
        f"{show_number(joint / (start * end) ** 0.5, digits=3)}."
    )


def _error(facts: StudyFacts) -> str:
    asked = facts.describe(_TABLE)
    level = "the nominal level" if asked.alpha is None else show_fraction(asked.alpha)
    side = {1: "one-sided ", 2: "two-sided "}.get(asked.sides or 0, "")
    return f"at a {side}type I error of {level}"


def _analysis(facts: StudyFacts) -> list[str]:
    analysis = primary_analysis(facts)
    rows = facts.tables[_TABLE]
    measure = ""
    if "estimand" in rows:
        named = rows.loc[rows["analysis"] == analysis, "estimand"].iloc[0]
        measure = f" Its summary measure is the {str(named)[:1].lower()}{str(named)[1:]}."
    return [
        f"The primary analysis is {analysis_label(analysis)}, tested {_error(facts)}.{measure}",
        "The score that selects participants, its cut-off and its software version are frozen "
        "before unblinding.",
    ]


def _performance(facts: StudyFacts, choice: CheapestChoice) -> list[str]:
    table = facts.tables[_TABLE]
    points = table[table["analysis"] == primary_analysis(facts)]
    rows = pick_best_fractions(facts, points)
    mine: dict[Any, Any] = (
        rows[rows["strategy"] == choice.best["strategy"]]
        .assign(apart=lambda r: (r["n_control"] - choice.trial["n_control"]).abs())
        .sort_values("apart", kind="stable")
        .iloc[0]
        .to_dict()
    )
    sentences = [
        f"Operating characteristics were simulated with {show_count(mine['n_simulations'])} "
        f"trials a design point (Monte Carlo standard error of power at most "
        f"{show_share(points['mcse'].max(), digits=2)}): with {show_count(mine['n_control'])} in "
        f"the control arm the power is {show_share(mine['power'])}"
    ]
    if not is_blank(mine["type_one_error"]):
        error, mcse = (show_share(mine[name], digits=2) for name in _ERRORS)
        sentences[0] += f", the type I error without an effect {error} (standard error {mcse})"
    if not is_blank(mine["bias"]):
        sentences[0] += f", the bias {show_number(mine['bias'], digits=2)}"
    if not is_blank(mine["coverage"]):
        sentences[0] += f", the coverage of the interval {show_share(mine['coverage'])}"
    sentences[0] += "."
    failed, fitted = points["n_failed_fits"].sum(), points["n_simulations"].sum()
    sentences.append(
        f"{show_count(failed)} of {show_count(fitted)} fits of this analysis failed and count as "
        "not rejecting."
    )
    return sentences


def _software(facts: StudyFacts) -> str:
    run_id = facts.writers[_TABLE]
    run = facts.runs.loc[facts.runs["run_id"] == run_id].iloc[0]
    version = json.loads(str(run["versions"])).get("trialsim", "")
    seed = facts.reference(run_id).seed
    seeded = "" if seed is None else f", seed {seed}"
    return f"Computed with trialsim {version}{seeded} (run {run_id} of the study file)."


_ERRORS = ("type_one_error", "type_one_error_mcse")
