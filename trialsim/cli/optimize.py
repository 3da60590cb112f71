"""`trialsim optimize`: which of very many designs to run."""

import typer

from trialsim.cli.asking.asked import Asked
from trialsim.cli.asking.command import asking


@asking(
    "visits_months",
    "endpoint",
    "unit",
    "alpha",
    "sides",
    "target_power",
    "slowing",
    "relative_to",
    "normal_change_per_year",
    "dropout",
    "outcomes",
    "analyses",
    "strategies",
    "scores",
    "training",
    "screening",
    "participant",
    "n_simulations",
    "n_bootstrap",
    "workers",
    "cluster",
)
def optimize(asked: Asked) -> None:
    """Search designs by closed form: whom to enroll, visits, duration, allocation, analysis.

    What is shown is beaten by no other in cost, months to the last visit, people screened, share
    left out, and how far those enrolled differ from those screened. The best few are simulated.
    Ranges, screening in stages and run-ins are keys of the protocol's section optimize.

    Example: trialsim optimize cohort --visits-months 0,12,24 --set optimize.run_in_months=[6,12]
    """
    from trialsim.cli.answering.printing import print_table, print_tables
    from trialsim.study.summaries import summarize_front
    from trialsim.study.writing.files import write_front

    result = asked.answer("optimize")
    with result.study.snapshot():
        if asked.output is not None:
            write_front(result, asked.output)
        tables = {"design_front": result.table("design_front")}
        notes, best = result.notes("design_front"), summarize_front(result)
    if asked.as_json:
        print_tables(tables, notes=notes)
        return
    typer.echo("The best of the designs that nothing beats, and those that were simulated:")
    print_table(best)
