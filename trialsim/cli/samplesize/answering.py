"""What the calculators share: their options, how they answer."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trialsim.cli.asking.options import Given, Shared, split_numbers

if TYPE_CHECKING:
    import pandas as pd

Delta = Annotated[float | None, typer.Option(help="Difference between the arms.")]
Sd = Annotated[float, typer.Option(help="Standard deviation in the control arm.")]
SdTreatment = Annotated[
    float | None, typer.Option(help="Standard deviation in the treatment arm, if it differs.")
]
NControl = Annotated[float | None, typer.Option(help="Participants in the control arm.")]
Power = Annotated[float | None, typer.Option(help="Power, 0 to 1.")]
Alpha = Annotated[float, typer.Option(help="Total type I error.")]
Sides = Annotated[int, typer.Option(help="1 or 2.")]
Ratio = Annotated[float, typer.Option("--allocation-ratio", help="Treatment : control.")]
Distribution = Annotated[
    str, typer.Option("--distribution", help='"t", or "z" for the normal one.')
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Retention = Annotated[
    str | None, typer.Option(help="Share still in at each visit, for example 1,0.9,0.8.")
]
RetentionTreatment = Annotated[
    str | None, typer.Option(help="The same in the treatment arm, if it differs.")
]
Measured = Annotated[
    float, typer.Option("--retention", help="Share of the enrolled who are measured, 0 to 1.")
]
MeasuredTreatment = Annotated[
    float | None,
    typer.Option("--retention-treatment", help="The same in the treatment arm, if it differs."),
]

TEST: Final = {
    "n_control": Shared(NControl),
    "power": Shared(Power),
    "alpha": Shared(Alpha, 0.05),
    "sides": Shared(Sides, 2),
    "allocation_ratio": Shared(Ratio, 1.0),
    "distribution": Shared(Distribution, "z"),
    "as_json": Shared(Json, False),
    "plot": Shared(
        Annotated[
            Path | None,
            typer.Option(help="Write the curve as NAME.svg and NAME.png, its data as CSV."),
        ]
    ),
}
"""The options of every calculator, by name."""


def answer_question(form: str, test: Given, **model: Any) -> None:
    """Print what a closed form of `trialsim.analytic` gives, and draw it where that is asked for.

    Parameters
    ----------
    form
        Its name.
    test
        What was typed for `TEST`.
    **model
        Its other arguments.
    """
    from trialsim.study.calculators.closed_form import calculate

    as_json, plot = test.pop("as_json"), test.pop("plot")
    print_sizes(calculate(form, {**model, **test}, plot), as_json=as_json)


def split_retention(control: str | None, treatment: str | None) -> Given:
    """Return both arms' shares still in at each visit."""
    arms = {"retention": control, "retention_treatment": treatment}
    return {name: None if text is None else split_numbers(text) for name, text in arms.items()}


def print_sizes(table: "pd.DataFrame", *, as_json: bool) -> None:
    """Print sizes, then the rule that made people whole."""
    from trialsim.cli.answering.printing import print_table

    if as_json:
        print_table(table, as_json=True)
        return
    print_table(table.drop(columns="rounding").round(4))
    typer.echo(f"Rounded: {table['rounding'].iloc[0]}.")


def print_twin_plan(plan: "pd.DataFrame", *, as_json: bool) -> None:
    """Print a plan with twins: as JSON exactly, as a table in whole people, each arm rounded up."""
    import numpy as np

    from trialsim.cli.answering.printing import print_table

    if not as_json and "n_total" in plan:
        arms = ["n_control", "n_treatment"]
        whole = np.ceil(plan[arms] - 1e-9)
        plan = plan.assign(**{arm: whole[arm] for arm in arms}, n_total=whole.sum(axis=1))
    print_table(plan if as_json else plan.round(4), as_json=as_json)
