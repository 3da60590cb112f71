"""`trialsim rank`: whom each strategy would enroll."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.cli.choosing import (
    EndpointOption,
    FoldsOption,
    HorizonOption,
    OutputOption,
    PredictionsOption,
    ScoresOption,
    StrategiesOption,
    TrainOption,
    UnitOption,
    WindowOption,
)
from trialsim.cli.recording import (
    DEFAULT_STUDY,
    CohortArgument,
    JsonOption,
    QuietOption,
    SeedOption,
    StudyOption,
)

if TYPE_CHECKING:
    import pandas as pd

    from cohorts.cohort import Cohort


def rank(
    cohort: CohortArgument = None,
    study: StudyOption = DEFAULT_STUDY,
    strategies: StrategiesOption = None,
    fractions_enrolled: Annotated[
        str, typer.Option(help="Shares of the screened people, with commas.")
    ] = "0.3,0.5,0.75",
    scores: ScoresOption = None,
    predictions: PredictionsOption = None,
    train_on: TrainOption = None,
    folds: FoldsOption = 5,
    endpoint: EndpointOption = "hippocampus",
    unit: UnitOption = "percent",
    horizon_months: HorizonOption = 24.0,
    window_months: WindowOption = 6.0,
    seed: SeedOption = 1,
    output: OutputOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Score everyone by each strategy: whom it would enroll, whom it would leave out.

    Strategies: random, baseline_volume, regression, boosting, auxiliary, brlp, stacked, oracle,
    and the columns of a score file. What learns from follow-up is cross-fitted.

    Example: trialsim rank cohort --strategies random,regression,brlp --fractions-enrolled 0.3,0.5
    """
    import numpy as np

    from trialsim.cli.choosing import (
        build_definition,
        build_screening,
        list_inputs,
        list_strategies,
        report_people,
        split_numbers,
    )
    from trialsim.cli.recording import load_screened, recorded_run
    from trialsim.enrichment import compute_group_differences, score_people, select_people

    definition = build_definition(
        unit=unit, horizon_months=horizon_months, window_months=window_months
    )
    people = load_screened(cohort, study)
    screening = build_screening(
        people,
        definition,
        cohort=cohort,
        study=study,
        predictions=predictions,
        train_on=train_on,
        endpoint=endpoint,
        folds=folds,
    )
    chosen = list_strategies(screening, strategies, scores)
    fractions = split_numbers(fractions_enrolled)
    config = {
        "strategies": [strategy.name for strategy in chosen],
        "fractions_enrolled": fractions,
        "fast_progressor": vars(definition),
        "endpoint": endpoint,
        "folds": folds,
        "train_on": str(train_on or ""),
    }
    files = list_inputs(scores, predictions)
    with recorded_run(study, config=config, cohort=people, seed=seed, inputs=files) as run:
        rng = np.random.default_rng(seed)
        tables = {"scores": score_people(chosen, screening.tables, rng)}
        tables["selections"] = select_people(tables["scores"], fractions, rng)
        tables["group_differences"] = compute_group_differences(
            tables["selections"], people.participants
        )
        for name, table in tables.items():
            run.write(name, table)
    if output is not None:
        _write(tables, output, people)
    report_people(people, tables["scores"], quiet=quiet)
    _print(tables, as_json=as_json)


def _print(tables: "dict[str, pd.DataFrame]", *, as_json: bool) -> None:
    from trialsim.cli.printing import print_table

    keys = ["strategy", "fraction_enrolled"]
    summary = tables["selections"].groupby(keys, sort=False)["is_selected"].agg(["size", "sum"])
    summary = summary.rename(columns={"size": "n_screened", "sum": "n_selected"}).reset_index()
    missing = tables["scores"]["score"].isna().groupby(tables["scores"]["strategy"]).sum()
    summary["n_without_score"] = summary["strategy"].map(missing)
    print_table(summary, as_json=as_json)


def _write(tables: "dict[str, pd.DataFrame]", folder: Path, people: "Cohort") -> None:
    from reports.figures import plot_group_differences
    from trialsim.cli.choosing import write_labelled, write_tables

    write_tables(tables, folder)
    differences = tables["group_differences"]
    for fraction, rows in differences.groupby("fraction_enrolled"):
        name = f"group_differences_{100 * float(str(fraction)):.0f}_percent"
        write_labelled(plot_group_differences(rows), folder, name, people)
