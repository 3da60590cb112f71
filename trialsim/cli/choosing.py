"""What `rank` and `compare` share: their options, the people and strategies that these name."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from cohorts.cohort import Cohort
    from trialsim.enrichment import FastProgressorDefinition, Strategy
    from trialsim.enrichment.screening import Screening

StrategiesOption = Annotated[
    str | None,
    typer.Option(help="Strategies, with commas; left out, all that the data allow."),
]
ScoresOption = Annotated[
    Path | None, typer.Option(help="CSV of scores: participant_id, one column a strategy.")
]
PredictionsOption = Annotated[
    Path | None,
    typer.Option(help="CSV or Parquet of predicted volumes; left out, those of the study."),
]
TrainOption = Annotated[
    Path | None,
    typer.Option(help="Another cohort to fit on; left out, strategies are cross-fitted."),
]
FoldsOption = Annotated[int, typer.Option(help="Folds of cross-fitting.")]
EndpointOption = Annotated[str, typer.Option(help="Region whose volume declines.")]
UnitOption = Annotated[str, typer.Option(help="percent or mm3.")]
HorizonOption = Annotated[float, typer.Option(help="When the decline is measured, months.")]
WindowOption = Annotated[float, typer.Option(help="How far from it a visit may be, months.")]
OutputOption = Annotated[Path | None, typer.Option(help="Folder for tables (CSV) and figures.")]


def build_definition(**options: Any) -> "FastProgressorDefinition":
    """Return the definition of fast progressors that the options give."""
    from trialsim.enrichment import FastProgressorDefinition

    return FastProgressorDefinition(**options)


def build_screening(
    people: "Cohort",
    definition: "FastProgressorDefinition",
    *,
    cohort: Path | None,
    study: Path,
    predictions: Path | None,
    train_on: Path | None,
    endpoint: str,
    folds: int,
) -> "Screening":
    """Put together what strategies may see, from the cohort, the study, the files named.

    Raises
    ------
    TrialsimError
        One sentence for each thing that cannot be read or used.
    """
    from trialsim.cli.power import read_latent_volumes, read_predictions
    from trialsim.enrichment import build_screening_tables

    predicted = read_predictions(study) if predictions is None else read_table(predictions)
    training = None
    if train_on is not None:
        from cohorts.sources.loading import load_cohort

        training = build_screening_tables(
            load_cohort(train_on), definition, region=endpoint, predictions=predicted
        )
    return build_screening_tables(
        people,
        definition,
        region=endpoint,
        latent_volumes=read_latent_volumes(cohort),
        predictions=predicted,
        training=training,
        n_folds=folds,
    )


def list_strategies(
    screening: "Screening", strategies: str | None, scores: Path | None
) -> "list[Strategy]":
    """Return the strategies that are named, or all that the data allow, then the user's own."""
    from trialsim.enrichment import build_strategies, read_score_strategies
    from trialsim.enrichment.registry import list_possible_strategies

    names = list_possible_strategies(screening.tables) if strategies is None else split(strategies)
    given = read_score_strategies(scores, screening.tables.index) if scores is not None else []
    return [*build_strategies(names), *given]


def read_table(path: Path) -> "pd.DataFrame":
    """Read predictions from CSV or Parquet.

    Raises
    ------
    TrialsimError
        Where the file cannot be read, or is no table of predictions.
    """
    import pandas as pd

    from cohorts.schema import validate_table
    from trialsim.errors import DesignError

    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(path, dtype={"participant_id": str, "model_id": str})
    except (OSError, ValueError) as error:
        raise DesignError(f"The predictions {path} cannot be read: {error}.") from error
    return validate_table(table, "predictions")


def split(text: str) -> list[str]:
    """Return the parts of a list with commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def split_numbers(text: str, kind: type[Any] = float) -> list[Any]:
    """Return the numbers of a list with commas."""
    try:
        return [kind(part) for part in split(text)]
    except ValueError as error:
        raise typer.BadParameter(f"expected numbers with commas, got {text!r}.") from error


def list_inputs(*paths: Path | None) -> list[Path]:
    """Return the files that were named, for the record."""
    return [path for path in paths if path is not None and path.is_file()]


def report_people(people: "Cohort", scores: "pd.DataFrame", *, quiet: bool) -> None:
    """Say on stderr whether people are synthetic, and which strategies could not score everyone."""
    from trialsim.enrichment.scoring import count_missing_scores

    if quiet:
        return
    if people.is_synthetic:
        typer.echo(
            f"Note: {people.name} is SYNTHETIC; these numbers are of no real people.", err=True
        )
    missing = count_missing_scores(scores)
    for strategy, count in missing[missing > 0].items():
        typer.echo(
            f"Note: {strategy} has no score for {count} people; they rank last, in random order.",
            err=True,
        )


def write_labelled(figure: "Figure", folder: Path, name: str, people: "Cohort") -> None:
    """Write a figure as SVG and PNG; one of synthetic people says so."""
    from reports.figures.export import write_figure

    if people.is_synthetic:
        figure.suptitle("Synthetic people", fontsize=9, x=0.99, ha="right")
    write_figure(figure, folder, name, {})


def write_tables(tables: "dict[str, pd.DataFrame]", folder: Path) -> None:
    """Write each table as CSV."""
    from cohorts.table_files import write_table

    for name, table in tables.items():
        write_table(table, folder / f"{name}.csv")
