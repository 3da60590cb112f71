"""`trialsim samplesize twins`: how many controls digital twins spare."""

import math
from typing import Annotated, Any

import typer

from trialsim.cli.asking.options import split_numbers
from trialsim.cli.asking.recording import SeedOption
from trialsim.cli.samplesize.answering import (
    Alpha,
    Distribution,
    Json,
    NControl,
    Power,
    Retention,
    Sides,
    print_twin_plan,
)


def twins(
    delta: Annotated[float, typer.Option(help="Difference between the arms at the last visit.")],
    sd: Annotated[float, typer.Option(help="Sd at the last visit given baseline.")],
    twin_correlation: Annotated[
        str,
        typer.Option(help="Of twin and outcome given baseline at each visit, for example 0.4,0.5."),
    ],
    visit_correlation: Annotated[
        float, typer.Option(help="Of any two visits given baseline.")
    ] = 0.5,
    retention: Retention = None,
    deflation: Annotated[
        float, typer.Option(help="What the twin keeps of its correlation, at most 1.")
    ] = 1.0,
    fraction_enrolled: Annotated[
        float, typer.Option(help="Top share by predicted decline that is enrolled.")
    ] = 1.0,
    allocation_ratios: Annotated[
        str, typer.Option(help="Treatment : control, with commas.")
    ] = "1,2,3",
    n_control: NControl = None,
    power: Power = None,
    alpha: Alpha = 0.05,
    sides: Sides = 2,
    distribution: Distribution = "t",
    n_simulations: Annotated[
        int,
        typer.Option(
            help="Trials simulated beside the plan; 0: none but those that size few people."
        ),
    ] = 0,
    missing_data: Annotated[
        bool,
        typer.Option(
            "--missing-data",
            help="Simulate instead the power of PROCOVA-MMRM's size under each assumption about "
            "people who leave; needs --retention and --n-simulations.",
        ),
    ] = False,
    seed: SeedOption = 1,
    as_json: Json = False,
) -> None:
    """Plan a trial whose analysis takes twins as covariates: size, or power at a size.

    Example: trialsim samplesize twins --delta 0.4 --sd 1 --twin-correlation 0.5 --power 0.8

    Example: trialsim samplesize twins --delta 0.4 --sd 1 --twin-correlation 0.4,0.5 --retention
    0.9,0.8 --n-control 100 --missing-data --n-simulations 200
    """
    from trialsim.analytic.arguments import CORRELATION, find_problems, raise_problems
    from trialsim.analytic.correlation import exchangeable
    from trialsim.cli.answering.progress import count_items
    from trialsim.twins.missing_data import simulate_strategies
    from trialsim.twins.plan_simulation import simulate_plan
    from trialsim.twins.planning import FEW, N_SIMULATIONS, PLANNED, plan_with_twins

    # what was typed, before its matrix is refused as something else
    raise_problems(find_problems(visit_correlation=(visit_correlation, CORRELATION)))
    rho = split_numbers(twin_correlation)
    visits: dict[str, Any] = {
        "delta": delta,
        "sd": sd,
        "correlation": exchangeable(visit_correlation, len(rho)),
        "twin_correlation": rho,
        "retention": None if retention is None else split_numbers(retention),
        "deflation": deflation,
        "fraction_enrolled": fraction_enrolled,
    }
    test: dict[str, Any] = {"alpha": alpha, "sides": sides, "seed": seed}
    ratios = split_numbers(allocation_ratios)
    with count_items("planning", len(PLANNED) * len(ratios), quiet=as_json) as step:
        plan = plan_with_twins(
            **visits,
            allocation_ratios=ratios,
            n_control=n_control,
            power=power,
            distribution=distribution,  # type: ignore[arg-type]
            on_row=step,
            **test,
        )
    simulated: dict[str, Any] = {**visits, **test, "n_simulations": n_simulations}
    if missing_data:
        plan = simulate_strategies(plan, **simulated)
    elif n_simulations:
        plan = simulate_plan(plan, **simulated)
    print_twin_plan(plan, as_json=as_json)
    if not as_json and "method" in plan and (plan["method"] == "simulated").any():
        power_found = plan.loc[plan["method"] == "simulated", "power"]
        widest = 1.96 * math.sqrt(float((power_found * (1 - power_found)).max()) / N_SIMULATIONS)
        typer.echo(
            f"Simulated: fewer than {FEW} people of an arm are expected at the last visit, for "
            f"whom closed forms promise too much power. Power is that of {N_SIMULATIONS:,} trials, "
            f"known within {widest:.3f} (95 %)."
        )
