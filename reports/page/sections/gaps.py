"""What a part of the page says where the study has no data for it."""

from collections.abc import Iterable
from typing import Any, Final

from cohorts.schema import find_command
from reports.figures.labels import strategy_label
from reports.page.columns import build_facts
from reports.page.content import Block, Paragraph, Table
from reports.page.formats import Format, show_count, show_fraction, show_text
from reports.page.gather import StudyFacts

NOT_RECORDED = "not recorded"

_SHARES = (
    "slowing", "dropout_control", "dropout_treatment", "fractions_enrolled",
)  # fmt: skip
_AMOUNTS = ("screening", "participant", "visit", "per_month")
_MOST: Final = 12
"""Numbers of a list; of more of them the first and the last are told."""

_FORMS: Final[dict[str, Format]] = {
    **dict.fromkeys(_SHARES, show_fraction),
    **dict.fromkeys(_AMOUNTS, show_count),
}
"""How settings are shown whose number says nothing about its unit."""


def describe_gap(facts: StudyFacts, *tables: str) -> tuple[Block, ...]:
    """Return one paragraph for each command that would fill those `tables` that have no rows."""
    commands: dict[tuple[str, bool], list[str]] = {}
    for table in tables:
        if not facts.has(table):
            commands.setdefault((find_command(table), table in facts.empty), []).append(table)
    return tuple(
        Paragraph(_gap_sentence(command, names, has_run), facts.sources(*names))
        for (command, has_run), names in commands.items()
    )


def _gap_sentence(command: str, tables: list[str], has_run: bool) -> str:
    names = _listed([table.replace("_", " ") for table in tables])
    if has_run:
        return f"No {names}: `{command}`, which fills this part, has run and wrote no rows."
    return f"No {names} yet: `{command}` fills this part."


def describe_settings(
    facts: StudyFacts, title: str, keys: Iterable[tuple[str, str]], table: str
) -> Table:
    """Return attributes of the description of `table`, each under its words."""
    asked = facts.describe(table)
    rows = [(name, show_setting(getattr(asked, key), key)) for name, key in keys]
    return build_facts(title, rows, sources=facts.sources(table))


def show_setting(value: Any, key: str = "") -> str:
    """Return a setting as text: lists with commas, shares in percent."""
    if value is None:
        return NOT_RECORDED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple) and len(value) > _MOST and not isinstance(value[0], str):
        ends = (show_setting(inner, key) for inner in (min(value), max(value)))
        return f"{len(value)} from {' to '.join(ends)}"
    if isinstance(value, list | tuple):
        return ", ".join(show_setting(inner, key) for inner in value)
    if isinstance(value, int | float):
        return _FORMS.get(key, _show_plain)(value)
    return strategy_label(value) if key == "strategies" else show_text(value, limit=300)


def _show_plain(value: float) -> str:
    return f"{value:g}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
