"""Where the data come from: people, visits, drop-out, the effect put in."""

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.schema import order_diagnoses
from reports.figures import count_cohort, plot_cohort_overview
from reports.figures.cohort import count_sexes, list_panels, name_sex
from reports.page.columns import build_facts, build_table, number, words
from reports.page.content import Block, Paragraph, Picture, Section, Table
from reports.page.description import StudyDescription
from reports.page.formats import show_count, show_number, show_share, show_tally, show_text
from reports.page.gather import StudyFacts
from reports.page.privacy import Privacy
from reports.page.sections.gaps import describe_gap, show_setting
from reports.page.units import show_region, show_unit
from reports.store import queries

_TITLE = "Data-generating mechanism"
_TABLE = "operating_characteristics"
_SETTINGS = (
    ("Outcomes of the simulated trials", "outcomes"),
    ("Trajectories are drawn by", "trajectories"),
    ("Effect over time", "effect"),
    ("Slowing", "slowing"),
    ("Slowing is a share of", "relative_to"),
    ("Drop-out by the last visit, control", "dropout_control"),
    ("Drop-out by the last visit, treatment", "dropout_treatment"),
)
_WORDS = {
    ("outcomes", "archive"): "people of an archive who were followed, weighted to be like those "
    "screened",
    ("outcomes", "observed"): "the people of the cohort, as they were followed",
    ("outcomes", "predicted"): "predictions for the people screened, with their errors",
    ("outcomes", "assumed"): "numbers stated, of nobody",
    ("trajectories", "resampling"): "resampling people",
    ("trajectories", "parametric"): "a growth model fitted to people",
    ("effect", "slope"): "grows with time (a slower slope)",
    ("effect", "offset"): "the same at every visit after it begins (an offset)",
}
"""Settings that are a word of the protocol, as they are read."""


def describe_mechanism(facts: StudyFacts, privacy: Privacy) -> Section:
    """Return the cohort, its visits, and what the simulated trials assume."""
    blocks: list[Block] = [*describe_gap(facts, "participants", "visits", "volumes")]
    if facts.has("participants", "visits"):
        blocks += [
            _people(facts, privacy),
            _visits(facts, privacy),
            *_overview(facts, privacy),
        ]
    if facts.has(_TABLE):
        blocks += [
            _assumptions(facts),
            *_normal_ageing(facts),
            *_sites(facts),
            *_pools(facts),
        ]
    return Section(_TITLE, tuple(blocks))


def _assumptions(facts: StudyFacts) -> Table:
    asked = facts.describe(_TABLE)
    rows = []
    for name, key in _SETTINGS:
        value = getattr(asked, key)
        rows.append((name, _WORDS.get((key, value)) or show_setting(value, key)))
    return build_facts("Assumptions of the simulated trials", rows, sources=facts.sources(_TABLE))


def _people(facts: StudyFacts, privacy: Privacy) -> Table:
    people = facts.tables["participants"]
    region = facts.describe(_TABLE).endpoint or facts.describe("scores").endpoint or "hippocampus"
    baseline = _baseline_volume(facts, region)
    groups = [("All", people)] + [
        (name, people[people["diagnosis"] == name]) for name in order_diagnoses(people["diagnosis"])
    ]
    rows = []
    for name, group in groups:
        volume = baseline.reindex(group["participant_id"]).dropna()
        rows.append(
            {
                "group": name,
                "n": len(group),
                "age": group["age_years"].mean(),
                "age_sd": group["age_years"].std(),
                "women": (group["sex"] == "F").mean(),
                "volume": volume.mean() if len(volume) else None,
                "volume_sd": volume.std() if len(volume) else None,
            }
        )
    rules = [
        words("group", "Diagnosis at baseline"),
        number("n", "People", privacy.show_group),
        number("age", "Age, mean, years", show_number),
        number("age_sd", "Age, SD, years", show_number),
        number("women", "Women", show_share),
        number("volume", f"{show_region(region).capitalize()}, mean, mm³", show_count),
        number("volume_sd", f"{show_region(region).capitalize()}, SD, mm³", show_count),
    ]
    cohort_name = facts.describe("participants").cohort_name
    title = f"People at baseline, eligible{f': {show_text(cohort_name)}' if cohort_name else ''}"
    everyone, by_diagnosis = pd.DataFrame(rows[:1]), pd.DataFrame(rows[1:])
    shown = privacy.hide_groups(by_diagnosis, "n") if len(by_diagnosis) else by_diagnosis
    if len(shown):
        # a share of a number that is shown is a number of people
        by_sex = count_sexes(people)
        hidden = privacy.hide_table(by_sex).any(axis=1).reindex(shown["group"], fill_value=False)
        shown = shown.assign(women=shown["women"].mask(hidden.to_numpy()))
        if any(map(privacy.hides, by_sex.sum())):
            everyone, shown = everyone.assign(women=None), shown.assign(women=None)
    sources = facts.sources("participants", "volumes")
    return build_table(pd.concat([everyone, shown]), rules, title=title, sources=sources)


def _baseline_volume(facts: StudyFacts, region: str) -> "pd.Series[float]":
    if not facts.has("volumes", "visits"):
        return pd.Series(dtype=float)
    volumes = facts.study.query(queries.VOLUMES_OF_REGION, [facts.writers["volumes"], region])
    if volumes.empty:
        return pd.Series(dtype=float)
    people, visits = facts.tables["participants"], facts.tables["visits"]
    return Cohort(people, visits, volumes).volumes_at(region, 0)


