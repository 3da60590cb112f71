"""`trialsim evaluate`: how well a model predicts the people of a cohort."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.cli.asking.recording import JsonOption, MeasuredByOption, QuietOption, SeedOption

if TYPE_CHECKING:
    from brlp_models.evaluation.evaluation import EvaluatedCohort


def evaluate(
    cohort: Annotated[Path, typer.Argument(help="People with scans and later volumes.")],
    model: Annotated[str, typer.Option(help="mini, or the path of a model folder.")] = "mini",
    out: Annotated[Path, typer.Option(help="Folder of the tables and figures.")] = Path(
        "evaluation"
    ),
    horizon: Annotated[
        list[float], typer.Option(help="Months after baseline; give it once for each.")
    ] = [24.0, 48.0],  # noqa: B006
    samples: Annotated[int, typer.Option(min=1, help="Draws for each person and horizon.")] = 4,
    train_on: Annotated[
        Path | None,
        typer.Option(
            help="Cohort to fit the tabular reference on; left out, 4,000 simulated people for "
            "simulated people, cross-fitting for others."
        ),
    ] = None,
    calibrate_on: Annotated[
        Path | None,
        typer.Option(
            help="Cohort of other people to recalibrate intervals on; by default each half of "
            "these people is calibrated on the other."
        ),
    ] = None,
    conditions: Annotated[
        int,
        typer.Option(
            min=0,
            help="People predicted three times more: told of no change, told the true change, and "
            "with another person's scan; 0 leaves these out.",
        ),
    ] = 40,
    compare: Annotated[
        int,
        typer.Option(
            min=0,
            help="People for ablation, draws, steps, wrong diagnosis and several visits; "
            "0 leaves these out.",
        ),
    ] = 6,
    draws: Annotated[
        list[int], typer.Option(min=1, help="Draws to compare; give it once for each.")
    ] = [1, 2, 4, 8, 16, 32, 64],  # noqa: B006
    local_validation: Annotated[
        Path | None,
        typer.Option(
            help="Criteria in TOML, stated before anybody is predicted: the model is judged once, "
            "as of use or not for choosing people of this cohort."
        ),
    ] = None,
    n_bootstrap: Annotated[int, typer.Option(min=10, help="Resamples of people.")] = 1000,
    measured_by: MeasuredByOption = None,
    seed: SeedOption = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")] = "cpu",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare predictions with what came later: floor, accuracy, ranking, calibration, ablation.

    Carrying the baseline forward, the auxiliary model alone, and the best regression on the
    baseline table are always beside the model. Interrupted predictions are taken up again.

    Example: trialsim evaluate cohort --model mini --horizon 24 --samples 4 --out evaluation
    """
    import json

    import numpy as np

    from brlp_models.evaluation.evaluation import PER_PERSON, evaluate_model
    from brlp_models.evaluation.local_validation import judge, open_plan
    from brlp_models.evaluation.results_text import render_results
    from brlp_models.evaluation.settings import EvaluationSettings
    from brlp_models.model.folder import load_model
    from cohorts.atomic import write_file
    from reports.figures.model_evaluation import write_evaluation_figures
    from trialsim.study.local_validation import PAGE, write_validation

    plan = open_plan(local_validation, horizon, out) if local_validation else None
    people = _load(cohort, measured_by)
    loaded = load_model(model, device=device, precision="auto")
    tables = evaluate_model(
        loaded,
        people,
        out,
        EvaluationSettings(
            horizons_months=tuple(horizon),
            samples=samples,
            compared_samples=tuple(draws),
            n_conditions=conditions,
            n_compared=compare,
            n_bootstrap=n_bootstrap,
            seed=seed,
        ),
        training=_load(train_on, measured_by) if train_on else None,
        calibration=_load(calibrate_on, measured_by) if calibrate_on else None,
        report=lambda text: None if quiet else typer.echo(text, err=True),
    )
    write_evaluation_figures(tables, out / "figures", is_synthetic=people.cohort.is_synthetic)
    write_file(out / "results.md", render_results(tables).encode())
    if plan is not None:
        page = write_validation(
            judge(tables, plan, rng=np.random.default_rng([seed, 4]), n_bootstrap=n_bootstrap),
            out,
            model=loaded.model_id,
            people=people.cohort,
        )
        typer.echo(f"{page.answer.headline}\n{out / PAGE}", err=True)
    shown = {name: table for name, table in tables.items() if name not in PER_PERSON}
    if as_json:
        content = {name: json.loads(t.to_json(orient="records")) for name, t in shown.items()}
        typer.echo(json.dumps(content))
        return
    for name, table in shown.items():
        typer.echo(f"\n{name}\n{table.round(3).to_string(index=False)}")
    if len(tables["failures"]):
        typer.echo(f"\n{len(tables['failures'])} people could not be predicted: failures.csv")
    typer.echo(f"\nTables and figures: {out}")


def _load(folder: Path, measured_by: str | None) -> "EvaluatedCohort":
    from brlp_models.evaluation.evaluation import EvaluatedCohort
    from cohorts.sources.loading import load_cohort

    return EvaluatedCohort(load_cohort(folder, measured_by=measured_by), folder)
