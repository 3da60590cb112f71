"""The answer on top of the page, in sentences."""

from typing import Any

from reports.figures.labels import analysis_label, strategy_words
from reports.page.choice import CheapestChoice, choose, scale_interval
from reports.page.content import Answer, KeyNumber
from reports.page.formats import (
    MISSING,
    Format,
    is_blank,
    show_count,
    show_fraction,
    show_interval,
    show_money,
    show_number,
    show_size,
    show_tally,
    show_text,
)
from reports.page.gather import StudyFacts
from reports.page.proposed import (
    are_outcomes_assumed,
    describe_assured,
    describe_break_even,
    describe_budget,
    describe_doubts,
    describe_found,
    describe_outcomes,
    describe_proposed,
    describe_regret,
    describe_repetition,
    list_proposed_numbers,
)
from reports.page.sections.choices.accrual import describe_duration
from reports.page.size_words import describe_group, describe_size, describe_uncertainty

Row = dict[Any, Any]


def describe_answer(facts: StudyFacts) -> Answer:
    """Return what the study says so far; without sample sizes, what is still to be run."""
    if not facts.has("sample_sizes"):
        return Answer("This study has no sample sizes: `trialsim power` computes them.")
    sources = facts.sources("sample_sizes", "sample_size_savings")
    choice = choose(facts)
    if choice is None:
        return Answer(
            "No strategy reaches the target power at any sample size that was tried; larger "
            "sample sizes in `trialsim power` would show whether one does.",
            sources=sources,
        )
    currency = show_text(facts.describe("sample_sizes").currency or "", limit=12)
    if choice.proposal is not None:
        return _describe_proposal(facts, choice, currency)
    details = [
        _saving_sentence(choice),
        _screening_sentence(choice, currency),
        _design_sentence(facts, choice),
        _choice_sentence(choice),
        describe_break_even(facts, choice),
    ]
    numbers = _key_numbers(choice, currency)
    return Answer(_headline(choice), tuple(filter(None, details)), sources, numbers)


def _describe_proposal(facts: StudyFacts, choice: CheapestChoice, currency: str) -> Answer:
    """Return the answer of a study that proposes whole numbers: its doubts, then the result."""
    outcomes = describe_outcomes(facts, choice)
    first, duration = are_outcomes_assumed(facts), describe_duration(facts)
    caution = " ".join(filter(None, [outcomes if first else "", describe_doubts(choice)]))
    sentences = [
        "" if first else outcomes,
        describe_found(choice),
        describe_assured(choice),
        _saving_sentence(choice),
        _screening_sentence(choice, currency, tells_months=not duration),
        duration,
        describe_budget(choice),
        _design_sentence(facts, choice),
        _choice_sentence(choice),
        describe_regret(facts, choice, currency),
        describe_break_even(facts, choice),
    ]
    headline = f"{caution} {describe_proposed(choice)}".lstrip()
    tables = ("sample_sizes", "sample_size_savings", "proposed_sizes", "decisions")
    numbers = list_proposed_numbers(choice, currency)
    details = tuple(filter(None, sentences))
    return Answer(headline, details, facts.sources(*tables), numbers, caution=caution)


def _key_numbers(choice: CheapestChoice, currency: str) -> tuple[KeyNumber, ...]:
    best, saving = choice.best, choice.saving or {}
    wide = show_interval(best["n_control_lower_cohort"], best["n_control_upper_cohort"], show_size)
    screened = show_interval(*scale_interval(best, "n_to_screen"), show_size)
    found = [
        KeyNumber("Control arm, people", show_size(best["n_control"]), wide),
        KeyNumber("To screen, people", show_size(best["n_to_screen"]), screened),
    ]
    if choice.by == "cost":
        shown = show_money(best["cost"], currency)
        found.append(KeyNumber("Cost", shown, _cost_interval(best)))
    if choice.is_enriched and not is_blank(saving.get("saving_n_control")):
        low, high = saving["saving_n_control_lower"], saving["saving_n_control_upper"]
        shown = show_count(saving["saving_n_control"])
        found.append(
            KeyNumber("Saved in the control arm", shown, show_interval(low, high, show_count))
        )
    return tuple(found)


