"""The parts of a finished trial's page."""

from typing import Any

import pandas as pd

from reports.figures.labels import covariate_label, estimator_label
from reports.figures.trial import (
    plot_individual_effects,
    plot_tipping_point,
    plot_trial_effects,
    plot_twins,
)
from reports.page.columns import (
    build_facts,
    build_table,
    counted,
    counted_beside,
    number,
    with_interval,
    words,
)
from reports.page.content import Block, Paragraph, Picture, Section
from reports.page.formats import (
    show_count,
    show_decimals,
    show_number,
    show_p_value,
    show_share,
    show_text,
)
from reports.page.gather import StudyFacts
from reports.page.privacy import Privacy
from reports.page.trial.findings import (
    EFFECTS,
    find,
    get_primary,
    get_unit,
    show_effect,
    show_level,
)
from reports.page.trial.unseen import count_randomized, keep_uncounted, show_analysed
from reports.page.units import show_region

_REGULATION = (
    "FDA's guidance on covariates (2023) covers baseline covariates in linear and nonlinear "
    "models; it leaves out repeated measures, covariates made by machine learning, Bayesian "
    "methods and covariates for missing data. EMA (2022) qualified PROCOVA, a prognostic score in "
    "a linear model, for continuous endpoints of phase 2 and 3 trials. A twin's mixed model, its "
    "weights and individual effects are outside both. Nothing here is qualified by a regulator."
)


def describe_effects(facts: StudyFacts, privacy: Privacy) -> Section:
    """Return the primary analysis with every other estimator beside it."""
    frame = show_analysed(facts, facts.tables[EFFECTS], privacy)
    unit, sources = get_unit(facts), facts.sources(EFFECTS)
    rules = [
        words("estimator", "Estimator", estimator_label),
        words("effect", "Effect"),
        with_interval("estimate", "lower", "upper", "Treatment minus control", show_effect),
        number("se_robust", "Robust error", show_effect),
        number("se_model", "Model-based error", show_effect),
        words("standard_error", "Interval from"),
        number("df", "Df", lambda v: show_number(v, digits=4)),
        number("p_value", "p", show_p_value),
        counted_beside("n_control", "n_treatment", "People, control / treatment"),
    ]
    note = (
        f"In {unit}; a slope: a year. The first row is the primary analysis; the others show how "
        "far it hangs on its model, and are no second chances."
    )
    picture = Picture(
        "trial_effects",
        "Effect at the last visit by each estimator",
        "One interval an estimator; that of the primary analysis stands on top.",
        plot_trial_effects(frame, unit=unit),
        {"trial_effects": frame},
        sources,
    )
    table = build_table(frame, rules, title="Effects", sources=sources, note=note)
    return Section("What the treatment did", (picture, table))


def describe_trial_estimand(facts: StudyFacts) -> Section:
    """Return the attributes that ICH E9(R1) asks for, and each estimator's estimand."""
    primary, sources = get_primary(facts), facts.sources(EFFECTS)
    endpoint = show_region(facts.describe(EFFECTS).endpoint)
    months = facts.describe(EFFECTS).visits_months or ()
    rows = [
        ("Population", "Everyone randomized whose outcome at baseline is known"),
        ("Treatment", "Treatment against control, as randomized"),
        ("Variable", f"Volume, {endpoint}, {get_unit(facts)}, at months "
                     + ", ".join(f"{month:g}" for month in months)),
        ("Intercurrent events", "Leaving the trial: hypothetical strategy in the primary analysis; "
                                "the part on missing data shows others"),
        ("Summary measure", show_text(primary["estimand"], limit=400)),
    ]  # fmt: skip
    each = build_table(
        facts.tables[EFFECTS],
        [
            words("estimator", "Estimator", estimator_label),
            words("estimand", "What it estimates", lambda v: show_text(v, limit=400)),
        ],
        title="Estimand of each estimator",
        sources=sources,
    )
    return Section("Estimand", (build_facts("Estimand", rows, sources=sources), each))


def describe_people(facts: StudyFacts, privacy: Privacy) -> Section:
    """Return who was randomized, who was seen, and how alike the arms are."""
    seen, baseline = facts.tables["trial_visits"], facts.tables["trial_baseline"]
    flow = build_table(
        _hide_few(seen, privacy),
        [
            words("arm", "Arm"),
            number("months", "Month", lambda v: f"{v:g}"),
            number("n", "Randomized", show_count),
            counted("seen", "Seen"),
            number("share_seen", "Share seen", show_share),
        ],
        title="People by arm and visit",
        sources=facts.sources("trial_visits"),
    )
    rules = [
        words("covariate", "At baseline", covariate_label),
        number("mean_control", "Control", show_effect),
        number("mean_treatment", "Treatment", show_effect),
        number("sd", "SD", show_effect),
        number("standardized_difference", "Difference, SD", show_decimals),
    ]
    alike = build_table(
        baseline,
        rules,
        title="Arms at baseline",
        sources=facts.sources("trial_baseline"),
        note="Of a category, shares of people. No p values: randomization makes every difference "
        "one of chance.",
    )
    return Section("Who was randomized, who was seen", (flow, alike))


