"""`trialsim cohort synthesize`: simulated people, as tables or as scans."""

from pathlib import Path
from typing import Annotated, Any

import typer

from trialsim.cli.recording import QuietOption, SeedOption


def synthesize(
    folder: Annotated[Path, typer.Argument(help="The folder to write.")],
    participants: Annotated[
        int, typer.Option("--participants", "-n", min=1, help="How many people.")
    ] = 200,
    visits: Annotated[
        str, typer.Option(help="Planned visits in months, from 0, separated by commas.")
    ] = "",
    images: Annotated[
        bool, typer.Option("--images", help="Write T1w scans as a BIDS dataset, not only tables.")
    ] = False,
    resolution: Annotated[float, typer.Option(help="Voxel size of scans: 1, 1.5 or 2 mm.")] = 2.0,
    label_maps: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Draw anatomies from these label maps (SynthSeg or FreeSurfer codes).",
        ),
    ] = None,
    whole_head: Annotated[
        bool,
        typer.Option("--whole-head", help="Keep skull and scalp: of the label maps, or modelled."),
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes that make scans.")] = 2,
    label: Annotated[
        str, typer.Option(help="Begins everyone's name, so that two cohorts share none.")
    ] = "synth",
    trial: Annotated[
        bool,
        typer.Option("--trial", help="A finished trial: trial.csv with arms, an effect, drop-out."),
    ] = False,
    slowing: Annotated[
        float, typer.Option(help="With --trial: share of decline that treatment prevents.")
    ] = 0.3,
    share_treated: Annotated[
        float, typer.Option(help="With --trial: share randomized to treatment.")
    ] = 0.5,
    dropout: Annotated[
        float, typer.Option(help="With --trial: share gone by the last visit.")
    ] = 0.2,
    seed: SeedOption = 1,
    quiet: QuietOption = False,
) -> None:
    """Simulate a cohort whose truth is known; everything written says SYNTHETIC.

    Example: trialsim cohort synthesize people --participants 50 --images --seed 1
    """
    from cohorts.errors import CohortError

    if not label.isalnum():
        raise CohortError(f"--label takes letters and digits, got {label!r}.")
    months = _parse_months(visits)
    if images:
        _write_images(
            folder,
            participants,
            months,
            quiet,
            resolution_mm=resolution,
            label_maps=label_maps,
            whole_head=whole_head,
            workers=workers,
            label=label,
            seed=seed,
        )
        return
    if trial:
        _write_trial(
            folder,
            participants,
            months,
            seed,
            slowing=slowing,
            share_treated=share_treated,
            dropout=dropout,
            label=label,
        )
        return
    if label_maps is not None or whole_head:
        raise CohortError("--label-maps and --whole-head shape scans: add --images.")
    _write_tables(folder, participants, months, seed, label)


def _parse_months(text: str) -> list[float] | None:
    from cohorts.errors import CohortError

    try:
        return [float(part) for part in text.split(",")] if text else None
    except ValueError as error:
        raise CohortError(f"--visits must be numbers such as 0,12,24, got {text!r}.") from error


def _write_tables(folder: Path, n: int, months: list[float] | None, seed: int, label: str) -> None:
    import numpy as np

    from cohorts.folder import write_cohort
    from cohorts.synthetic.tabular import VISITS_MONTHS, synthesize_table
    from cohorts.synthetic.truth import write_truth

    rng = np.random.default_rng(seed)
    cohort, truth = synthesize_table(n, rng=rng, visits_months=months or VISITS_MONTHS, label=label)
    write_cohort(cohort, folder)
    write_truth(truth, folder)
    typer.echo(f"{folder}: {n} SYNTHETIC people, {len(cohort.visits)} visits; truth in truth/.")


def _write_trial(
    folder: Path, n: int, months: list[float] | None, seed: int, **settings: Any
) -> None:
    import numpy as np

    from cohorts.synthetic.trial import TRIAL_VISITS_MONTHS, synthesize_trial, write_trial

    planned = months or TRIAL_VISITS_MONTHS
    rng = np.random.default_rng(seed)
    made = synthesize_trial(n, rng=rng, visits_months=planned, **settings)
    write_trial(made, folder)
    effect = made.effects["effect_mm3"].mean()
    typer.echo(
        f"{folder}: SYNTHETIC trial of {n} people, true effect {effect:.1f} mm3 at month "
        f"{planned[-1]:g}; baseline in the same folder, truth in truth/."
    )


def _write_images(
    folder: Path,
    n: int,
    months: list[float] | None,
    quiet: bool,
    **settings: Any,
) -> None:
    from rich.console import Console
    from rich.progress import Progress

    from cohorts.synthetic.images import VISITS_MONTHS, synthesize_images

    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("synthesizing people", total=n)
        try:
            n_done = synthesize_images(
                folder,
                n,
                visits_months=months or VISITS_MONTHS,
                **settings,
                on_person=lambda: bar.advance(task),
            )
        except KeyboardInterrupt:
            typer.echo(
                f"Interrupted: the people in {folder} are complete; "
                "run the same command again to go on.",
                err=True,
            )
            raise typer.Exit(130) from None
    typer.echo(f"{folder}: SYNTHETIC BIDS dataset of {n_done} people; truth in truth/.")
