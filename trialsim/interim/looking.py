"""A look at a running trial: judged by its plan, told as far as is asked for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from trialsim.errors import DesignError
from trialsim.interim.judging import Judgement, judge_look
from trialsim.interim.monitoring import MonitoringPlan, read_monitoring_plan
from trialsim.interim.trial_data import estimate_look, summarize_blinded

SHOWN: Final = ("decision", "chances", "all", "blinded")
"""How much of a look may be told."""

_FAR_BEYOND: Final = 10.0
"""So many times the planned information is a percentage, or another unit than the plan's."""


def judge_trial(
    plan: Path,
    *,
    z: Sequence[float] = (),
    information: Sequence[float] = (),
    se: Sequence[float] = (),
    data: Path | None = None,
    endpoint: str = "hippocampus",
    control: str | None = None,
    benefit: str | None = None,
    is_final: bool = False,
    show: str = "decision",
) -> dict[str, Any]:
    """Return what a look says, with no more than is asked for.

    Parameters
    ----------
    plan
        The file of the monitoring plan.
    z
        At each look held, in favor of the treatment.
    information, se
        At each look held: shares of the maximum, or standard errors instead.
    data
        The trial's table so far, whose MMRM is the look after those of `z`.
    endpoint, control
        The outcome in it, and the control's name, where it is not called control.
    benefit
        Which difference helps: "higher" or "lower" outcomes; None takes what the plan's design
        effect says, a negative one that lower outcomes help.
    is_final
        Whether this look is the last one.
    show
        Of `SHOWN`.

    Raises
    ------
    DesignError
        Where the plan cannot be read, or what is stated does not go together.
    """
    planned = read_monitoring_plan(plan)
    if show not in SHOWN:
        raise DesignError(f"--show must be decision, chances, all or blinded, got {show!r}.")
    if benefit not in (None, "higher", "lower"):
        raise DesignError(f"--benefit must be higher or lower, got {benefit!r}.")
    if data is None and benefit == "lower":
        raise DesignError(
            "--benefit is of --data: each z of --z is in favor of treatment; leave it out."
        )
    falls = planned.delta is not None and planned.delta < 0
    if benefit == "higher" and falls:
        raise DesignError(
            f"--benefit higher contradicts the plan, by whose design effect of {planned.delta:g} "
            "lower outcomes help; leave it out."
        )
    if benefit == "lower" and planned.delta is not None:
        planned = replace(planned, delta=-abs(planned.delta))
    if show == "blinded":
        if data is None:
            raise DesignError("--show blinded needs --data, the trial's table so far.")
        if z or information or se:
            raise DesignError(
                "--show blinded tells sizes and variances of --data alone: leave --z, "
                "--information and --se out."
            )
        if control is not None:
            raise DesignError("--show blinded reads no arm: leave --control out.")
        return dict(summarize_blinded(data, endpoint, planned))
    values, shares = list(z), _read_shares(planned, information, se)
    if data is not None:
        look = estimate_look(data, endpoint, planned, control=control)
        values.append(-look.z if falls or benefit == "lower" else look.z)
        shares.append(look.information / _get_maximum(planned))
    if not values:
        raise DesignError("Give the looks held: --z with --information or --se, or --data.")
    if far := [share for share in shares if share >= _FAR_BEYOND]:
        raise DesignError(
            f"Information is a share of the planned maximum, such as 0.52, got {far[0]:g}: no "
            "percentage, and from data or --se in the unit of the plan."
        )
    judged = judge_look(planned.build(), values, shares, is_final=is_final)
    return describe_judgement(judged, planned, show, is_final=is_final)


def describe_judgement(
    judged: Judgement, planned: MonitoringPlan, show: str, *, is_final: bool = False
) -> dict[str, Any]:
    """Return a look as plain values, as far as `show` goes; `is_final` where it was stated so."""
    is_last = judged.look == judged.n_looks
    found: dict[str, Any] = {
        "look": judged.look,
        "n_looks": judged.n_looks,
        "information_share": judged.information_share,
        "efficacy_z": _known(judged.efficacy_z),
        "futility_z": None if is_last else _known(judged.futility_z),
        "futility_is_binding": planned.boundaries.get("binding", False),
        "decision": judged.decision,
    }
    if is_last:
        found["last_because"] = _explain_end(judged, planned, is_final)
    if judged.informed_by is not None:
        found["no_more_information_than_look"] = judged.informed_by
    if judged.next_look is not None:
        following = judged.next_look
        found["next_look"] = {
            "information_share": following.information_share,
            "efficacy_z": _known(following.efficacy_z),
            "futility_z": None
            if judged.look + 1 == judged.n_looks
            else _known(following.futility_z),
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
                found["difference_interval"] = sorted(
                    end * planned.delta for end in judged.stopped.interval
                )
    return found


def _explain_end(judged: Judgement, planned: MonitoringPlan, is_final: bool) -> str:
    """Say why a look counts as the last one, at which all of alpha that is left is spent."""
    if is_final:
        return "it was stated to be the last (--final)"
    if judged.information_share < 1:
        return f"{len(planned.information_rates)} looks were planned"
    return "the planned information is reached"


def phrase_judgement(found: Mapping[str, Any]) -> list[str]:
    """Return the sentences of what `judge_trial` returns."""
    if "decision" not in found:
        return [f"{name.replace('_', ' ')}: {value:.6g}" for name, value in found.items()]
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
    if "last_because" in found:
        lines.append(
            f"This look is the last one, because {found['last_because']}: all of alpha that was "
            "left is spent, and its bound holds for no trial that goes on."
        )
    if "no_more_information_than_look" in found:
        lines.append(
            f"As estimated, it has no more information than look "
            f"{found['no_more_information_than_look']}: "
            + (
                "what earlier looks left of alpha is spent as if it shared nothing with them, and "
                "there is no estimate that allows for looks."
                if "last_because" in found
                else "it tests nothing and spends nothing of alpha; --final, where no data are to "
                "come, spends what is left."
            )
        )
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
    if "median_unbiased_difference" in found:
        low, high = found["difference_interval"]
        lines.append(
            f"As a difference, treatment minus control: {found['median_unbiased_difference']:.4g}, "
            f"interval {low:.4g} to {high:.4g}."
        )
    return lines


def _show(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"


def _read_shares(
    planned: MonitoringPlan, information: Sequence[float], se: Sequence[float]
) -> list[float]:
    if information and se:
        raise DesignError("Give --information or --se, not both.")
    if not all(error > 0 for error in se):
        raise DesignError(f"--se must be greater than 0, got {', '.join(f'{e:g}' for e in se)}.")
    # as arrays: an absurd error gives infinite information, no overflow
    with np.errstate(all="ignore"):
        shares = np.asarray(se, dtype=float) ** -2.0 / _get_maximum(planned) if se else ()
    return list(map(float, shares)) or list(information)


def _get_maximum(planned: MonitoringPlan) -> float:
    if planned.maximum_information is None:
        raise DesignError(
            "The plan holds no maximum information: plan with --delta and --sd, or give shares by "
            "--information."
        )
    return planned.maximum_information


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
