"""Where the data come from: people, visits, drop-out, the effect put in."""

import pandas as pd

from cohorts.schema import DIAGNOSES
from reports.figures import count_cohort, plot_cohort_overview
from reports.page.columns import build_table, number, words
from reports.page.content import Block, Paragraph, Picture, Section, Table
from reports.page.formats import show_count, show_number, show_share
from reports.page.gather import StudyFacts
from reports.page.privacy import Privacy
from reports.page.sections.gaps import describe_gap, describe_settings
from reports.store import queries

_TITLE = "Data-generating mechanism"
_SETTINGS = (
    ("Outcomes of the simulated trials", "outcomes"),
    ("Trajectories are drawn by", "trajectories"),
    ("Effect over time", "effect"),
    ("Slowing", "slowing"),
    ("Slowing is a share of", "relative_to"),
    ("Change in normal ageing, a year", "normal_change_per_year"),
    ("Drop-out by the last visit", "dropout"),
)


def describe_mechanism(facts: StudyFacts, privacy: Privacy) -> Section:
    """Return the cohort, its visits, and what the simulated trials assume."""
    blocks: list[Block] = [*describe_gap(facts, "participants", "visits", "volumes")]
    if facts.has("participants", "visits"):
        blocks += [
            _people(facts, privacy),
            _visits(facts, privacy),
            _overview(facts, privacy),
        ]
    if facts.has("operating_characteristics"):
        blocks += [
            describe_settings(
                facts, "Assumptions of the simulated trials", _SETTINGS, "operating_characteristics"
            ),
            *_pools(facts),
        ]
    return Section(_TITLE, tuple(blocks))


def _people(facts: StudyFacts, privacy: Privacy) -> Table:
    people = facts.tables["participants"]
    baseline = _baseline_volume(facts)
    groups = [("All", people)] + [
        (name, people[people["diagnosis"] == name])
        for name in DIAGNOSES
        if (people["diagnosis"] == name).any()
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
        number("volume", "Hippocampus, mean, mm³", show_count),
        number("volume_sd", "Hippocampus, SD, mm³", show_count),
    ]
    name = facts.setting("cohort_name", "participants")
    title = f"People screened{f' ({name})' if name else ''}"
    everyone, by_diagnosis = pd.DataFrame(rows[:1]), pd.DataFrame(rows[1:])
    shown = privacy.hide_groups(by_diagnosis, "n") if len(by_diagnosis) else by_diagnosis
    sources = facts.sources("participants", "volumes")
    return build_table(pd.concat([everyone, shown]), rules, title=title, sources=sources)


def _baseline_volume(facts: StudyFacts) -> "pd.Series[float]":
    if not facts.has("volumes", "visits"):
        return pd.Series(dtype=float)
    runs = [facts.writers["volumes"], facts.writers["visits"]]
    found = facts.study.query(queries.BASELINE_HIPPOCAMPUS, runs)
    return found.set_index("participant_id")["volume_mm3"]


def _visits(facts: StudyFacts, privacy: Privacy) -> Table:
    visits, n_people = facts.tables["visits"], len(facts.tables["participants"])
    planned = (visits["months_from_baseline"] / 6).round() * 6
    counts = visits.groupby(planned)["participant_id"].nunique()
    frame = pd.DataFrame(
        {"months": counts.index, "n": counts.to_numpy(), "share": counts.to_numpy() / n_people}
    )
    rules = [
        number("months", "Months from baseline", show_count),
        number("n", "People with a visit", privacy.show_people),
        number("share", "Of those at baseline", show_share),
    ]
    frame["share"] = frame["share"].mask(frame["n"].map(privacy.hides))
    return build_table(
        frame,
        rules,
        title="Visits",
        sources=facts.sources("visits"),
        note="Visits are counted at the nearest half year.",
    )


def _overview(facts: StudyFacts, privacy: Privacy) -> Picture:
    people, visits = facts.tables["participants"], facts.tables["visits"]
    counts = count_cohort(people, visits, smallest=privacy.least)
    left_out = "" if privacy.least == 1 else f"; bars of fewer than {privacy.least} are not drawn"
    return Picture(
        "cohort-overview",
        "The cohort: age, sex and diagnosis at baseline, follow-up, interval between visits"
        + left_out,
        f"Four histograms of {len(people):,} people: age, sex by diagnosis, months of follow-up, "
        "months between visits.",
        plot_cohort_overview(counts),
        {"cohort-overview": counts},
        facts.sources("participants", "visits"),
    )


def _pools(facts: StudyFacts) -> list[Block]:
    rows = facts.tables["operating_characteristics"]
    sizes = rows.loc[rows["pool_size"] > 0, "pool_size"]
    if sizes.empty:
        return []
    sources = facts.sources("operating_characteristics")
    span = f"{show_count(sizes.min())} to {show_count(sizes.max())}"
    blocks: list[Block] = [
        Paragraph(
            f"Simulated participants are drawn from pools of {span} people of the cohort, those "
            "whom each strategy selects; a pool stands for everyone whom it would enroll.",
            sources,
        )
    ]
    if sizes.min() < _SMALL_POOL:
        text = (
            f"The smallest pool has {show_count(sizes.min())} people, fewer than {_SMALL_POOL}: "
            "power at that fraction rests on few trajectories."
        )
        blocks.append(Paragraph(text, sources, is_warning=True))
    return blocks


_SMALL_POOL = 50
