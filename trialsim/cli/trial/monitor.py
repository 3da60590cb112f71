"""`trialsim monitor`: what the data so far say, and what to do next."""

from pathlib import Path
from typing import Annotated

import typer

from trialsim.cli.answering.printing import print_json
from trialsim.cli.asking.options import refuse_typed, split_numbers
from trialsim.cli.asking.recording import ControlOption, JsonOption


def monitor(
    context: typer.Context,
    plan: Annotated[
        Path, typer.Argument(help="The plan, from `trialsim samplesize sequential --write`.")
    ],
    z: Annotated[
        list[str] | None,
        typer.Option(help="Z at each look held, in favor of treatment, with commas; repeatable."),
    ] = None,
    information: Annotated[
        list[str] | None, typer.Option(help="Information at each look, as shares of the maximum.")
    ] = None,
    se: Annotated[
        list[str] | None, typer.Option(help="Standard error at each look, instead of the shares.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The trial's table so far; its MMRM is the look after those of --z."),
    ] = None,
    endpoint: Annotated[str, typer.Option(help="The outcome in --data, ENDPOINT_mm3.")] = (
        "hippocampus"
    ),
    control: ControlOption = None,
    benefit: Annotated[
        str | None,
        typer.Option(
            help='Which difference helps: "higher" or "lower" outcomes; by default lower where the '
            "plan's is negative."
        ),
    ] = None,
    final: Annotated[bool, typer.Option("--final", help="This look is the last one.")] = False,
    show: Annotated[
        str,
        typer.Option(
            help='"decision": only what to do next; "chances": conditional and predictive power '
            'too; "all": z and estimates as well; "blinded": sizes and variances without arms.'
        ),
    ] = "decision",
    as_json: JsonOption = False,
) -> None:
    """Judge an interim look by its plan, showing no more than is asked.

    Example: trialsim monitor plan.json --z 1.9 --information 0.52

    Example: trialsim monitor plan.json --data trial.csv --show blinded
    """
    from trialsim.interim.looking import judge_trial, phrase_judgement

    if data is None:
        refuse_typed(
            context, "endpoint", "control", reason="of the table that --data names; add it"
        )
    lists = {"z": z, "information": information, "se": se}
    stated = {
        name: split_numbers(",".join(texts), gaps=True) if texts else []
        for name, texts in lists.items()
    }
    found = judge_trial(
        plan,
        **stated,
        data=data,
        endpoint=endpoint,
        control=control,
        benefit=benefit,
        is_final=final,
        show=show,
    )
    lines = phrase_judgement(found)
    if as_json:
        print_json(found)
    else:
        typer.echo("\n".join(lines))
