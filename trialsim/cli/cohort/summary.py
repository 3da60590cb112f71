"""What a cohort comes to, in a sentence or as JSON."""

from typing import TYPE_CHECKING

import typer

from cohorts.counting import tally
from trialsim.cli.answering.printing import print_json

if TYPE_CHECKING:
    from cohorts.cohort import Cohort


def print_summary(found: "Cohort", *, as_json: bool) -> None:
    """Print how many people, visits and volumes a sound cohort has."""
    from cohorts.demographics import name_cohort, summarize_cohort

    said = summarize_cohort(found)
    if as_json:
        print_json([said])
        return
    counts = (said[key] for key in ("n_participants", "n_visits", "n_volumes", "n_rejected"))
    people, visits, volumes, rejected = counts
    typer.echo(
        f"{name_cohort(found)}: sound. {tally(people, 'people')}, "
        f"{tally(visits, 'visits')}, {tally(volumes, 'volumes')}; "
        f"{tally(rejected, 'people')} left out."
    )
