"""`trialsim samplesize enrichment`: what enrolling the top fraction by a score costs."""

from typing import Annotated

import typer

from trialsim.cli.asking.options import Given, split_numbers
from trialsim.cli.samplesize.answering import Measured, print_sizes


def enrichment(
    mean_decline: Annotated[float, typer.Option(help="Mean decline without treatment.")],
    sd_decline: Annotated[float, typer.Option(help="Its standard deviation between people.")],
    score_correlation: Annotated[float, typer.Option(help="Of score and decline, everyone.")],
    slowing: Annotated[
        float | None, typer.Option(help="Share of the decline that treatment prevents.")
    ] = None,
    fraction_enrolled: Annotated[
        str,
        typer.Option(
            "--fraction-enrolled",
            "--fractions-enrolled",
            help="Shares of the screened people, for example 0.3,0.5,1.",
        ),
    ] = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1",
    normal_decline: Annotated[
        float, typer.Option(help="Decline of normal ageing, which treatment does not slow.")
    ] = 0.0,
    screening_cost: Annotated[
        float, typer.Option("--screening-cost", "--screening", help="Cost of a person screened.")
    ] = 0.0,
    participant_cost: Annotated[
        float,
        typer.Option("--participant-cost", "--participant", help="Cost of a person enrolled."),
    ] = 0.0,
    adjust_for_score: Annotated[
        bool, typer.Option(help="Adjust the analysis for the score too.")
    ] = False,
    retention: Measured = 1.0,
    *,
    test: Given,
) -> None:
    """Enroll the top fraction by a score: sample size, number to screen, cost of each fraction.

    The cheapest fraction is found where screening has a price, and power and slowing are given.

    Example: trialsim samplesize enrichment --mean-decline 100 --sd-decline 100
    --score-correlation 0.5 --slowing 0.25 --power 0.8 --screening-cost 1000
    --participant-cost 20000
    """
    from trialsim.study.calculators.closed_form import calculate_enrichment

    as_json, plot = test.pop("as_json"), test.pop("plot")
    table = calculate_enrichment(
        split_numbers(fraction_enrolled),
        {
            "mean_decline": mean_decline,
            "sd_decline": sd_decline,
            "score_correlation": score_correlation,
            "slowing": slowing,
            "normal_decline": normal_decline,
            "screening_cost": screening_cost,
            "participant_cost": participant_cost,
            "adjust_for_score": adjust_for_score,
            "retention": retention,
            **test,
        },
        plot,
    )
    print_sizes(table, as_json=as_json)
