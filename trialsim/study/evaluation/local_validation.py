"""The signed page of a local validation: whether a model may choose people at a site."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from brlp_models.baselines.context import ContextBaseline
from brlp_models.evaluation.local_validation.judgement import (
    RECORD,
    Validation,
    describe_validation,
    refuse_second_judgement,
)
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.model.model import BrlpModel
from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.files.atomic import write_file
from reports.page.columns import build_facts, build_table, number, words
from reports.page.content import Answer, Page, Paragraph, Section, Table
from reports.page.file_formats import ReportFormat
from reports.page.formats import is_blank, show_count, show_interval, show_now, show_number
from reports.page.labels import label_blocks, number_sections
from reports.page.writing import render_page
from trialsim import __version__

PAGE: Final = "local_validation.html"

_NAMES: Final = {
    "calibration_slope": "Slope of true on predicted change",
    "coverage_95": "Share of people within their 95 % interval",
    "spearman": "Spearman correlation of predicted and true change",
    "spearman_gain": "Gain in it over the regression on the baseline table",
    "refused_share": "Share of people with a scan who cannot be predicted",
    "false_atrophy_percent": "Mean change between scans and rescans (%)",
}
_HEADLINES: Final = {
    "use": "Use: the model fulfils every criterion that was stated for these people.",
    "do not use": "Do not use: the model fails a criterion that was stated for these people.",
    "too few people to tell": "Too few people to tell: an interval reaches beyond what was stated, "
    "or fewer than ten people are known.",
}


def list_judged_facts(
    model: BrlpModel,
    people: Cohort,
    settings: EvaluationSettings,
    *,
    context: ContextBaseline | None,
    training: Path | None,
) -> dict[str, str]:
    """Return what of a judgement is known before anybody is predicted, and is the same afterward.

    Parameters
    ----------
    model, people, settings
        As in `evaluate_model`.
    context
        What tells the model's context in place of its auxiliary model.
    training
        The cohort that the regression on the baseline table is fitted on.
    """
    told = "the auxiliary model" if context is None else context.identity
    if training is not None:
        reference = training.name
    elif people.is_synthetic:
        reference = "simulated people"
    else:
        reference = "these people, cross-fitted"
    return {
        "model": model.model_id,
        "cohort": f"{people.name}, {tally(len(people.participants), 'people')}",
        "settings": f"{tally(settings.samples, 'draws')}, {settings.n_bootstrap} resamples, seed "
        f"{settings.seed}; context told by {told}; regression fitted on {reference}",
    }


def write_validation(
    found: Validation,
    out: Path,
    facts: Mapping[str, str],
    *,
    is_synthetic: bool,
    notes: Sequence[str] = (),
) -> Page:
    """Write the signed record of a validation and its page, and return the page.

    Where the folder holds the same judgement already, that one stays, with its day.

    Parameters
    ----------
    found
        Of `brlp_models.evaluation.local_validation.judgement.judge`.
    out
        Folder of the evaluation.
    facts
        Of `list_judged_facts`.
    is_synthetic
        Whether the people are.
    notes
        What must be known of how their volumes were measured.

    Raises
    ------
    ModelError
        Where the folder holds another judgement.
    """
    now = datetime.now(UTC)
    record = describe_validation(
        found,
        **facts,
        judged_on=now.date().isoformat(),
        version=__version__,
        notes=" ".join(notes),
    )
    kept = ("criteria", *facts)
    before = refuse_second_judgement(out, found.plan, {name: record[name] for name in kept})
    record = before or record
    page = compose_validation(record, now, is_synthetic=is_synthetic)
    write_file(out / RECORD, (json.dumps(record, indent=1) + "\n").encode())
    write_file(out / PAGE, render_page(page, ReportFormat("html"), figures=""))
    return page


def compose_validation(record: Mapping[str, Any], moment: datetime, *, is_synthetic: bool) -> Page:
    """Return the page of a signed validation.

    Parameters
    ----------
    record
        Of `brlp_models.evaluation.local_validation.judgement.describe_validation`.
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
        ("How", record["settings"]),
        ("Judged on", record["judged_on"]),
        ("trialsim", record["version"]),
        ("Record (SHA-256)", record["sha256"]),
    )
    rule = (
        "A criterion is met where its 95 % interval lies within what was stated, not met where it "
        "lies outside, and undecided otherwise. A model is for use where all are met, and not for "
        "use where any is not met. Intervals are bootstrapped over people, Wilson's for shares."
    )
    notes = (record["notes"],) if record["notes"] else ()
    page = Page(
        title="Local validation: may this model choose people here?",
        answer=Answer(_HEADLINES[record["decision"]], notes=notes),
        sections=number_sections(
            (
                Section(
                    "Criteria",
                    (
                        Paragraph(rule),
                        _build_criteria(pd.DataFrame(record["criteria"])),
                    ),
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
    if is_blank(low):
        return f"at most {show_number(high)}"
    if is_blank(high):
        return f"at least {show_number(low)}"
    return f"{show_number(low)} to {show_number(high)}"
