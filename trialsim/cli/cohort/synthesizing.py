"""Simulated people written, and what was written told; scans with their progress."""

from pathlib import Path
from typing import Any

import typer

from cohorts.counting import tally
from trialsim.cli.answering.progress import count_items


def write_trial_images(folder: Path, n_people: int, *, quiet: bool, **asked: Any) -> None:
    """Write the scans of a finished trial of simulated people."""
    from cohorts.synthetic.trial import TRIAL_VISITS_MONTHS
    from cohorts.synthetic.trial_images import synthesize_trial_images

    asked["visits_months"] = asked["visits_months"] or TRIAL_VISITS_MONTHS
    with count_items("synthesizing people", n_people, quiet=quiet) as step:
        effects = synthesize_trial_images(folder, n_people, on_person=step, **asked)
    typer.echo(
        f"{folder}: SYNTHETIC trial of {tally(n_people, 'people')}, true effect "
        f"{effects['effect_mm3'].mean():.1f} mm3 at month {asked['visits_months'][-1]:g}; scans in "
        "scans/, people at baseline in baseline/, outcomes in trial.csv, truth in truth/."
    )


def write_images(folder: Path, n_people: int, *, quiet: bool, **asked: Any) -> None:
    """Write scans of simulated people as a BIDS dataset."""
    from cohorts.synthetic.images import VISITS_MONTHS, synthesize_images

    asked["visits_months"] = asked["visits_months"] or VISITS_MONTHS
    with count_items("synthesizing people", n_people, quiet=quiet) as step:
        try:
            n_done = synthesize_images(folder, n_people, on_person=step, **asked)
        except KeyboardInterrupt:
            typer.echo(
                f"Interrupted: the people in {folder} are complete; "
                "run the same command again to go on.",
                err=True,
            )
            raise typer.Exit(130) from None
    typer.echo(f"{folder}: SYNTHETIC BIDS dataset of {tally(n_done, 'people')}; truth in truth/.")


def write_trial_table(folder: Path, n_people: int, **asked: Any) -> None:
    """Write the tables of a finished trial of simulated people."""
    from cohorts.synthetic.folders import write_finished_trial

    made = write_finished_trial(folder, n_people, **asked)
    typer.echo(
        f"{folder}: SYNTHETIC trial of {tally(n_people, 'people')}, true effect "
        f"{made.effects['effect_mm3'].mean():.1f} mm3 at month {made.last_month:g}; baseline in "
        "the same folder, truth in truth/."
    )


def write_people_tables(folder: Path, n_people: int, **asked: Any) -> None:
    """Write simulated people as tables."""
    from cohorts.synthetic.folders import write_people

    n_visits = len(write_people(folder, n_people, **asked).visits)
    typer.echo(
        f"{folder}: {n_people} SYNTHETIC people, {tally(n_visits, 'visits')}; truth in truth/."
    )
