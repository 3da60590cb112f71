"""What the user states about a source of people; the loading of it with progress."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cohorts.cohort import Cohort

SourceArgument = Annotated[
    Path,
    typer.Argument(
        help="A BIDS dataset, FreeSurfer subjects folder, CSV, TSV or Parquet table, BrLP CSV."
    ),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", help="COLUMN=standard_name for a column not recognized; repeatable."),
]
AgeUnitOption = Annotated[
    str | None,
    typer.Option(help="Unit of ages: years, months or hundredths. Detected where left out."),
]
SexCodingOption = Annotated[
    str | None, typer.Option(help="What the codes of sex mean, for example 0=M,1=F.")
]
DiagnosisCodingOption = Annotated[
    str | None,
    typer.Option(help="What the codes of diagnosis mean, for example 1=CN,2=MCI,3=AD."),
]
DiagnosisOption = Annotated[
    str | None,
    typer.Option(help="Everyone's diagnosis (CN, MCI or AD), for data that hold none."),
]
TopCodedAgeOption = Annotated[
    float | None, typer.Option(help="The age that a bound such as 90+ stands for, years.")
]
MissingOption = Annotated[
    str | None,
    typer.Option(help="Codes of missing values, for example -4,-9999; none: there are none."),
]
IgnoreOption = Annotated[
    list[str] | None, typer.Option(help="A column to leave out; repeatable.", metavar="COLUMN")
]
ProfileOption = Annotated[
    str | None,
    typer.Option(help="A known study or tool (adnimerge, oasis3, nacc ...), or a TOML file."),
]
ShowReadingOption = Annotated[
    bool,
    typer.Option(
        "--show-reading",
        help="Print what each column was understood as, beside the first visits as read.",
    ),
]
PipelineOption = Annotated[
    str | None,
    typer.Option(help="The folder under derivatives/ that gives segmentations and volumes."),
]
BidsFilterOption = Annotated[
    Path | None,
    typer.Option("--bids-filter-file", help="JSON of entities for t1w and dseg, as fMRIPrep's."),
]
QuarantineOption = Annotated[
    bool,
    typer.Option("--quarantine", help="Let sound people go on; list the others with reasons."),
]


def parse_column_map(pairs: list[str] | None) -> dict[str, str]:
    """Return column -> standard name for `COLUMN=standard_name` options.

    Raises
    ------
    CohortError
        For text of another form.
    """
    from cohorts.errors import CohortError

    split = [pair.rpartition("=") for pair in pairs or []]
    wrong = [
        pair
        for pair, (name, _, target) in zip(pairs or [], split, strict=True)
        if not name or not target
    ]
    if wrong:
        raise CohortError(
            *(f"--map must read COLUMN=standard_name, got '{pair}'." for pair in wrong)
        )
    return {name.strip(): target.strip() for name, _, target in split}


def read_bids_filters(path: Path | None) -> dict[str, Any]:
    """Return the entities that a filter file asks for, by kind of file.

    Raises
    ------
    CohortError
        Where the file is no JSON object of objects, or speaks of neither t1w nor dseg.
    """
    import json

    from cohorts.errors import CohortError

    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise CohortError(f"{path} could not be read as JSON: {error}.") from error
    kinds = ("t1w", "dseg")
    if not isinstance(content, dict) or not all(
        isinstance(content.get(k, {}), dict) for k in kinds
    ):
        raise CohortError(f'{path} must be an object like {{"t1w": {{"acquisition": "highres"}}}}.')
    if not set(kinds) & set(content):
        raise CohortError(f"{path} must say something of t1w or dseg, got {', '.join(content)}.")
    return {kind: content[kind] for kind in kinds if kind in content}


def load_source(path: Path, *, quiet: bool = False, **stated: Any) -> "Cohort":
    """Return the cohort at `path`; show the progress of its scans, then what was decided.

    Parameters
    ----------
    path
        The source.
    quiet
        Show neither.
    **stated
        Passed on to `cohorts.sources.loading.load_cohort`.
    """
    from rich.console import Console
    from rich.progress import Progress

    from cohorts.sources.loading import load_cohort

    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("Reading scans", visible=False)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        cohort = load_cohort(path, progress=advance, **stated)
    if not quiet:
        for note in cohort.notes:
            typer.echo(f"Note: {note}", err=True)
        for problem in cohort.rejected["problem"]:
            typer.echo(f"Left out: {problem}", err=True)
    return cohort
