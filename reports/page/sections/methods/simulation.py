"""The simulation study as ADEMP (Morris, White & Crowther 2019, Stat Med 38:2074)."""

from typing import Any

import pandas as pd

from reports.figures.labels import analysis_label, strategy_label
from reports.page.columns import build_facts
from reports.page.content import Section, Table
from reports.page.formats import show_count, show_duration, show_share
from reports.page.gather import StudyFacts
from reports.page.sections.gaps import NOT_RECORDED, describe_gap, show_setting

_TABLE = "operating_characteristics"


def describe_simulation(facts: StudyFacts) -> Section:
    """Return the ADEMP table, then the numbers of the simulation."""
    if not facts.has(_TABLE):
        return Section("Simulation study", describe_gap(facts, _TABLE))
    return Section("Simulation study", (_ademp(facts), _numbers(facts)))


def _ademp(facts: StudyFacts) -> Table:
    rows = facts.tables[_TABLE]
    strategies = ", ".join(strategy_label(name) for name in dict.fromkeys(rows["strategy"]))
    analyses = ", ".join(analysis_label(name) for name in dict.fromkeys(rows["analysis"]))
    pairs = [
        (
            "Aims",
            "Power, sample size and cost of a two-arm trial for each way of choosing whom to "
            "enroll",
        ),
        (
            "Data-generating mechanisms",
            f"{show_count(len(rows))} design points: {len(dict.fromkeys(rows['strategy']))} "
            f"strategies ({strategies}), {rows['fraction_enrolled'].nunique()} fractions "
            f"enrolled, {rows['n_control'].nunique()} sample sizes",
        ),
        ("Estimands", "Treatment difference as in the estimand above"),
        ("Methods", f"{analyses}; models under Analysis model"),
        (
            "Performance measures",
            "Power, type I error, bias, empirical and model standard error, coverage, each with "
            "its Monte Carlo standard error",
        ),
    ]
    return build_facts("ADEMP", pairs, sources=facts.sources(_TABLE))


def _numbers(facts: StudyFacts) -> Table:
    rows, asked = facts.tables[_TABLE], facts.describe(_TABLE)
    run_id = facts.writers[_TABLE]
    run = facts.runs.loc[facts.runs["run_id"] == run_id].iloc[0]
    pairs = [
        ("Simulated trials at each design point", _span(rows["n_simulations"])),
        ("Largest MCSE of power", show_share(rows["mcse"].max(), digits=2)),
        ("Failed fits", show_count(rows["n_failed_fits"].sum())),
        ("Root seed", NOT_RECORDED if pd.isna(run["seed"]) else str(int(run["seed"]))),
        ("Random generator", _GENERATOR),
        ("Streams", _STREAMS),
        ("Bootstrap of people, for sizes and costs", show_setting(asked.n_bootstrap)),
        ("Workers", show_setting(asked.workers)),
        ("Run time", show_duration(run["started_at"], run["ended_at"])),
    ]
    return build_facts("Numbers of the simulation", pairs, sources=facts.sources(_TABLE))


def _span(values: Any) -> str:
    low, high = values.min(), values.max()
    return show_count(low) if low == high else f"{show_count(low)} to {show_count(high)}"


_GENERATOR = "NumPy: Philox keyed by seed and replicate for trials; PCG64 for scores and bootstraps"
_STREAMS = (
    "Each replicate has its own stream, spawned from the root seed by its number: any replicate "
    "can be run again alone, and results do not depend on the number of workers"
)
