"""The state of the sliders as a document, and how to ask the same by command and in Python."""

import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd

from reports.figures.labels import strategy_label
from reports.figures.what_if import plot_what_if
from reports.page.columns import build_table, number, words
from reports.page.content import Answer, Listing, Page, Paragraph, Picture, Section
from reports.page.file_formats import ReportFormat
from reports.page.formats import show_count, show_fraction
from reports.page.writing import render_page
from reports.store.places import relate
from trialsim.analyses import ANALYSES
from trialsim.explorer.contents import Contents
from trialsim.explorer.scenario import AssumedSource, Scenario
from trialsim.explorer.simulating import state_settings
from trialsim.explorer.wording import describe_choice
from trialsim.study.keys import KEYS
from trialsim.study.phrasing import list_stated, phrase_value
from trialsim.study.question import describe_values

DOWNLOADS: Final = ("html", "rtf", "csv", "png")
"""The kinds of file that a state is downloaded as."""

_LONG: Final = 10
"""More numbers than one reads."""


def describe_ways(
    contents: Contents | None, asked: Scenario, assumed: AssumedSource | None
) -> list[tuple[str, str]]:
    """Return the same question as protocol, command and Python, each with its title.

    The protocol holds what the sliders set, the command what differs from the study that it takes
    the rest from, Python what differs from the defaults; asked in the folder of the study.
    """
    if contents is None:
        return _describe_assumed(asked, assumed or AssumedSource())
    changed = {"design": asked.design, "costs": asked.costs}
    protocol, here = contents.protocol.model_copy(update=changed), contents.path.absolute().parent
    before, after = describe_values(contents.protocol, here), describe_values(protocol, here)
    words = ["trialsim", "power", "--study", contents.path.name]
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            value = phrase_value(after[key]) if key in after else "none"
            words += ["--set", f"{key}={value}"]
    sections: dict[str, list[str]] = {}
    for key, value in state_settings(asked).items():
        section, _, name = key.partition(".")
        sections.setdefault(section, []).append(f"{name} = {phrase_value(value)}")
    text = "\n".join("\n".join([f"[{name}]", *lines]) for name, lines in sections.items())
    own = [repr(relate(protocol.cohort.path, here))]
    own += [f"{name}={_phrase_python(value)}" for name, value in _name(list_stated(protocol, here))]
    python = f"import trialsim as ts\nstudy = ts.power(ts.protocol({', '.join(own)}))"
    return [("Protocol", text), ("Command", shlex.join(words)), ("Python", python)]


def _name(stated: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """Return keyword arguments for values by dotted key; keys of one table become a mapping."""
    names = {key: name for name, key in KEYS.items()}
    found: dict[str, Any] = {}
    for key, value in stated.items():
        if key in names:
            found[names[key]] = value
        else:
            table, _, inner = key.rpartition(".")
            found.setdefault(names[table], {})[inner] = value
    return found.items()


def _phrase_python(value: Any) -> str:
    """Return a value as Python writes it; a long row of even steps as the rule that makes it."""
    if isinstance(value, list) and len(value) > _LONG and isinstance(value[0], float):
        parts = round(1 / (value[1] - value[0])) if value[1] > value[0] else 1
        first, last = round(value[0] * parts), round(value[-1] * parts)
        if value == [place / parts for place in range(first, last + 1)]:
            return f"[place / {parts} for place in range({first}, {last + 1})]"
    return repr(value)


def _describe_assumed(asked: Scenario, assumed: AssumedSource) -> list[tuple[str, str]]:
    design, costs = asked.design, asked.costs
    arguments: dict[str, Any] = {
        "mean_decline": assumed.mean_decline,
        "sd_decline": assumed.sd_decline,
        "score_correlation": assumed.score_correlation,
        "fraction_enrolled": asked.fraction_enrolled,
        "slowing": design.slowing,
        "power": design.target_power,
        "alpha": design.alpha,
        "sides": design.sides,
        "allocation_ratio": design.allocation_ratio,
        "retention": float(design.compute_retention(0)[-1]),
        # whoever enrolls everyone screens nobody
        "screening_cost": costs.screening if asked.fraction_enrolled < 1 else 0.0,
        "participant_cost": costs.participant,
        "distribution": "t",
    }
    own = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    options = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in arguments.items())
    if ANALYSES[asked.analysis].uses_score:
        own, options = f"{own}, adjust_for_score=True", f"{options} --adjust-for-score"
    python = f"import trialsim as ts\nts.analytic.prognostic_enrichment({own})"
    return [("Command", f"trialsim samplesize enrichment {options}"), ("Python", python)]


def build_page(
    contents: Contents | None,
    asked: Scenario,
    table: pd.DataFrame,
    assumed: AssumedSource | None = None,
) -> Page:
    """Return the state as a page: what is answered, every choice, the same by command."""
    at = (asked.strategy, asked.fraction_enrolled)
    design, currency = asked.design, asked.costs.currency
    rules = [
        words("strategy", "Strategy", strategy_label),
        number("fraction_enrolled", "Enrolled of the screened", show_fraction),
        number("n_control", "Control", show_count),
        number("n_treatment", "Treatment", show_count),
        number("n_to_screen", "Screened", show_count),
        number("cost", f"Cost, {currency}", show_count),
    ]
    picture = Picture(
        "what-if",
        "What each choice needs",
        "Control arm and cost against the fraction enrolled, a line a strategy.",
        plot_what_if(table, looked_at=at, currency=currency),
        {"choices": table},
    )
    about = Paragraph(
        "Closed form of the people of the study; it carries no error of cohort and prediction "
        "model, which the study's own report tells."
        if contents
        else "Closed form for assumed numbers: score and decline are bivariate normal."
    )
    # the page may leave this machine; who looks at the explorer has the study itself
    mask = None if contents is None or contents.is_identified else contents.mask
    ways = tuple(
        Listing(title, tuple((text if mask is None else mask.text(text)).splitlines()))
        for title, text in describe_ways(contents, asked, assumed)
    )
    sections = (
        Section("Every choice", (about, build_table(table, rules, title="Every choice"))),
        Section("The same by command or in Python", ways),
    )
    facts = (
        ("Slowing", f"{design.slowing:.0%}"),
        ("Power", f"{design.target_power:.0%}"),
        ("Type I error", f"{design.alpha:g}"),
        ("Drop-out by the last visit", f"{design.compute_share_left(0):.0%}"),
    )
    return Page(
        "A scenario",
        Answer(describe_choice(asked, table), picture=picture),
        sections,
        (),
        contents is not None and contents.result.is_synthetic,
        datetime.now(UTC),
        facts,
    )


def render_as(kind: str, page: Page, table: pd.DataFrame) -> bytes:
    """Return the file of one of `DOWNLOADS`, but for the figure alone."""
    if kind == "csv":
        return table.to_csv(index=False).encode()
    return render_page(page, ReportFormat(kind), figures=".")
