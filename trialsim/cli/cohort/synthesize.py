"""`trialsim cohort synthesize`: simulated people, as tables or as scans."""

from pathlib import Path
from typing import Annotated, Any

import typer

from trialsim.cli.asking.options import refuse_typed, split_numbers, split_words
from trialsim.cli.asking.recording import QuietOption, SeedOption
from trialsim.cli.cohort.signal import Signal
from trialsim.cli.cohort.synthesizing import (
    write_images,
    write_people_tables,
    write_trial_images,
    write_trial_table,
)


def synthesize(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The folder to write.")],
    participants: Annotated[
        int, typer.Option("--participants", "--people", "-n", min=1, help="How many people.")
    ] = 200,
    visits: Annotated[
        str, typer.Option(help="Planned visits in months, from 0, separated by commas.")
    ] = "",
    images: Annotated[
        bool, typer.Option("--images", help="Write T1w scans as a BIDS dataset, not only tables.")
    ] = False,
    channels: Annotated[
        str, typer.Option(help="Contrasts of each scan: T1w, or T1w,FLAIR.")
    ] = "T1w",
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
    generator: Annotated[
        int,
        typer.Option(
            min=1,
            max=2,
            help="1: scans show volumes alone; 2: signs of stage and speed beside them.",
        ),
    ] = 1,
    signal: Annotated[
        Signal | None,
        typer.Option(
            help="Of --generator 2: as published, stronger than life (when left out), or the same "
            "pictures with nothing to learn from."
        ),
    ] = None,
    seed: SeedOption = 1,
    quiet: QuietOption = False,
) -> None:
    """Simulate a cohort whose truth is known; everything written says SYNTHETIC.

    Example: trialsim cohort synthesize people --participants 50 --images --seed 1
    """
    from cohorts.errors import CohortError
    from cohorts.synthetic.generators import choose_generator

    if not label.isalnum():
        raise CohortError(f"--label takes letters and digits, got {label!r}.")
    if (label_maps is not None or whole_head) and not images:
        raise CohortError("--label-maps and --whole-head shape scans: add --images.")
    if not images:
        refuse_typed(context, "resolution", reason="scans have voxels; add --images")
        refuse_typed(context, "workers", reason="scans are made by processes; add --images")
    if not trial:
        course_of_trial = ("slowing", "share_treated", "dropout")
        refuse_typed(context, *course_of_trial, reason="a finished trial has these; add --trial")
    contrasts = split_words(channels)
    if contrasts != ["T1w"] and (trial or not images):
        raise CohortError("--channels are of scans: add --images, and leave --trial out.")
    if signal is not None and generator != 2:
        raise CohortError("--signal is of --generator 2: add it, or leave --signal out.")
    if trial and generator != 1:
        raise CohortError("--trial makes people of generator 1: leave --generator out.")
    parameters = choose_generator(generator, (signal or Signal.STRONG).value)
    course: dict[str, Any] = {
        "slowing": slowing,
        "share_treated": share_treated,
        "dropout": dropout,
    }
    asked: dict[str, Any] = {"seed": seed, "label": label}
    asked["visits_months"] = split_numbers(visits) or None
    if images and trial:
        if label_maps is not None or whole_head:
            raise CohortError("--label-maps and --whole-head are not for --trial: leave them out.")
        scanned: dict[str, Any] = {"resolution_mm": resolution, "workers": workers}
        write_trial_images(folder, participants, quiet=quiet, **course, **scanned, **asked)
    elif images:
        scans = {
            "resolution_mm": resolution,
            "label_maps": label_maps,
            "whole_head": whole_head,
            "parameters": parameters,
            "channels": contrasts,
        }
        write_images(folder, participants, quiet=quiet, workers=workers, **scans, **asked)
    elif trial:
        write_trial_table(folder, participants, **course, **asked)
    else:
        write_people_tables(folder, participants, parameters=parameters, **asked)
