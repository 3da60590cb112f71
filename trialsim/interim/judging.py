"""What the data so far say of a trial, look by look."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialsim.analytic import GroupSequentialDesign
from trialsim.analytic.sequential.inference import StoppedTrial
from trialsim.errors import DesignError


@dataclass(frozen=True)
class Judgement:
    """A look, judged.

    Attributes
    ----------
    design
        With the bounds at the information observed.
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
    conditional_power
        By effect ("none", "observed", "as planned"); empty at the last look or after a stop.
    predictive_power
        With a flat prior; None likewise.
    stopped
        What is reported of a trial that ends here; None while it goes on.
    """

    design: GroupSequentialDesign
    look: int
    n_looks: int
    information_share: float
    efficacy_z: float
    futility_z: float
    z: float
    decision: str
    conditional_power: dict[str, float]
    predictive_power: float | None
    stopped: StoppedTrial | None

    @property
    def next_look(self) -> tuple[float, float, float] | None:
        """Planned share of the information, efficacy and futility bound of the next look."""
        if self.stopped is not None:
            return None
        share = self.information_share * (
            self.design.information_rates[self.look] / self.design.information_rates[self.look - 1]
        )
        bounds = self.design.efficacy_z[self.look], self.design.futility_z[self.look]
        return float(share), float(bounds[0]), float(bounds[1])


def judge_look(
    design: GroupSequentialDesign,
    z: Sequence[float],
    information_shares: Sequence[float],
    *,
    is_final: bool = False,
) -> Judgement:
    """Return what follows from the looks held so far.

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
    adjusted = design.adjust(list(information_shares), is_final=is_final)
    for look, value in enumerate(z[:-1], start=1):
        if _crosses(adjusted, look, value):
            raise DesignError(
                f"The trial crossed its efficacy bound at look {look} (z {value:g} against "
                f"{adjusted.efficacy_z[look - 1]:.4g}): judge that look."
            )
        if design.binding and value < adjusted.futility_z[look - 1]:
            raise DesignError(
                f"The trial crossed its binding futility bound at look {look}: it had to stop."
            )
    look, value = len(z), float(z[-1])
    decision = _decide(adjusted, look, value)
    going_on = decision == "go on" or (decision == "stop for futility" and not design.binding)
    effects = {"none": 0.0, "observed": "observed", "as planned": 1.0}
    chances: dict[str, float] = {}
    predictive = None
    if going_on:
        chances = {
            name: float(adjusted.conditional_power(look, value, effect))  # type: ignore[arg-type]
            for name, effect in effects.items()
        }
        predictive = float(adjusted.predictive_power(look, value))
    return Judgement(
        adjusted,
        look,
        adjusted.n_looks,
        float(information_shares[-1]),
        float(adjusted.efficacy_z[look - 1]),
        float(adjusted.futility_z[look - 1]),
        value,
        decision,
        chances,
        predictive,
        None if decision == "go on" else adjusted.infer(look, value),
    )


def _crosses(design: GroupSequentialDesign, look: int, z: float) -> bool:
    size = abs(z) if design.sides == 2 else z
    return bool(size >= design.efficacy_z[look - 1])


def _decide(design: GroupSequentialDesign, look: int, z: float) -> str:
    crossed, last = _crosses(design, look, z), look == design.n_looks
    if last:
        return "efficacy shown" if crossed and z > 0 else "efficacy not shown"
    if crossed:
        return "stop for efficacy" if z > 0 else "stop for harm"
    if design.sides == 1 and z < design.futility_z[look - 1]:
        return "stop for futility"
    return "go on"
