"""What a part of the page says where the study has no data for it."""

from collections.abc import Iterable
from typing import Any

from reports.page.columns import build_facts
from reports.page.content import Block, Paragraph, Table
from reports.page.formats import show_text
from reports.page.gather import StudyFacts
from reports.store import FILLED_BY

NOT_RECORDED = "not recorded"


def describe_gap(facts: StudyFacts, *tables: str) -> tuple[Block, ...]:
    """Return one paragraph for each command that would write those `tables` that are missing."""
    commands: dict[str, list[str]] = {}
    for table in tables:
        if not facts.has(table):
            commands.setdefault(FILLED_BY[table], []).append(table.replace("_", " "))
    return tuple(
        Paragraph(f"No {_listed(names)} yet: `{command}` fills this part.")
        for command, names in commands.items()
    )


def describe_settings(
    facts: StudyFacts, title: str, keys: Iterable[tuple[str, str]], *tables: str
) -> Table:
    """Return settings of the run behind `tables`, each under its words; absent ones say so."""
    rows = [(name, show_setting(facts.setting(key, *tables))) for name, key in keys]
    return build_facts(title, rows, sources=facts.sources(*tables))


def show_setting(value: Any) -> str:
    """Return a setting as text: lists with commas, tables as `key: value`."""
    if value is None:
        return NOT_RECORDED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{key}: {show_setting(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(show_setting(inner) for inner in value)
    return show_text(f"{value:g}" if isinstance(value, float) else value, limit=300)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