def _hide_few(seen: pd.DataFrame, privacy: Privacy) -> pd.DataFrame:
    """Return who was seen, without the number of an arm's few people who were not."""
    small = pd.Series(
        [privacy.hides_part(n_seen, n) for n_seen, n in seen[["n_seen", "n"]].to_numpy()],
        index=seen.index,
    )
    # both arms together would give the one away
    both = (seen["arm"] == "all") & small.groupby(seen["months"]).transform("any")
    told = [privacy.show_part(n_seen, n) for n_seen, n in seen[["n_seen", "n"]].to_numpy()]
    shown = pd.Series(told, index=seen.index).mask(both & ~small, "hidden")
    return seen.assign(seen=shown, share_seen=seen["share_seen"].mask(small | both))


def describe_missing(facts: StudyFacts) -> Section:
    """Return the effect under other assumptions about people who left, and the tipping point."""
    unit = get_unit(facts)
    rules = [
        words("strategy", "Treated people who left", lambda v: show_text(v).replace("_", " ")),
        words("assumption", "Assumption", lambda v: show_text(v, limit=200)),
        with_interval("estimate", "lower", "upper", f"Effect, {unit}", show_effect),
        number("se", "Jackknife error", show_effect),
        number("se_rubin", "Rubin's error", show_effect),
        number("p_value", "p", show_p_value),
    ]
    twin = " and twin" if facts.has("twin_outcomes") else ""
    note = (
        "Conditional means with jackknife errors; Rubin's errors are too large for the strategies "
        "that borrow from the control arm. Control people who left are imputed at random "
        f"missingness. Model: unstructured, pooled covariance; baseline, covariates{twin}."
    )
    blocks: list[Block] = [
        build_table(
            facts.tables["trial_assumptions"],
            rules,
            title="Assumptions about the missing",
            sources=facts.sources("trial_assumptions"),
            note=note,
        )
    ]
    tip = find(facts, "tipping_point")
    if tip is not None and facts.has("trial_tipping_point"):
        curve = facts.tables["trial_tipping_point"]
        blocks.append(
            Picture(
                "trial_tipping_point",
                "How treated people who left must have fared for the difference to vanish",
                "The effect shrinks as a number is added to their imputed outcomes.",
                plot_tipping_point(
                    curve, tips_at=float(tip["value"]), unit=unit, level=show_level(facts)
                ),
                {"trial_tipping_point": curve},
                facts.sources("trial_tipping_point"),
            )
        )
    return Section("What the missing may change", tuple(blocks))


def describe_twins(facts: StudyFacts, privacy: Privacy) -> Section:
    """Return twins beside what was observed, individual effects, effects by predicted decline."""
    if not facts.has("twin_outcomes"):
        text = "This trial was analysed without twins: `trialsim twins` makes them from baseline."
        return Section("Twins and individual effects", (Paragraph(text),))
    unit = get_unit(facts)
    model = facts.config(facts.writers[EFFECTS]).get("twins_model")
    blocks: list[Block] = [
        *([Paragraph(f"Twins by {show_text(model)}, from baseline alone.")] if model else []),
        _draw_twins(facts, unit, privacy),
    ]
    if facts.has("observed_images", "prediction_images"):
        # as for predicted scans: few studies have scans to read
        from reports.page.trial.twin_scans import describe_observed_scans

        blocks += describe_observed_scans(facts)
    blocks += _individuals(facts, unit, privacy) + _by_decline(facts, unit)
    return Section("Twins and individual effects", tuple(blocks))


def _draw_twins(facts: StudyFacts, unit: str, privacy: Privacy) -> Block:
    every, sources = facts.tables["twin_outcomes"], facts.sources("twin_outcomes")
    last = every[every["months"] == every["months"].max()].dropna()
    arms = [keep_uncounted(facts, people, str(arm), privacy) for arm, people in last.groupby("arm")]
    if not all(map(len, arms)):
        return Paragraph("Too few people of an arm were seen to show them beside their twins.")
    shown = pd.concat(arms).drop(columns="participant_id")
    return Picture(
        "twins",
        "Observed and twin at the last visit",
        "Where treatment works its people lie above the line, controls on it."
        + _tell_undrawn(len(shown) < len(last)),
        plot_twins(shown, unit=unit),
        {"twins": shown},
        sources,
    )


def _tell_undrawn(are_some: bool) -> str:
    if not are_some:
        return ""
    return " Some people are not drawn, so that the few who were not seen cannot be counted."


