"""The answer of a finished trial, in sentences."""

from reports.figures.labels import estimator_label
from reports.page.content import Answer, KeyNumber
from reports.page.formats import show_interval, show_p_value
from reports.page.gather import StudyFacts
from reports.page.privacy import Privacy
from reports.page.trial.findings import (
    EFFECTS,
    find,
    get_primary,
    get_unit,
    show_effect,
    show_estimate,
)
from reports.page.trial.unseen import count_randomized


def describe_trial_answer(facts: StudyFacts, privacy: Privacy) -> Answer:
    """Return what the pre-specified analysis says, and what it hangs on."""
    primary, unit = get_primary(facts), get_unit(facts)
    months = facts.describe(EFFECTS).visits_months
    when = f"month {months[-1]:g}" if months else "the last visit"
    held = primary["lower"] <= 0 <= primary["upper"]
    said = "does not show a difference" if held else "shows a difference"
    headline = (
        f"The trial {said} at {when}: treatment minus control is {show_estimate(facts, primary)} "
        f"{unit} by {estimator_label(primary['estimator'])}, p {_show_p(primary['p_value'])}."
    )
    details = [_tell_missing(facts, unit, held=held), _tell_gain(facts), _tell_decline(facts)]
    numbers = (
        KeyNumber(
            f"Effect, {unit}",
            show_effect(primary["estimate"]),
            show_interval(primary["lower"], primary["upper"], show_effect),
        ),
        KeyNumber(
            "People analysed, control + treatment",
            " + ".join(
                privacy.show_part(primary[f"n_{arm}"], count_randomized(facts, arm))
                for arm in ("control", "treatment")
            ),
            "",
        ),
        *_gain_number(facts),
    )
    sources = facts.sources(EFFECTS)
    return Answer(headline, tuple(filter(None, details)), sources, numbers)


def _show_p(value: float) -> str:
    shown = show_p_value(value)
    return shown if shown.startswith("<") else f"= {shown}"


def _tell_missing(facts: StudyFacts, unit: str, *, held: bool) -> str:
    """Return how far the missing may change the answer; its interval held 0 where `held`.

    Their outcomes are imputed, so that the difference may be significant and the answer none, or
    the other way round.
    """
    tip = find(facts, "tipping_point")
    if tip is None:
        return ""
    curve = facts.tables["trial_tipping_point"]
    p = _show_p(curve.loc[curve["delta"] == 0, "p_value"].iloc[0])
    imputed = "Imputed at random missingness, with jackknife errors, the difference is "
    if tip["value"] == 0:
        return f"{imputed}not significant: p {p}."
    falls = f"{imputed}significant: p {p}. It would not be" if held else "The conclusion would fall"
    if abs(tip["value"]) == float("inf"):
        kept = "No assumption that was tried about treated people who left takes the effect away."
        return f"{imputed}significant: p {p}. {kept}" if held else kept
    fared = "worse" if tip["value"] < 0 else "better"
    return (
        f"{falls} if treated people who left had fared {fared} than those who stayed by "
        f"{show_effect(abs(tip['value']))} {unit} or more each."
    )


def _tell_gain(facts: StudyFacts) -> str:
    gain = find(facts, "twin_gain")
    if gain is None:
        return ""
    shown = show_estimate(facts, gain, value="value")
    return f"The twin is worth {shown} times the people, beside baseline and covariates."


def _tell_decline(facts: StudyFacts) -> str:
    slope = find(facts, "effect_by_decline")
    if slope is None:
        return ""
    if slope["lower"] <= 0 <= slope["upper"]:
        return (
            "Whether fast and slow progressors gain alike is not known: the interval of what "
            "predicted decline adds to the effect holds 0."
        )
    more = "more" if slope["value"] > 0 else "less"
    return f"People whose twin declines faster gain {more}."


def _gain_number(facts: StudyFacts) -> tuple[KeyNumber, ...]:
    gain = find(facts, "twin_gain")
    if gain is None:
        return ()
    interval = show_interval(gain["lower"], gain["upper"], show_effect)
    return (KeyNumber("Twin's gain, times the people", show_effect(gain["value"]), interval),)
