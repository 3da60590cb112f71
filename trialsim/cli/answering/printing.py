"""How tables are printed: for people as columns, for scripts as JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

import typer

from cohorts.counting import tally
from cohorts.identifiers import show_plainly
from trialsim.cli.answering.cells import show_column, title_column

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.study.calculators.looks import PlannedLooks
    from trialsim.study.planning import StudyPlan
    from trialsim.study.result import StudyResult

SYNTHETIC: Final = "SYNTHETIC people: no number here describes real patients."

_MOST_ON_TERMINAL: Final = 60
"""Rows of a table that a terminal shows: about a screen."""


def print_table(frame: "pd.DataFrame", *, as_json: bool = False, widest: int | None = 70) -> None:
    """Print `frame` on stdout: as JSON records, or as columns of at most `widest` characters.

    On a terminal columns fold into its width, and a long table is cut; elsewhere every row is a
    line.
    """
    if as_json:
        moments = frame.select_dtypes("datetime")
        zoned = frame.assign(**{str(name): moments[name].dt.tz_localize("UTC") for name in moments})
        typer.echo(zoned.to_json(orient="records", date_format="iso", indent=2))
        return
    if frame.empty:
        typer.echo("(no rows)")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    free = [name for name in frame if "cost" in str(name) and not frame[name].fillna(0).any()]
    shown = frame.drop(columns=free)
    exact = {str(name).removesuffix("_rounded") for name in shown if "_rounded" in str(name)}
    columns = [show_column(str(name), shown[name], whole=name not in exact) for name in shown]
    for name, (_, is_number) in zip(shown, columns, strict=True):
        justify: Literal["right", "left"] = "right" if is_number else "left"
        table.add_column(Text(title_column(str(name))), justify=justify, overflow="fold")
    console = Console(highlight=False)
    rows = zip(*(texts for texts, _ in columns), strict=True)
    n_shown = _MOST_ON_TERMINAL if console.is_terminal else len(frame)
    for row in islice(rows, n_shown):
        table.add_row(*(Text(_cut(show_plainly(text), widest)) for text in row))
    if not console.is_terminal:
        width = sum(max(len(str(title_column(str(name)))), *map(len, texts)) + 2
                    for name, (texts, _) in zip(shown, columns, strict=True))  # fmt: skip
        console = Console(highlight=False, width=max(width, 20))
    console.print(table)
    if len(frame) > n_shown:
        typer.echo(
            f"... and {tally(len(frame) - n_shown, 'rows')} more: into a file or a pipe all go."
        )


def _cut(text: str, widest: int | None) -> str:
    """Return at most `widest` characters; what is cut ends in dots."""
    return text if widest is None or len(text) <= widest else f"{text[: widest - 3]}..."


def print_json(content: object) -> None:
    """Print `content` as JSON that every reader takes: what is no number is null."""
    typer.echo(json.dumps(_without_nan(content), indent=2, allow_nan=False))


def _without_nan(content: object) -> object:
    if isinstance(content, Mapping):
        return {name: _without_nan(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_without_nan(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def print_tables(
    tables: "Mapping[str, pd.DataFrame]", *, notes: Sequence[str] | None = None
) -> None:
    """Print tables by name as JSON, with what a reader must know where a command tells notes."""
    records = {name: json.loads(one.to_json(orient="records")) for name, one in tables.items()}
    print_json(records if notes is None else {**records, "notes": list(notes)})


def print_answer(result: "StudyResult", *, as_json: bool = False) -> None:
    """Print what a study says, with the paths of its files."""
    parts, is_synthetic = result.answer_in_parts, result.is_synthetic
    paths = {"report": str(result.report_path), "study": str(result.path)}
    if as_json:
        found = {"answer": parts.headline, "details": list(parts.details)}
        print_json({**found, "is_synthetic": is_synthetic, **paths})
        return
    if is_synthetic:
        typer.echo(f"{SYNTHETIC}\n")
    if parts.caution:
        typer.echo(f"Caution: {parts.caution}\n")
    typer.echo(f"{parts.result}\n")
    for sentence in parts.details:
        typer.echo(f"- {sentence}")
    typer.echo()
    typer.echo(f"Report: {paths['report']}")
    typer.echo(f"Study:  {paths['study']}")


def print_plan(plan: "StudyPlan", *, as_json: bool = False) -> None:
    """Print what a run would do; exit 1 with what the data cannot carry, if there is any."""
    if as_json:
        print_json(plan.to_dict())
    else:
        typer.echo(str(plan))
    for problem in plan.problems:
        typer.echo(f"Error: {problem}", err=True)
    if plan.problems:
        raise typer.Exit(1)


def print_looks(planned: "PlannedLooks", *, paragraph: bool, as_json: bool) -> None:
    """Print looks with their bounds, and a paragraph for the protocol where it is asked for."""
    if as_json:
        print_json(planned.to_dict())
        return
    print_table(planned.tabulate())
    typer.echo("\n".join(planned.phrase()))
    if paragraph:
        typer.echo(f"\n{planned.write_paragraph()}")
