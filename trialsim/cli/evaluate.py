"""`trialsim evaluate`: how well a model predicts the people of a cohort."""

from pathlib import Path
from typing import Annotated

import typer


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
        typer.Option(help="The model's training cohort, to fit the tabular reference on."),
    ] = None,
    compare: Annotated[
        int,
        typer.Option(min=0, help="People for the ablation, draws and steps; 0 leaves these out."),
    ] = 6,
    n_bootstrap: Annotated[int, typer.Option(min=10, help="Resamples of people.")] = 1000,
    seed: Annotated[int, typer.Option(help="The seed of everything random.")] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 ...")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but the result.")] = False,
) -> None:
    """Compare predictions with what came later: floor, accuracy, ranking, calibration, ablation.

    Carrying the baseline forward, the auxiliary model alone, and the best regression on the
    baseline table are always beside the model. Interrupted predictions are taken up again.

    Example: trialsim evaluate cohort --model mini --horizon 24 --samples 4 --out evaluation
    """
    import pandas as pd

    from brlp_models.evaluation.evaluation import EvaluationSettings, evaluate_model
    from brlp_models.model_folder import load_model
    from cohorts.loading import load_cohort

    settings = EvaluationSettings(
        horizons_months=tuple(horizon),
        samples=samples,
        n_compared=compare,
        n_bootstrap=n_bootstrap,
        seed=seed,
    )
    training = None if train_on is None else (load_cohort(train_on), train_on)
    tables = evaluate_model(
        load_model(model, device=device, precision="auto"),
        load_cohort(cohort),
        out,
        settings,
        folder=cohort,
        training=training,
        report=lambda text: None if quiet else typer.echo(text, err=True),
    )
    shown = {name: tables[name] for name in ("floor_summary", "accuracy", "ranking", "calibration")}
    if as_json:
        joined = {name: table.to_dict("records") for name, table in shown.items()}
        typer.echo(pd.Series(joined).to_json())
        return
    for name, table in shown.items():
        typer.echo(f"\n{name}\n{table.round(3).to_string(index=False)}")
    typer.echo(f"\nTables and figures: {out}")
