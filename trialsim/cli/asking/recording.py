"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Final

import typer

from trialsim.cli.asking.options import require_months

CohortArgument = Annotated[
    Path | None,
    typer.Argument(help="A cohort folder, BIDS dataset or table; left out, the study's own."),
]
StudyOption = Annotated[Path, typer.Option("--study", help="The study file to read and write.")]
LAST_SEED: Final = 2**63 - 1
SeedOption = Annotated[
    int, typer.Option("--seed", min=0, max=LAST_SEED, help="The seed of everything random.")
]
HorizonsOption = Annotated[
    list[float],
    typer.Option(callback=require_months, help="Months after baseline; give it once for each."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "--out", help="Folder for tables (CSV) and figures."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Say nothing but the result.")]

ControlOption = Annotated[
    str | None, typer.Option(help="The control's name in the column arm, if not control.")
]

DEFAULT_STUDY = Path("study.duckdb")
MeasuredByOption = Annotated[
    str | None, typer.Option(help="Tool whose volumes count, where several measured one visit.")
]
