"""What the user states about a source of people; the loading of it with progress."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trialsim.cli.answering.progress import show_bar
from trialsim.cli.asking.options import Given, Shared

if TYPE_CHECKING:
    from cohorts.cohort import Cohort

SourceArgument = Annotated[
    Path,
    typer.Argument(
        help="A BIDS dataset, FreeSurfer subjects folder, CSV, TSV or Parquet table, BrLP CSV."
    ),
]


def _text(help_text: str, *flags: str) -> Shared:
    return Shared(Annotated[str | None, typer.Option(*flags, help=help_text)])


READING: Final = {
    "profile": _text("A known study or tool (adnimerge, oasis3, nacc ...), or a TOML file."),
    "column_map": Shared(
        Annotated[
            list[str] | None,
            typer.Option(
                "--map", help="COLUMN=standard_name for a column not recognized; repeatable."
            ),
        ]
    ),
    "age_unit": _text("Unit of ages: years, months or hundredths. Detected where left out."),
    "sex_coding": _text("What the codes of sex mean, for example 0=M,1=F."),
    "diagnosis_coding": _text("What the codes of diagnosis mean, for example 1=CN,2=MCI,3=AD."),
    "diagnosis": _text(
        "Everyone's diagnosis (CN, MCI, AD, another in one word), for data that hold none."
    ),
    "top_coded_age": Shared(
        Annotated[
            float | None,
            typer.Option(
                min=60, max=120, help="The age that a bound such as 90+ stands for, years."
            ),
        ]
    ),
    "missing": _text("Codes of missing values, for example -4,-9999; none: there are none."),
    "ignore": Shared(
        Annotated[
            list[str] | None,
            typer.Option(help="A column to leave out; repeatable.", metavar="COLUMN"),
        ]
    ),
    "pipeline": _text("The folder under derivatives/ that gives segmentations and volumes."),
    "bids_filter_file": Shared(
        Annotated[
            Path | None, typer.Option(help="JSON of entities for t1w and dseg, as fMRIPrep's.")
        ]
    ),
    "measured_by": _text("Tool whose volumes count, where several measured one visit."),
    "quarantine": Shared(
        Annotated[
            bool,
            typer.Option(
                "--quarantine", help="Let sound people go on; list the others with reasons."
            ),
        ],
        False,
    ),
}
"""The options that say how a source is read, by name."""


def load_source(path: Path, reading: Given, *, quiet: bool = False, **further: Any) -> "Cohort":
    """Return the cohort at `path`; show the progress of its scans, then what was decided.

    Parameters
    ----------
    path
        The source.
    reading
        What was typed for `READING`.
    quiet
        Show neither.
    **further
        Passed on to `cohorts.sources.loading.load_cohort`.
    """
    from cohorts.sources.bids.filter_file import read_bids_filters
    from cohorts.sources.columns import parse_column_map
    from cohorts.sources.loading import load_cohort

    stated = {**reading, "column_map": parse_column_map(reading["column_map"])}
    stated["ignore"] = reading["ignore"] or ()
    filters = stated.pop("bids_filter_file")
    stated["bids_filters"] = None if filters is None else read_bids_filters(filters)
    with show_bar(quiet=quiet) as advance:
        cohort = load_cohort(
            path,
            progress=lambda done, total: advance("Reading scans", done, total),
            **stated,
            **further,
        )
    if not quiet:
        for note in cohort.notes:
            typer.echo(f"Note: {note}", err=True)
        for problem in cohort.rejected["problem"]:
            typer.echo(f"Left out: {problem}", err=True)
    return cohort
