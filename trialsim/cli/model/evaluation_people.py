"""`trialsim model evaluation-people`: the people that a model card's numbers stand on."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cohorts.counting import tally
from trialsim.cli.answering.progress import show_bar
from trialsim.cli.asking.recording import LAST_SEED, QuietOption


class Purpose(StrEnum):
    """What the people are for."""

    EVALUATION = "evaluation"
    CALIBRATION = "calibration"


def evaluation_people(
    label_maps: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, help="Folder of all label maps."),
    ],
    out: Annotated[Path, typer.Option("--out", "--output", help="The cohort folder to write.")],
    config: Annotated[
        str, typer.Option(help="mini, told, refined, official, or a recipe in TOML.")
    ] = "mini",
    purpose: Annotated[
        Purpose,
        typer.Option(
            help="evaluation: anatomies that training never read; calibration: training's own."
        ),
    ] = Purpose.EVALUATION,
    n_people: Annotated[
        int | None,
        typer.Option("--n-people", "--people", min=1, help="In place of the recipe's number."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=LAST_SEED, help="In place of the recipe's.")
    ] = None,
    baseline_scans_only: Annotated[
        bool,
        typer.Option(
            "--baseline-scans-only",
            help="Later visits have volumes and no scan, which saves most of the time: for "
            "`trialsim evaluate --volumes-only`.",
        ),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that make scans; all cores when left out.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Make the synthetic people that a model is evaluated on, as its training recipe says.

    Example: trialsim model evaluation-people --label-maps label_maps --out people
    """
    from brlp_models.training.banks.evaluation_people import write_evaluation_people
    from brlp_models.training.recipe import load_recipe

    recipe = load_recipe(config)
    total = n_people or recipe.evaluation.n_people
    with show_bar(quiet=quiet) as advance:
        cohort = write_evaluation_people(
            recipe,
            label_maps,
            out,
            purpose=purpose.value,
            n_people=n_people,
            seed=seed,
            baseline_scans_only=baseline_scans_only,
            workers=workers or os.cpu_count() or 1,
            report=lambda done: advance("making people", done, total),
        )
    typer.echo(
        f"{out}: {len(cohort.participants)} SYNTHETIC people, "
        f"{tally(len(cohort.visits), 'visits')}."
    )
