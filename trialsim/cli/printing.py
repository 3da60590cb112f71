"""How tables are printed: for people as columns, for scripts as JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import pandas as pd

    from trialsim.study.calculators.looks import PlannedLooks
    from trialsim.study.planning import StudyPlan
    from trialsim.study.result import StudyResult


def print_table(frame: "pd.DataFrame", *, as_json: bool = False, widest: int | None = 70) -> None:
    """Print `frame` on stdout, as JSON records or as aligned columns of `widest` characters."""
    if as_json:
        typer.echo(frame.to_json(orient="records", date_format="iso", indent=2))
    elif frame.empty:
        typer.echo("(no rows)")
    else:
        typer.echo(_show_numbers(frame).to_string(index=False, na_rep="", max_colwidth=widest))


def _show_numbers(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Return the table as it is read: fractions as given, costs only where there are any.

    pandas rounds a whole column to what its longest number needs, and shows 0.25 as 0.2.
    """
    free = [name for name in frame if "cost" in str(name) and not frame[name].fillna(0).any()]
    shown = frame.drop(columns=free)
    for name in shown.select_dtypes("float"):
        is_p = str(name).endswith("p_value")
        shown[name] = [_show_number(value, is_p=is_p) for value in shown[name]]
    return shown


def _show_number(value: float, *, is_p: bool) -> str:
    if value != value:
        return ""
    return "<0.001" if is_p and value < 0.001 else f"{value:.6g}"


def print_tables(tables: "Mapping[str, pd.DataFrame]", *, notes: Sequence[str]) -> None:
    """Print tables by name as JSON, with what a reader must know."""
    records = {name: json.loads(one.to_json(orient="records")) for name, one in tables.items()}
    typer.echo(json.dumps({**records, "notes": list(notes)}, indent=2))


def print_answer(result: "StudyResult", *, as_json: bool = False) -> None:
    """Print what a study says, with the paths of its files."""
    parts = result.answer_in_parts
    paths = {"report": str(result.report_path), "study": str(result.path)}
    if as_json:
        found = {"answer": parts.headline, "details": list(parts.details)}
        typer.echo(json.dumps({**found, **paths}, indent=2))
        return
    typer.echo(result.answer)
    typer.echo(f"Report: {paths['report']}")
    typer.echo(f"Study:  {paths['study']}")


def print_plan(plan: "StudyPlan", *, as_json: bool = False) -> None:
    """Print what a run would do; exit 1 with what the data cannot carry, if there is any."""
    typer.echo(json.dumps(plan.to_dict(), indent=2) if as_json else str(plan))
    for problem in plan.problems:
        typer.echo(f"Error: {problem}", err=True)
    if plan.problems:
        raise typer.Exit(1)


def print_looks(planned: "PlannedLooks", *, paragraph: bool, as_json: bool) -> None:
    """Print looks with their bounds, and a paragraph for the protocol where it is asked for."""
    if as_json:
        typer.echo(json.dumps(planned.to_dict(), indent=2))
        return
    print_table(planned.tabulate())
    typer.echo("\n".join(planned.phrase()))
    if paragraph:
        typer.echo(f"\n{planned.write_paragraph()}")
