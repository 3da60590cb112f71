"""`trialsim monitor`: what the data so far say, and what to do next."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trialsim.cli.recording import JsonOption
from trialsim.cli.samplesize.sequential import split_numbers

if TYPE_CHECKING:
    from trialsim.interim.judging import Judgement
    from trialsim.interim.monitoring import MonitoringPlan


def monitor(
    plan: Annotated[
        Path, typer.Argument(help="The plan, from `trialsim samplesize sequential --write`.")
    ],
    z: Annotated[
        str | None, typer.Option(help="Z at each look held, in favor of treatment, with commas.")
    ] = None,
    information: Annotated[
        str | None, typer.Option(help="Information at each look, as shares of the maximum.")
    ] = None,
    se: Annotated[
        str | None, typer.Option(help="Standard error at each look, instead of the shares.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The trial's table so far; its MMRM is the look after those of --z."),
    ] = None,
    endpoint: Annotated[str, typer.Option(help="The outcome in --data, ENDPOINT_mm3.")] = (
        "hippocampus"
    ),
    benefit: Annotated[
        str, typer.Option(help='Which difference helps: "higher" or "lower" outcomes.')
    ] = "higher",
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
    from trialsim.errors import DesignError
    from trialsim.interim.monitoring import read_monitoring_plan

    planned = read_monitoring_plan(plan)
    if show not in ("decision", "chances", "all", "blinded"):
        raise DesignError(f"--show must be decision, chances, all or blinded, got {show!r}.")
    if benefit not in ("higher", "lower"):
        raise DesignError(f"--benefit must be higher or lower, got {benefit!r}.")
    if show == "blinded":
        _print_blinded(planned, data, endpoint, as_json=as_json)
        return
    values = [] if z is None else split_numbers(z)
    shares = _read_shares(planned, information, se)
    if data is not None:
        from trialsim.interim.trial_data import estimate_look

        look = estimate_look(data, endpoint, planned)
        values.append(look.z if benefit == "higher" else -look.z)
        shares.append(look.information / _get_maximum(planned))
    if not values:
        raise DesignError("Give the looks held: --z with --information or --se, or --data.")
    from trialsim.interim.judging import judge_look

    judged = judge_look(planned.build(), values, shares, is_final=final)
    _print(planned, judged, show, as_json=as_json)


def _read_shares(planned: "MonitoringPlan", information: str | None, se: str | None) -> list[float]:
    from trialsim.errors import DesignError

    if information is not None and se is not None:
        raise DesignError("Give --information or --se, not both.")
    if se is None:
        return [] if information is None else split_numbers(information)
    errors = split_numbers(se)
    if not all(error > 0 for error in errors):
        raise DesignError(f"--se must be greater than 0, got {se}.")
    return [error**-2.0 / _get_maximum(planned) for error in errors]


def _get_maximum(planned: "MonitoringPlan") -> float:
    from trialsim.errors import DesignError

    if planned.maximum_information is None:
        raise DesignError(
            "The plan holds no maximum information: plan with --delta and --sd, or give shares by "
            "--information."
        )
    return planned.maximum_information


def _print(planned: "MonitoringPlan", judged: "Judgement", show: str, *, as_json: bool) -> None:
    import json
    import math

    def known(value: float) -> float | None:
        return value if math.isfinite(value) else None

    found: dict[str, Any] = {
        "look": judged.look,
        "n_looks": judged.n_looks,
        "information_share": judged.information_share,
        "efficacy_z": known(judged.efficacy_z),
        "futility_z": None if judged.look == judged.n_looks else known(judged.futility_z),
        "futility_is_binding": planned.boundaries.get("binding", False),
        "decision": judged.decision,
    }
    if judged.next_look is not None:
        share, upper, lower = judged.next_look
        is_last = judged.look + 1 == judged.n_looks
        found["next_look"] = {
            "information_share": share,
            "efficacy_z": known(upper),
            "futility_z": None if is_last else known(lower),
        }
    if show in ("chances", "all"):
        found["conditional_power"] = judged.conditional_power
        found["predictive_power"] = judged.predictive_power
    if show == "all":
        found["z"] = judged.z
        if judged.stopped is not None:
            found["stopped"] = judged.stopped.to_dict()
            if planned.delta is not None:
                found["median_unbiased_difference"] = judged.stopped.median_unbiased * planned.delta
    typer.echo(json.dumps(found, indent=2) if as_json else "\n".join(_say(found)))


def _say(found: dict[str, Any]) -> list[str]:
    lines = [
        f"Look {found['look']} of {found['n_looks']} at {found['information_share']:.1%} of the "
        f"planned information: {found['decision']}.",
        f"Efficacy bound z {_show(found['efficacy_z'])}, futility bound z "
        f"{_show(found['futility_z'])}"
        + (
            ""
            if found["futility_z"] is None
            else f" ({'binding' if found['futility_is_binding'] else 'non-binding'})"
        )
        + ".",
    ]
    if "next_look" in found:
        later = found["next_look"]
        lines.append(
            f"Next look at {later['information_share']:.1%}: efficacy z "
            f"{_show(later['efficacy_z'])}, futility z {_show(later['futility_z'])}."
        )
    for effect, chance in found.get("conditional_power", {}).items():
        lines.append(f"Conditional power, effect {effect}: {chance:.1%}.")
    if found.get("predictive_power") is not None:
        lines.append(f"Predictive power, flat prior: {found['predictive_power']:.1%}.")
    if "z" in found:
        lines.append(f"z {found['z']:.4f}.")
    if "stopped" in found:
        stopped = found["stopped"]
        lines.append(
            f"Stage-wise p {stopped['stagewise_p']:.5f}; median-unbiased estimate "
            f"{stopped['median_unbiased']:.3f} of the design effect, interval "
            f"{stopped['interval'][0]:.3f} to {stopped['interval'][1]:.3f}; repeated interval "
            f"{stopped['repeated_interval'][0]:.3f} to {stopped['repeated_interval'][1]:.3f}."
        )
    return lines


def _show(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _print_blinded(
    planned: "MonitoringPlan", data: Path | None, endpoint: str, *, as_json: bool
) -> None:
    import json

    from trialsim.errors import DesignError
    from trialsim.interim.trial_data import summarize_blinded

    if data is None:
        raise DesignError("--show blinded needs --data, the trial's table so far.")
    found = summarize_blinded(data, endpoint, planned)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        typer.echo(f"{name.replace('_', ' ')}: {value:.6g}")