def _individuals(facts: StudyFacts, unit: str, privacy: Privacy) -> list[Block]:
    if not facts.has("individual_effects"):
        return [Paragraph("No individual effects: too few observed controls to calibrate them.")]
    everyone = facts.tables["individual_effects"]
    kept = keep_uncounted(facts, everyone, "treatment", privacy)
    if kept.empty:
        return [Paragraph("Too few treated people were seen to show their own effects.")]
    people = kept.drop(columns="participant_id")
    n_people = privacy.show_part(len(everyone), count_randomized(facts, "treatment"))
    telling = int(everyone["says_something"].sum())
    has = "has" if telling == 1 else "have"
    text = (
        f"Of {n_people} treated people, {telling} {has} an interval of their own effect that "
        "leaves out 0; of the others nothing is said. The intervals cover "
        f"{show_level(facts)} of treated people together, not each; this needs a twin that was not "
        "tuned on these controls, randomization that does not depend on covariates, and the same "
        "reasons for leaving in both arms."
    )
    picture = Picture(
        "individual_effects",
        "Observed minus twin of each treated person",
        "Split-conformal intervals, calibrated on the trial's controls."
        + _tell_undrawn(len(people) < len(everyone)),
        plot_individual_effects(people, unit=unit),
        {"individual_effects": people},
        facts.sources("individual_effects"),
    )
    return [Paragraph(text, facts.sources("individual_effects")), picture]


def _by_decline(facts: StudyFacts, unit: str) -> list[Block]:
    if not facts.has("effects_by_decline"):
        return []
    rules = [
        number("predicted_decline", f"Predicted decline, {unit}", show_effect),
        with_interval("effect", "lower", "upper", f"Effect there, {unit}", show_effect),
    ]
    note = (
        "At the quartiles of predicted decline; robust errors. The twin's error shrinks the trend."
    )
    frame, sources = facts.tables["effects_by_decline"], facts.sources("effects_by_decline")
    title = "Effect by predicted decline"
    return [build_table(frame, rules, title=title, sources=sources, note=note)]


def describe_trial_limits(facts: StudyFacts, privacy: Privacy) -> Section:
    """Return what the analysis does not show, with the regulatory facts."""
    notes = facts.config(facts.writers[EFFECTS]).get("notes", [])
    late = [text for text in notes if "after outcomes had been seen" in text]
    synthetic = (
        [Paragraph("The people of this trial are simulated: nothing here is about patients.")]
        if facts.is_synthetic
        else []
    )
    blocks: list[Block] = [
        *synthetic,
        *(Paragraph(text, is_warning=True) for text in late),
        *(Paragraph(str(text)) for text in notes if text not in late),
        *_compare_leaving(facts, privacy),
        Paragraph(
            "The outcome is a volume in scans, a surrogate: that its loss is slowed does not show "
            "that people fare better. The estimator on top was named by the command or by its "
            "default; this file does not show that it was named before outcomes were seen, nor "
            "that people were randomized as the table says."
        ),
        Paragraph(
            "Estimators of the people seen at the last visit take those who left to be like them; "
            "mixed models take outcomes to be missing at random given what was seen. Neither can "
            "be tested from these data."
        ),
        *_limit_twins(facts),
        Paragraph(_REGULATION),
    ]
    return Section("Limits and regulatory note", tuple(blocks))


def _compare_leaving(facts: StudyFacts, privacy: Privacy) -> list[Block]:
    """Return a warning where one arm lost clearly more people than the other."""
    seen = facts.tables["trial_visits"]
    last = seen[seen["months"] == seen["months"].max()].set_index("arm")
    if not {"control", "treatment"} <= set(last.index):
        return []
    share, n = last["share_seen"], last["n"]
    error = ((share * (1 - share) / n).sum()) ** 0.5
    if abs(share["treatment"] - share["control"]) <= max(2 * error, 0.05):
        return []
    control, treated = (_tell_share(last.loc[arm], privacy) for arm in ("control", "treatment"))
    text = (
        f"At the last visit {control} of control and {treated} of treated people were seen: "
        "leaving differs by arm, so that every analysis here hangs on why people left."
    )
    return [Paragraph(text, facts.sources("trial_visits"), is_warning=True)]


def _tell_share(row: "pd.Series[Any]", privacy: Privacy) -> str:
    n_seen, bound = row["n_seen"], privacy.least / row["n"]
    if privacy.hides(n_seen):
        return f"<{show_share(bound)}"
    if privacy.hides(row["n"] - n_seen):
        return f">{show_share(1 - bound)}"
    return show_share(row["share_seen"])


def _limit_twins(facts: StudyFacts) -> list[Block]:
    if not facts.has("twin_outcomes"):
        return []
    return [
        Paragraph(
            "A twin that is wrong costs precision: with randomized arms and robust errors it does "
            "not make an effect where there is none. It does make individual effects wrong, and "
            "the gain told here is this trial's, not a promise for the next. Weighted PROCOVA "
            "estimates another mean where effects differ."
        )
    ]
