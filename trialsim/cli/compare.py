"""`trialsim compare`: how well each strategy finds the fast progressors."""

import typer

from trialsim.cli.asking.asked import Asked
from trialsim.cli.asking.command import asking


@asking(
    "strategies",
    "n_selected",
    "top_fraction",
    "rate_below",
    "truth",
    "scores",
    "predictions",
    "training",
    "folds",
    "endpoint",
    "decline_unit",
    "horizon_months",
    "window_months",
    "measured_by",
)
def compare(asked: Asked) -> None:
    """Measure each strategy's capture rate against chance, paired differences, calibration.

    The scores of the study's last `trialsim rank` are judged, unless an option asks for others.

    Example: trialsim compare cohort --top-fraction 0.3 --n-selected 50,100 --output compared
    """
    from trialsim.cli.answering.printing import print_table
    from trialsim.enrichment.strategies.registry import list_unattainable
    from trialsim.study.summaries import summarize_capture

    result = asked.answer("compare")
    with result.study.snapshot():
        if asked.output is not None:
            from trialsim.study.writing.files import write_comparison

            write_comparison(result, asked.output)
        rates, parts = result.table("capture_rates"), summarize_capture(result)
    if asked.as_json:
        print_table(rates, as_json=True)
        return
    for title, rows in parts.items():
        typer.echo(title)
        print_table(rows)
        typer.echo("")
    for name in list_unattainable(rates["strategy"].unique()):
        typer.echo(f"{name} knows the future: a bound that no strategy can reach.")
