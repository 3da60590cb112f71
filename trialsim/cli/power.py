"""`trialsim power`: what power and sample size each choice of people gives."""

import typer

from trialsim.cli.asking.asked import Asked
from trialsim.cli.asking.command import asking


@asking(
    "visits_months",
    "window_months",
    "endpoint",
    "unit",
    "allocation_ratio",
    "alpha",
    "sides",
    "target_power",
    "slowing",
    "relative_to",
    "normal_change_per_year",
    "dropout",
    "outcomes",
    "decline_mean",
    "decline_sd",
    "baseline_sd",
    "baseline_correlation",
    "noise_sd",
    "score_correlation",
    "trajectories",
    "unreadable",
    "analyses",
    "degrees_of_freedom",
    "covariance",
    "standard_error",
    "strategies",
    "scores",
    "training",
    "measured_by",
    "fractions_enrolled",
    "sample_sizes",
    "screening",
    "participant",
    "n_simulations",
    "n_bootstrap",
    "workers",
    "cluster",
)
def power(asked: Asked) -> None:
    """Simulate the trials of each strategy: power, type I error, sample size, cost.

    Simulation stands beside the closed form where there is one. The people are chosen by the
    scores of the study's last `trialsim rank`, unless an option asks for others.

    Example: trialsim power cohort --visits-months 0,12,24 --slowing 0.3 --output power
    """
    from trialsim.cli.answering.printing import print_table, print_tables
    from trialsim.study.summaries import POWER_TABLES, pick_near_target, summarize_sizes

    result = asked.answer("power")
    with result.study.snapshot():
        if asked.output is not None:
            from trialsim.study.writing.files import write_power

            write_power(result, asked.output)
        if asked.as_json:
            tables = {name: result.table(name) for name in POWER_TABLES}
            notes = result.notes("sample_sizes")
        else:
            nearest, sizes = pick_near_target(result), summarize_sizes(result)
    if asked.as_json:
        print_tables(tables, notes=notes)
        return
    typer.echo("Simulated power beside the closed form, at the size nearest the target:")
    print_table(nearest)
    typer.echo("\nSample sizes:")
    print_table(sizes)