def _normal_ageing(facts: StudyFacts) -> list[Block]:
    """Return what of the decline is not slowed, where the design takes normal ageing off."""
    asked = facts.describe(_TABLE)
    if asked.relative_to != "decline above normal ageing":
        return []
    stated = asked.normal_change_per_year
    change = (
        "is that of the people who are CN at baseline"
        if stated is None
        else f"is stated: {show_number(stated)} {show_unit(asked.unit)} a year"
    )
    text = f"The change in normal ageing, which the treatment leaves alone, {change}."
    return [Paragraph(text, facts.sources(_TABLE))]


def _sites(facts: StudyFacts) -> list[Block]:
    said = describe_sites(facts.describe(_TABLE))
    return [Paragraph(said, facts.sources(_TABLE))] if said else []


def describe_sites(asked: StudyDescription) -> str:
    """Return how outcomes differ between sites and what the trial makes of it; empty for one."""
    if asked.sites_n is None or asked.sites_n < 2:
        return ""
    unit = show_unit(asked.unit)
    spread = [
        f"{show_number(sd)} {unit} in {what}"
        for sd, what in (
            (asked.sites_sd, "the level of an outcome"),
            (asked.sites_change_sd, "the change to the last visit"),
        )
        if sd
    ]
    differ = f" whose SD is {' and '.join(spread)}" if spread else ", which do not differ"
    is_stratified = asked.sites_randomization == "stratified"
    drawn = "stratified by site" if is_stratified else "without regard to the site"
    effect = {"fixed": "a fixed effect of each site", "random": "a random effect of the site"}
    seen = effect.get(asked.sites_effect or "", "no effect of sites")
    return (
        f"People are at {show_tally(asked.sites_n, 'sites')} of equal size{differ}; they are "
        f"randomized {drawn}, and the analysis has {seen}."
    )


def _visits(facts: StudyFacts, privacy: Privacy) -> Table:
    visits, n_people = facts.tables["visits"], len(facts.tables["participants"])
    planned = (visits["months_from_baseline"] / 6).round() * 6
    counts = visits.groupby(planned)["participant_id"].nunique()
    frame = pd.DataFrame(
        {"months": counts.index, "n": counts.to_numpy(), "share": counts.to_numpy() / n_people}
    )
    rules = [
        number("months", "Months from baseline", show_count),
        number("n", "People with a visit", lambda n: privacy.show_part(n, n_people)),
        number("share", "Of those at baseline", show_share),
    ]
    small = frame["n"].map(lambda count: privacy.hides_part(count, n_people)).astype(bool)
    frame["share"] = frame["share"].mask(small)
    return build_table(
        frame,
        rules,
        title="Visits",
        sources=facts.sources("visits"),
        note="Visits are counted at the nearest half year.",
    )


def _overview(facts: StudyFacts, privacy: Privacy) -> list[Block]:
    people, visits = facts.tables["participants"], facts.tables["visits"]
    counts = count_cohort(people, visits, smallest=privacy.least, hide=privacy.hide_line)
    hidden = privacy.hide_table(count_sexes(people))
    bars = [name_sex(str(name), str(sex)) for sex in hidden for name in hidden.index[hidden[sex]]]
    counts = counts[~counts["group"].isin(bars)]
    panels = list_panels(counts)
    shown = ", ".join(words for words, is_shown in panels.items() if is_shown)
    absent = ", ".join(words for words, is_shown in panels.items() if not is_shown)
    if not shown:
        return []
    left_out = (
        ""
        if privacy.least == 1
        else f"; bars of fewer than {privacy.least}, and those that would give them away, are not "
        "drawn"
    )
    picture = Picture(
        "cohort-overview",
        f"The cohort: {shown}{left_out}{f'; too few to show: {absent}' if absent else ''}",
        f"Histograms of {tally(len(people), 'people')}: {shown}.",
        plot_cohort_overview(counts),
        {"cohort-overview": counts},
        facts.sources("participants", "visits"),
    )
    return [picture]


def _pools(facts: StudyFacts) -> list[Block]:
    rows = facts.tables[_TABLE]
    sizes = rows.loc[rows["pool_size"] > 0, "pool_size"]
    if sizes.empty:
        return []
    sources = facts.sources(_TABLE)
    span = f"{show_count(sizes.min())} to {show_count(sizes.max())}"
    of_whom = "archive" if facts.describe(_TABLE).outcomes == "archive" else "cohort"
    heads = " (heads, before they are weighted)" if facts.has("archive_balance") else ""
    blocks: list[Block] = [
        Paragraph(
            f"Simulated participants are drawn from pools of {span} people{heads} of the "
            f"{of_whom}, those whom each strategy selects; a pool stands for everyone whom it "
            "would enroll.",
            sources,
        )
    ]
    if sizes.min() < _SMALL_POOL:
        text = (
            f"The smallest pool has {show_tally(sizes.min(), 'people')}{heads}, fewer than "
            f"{_SMALL_POOL}: power at that fraction rests on few trajectories."
        )
        blocks.append(Paragraph(text, sources, is_warning=True))
    return blocks


_SMALL_POOL = 50