def _headline(choice: CheapestChoice) -> str:
    best, reference = choice.best, choice.reference
    power = show_fraction(best["target_power"])
    start = f"Enrolling {describe_group(best)} needs {describe_size(best)}"
    end = f"({describe_uncertainty(best)}) for {power} power"
    if not choice.is_enriched:
        return f"{start} {end}; no strategy that selects people costs less."
    if reference is None:
        return f"{start} {end}."
    versus = show_interval(
        reference["n_control_lower_cohort"], reference["n_control_upper_cohort"], show_size
    )
    bracket = "" if versus == MISSING else f" ({versus})"
    return (
        f"{start} {end}, instead of {describe_size(reference)}{bracket} when enrolling at random."
    )


def _saving_sentence(choice: CheapestChoice) -> str:
    saving = choice.saving
    if saving is None or not choice.is_enriched or is_blank(saving["saving_n_control"]):
        return ""
    equal = choice.best["n_control"] == choice.best["n_treatment"]
    arm = "per arm" if equal else "in the control arm"
    low, high = saving["saving_n_control_lower"], saving["saving_n_control_upper"]
    found = "The saving" if choice.proposal is None else "The saving between sizes as found"
    start = f"{found} is {show_count(saving['saving_n_control'])} {arm}"
    if is_blank(low):
        return f"{start}; its paired interval was not computed."
    doubt = "" if low > 0 else "; the interval does not exclude that nothing is saved"
    return f"{start} (paired 95 % interval {show_interval(low, high, show_count)}{doubt})."


def _screening_sentence(choice: CheapestChoice, currency: str, *, tells_months: bool = True) -> str:
    trial = choice.trial
    parts = [show_tally(trial["n_to_screen"], "people must be screened", show_size)]
    parts[0] += _scaled(choice, "n_to_screen", show_size)
    if not is_blank(trial["cost"]) and trial["cost"] > 0:
        interval = "" if choice.proposal else _bracket(_cost_interval(choice.best))
        parts.append(f"the trial costs {show_money(trial['cost'], currency)}{interval}")
        parts += _cost_saving(choice, currency)
    if tells_months and not is_blank(trial["months_to_enroll"]):
        months = _scaled(choice, "months_to_enroll", _show_months)
        parts.append(f"enrollment takes {_show_months(trial['months_to_enroll'])} months{months}")
    return "; ".join(parts) + "."


def _scaled(choice: CheapestChoice, name: str, form: Format) -> str:
    """Return the interval of what is proportional to a size found; a proposed size is decided."""
    if choice.proposal is not None:
        return ""
    return _bracket(show_interval(*scale_interval(choice.best, name), form))


def _cost_interval(row: Row) -> str:
    return show_interval(row["cost_lower"], row["cost_upper"], show_money)


def _bracket(interval: str) -> str:
    return "" if interval == MISSING else f" (95 % interval {interval})"


def _show_months(value: Any) -> str:
    return show_number(value, digits=2)


def _cost_saving(choice: CheapestChoice, currency: str) -> list[str]:
    saving = choice.saving
    if saving is None or not choice.is_enriched or is_blank(saving["saving_cost"]):
        return []
    low, high = saving["saving_cost_lower"], saving["saving_cost_upper"]
    bracket = (
        "" if is_blank(low) else f" (paired 95 % interval {show_interval(low, high, show_money)})"
    )
    found = "" if choice.proposal is None else "as found, "
    return [f"{found}{show_money(saving['saving_cost'], currency)} less than at random{bracket}"]


def _design_sentence(facts: StudyFacts, choice: CheapestChoice) -> str:
    asked = facts.describe("sample_sizes")
    parts = [f"analysis {analysis_label(choice.best['analysis'])}"]
    if asked.slowing is not None:
        what = show_text(asked.relative_to or "the decline")
        parts.append(f"the treatment slows {what} by {show_fraction(asked.slowing)}")
    if asked.alpha is not None:
        side = {1: ", one-sided", 2: ", two-sided"}.get(asked.sides or 0, "")
        parts.append(f"type I error {show_fraction(asked.alpha)}{side}")
    return f"Assumed: {'; '.join(parts)}."


def _choice_sentence(choice: CheapestChoice) -> str:
    bounds = " and ".join(map(strategy_words, choice.bounds))
    without = f" ({bounds}, which no trial could carry out, not among them)" if bounds else ""
    start = (
        f"This is the {choice.least} of the {choice.n_compared} combinations of strategy and "
        f"fraction that were compared{without}."
    )
    repeated = choice.repeated
    if repeated is None or is_blank(repeated["cost_lower"]):
        return f"{start} The best of several looks better than it is."
    return (
        f"{start} The best of several looks better than it is: with the choice repeated among "
        f"other people of the same kind, the cost has the 95 % interval "
        f"{_cost_interval(repeated)}{describe_repetition(choice)}."
    )
