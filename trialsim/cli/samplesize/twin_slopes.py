"""`trialsim samplesize twin-slopes`: how many people the twin's slope spares."""

from typing import Annotated

import typer

from trialsim.cli.asking.options import split_numbers
from trialsim.cli.samplesize.answering import (
    Alpha,
    Json,
    NControl,
    Power,
    Retention,
    Sides,
    print_twin_plan,
)


def twin_slopes(
    delta: Annotated[float, typer.Option(help="Difference in slope, per unit of time.")],
    visit_times: Annotated[
        str, typer.Option(help="From 0, in the unit of the slope, for example 0,0.5,1,1.5,2.")
    ],
    slope_variance: Annotated[float, typer.Option(help="Of true slopes, without the twin.")],
    residual_variance: Annotated[float, typer.Option(help="Around a person's line.")],
    slope_correlation: Annotated[float, typer.Option(help="Of the twin's slope and the true one.")],
    deflation: Annotated[
        float, typer.Option(help="What the twin keeps of its correlation, at most 1.")
    ] = 1.0,
    retention: Retention = None,
    allocation_ratios: Annotated[
        str, typer.Option(help="Treatment : control, with commas.")
    ] = "1,2,3",
    n_control: NControl = None,
    power: Power = None,
    alpha: Alpha = 0.05,
    sides: Sides = 2,
    as_json: Json = False,
) -> None:
    """Plan a trial whose random-slope model takes the twin's slope as a covariate.

    Example: trialsim samplesize twin-slopes --delta 20 --visit-times 0,0.5,1,1.5,2
    --slope-variance 4900 --residual-variance 3600 --slope-correlation 0.5 --power 0.8
    """
    from trialsim.twins.slopes import plan_slopes_with_twins

    plan = plan_slopes_with_twins(
        delta=delta,
        visit_times=split_numbers(visit_times),
        slope_variance=slope_variance,
        residual_variance=residual_variance,
        slope_correlation=slope_correlation,
        deflation=deflation,
        retention=None if retention is None else split_numbers(retention),
        allocation_ratios=split_numbers(allocation_ratios),
        n_control=n_control,
        power=power,
        alpha=alpha,
        sides=sides,
    )
    print_twin_plan(plan, as_json=as_json)
