"""The signed page of a local validation: whether a model may choose people at a site."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import pandas as pd

from reports.page.columns import build_facts, build_table, number, words
from reports.page.content import Answer, Page, Paragraph, Section, Table
from reports.page.formats import is_missing, show_count, show_interval, show_now, show_number
from reports.page.labels import label_blocks, number_sections

_NAMES: Final = {
    "calibration_slope": "Slope of true on predicted change",
    "coverage_95": "Share of people within their 95 % interval",
    "spearman": "Spearman correlation of predicted and true change",
    "spearman_gain": "Gain in it over the regression on the baseline table",
    "refused_share": "Share of scans that the input check refuses",
    "false_atrophy_percent": "Mean change between scans and rescans (%)",
}
_HEADLINES: Final = {
    "use": "Use: the model fulfils every criterion that was stated for these people.",
    "do not use": "Do not use: the model fails a criterion that was stated for these people.",
    "too few people to tell": "Too few people to tell: an interval reaches beyond its limits.",
}


def compose_validation(record: Mapping[str, Any], moment: datetime, *, is_synthetic: bool) -> Page:
    """Return the page of a signed validation.

    Parameters
    ----------
    record
        Of `brlp_models.evaluation.local_validation.describe_validation`.
    moment
        When it is written, with its time zone.
    is_synthetic
        Whether the people are.
    """
    plan = record["plan"]
    stated = (
        ("Stated by", plan["stated_by"]),
        ("Stated on", plan["stated_on"]),
        ("Change judged", f"{plan['region'].replace('_', ' ')}, month {plan['horizon_months']:g}"),
        ("Plan (SHA-256)", record["plan_sha256"]),
    )
    judged = (
        ("Model", record["model"]),
        ("Cohort", record["cohort"]),
        ("Judged on", record["judged_on"]),
        ("trialsim", record["version"]),
        ("Record (SHA-256)", record["sha256"]),
    )
    rule = (
        "A criterion is met where its 95 % interval lies within what was stated, not met where it "
        "lies outside, and undecided otherwise. A model is for use where all are met, and not for "
        "use where any is not met. Intervals are bootstrapped over people, Wilson's for shares."
    )
    page = Page(
        title="Local validation: may this model choose people here?",
        answer=Answer(_HEADLINES[record["decision"]]),
        sections=number_sections(
            (
                Section(
                    "Criteria", (Paragraph(rule), _build_criteria(pd.DataFrame(record["criteria"])))
                ),
                Section("Stated beforehand", (build_facts("Plan", stated),)),
                Section("Judged once", (build_facts("Record", judged),)),
            )
        ),
        runs=(),
        is_synthetic=is_synthetic,
        written=moment,
        facts=(("Record (SHA-256)", record["sha256"]), ("Written", show_now(moment))),
    )
    return label_blocks(page)


def _build_criteria(frame: pd.DataFrame) -> Table:
    shown = frame.assign(
        criterion=frame["criterion"].map(_NAMES),
        wanted=[_show_limits(low, high) for low, high in frame[["low", "high"]].to_numpy()],
        interval=[
            show_interval(low, high, show_number)
            for low, high in frame[["lower", "upper"]].to_numpy(dtype=float)
        ],
    )
    rules = [
        words("criterion", "Criterion"),
        words("wanted", "Stated"),
        number("value", "Found", show_number),
        words("interval", "95 % interval"),
        number("n", "People", show_count),
        words("verdict", "Verdict"),
    ]
    return build_table(shown, rules, title="Criteria")


def _show_limits(low: float | None, high: float | None) -> str:
    if is_missing(low):
        return f"at most {show_number(high)}"
    if is_missing(high):
        return f"at least {show_number(low)}"
    return f"{show_number(low)} to {show_number(high)}"
