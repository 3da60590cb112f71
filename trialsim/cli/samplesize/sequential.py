"""`trialsim samplesize sequential`: when to look, what stops the trial, what it costs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.samplesize.calculators import Json

if TYPE_CHECKING:
    from trialsim.analytic import GroupSequentialDesign, LookPlan


def sequential(
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
    from trialsim import __version__
    from trialsim.analytic.sequential.futility import is_rule
    from trialsim.interim.monitoring import MonitoringPlan
    from trialsim.interim.wording import describe_family, write_paragraph

    boundaries: dict[str, Any] = {
        "efficacy": read_boundary(efficacy),
        "efficacy_parameter": efficacy_parameter,
        "futility": None if futility is None else read_boundary(futility),
        "futility_parameter": futility_parameter,
        "binding": binding,
    }
    rules = boundaries | {"alpha": alpha, "sides": sides, "power": power}
    times = {
        "accrual": accrual_per_month,
        "n_total": n_total,
        "allocation_ratio": allocation_ratio,
    }
    design, plan = _plan(
        split_numbers(looks),
        by,
        delta,
        sd,
        split_numbers(visits_months),
        rho,
        dropout,
        times,
        rules,
    )
    if write is not None:
        held = boundaries
        if is_rule(boundaries["futility"]):
            # a rule's bounds are fixed with the plan: z that a committee can look up
            held = boundaries | {"futility": {"z": design.to_dict()["futility_z"][:-1]}}
        MonitoringPlan(
            tuple(design.information_rates.tolist()),
            alpha,
            sides,
            power,
            held,
            delta,
            None if plan is None else float(plan.information[-1]),
            None if plan is None else tuple(split_numbers(visits_months)),
        ).write(write)
    _print(design, plan, as_json=as_json)
    if paragraph and not as_json:
        text = write_paragraph(
            design,
            efficacy=describe_family(boundaries["efficacy"], efficacy_parameter),
            futility=None
            if boundaries["futility"] is None
            else describe_family(boundaries["futility"], futility_parameter),
            version=__version__,
            plan=plan,
            analysis="the MMRM at the last visit" if plan else "the primary analysis",
        )
        typer.echo(f"\n{text}")


def read_boundary(text: str) -> str | dict[str, Any]:
    """Return a family's name, or what `z=3,2` or `posterior=0.1;minimum=0.5` state."""
    if "=" not in text:
        return text
    stated: dict[str, Any] = {}
    for part in text.split(";"):
        key, _, value = (piece.strip() for piece in part.partition("="))
        stated[key] = value if value == "observed" else split_numbers(value)
        if key in ("effect", "minimum") and value != "observed":
            stated[key] = stated[key][0]
    return stated


def split_numbers(text: str) -> list[float]:
    """Return the numbers of a list with commas; an empty place or `nan` is missing."""
    try:
        return [float(part) if part.strip() else float("nan") for part in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"expected numbers with commas, got {text!r}.") from error


def _plan(
    looks: list[float],
    by: str,
    delta: float | None,
    sd: float | None,
    visits: list[float],
    rho: float,
    dropout: float,
    times: dict[str, Any],
    rules: dict[str, Any],
) -> "tuple[GroupSequentialDesign, LookPlan | None]":
    import math

    from trialsim.analytic import MmrmEndpoint, ar1, group_sequential, plan_looks
    from trialsim.errors import DesignError

    if delta is None and sd is None:
        if by != "information":
            raise DesignError(f"Looks by {by} need --delta and --sd, which place them in time.")
        return group_sequential(looks, **rules), None
    if delta is None or sd is None:
        raise DesignError("--delta and --sd go together: both place the looks in time.")
    if not 0 <= dropout < 1:
        raise DesignError(f"dropout must be a share from 0 to below 1, got {dropout:g}.")
    endpoint = MmrmEndpoint(visits, sd=sd, correlation=ar1(rho, len(visits)))
    plan = plan_looks(
        endpoint,
        looks,
        by=by,  # type: ignore[arg-type]
        delta=delta,
        dropout_per_month=-math.log1p(-dropout) / visits[-1],
        whole_people=times["n_total"] is None,
        **times,
        **rules,
    )
    return plan.design, plan


def _print(design: "GroupSequentialDesign", plan: "LookPlan | None", *, as_json: bool) -> None:
    import json

    import numpy as np
    import pandas as pd

    from trialsim.cli.printing import print_table

    if as_json:
        found = design.to_dict()
        if plan is not None:
            tables = {"looks": plan.tabulate_looks(), "expectations": plan.tabulate_expectations()}
            found |= {
                name: json.loads(table.to_json(orient="records")) for name, table in tables.items()
            }
        typer.echo(json.dumps(found, indent=2))
        return
    stops = {name: design.stop_probabilities(effect) for name, effect in _EFFECTS.items()}
    table = pd.DataFrame({"look": np.arange(1, design.n_looks + 1)})
    if plan is not None:
        table["month"] = plan.months.round(1)
        table["randomized"] = np.ceil(plan.n_enrolled - 1e-9).astype(int)
    table["information"] = design.information_rates.round(4)
    table["efficacy_z"] = design.efficacy_z.round(4)
    table["p"] = design.nominal_p.round(6)
    if plan is not None:
        table["difference"] = [float(f"{effect:.4g}") for effect in plan.efficacy_effect]
    if design.has_futility:
        table["futility_z"] = design.futility_z.round(4)
    table["alpha_spent"] = design.cumulative_alpha.round(6)
    for name, probability in stops.items():
        table[f"stops_{name}"] = probability.efficacy + probability.futility * design.has_futility
        table[f"stops_{name}"] = table[f"stops_{name}"].round(4)
    print_table(table)
    for name, effect in _EFFECTS.items():
        share = design.expected_information(effect)
        typer.echo(
            f"With {name} effect: rejects {stops[name].efficacy.sum():.1%}, expected information "
            f"{share.of_maximum:.1%} of the maximum, {share.of_fixed:.1%} of one analysis"
            + (_expect(plan, effect) if plan is not None else "")
            + "."
        )
    typer.echo(
        f"Inflation {design.inflation_factor:.4f}, drift {design.drift:.4f}"
        + (f"; {plan.n_total:.0f} people." if plan is not None else ".")
    )


_EFFECTS = {"no": 0.0, "half": 0.5, "whole": 1.0}


def _expect(plan: "LookPlan", effect: float) -> str:
    table = plan.tabulate_expectations()
    row = table[table["effect"] == effect].iloc[0]
    return f", {row['expected_n']:.0f} people, {row['expected_months']:.1f} months"
