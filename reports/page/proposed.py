"""What a study proposes and how sure it is of it, in sentences."""

from collections.abc import Hashable, Mapping
from typing import Any, Final

import pandas as pd

from cohorts.balance import find_unlike
from cohorts.counting import agree
from cohorts.schema import BREAK_EVEN
from reports.figures.labels import covariate_label, strategy_words
from reports.page.choice import REFERENCE, CheapestChoice, primary_analysis
from reports.page.content import KeyNumber
from reports.page.formats import (
    Format,
    is_blank,
    show_chance,
    show_count,
    show_fraction,
    show_interval,
    show_mean_people,
    show_money,
    show_number,
    show_share,
    show_size,
    show_tally,
    show_text,
)
from reports.page.gather import StudyFacts
from reports.page.size_words import describe_group, describe_size, describe_uncertainty

OUTCOMES: Final = {
    "observed": "Outcomes come from the screened people's own follow-up",
    "archive": "Outcomes come from an archive: {n} other people who were followed stand in for "
    "those who were only screened, weighted to agree with them at baseline",
    "predicted": "Outcomes are predicted for the people who were only screened, from their "
    "baseline and each strategy's score; how far predictions err was {source}",
    "assumed": "Outcomes are assumed, from numbers that the protocol states: nobody's follow-up "
    "was used, and no interval holds the error of these numbers",
}
"""Where the outcomes of simulated trials come from, by what the run noted."""

_WEIGHTED: Final = ("archive", "predicted")
"""Outcomes whose people carry weights where there is an archive."""

_LOW_POWER: Final = "70\u00a0%"
_SETTLED: Final = 0.70


def describe_doubts(choice: CheapestChoice) -> str:
    """Return what is not known of the choice and what would settle it; empty where it is settled.

    The sentences were written beside the numbers that they are about.
    """
    proposal = choice.proposal or {}
    return "" if proposal["is_settled"] else show_text(proposal["doubts"], limit=800)


def describe_proposed(choice: CheapestChoice) -> str:
    """Return the proposed size, the one found, and the power to be expected of it."""
    proposal, reference = choice.proposal or {}, choice.reference
    arms = f"{describe_size(choice.trial)} ({show_size(choice.best['n_control'])} as found)"
    if is_blank(proposal["expected_power"]):
        arms = f"{describe_size(choice.trial)} for {show_fraction(proposal['target_power'])} power"
        power = ""  # the doubts say that it was not computed
    else:
        power = (
            f". Its expected power is {show_share(proposal['expected_power'], digits=0)}, averaged "
            "over the error of cohort and model, with a "
            f"{show_chance(proposal['low_power_probability'])} chance that it is below {_LOW_POWER}"
        )
    enrolling = "Enrolling"
    if not proposal["is_settled"]:
        enrolling = f"The {choice.least} choice as things stand: enrolling"
    start = f"{enrolling} {describe_group(choice.best)} needs {arms}{power}"
    if not choice.is_enriched:
        less = "costs less" if choice.by == "cost" else "needs fewer"
        return f"{start}; no strategy that selects people {less}."
    if reference is None:
        return f"{start}."
    return f"{start}. Enrolling at random needs {describe_size(reference)} as found."


def are_outcomes_assumed(facts: StudyFacts) -> bool:
    """Return whether no follow-up of anyone says what outcomes are."""
    kind = facts.config(facts.writers["sample_sizes"]).get("outcomes", "")
    return kind == "assumed" or (kind == "predicted" and not facts.has("archive_balance"))


def describe_outcomes(facts: StudyFacts, choice: CheapestChoice) -> str:
    """Return where outcomes come from, and how many people stand for those to be enrolled."""
    n_people = (choice.proposal or {})["pool_size"]
    people = show_tally(n_people, "people")
    kind = facts.config(facts.writers["sample_sizes"]).get("outcomes", "")
    if kind in _WEIGHTED and facts.has("archive_balance"):
        people += ", counted before weighting,"
    stand = f"{people} {agree(n_people, 'stand')} in for those who would be enrolled."
    source = OUTCOMES.get(kind)
    if source is None:
        return stand
    balance = facts.tables.get("archive_balance")
    n_archive = "" if balance is None else show_count(balance["n_archive"].iloc[0])
    tested = "assumed, not measured"
    if balance is not None:
        theirs = show_tally(balance["n_archive"].iloc[0], "people")
        tested = f"measured on the {theirs} of an archive beyond each cut-off"
    said = source.format(n=n_archive, source=tested)
    if kind == "assumed":
        return f"{said}."
    unlike = "" if balance is None else _describe_imbalance(balance)
    return " ".join(f"{said}; {stand} {unlike}".split())


def _describe_imbalance(balance: pd.DataFrame) -> str:
    """Return in what no weights make an archive agree; empty where they do."""
    unlike = find_unlike(balance)
    if unlike.empty:
        return ""
    named = ", ".join(
        f"{covariate_label(str(name))} ({size:.2f} SD)" for name, size in unlike.items()
    )
    return (
        f"No weights make the archive agree with the people screened in {named}, so sizes are "
        "those of other people than these."
    )


def describe_found(choice: CheapestChoice) -> str:
    """Return the size as found, with its intervals and the power to be expected of it."""
    power = (choice.proposal or {})["uncorrected_power"]
    if is_blank(power):
        return f"The size as found has the {describe_uncertainty(choice.best)}."
    return (
        f"As found, that is before correcting for having picked the {choice.least} of several, the "
        f"size is {describe_size(choice.best)} ({describe_uncertainty(choice.best)}); its "
        f"expected power is {show_share(power, digits=0)}."
    )


