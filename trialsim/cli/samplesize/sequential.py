"""`trialsim samplesize sequential`: when to look, what stops the trial, what it costs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from trialsim.cli.asking.options import refuse_typed, split_numbers
from trialsim.cli.samplesize.answering import Json
from trialsim.cli.samplesize.bounds import read_boundary, read_looks


def sequential(
    context: typer.Context,
    looks: Annotated[
        str, typer.Option(help="Shares ending at 1, or calendar months before the last look.")
    ] = "0.5,1",
    by: Annotated[
        str, typer.Option(help='What looks are: "information", "completers" or "months".')
    ] = "information",
    alpha: Annotated[float, typer.Option(help="Total type I error.")] = 0.025,
    sides: Annotated[int, typer.Option(help="1 or 2.")] = 1,
    power: Annotated[float, typer.Option(help="Power at the design effect.")] = 0.8,
    efficacy: Annotated[
        str, typer.Option(help="A family of bounds, or z=3,2 or spent=0.001,0.025.")
    ] = "lan_demets_obrien_fleming",
    efficacy_parameter: Annotated[
        float | None, typer.Option(help="Delta, gamma or rho of the family; z of Haybittle-Peto.")
    ] = None,
    futility: Annotated[
        str | None,
        typer.Option(
            help="A spending function, or z=0 or spent=0.1,0.2, or a chance below which to stop: "
            "conditional_power=0.2, predictive_power=0.1, 'posterior=0.1;minimum=0.5'."
        ),
    ] = None,
    futility_parameter: Annotated[
        float | None, typer.Option(help="gamma or rho of the futility function.")
    ] = None,
    binding: Annotated[
        bool, typer.Option("--binding", help="The type I error counts on stopping for futility.")
    ] = False,
    delta: Annotated[
        float | None, typer.Option(help="Difference between the arms at the last visit.")
    ] = None,
    sd: Annotated[float | None, typer.Option(help="Sd at the last visit, given baseline.")] = None,
    visits_months: Annotated[
        str, typer.Option(help="Visits after baseline, in months, for example 6,12,18,24.")
    ] = "6,12,18,24",
    rho: Annotated[
        float, typer.Option(help="Correlation of neighboring visits, given baseline (AR(1)).")
    ] = 0.5,
    accrual_per_month: Annotated[
        float, typer.Option(help="People randomized a month, both arms together.")
    ] = 10.0,
    dropout: Annotated[
        float, typer.Option(help="Share that has left by the last visit, at a constant hazard.")
    ] = 0.0,
    n_total: Annotated[
        float | None, typer.Option(help="People of both arms, instead of those with the power.")
    ] = None,
    allocation_ratio: Annotated[float, typer.Option(help="Treatment : control.")] = 1.0,
    paragraph: Annotated[
        bool, typer.Option("--paragraph", help="Print a paragraph for the protocol.")
    ] = False,
    write: Annotated[
        Path | None, typer.Option(help="Write the plan that `trialsim monitor` reads (JSON).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Plan interim looks: bounds, stopping probabilities, expected size and duration.

    With --delta and --sd the looks of an MMRM are placed in calendar time and people.

    Example: trialsim samplesize sequential --looks 0.5,0.75,1 --power 0.9
    --futility hwang_shih_decani --futility-parameter=-2

    Example: trialsim samplesize sequential --looks 0.5,1 --delta 20 --sd 60 --dropout 0.2

    Example: trialsim samplesize sequential --futility 'posterior=0.1;minimum=0.5'
    """
    from trialsim.cli.answering.printing import print_looks
    from trialsim.study.calculators.looks import plan_sequential

    if delta is None and sd is None:
        placing = ("visits_months", "rho", "accrual_per_month", "dropout", "n_total")
        reason = "they place looks in time; add --delta and --sd"
        refuse_typed(context, *placing, "allocation_ratio", reason=reason)
    if futility is None:
        refuse_typed(context, "futility_parameter", "binding", reason="of --futility; add it")
    boundaries: dict[str, Any] = {
        "efficacy": read_boundary(efficacy),
        "efficacy_parameter": efficacy_parameter,
        "futility": None if futility is None else read_boundary(futility),
        "futility_parameter": futility_parameter,
        "binding": binding,
    }
    visits, people = split_numbers(visits_months, gaps=True), (accrual_per_month, n_total)
    planned = plan_sequential(
        split_numbers(looks, gaps=True),
        by,
        boundaries,
        {"alpha": alpha, "sides": sides, "power": power},
        read_looks(delta, sd, visits, rho, dropout, *people, allocation_ratio),
    )
    if write is not None:
        planned.write(write)
    print_looks(planned, paragraph=paragraph, as_json=as_json)
