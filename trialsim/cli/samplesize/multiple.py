"""`trialsim samplesize doses` and `endpoints`: trials with more than one comparison."""

from typing import TYPE_CHECKING, Annotated

import typer

from trialsim.cli.asking.options import split_numbers
from trialsim.cli.asking.recording import SeedOption
from trialsim.cli.samplesize.answering import Alpha, Json, NControl, Power, Ratio, Sides

if TYPE_CHECKING:
    import pandas as pd

Deltas = Annotated[str, typer.Option(help="Difference from control of each, with commas.")]
Simulations = Annotated[int, typer.Option(help="Trials simulated beside the closed form; 0: none.")]


def doses(
    deltas: Deltas,
    sd: Annotated[float, typer.Option(help="Standard deviation within an arm.")],
    n_control: NControl = None,
    power: Power = None,
    alpha: Annotated[float, typer.Option(help="One-sided, of all comparisons together.")] = 0.025,
    allocation_ratio: Ratio = 1.0,
    n_simulations: Simulations = 0,
    seed: SeedOption = 1,
    as_json: Json = False,
) -> None:
    """Compare 2-4 doses with one control (Dunnett): size, or power at a size.

    Treatment is the arm of each dose.

    Example: trialsim samplesize doses --deltas 0.2,0.4 --sd 1 --power 0.8
    """
    from trialsim.study.calculators.multiple import plan_doses

    found = plan_doses(
        split_numbers(deltas),
        n_control=n_control,
        power=power,
        n_simulations=n_simulations,
        seed=seed,
        sd=sd,
        alpha=alpha,
        allocation_ratio=allocation_ratio,
    )
    _print(found, as_json=as_json)


def endpoints(
    deltas: Deltas,
    sds: Annotated[str, typer.Option(help="Standard deviation of each endpoint, with commas.")],
    correlation: Annotated[float, typer.Option(help="Of any two endpoints within a person.")],
    procedure: Annotated[
        str,
        typer.Option(
            help='"co_primary": all must win; "hierarchical": in order, until one fails '
            '(gatekeeping); "holm": each may win.'
        ),
    ] = "co_primary",
    n_control: NControl = None,
    power: Power = None,
    alpha: Alpha = 0.05,
    sides: Sides = 2,
    allocation_ratio: Ratio = 1.0,
    n_simulations: Simulations = 0,
    seed: SeedOption = 1,
    as_json: Json = False,
) -> None:
    """Plan for 2-4 endpoints, such as hippocampus and a clinical scale: size, or power at a size.

    Example: trialsim samplesize endpoints --deltas 0.35,0.3 --sds 1,1 --correlation 0.4
    --procedure hierarchical --power 0.8
    """
    from trialsim.study.calculators.multiple import plan_endpoints

    found = plan_endpoints(
        split_numbers(deltas),
        split_numbers(sds),
        correlation,
        n_control=n_control,
        power=power,
        n_simulations=n_simulations,
        seed=seed,
        procedure=procedure,
        alpha=alpha,
        sides=sides,
        allocation_ratio=allocation_ratio,
    )
    _print(found, as_json=as_json)


def _print(found: "pd.DataFrame", *, as_json: bool) -> None:
    from trialsim.cli.answering.printing import print_table

    # one row reads better as one number a line
    lines = found if as_json else found.round(4).T.rename_axis("").reset_index()
    print_table(lines.rename(columns={0: "value"}), as_json=as_json)