def describe_assured(choice: CheapestChoice) -> str:
    """Return the size that is large enough with a probability of 90 %; empty where not known."""
    proposal = choice.proposal or {}
    if is_blank(proposal["n_control_assured"]):
        return ""
    arms = {name: proposal[f"{name}_assured"] for name in ("n_control", "n_treatment")}
    return (
        f"The assured size is {describe_size(arms)}: its power is at least {_LOW_POWER} with a "
        "probability of 90\u00a0%."
    )


def describe_budget(choice: CheapestChoice) -> str:
    """Return the power of the choice for the money that enrolling everyone costs."""
    saving = choice.saving
    if saving is None or not choice.is_enriched or is_blank(saving["power_equal_budget"]):
        return ""
    low, high = saving["power_equal_budget_lower"], saving["power_equal_budget_upper"]
    bracket = "" if is_blank(low) else f" (95 % interval {show_interval(low, high, show_share)})"
    return (
        "For the cost of enrolling everyone at "
        f"{show_fraction(choice.best['target_power'])} power, this choice would have "
        f"{show_share(saving['power_equal_budget'])} power as found{bracket}."
    )


def describe_break_even(facts: StudyFacts, choice: CheapestChoice) -> str:
    """Return how much less the selected may be slowed than everyone before nothing is saved."""
    if not (choice.is_enriched and facts.has("sensitivity")):
        return ""
    table = facts.tables["sensitivity"]
    rows = table[table["parameter"] == BREAK_EVEN]
    if rows.empty:
        return ""
    low, high = rows["low_value"].iloc[0], rows["high_value"].iloc[0]
    ratio = low if low < 1 else high
    return (
        "The treatment is assumed to slow decline as much in the people selected as in everyone. "
        "Slowing may depend on disease stage; at "
        f"{show_number(ratio, digits=2)} times that of everyone the saving vanishes."
    )


def describe_repetition(choice: CheapestChoice) -> str:
    """Return how often the choice came out again, and how often such a choice is truly cheapest.

    Empty where the doubts say it already.
    """
    proposal, share = choice.proposal, (choice.repeated or {})["share_chosen"]
    if proposal is not None and proposal["share_chosen"] < _SETTLED:
        return ""
    said = f"; the same choice came out in {show_fraction(round(share, 2))} of the samples"
    if proposal is None or is_blank(proposal["truly_cheapest_rate"]):
        return said
    rate = show_share(proposal["truly_cheapest_rate"], digits=0)
    return f"{said}; of choices that came out as often, about {rate} truly were the cheapest"


def describe_regret(facts: StudyFacts, choice: CheapestChoice, currency: str) -> str:
    """Return the choice of least expected regret, and how likely it is the cheapest."""
    if not facts.has("decisions"):
        return ""
    table = facts.tables["decisions"]
    rows = table[table["is_least_regret"] & (table["analysis"] == primary_analysis(facts))]
    if rows.empty:
        return ""
    least = rows.iloc[0].to_dict()
    lost = show_amount(choice, currency)(least["expected_regret"])
    words = f"{strategy_words(least['strategy'])} at {show_fraction(least['fraction_enrolled'])}"
    saves = "" if least["strategy"] == REFERENCE else _describe_saves(least, choice)
    return (
        f"The choice with the least expected regret is {words}: on average {lost} above the best "
        f"choice of each sample. It is the {choice.least} with a probability of "
        f"{show_chance(least['probability_cheapest'])}{saves}."
    )


def show_amount(choice: CheapestChoice, currency: str) -> Format:
    """Return how a mean of what is to be small is shown: money, or people in the control arm."""
    if choice.by == "cost":
        return lambda value: show_money(value, currency)
    return lambda value: f"{show_tally(value, 'people', show_mean_people)} in the control arm"


def list_proposed_numbers(choice: CheapestChoice, currency: str) -> tuple[KeyNumber, ...]:
    """Return the most important numbers of a proposal, all of the same whole people."""
    proposal, best = choice.proposal or {}, choice.best
    saving = choice.saving or {}
    wide = show_interval(best["n_control_lower_cohort"], best["n_control_upper_cohort"], show_size)
    found = [
        KeyNumber("Proposed control arm, people", show_size(proposal["n_control_proposed"]), ""),
        KeyNumber("Control arm as found", show_size(best["n_control"]), wide),
        KeyNumber("To screen, people", show_size(proposal["n_to_screen"]), ""),
    ]
    if choice.by == "cost":
        found.append(KeyNumber("Cost", show_money(proposal["cost"], currency), ""))
    if not is_blank(proposal["low_power_probability"]):
        chance = show_chance(proposal["low_power_probability"])
        found.append(KeyNumber(f"Chance of power below {_LOW_POWER}", chance, ""))
    if not is_blank(proposal["n_control_assured"]):
        assured = show_size(proposal["n_control_assured"])
        found.append(KeyNumber("Assured control arm, people", assured, ""))
    if choice.is_enriched and not is_blank(saving.get("saving_n_control")):
        low, high = saving["saving_n_control_lower"], saving["saving_n_control_upper"]
        shown = show_count(saving["saving_n_control"])
        paired = show_interval(low, high, show_count)
        found.append(KeyNumber("Saved in the control arm, as found", shown, paired))
    return tuple(found)


def _describe_saves(row: Mapping[Hashable, Any], choice: CheapestChoice) -> str:
    if is_blank(row["probability_saves"]):
        return ""
    less = "cheaper" if choice.by == "cost" else "smaller"
    chance = show_chance(row["probability_saves"])
    return f", and {less} than enrolling everyone with a probability of {chance}"
