"""What the data so far say of a trial, look by look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from trialsim.analytic import GroupSequentialDesign
from trialsim.analytic.sequential.held import hold_looks
from trialsim.analytic.sequential.inference import StoppedTrial
from trialsim.errors import DesignError


class NextLook(NamedTuple):
    """The look that is planned next: its share of the information, and its bounds of z."""

    information_share: float
    efficacy_z: float
    futility_z: float


@dataclass(frozen=True)
class Judgement:
    """A look, judged.

    Attributes
    ----------
    look
        The look held, from 1.
    n_looks
        Looks in all, those skipped or added counted.
    information_share
        Of the planned maximum.
    efficacy_z, futility_z
        Bounds of this look; infinite for none.
    z
        What was observed.
    decision
        "stop for efficacy", "stop for futility", "go on"; at the last look "efficacy shown" or
        "efficacy not shown".
    next_look
        The one that is planned then; None after a stop.
    conditional_power
        By effect ("none", "observed", "as planned"); empty at the last look or after a stop.
    predictive_power
        With a flat prior; None likewise.
    stopped
        What is reported of a trial that ends here; None while it goes on.
    informed_by
        The earlier look that had as much information, so that this one has neither chances nor
        estimates of its own; None where this one brought some.
    """

    look: int
    n_looks: int
    information_share: float
    efficacy_z: float
    futility_z: float
    z: float
    decision: str
    next_look: NextLook | None = None
    conditional_power: Mapping[str, float] = field(default_factory=dict)
    predictive_power: float | None = None
    stopped: StoppedTrial | None = None
    informed_by: int | None = None


def judge_look(
    design: GroupSequentialDesign,
    z: Sequence[float],
    information_shares: Sequence[float],
    *,
    is_final: bool = False,
) -> Judgement:
    """Return what follows from the looks held so far.

    Where estimated information falls from one look to the next, bounds are those of `hold_looks`.

    Parameters
    ----------
    design
        As planned.
    z
        At every look held, in favor of the treatment.
    information_shares
        At every look held, of the planned maximum.
    is_final
        Whether the last one is the last of all.

    Raises
    ------
    DesignError
        Another number of z than of looks, a trial that should have stopped before.
    """
    if len(z) != len(information_shares):
        raise DesignError(
            f"z and information need one value a look, got {len(z)} and {len(information_shares)}."
        )
    if not np.all(np.isfinite(z)):
        raise DesignError(f"z must be finite at every look, got {list(z)}.")
    if wrong := [share for share in information_shares if not share > 0]:
        raise DesignError(f"Information must be above 0 at every look, got {wrong[0]:g}.")
    held = hold_looks(design, information_shares, is_final=is_final)
    adjusted, tested, look = held.design, held.tested.tolist(), len(z)
    _refuse_later_looks(adjusted, [place for place in tested if place < look - 1], z)
    share, n_tested = float(information_shares[tested[-1]]), len(tested)
    following = _find_next(adjusted, n_tested)
    n_looks = adjusted.n_looks + look - n_tested
    if tested[-1] < look - 1:
        if following is None:
            raise DesignError(
                f"Look {tested[-1] + 1} was the last one by the plan: judge that look."
            )
        upper, lower = float(held.efficacy_z[-1]), float(held.futility_z[-1])
        return Judgement(
            look,
            look if is_final else n_looks,
            float(information_shares[-1]),
            upper,
            lower,
            float(z[-1]),
            _decide(float(z[-1]), upper, lower, adjusted.sides, is_last=is_final),
            None if is_final else following,
            informed_by=tested[-1] + 1,
        )
    return _judge_informed(adjusted, n_tested, float(z[-1]), look, n_looks, share, following)


def _judge_informed(
    design: GroupSequentialDesign,
    n_tested: int,
    z: float,
    look: int,
    n_looks: int,
    share: float,
    following: NextLook | None,
) -> Judgement:
    """Return what follows from a look that brought information, the `n_tested`-th that did."""
    upper, lower = float(design.efficacy_z[n_tested - 1]), float(design.futility_z[n_tested - 1])
    decision = _decide(z, upper, lower, design.sides, is_last=following is None)
    chances: dict[str, float] = {}
    predictive = None
    if decision == "go on" or (decision == "stop for futility" and not design.binding):
        effects = {"none": 0.0, "observed": "observed", "as planned": 1.0}
        chances = {
            name: float(design.conditional_power(n_tested, z, effect))  # type: ignore[arg-type]
            for name, effect in effects.items()
        }
        predictive = float(design.predictive_power(n_tested, z))
    goes_on = decision == "go on"
    return Judgement(
        look,
        n_looks,
        share,
        upper,
        lower,
        z,
        decision,
        following if goes_on else None,
        chances,
        predictive,
        None if goes_on else design.infer(n_tested, z),
    )


def _refuse_later_looks(
    design: GroupSequentialDesign, tested: Sequence[int], z: Sequence[float]
) -> None:
    """Refuse looks after one at which the trial should have stopped.

    Parameters
    ----------
    design
        With the bounds of the looks that tested.
    tested
        Their places among those held.
    z
        At every look held.
    """
    for place, look in enumerate(tested, start=1):
        if _crosses(z[look], design.efficacy_z[place - 1], design.sides):
            raise DesignError(
                f"The trial crossed its efficacy bound at look {look + 1} (z {z[look]:g} against "
                f"{design.efficacy_z[place - 1]:.4g}): judge that look."
            )
        if design.binding and z[look] < design.futility_z[place - 1]:
            raise DesignError(
                f"The trial crossed its binding futility bound at look {look + 1}: it had to stop."
            )


def _find_next(design: GroupSequentialDesign, n_tested: int) -> NextLook | None:
    """Return the look after those that tested, None after the last."""
    if n_tested == design.n_looks:
        return None
    planned = (design.information_rates, design.efficacy_z, design.futility_z)
    return NextLook(*(float(values[n_tested]) for values in planned))


def _crosses(z: float, bound: float, sides: int) -> bool:
    return bool((abs(z) if sides == 2 else z) >= bound)


def _decide(z: float, upper: float, lower: float, sides: int, *, is_last: bool) -> str:
    crossed = _crosses(z, upper, sides)
    if is_last:
        return "efficacy shown" if crossed and z > 0 else "efficacy not shown"
    if crossed:
        return "stop for efficacy" if z > 0 else "stop for harm"
    if sides == 1 and z < lower:
        return "stop for futility"
    return "go on"
