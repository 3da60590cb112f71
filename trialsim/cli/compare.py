"""`trialsim compare`: how well each strategy finds the fast progressors."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from trialsim.enrichment import FastProgressorDefinition
    from trialsim.enrichment.screening import Screening
    from trialsim.enrichment.truth import TrueDecline


def compare(
    cohort: CohortArgument = None,
    study: StudyOption = DEFAULT_STUDY,
    strategies: StrategiesOption = None,
    n_selected: Annotated[
        str | None, typer.Option(help="Numbers selected, with commas; left out, tenths of them.")
    ] = None,
    top_fraction: Annotated[
        float | None,
        typer.Option(help="Fast progressors are this share; left out, as many as are selected."),
    ] = None,
    rate_below: Annotated[
        float | None,
        typer.Option(help="Or: those whose change a year is below this, for example -3."),
    ] = None,
    truth: Annotated[
        str, typer.Option(help="latent (synthetic people), measured, or auto: latent if known.")
    ] = "auto",
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
    """Measure each strategy's capture rate against chance, paired differences, calibration.

    Without --strategies, --scores and --train-on the scores of the study's last `trialsim rank`
    are judged, if they are of the same people, unit and horizon.

    Example: trialsim compare cohort --top-fraction 0.3 --n-selected 50,100 --output compared
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
    from trialsim.enrichment import score_people
    from trialsim.enrichment.evaluation import evaluate_scores

    definition = build_definition(
        top_fraction=top_fraction,
        rate_below=rate_below,
        unit=unit,
        horizon_months=horizon_months,
        window_months=window_months,
    )
    sizes = None if n_selected is None else split_numbers(n_selected, int)
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
    known = choose_truth(truth, screening, people, definition, endpoint)
    config: dict[str, Any] = {"fast_progressor": vars(definition), "endpoint": endpoint}
    config |= {"truth": known.kind, "n_left_out": known.n_left_out, "n_selected": sizes}
    asked_anew = any(option is not None for option in (strategies, scores, train_on))
    kept = None if asked_anew else read_scores(study, people, definition, endpoint)
    files = list_inputs(scores, predictions)
    with recorded_run(study, config=config, cohort=people, seed=seed, inputs=files) as run:
        rng = np.random.default_rng(seed)
        tables = {}
        if kept is None:
            chosen = list_strategies(screening, strategies, scores)
            kept = tables["scores"] = score_people(chosen, screening.tables, rng)
        tables |= evaluate_scores(kept, people, known, definition, sizes, region=endpoint, rng=rng)
        for name, table in tables.items():
            run.write(name, table)
    report_people(people, kept, quiet=quiet)
    if not quiet:
        typer.echo(
            f"Note: {known.kind} decline is known for {len(known.decline)} people; "
            f"{known.n_left_out} without a visit near {horizon_months:g} months are left out.",
            err=True,
        )
    if output is not None:
        _write(tables, output, people)
    _print(tables["capture_rates"], as_json=as_json)


def choose_truth(
    wanted: str,
    screening: "Screening",
    people: "Cohort",
    definition: "FastProgressorDefinition",
    endpoint: str,
) -> "TrueDecline":
    """Return the decline that strategies are judged by.

    Raises
    ------
    DesignError
        Where it is not known.
    """
    from trialsim.enrichment.truth import compute_measured_decline
    from trialsim.errors import DesignError

    if wanted not in ("auto", "latent", "measured"):
        raise DesignError(f"--truth must be auto, latent or measured, got {wanted!r}.")
    if wanted == "measured" or screening.truth is None:
        return compute_measured_decline(people, definition, region=endpoint)
    if wanted == "latent" and screening.truth.kind != "latent":
        raise DesignError(
            f"The latent decline of {people.name} is not known; only synthetic cohorts have a "
            "truth/ folder."
        )
    return screening.truth


def read_scores(
    study: Path, people: "Cohort", definition: "FastProgressorDefinition", endpoint: str
) -> "pd.DataFrame | None":
    """Return the scores of the study where they are of these people, unit and horizon."""
    import json

    from reports.store.study import Study

    if not study.exists():
        return None
    with Study.open(study, read_only=True) as opened:
        written = opened.tables().set_index("table_name")["run_id"]
        if "scores" not in written:
            return None
        runs = opened.runs().set_index("run_id")
        config = json.loads(str(runs.loc[written["scores"], "config"]))
        scores = opened.read("scores")
    made_for = config.get("fast_progressor") or config.get("selection", {}).get("fast_progressor")
    same = made_for is not None and (
        made_for["unit"] == definition.unit
        and made_for["horizon_months"] == definition.horizon_months
        and config.get("endpoint") == endpoint
    )
    ids = set(people.participants["participant_id"])
    return scores if same and set(scores["participant_id"]) == ids else None


def _print(rates: "pd.DataFrame", *, as_json: bool) -> None:
    from trialsim.cli.printing import print_table

    if as_json:
        print_table(rates, as_json=True)
        return
    columns = ["strategy", "n_selected", "n_evaluated", "capture_rate", "capture_rate_lower"]
    columns += ["capture_rate_upper", "chance_rate", "chance_p_value"]
    for (definition, kind), rows in rates.groupby(["definition", "truth"], sort=False):
        typer.echo(f"Fast progressors: {definition} ({kind} truth)")
        print_table(rows[columns].round(3))
        typer.echo("")
    if "oracle" in set(rates["strategy"]):
        typer.echo("oracle knows the future: a bound that no strategy can reach.")


def _write(tables: "dict[str, pd.DataFrame]", folder: Path, people: "Cohort") -> None:
    from reports.figures import plot_capture_rates, plot_predicted_versus_observed
    from trialsim.cli.choosing import write_labelled, write_tables

    write_tables(tables, folder)
    groups = tables["capture_rates"].groupby(["definition", "truth"], sort=False)
    for place, (_, rows) in enumerate(groups):
        name = "capture_rates_figure" if not place else "capture_rates_later_figure"
        write_labelled(plot_capture_rates(rows), folder, name, people)
    if not tables["predicted_changes"].empty:
        lines = tables["predictor_performance"].query("subgroup == 'all'")
        wide = lines.pivot_table(index="strategy", columns="metric", values="value").reset_index()
        calibration = wide.rename(
            columns={"calibration_slope": "slope", "calibration_intercept": "intercept"}
        )
        shown = calibration[["strategy", "slope", "intercept"]].dropna()
        figure = plot_predicted_versus_observed(tables["predicted_changes"], shown)
        write_labelled(figure, folder, "predicted_versus_observed", people)
