"""The plan of a trial's looks, as a protocol's `[interim]` table holds it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf
from typing import Any, Literal

from trialsim.errors import DesignError
from trialsim.plain_values import build_from_values

Boundary = str | Mapping[str, Any]


@dataclass(frozen=True)
class InterimPlan:
    """When a trial is looked at, and what stops it; every attribute is a key of `[interim]`.

    Attributes
    ----------
    looks
        Shares of the information or of the completers, ending at 1; or calendar months of the looks
        before the last.
    by
        What `looks` are.
    efficacy, efficacy_parameter, futility, futility_parameter, binding
        As in `trialsim.analytic.group_sequential`.
    bounds
        "planned": bounds at the planned information; "observed": alpha is spent at what was
        observed; "covariance": alpha is spent at the covariance over looks that simulated trials
        show, for estimators without independent increments.
    accrual_per_month
        People randomized a month; None takes what screening gives.
    reestimation
        "none"; "blinded": the sample size follows the pooled variance at the first look;
        "promising": it grows where conditional power at the first look is promising.
    reestimation_target, reestimation_lowest
        Conditional power aimed at, and from which a result is promising.
    reestimation_maximum
        Cap of the people, as a multiple of those planned.
    enrichment
        "none", or "adaptive": the first look chooses between everyone and the top fraction.

    Raises
    ------
    DesignError
        One sentence for each value that cannot be.
    """

    looks: tuple[float, ...]
    by: Literal["months", "completers", "information"] = "information"
    efficacy: Boundary = "lan_demets_obrien_fleming"
    efficacy_parameter: float | None = None
    futility: Boundary | None = None
    futility_parameter: float | None = None
    binding: bool = False
    bounds: Literal["planned", "observed", "covariance"] = "planned"
    accrual_per_month: float | None = None
    reestimation: Literal["none", "blinded", "promising"] = "none"
    reestimation_target: float = 0.9
    reestimation_lowest: float = 0.4
    reestimation_maximum: float = 2.0
    enrichment: Literal["none", "adaptive"] = "none"

    def __post_init__(self) -> None:
        object.__setattr__(self, "looks", tuple(float(look) for look in self.looks))
        choices = {
            "by": ("months", "completers", "information"),
            "bounds": ("planned", "observed", "covariance"),
            "reestimation": ("none", "blinded", "promising"),
            "enrichment": ("none", "adaptive"),
        }
        problems = [
            f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}."
            for name, known in choices.items()
            if getattr(self, name) not in known
        ]
        if self.accrual_per_month is not None and not self.accrual_per_month > 0:
            problems.append(
                f"accrual_per_month must be greater than 0, got {self.accrual_per_month:g}."
            )
        if self.enrichment == "adaptive" and (self.by == "months" or len(self.looks) != 2):
            problems.append(
                'enrichment "adaptive" chooses at one look before the last: give two looks as '
                f"shares, such as [0.5, 1], got {list(self.looks)} by {self.by}."
            )
        if self.reestimation == "promising" and len(self.looks) != 2 - (self.by == "months"):
            problems.append(
                'reestimation "promising" enlarges the trial at its only look before the last: '
                f"give two looks, such as [0.5, 1], got {list(self.looks)} by {self.by}."
            )
        if not 0 < self.reestimation_lowest < self.reestimation_target < 1:
            problems.append(
                "reestimation_lowest must lie below reestimation_target, both between 0 and 1, got "
                f"{self.reestimation_lowest:g} and {self.reestimation_target:g}."
            )
        if not 1 <= self.reestimation_maximum < inf:
            problems.append(
                f"reestimation_maximum must be 1 or more, got {self.reestimation_maximum:g}."
            )
        if problems:
            raise DesignError(*problems)

    @property
    def boundaries(self) -> dict[str, Any]:
        """The rules that `group_sequential` and `plan_looks` take."""
        names = ("efficacy", "efficacy_parameter", "futility", "futility_parameter", "binding")
        return {name: getattr(self, name) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as `[interim]` holds them."""
        return asdict(self)


def build_interim(values: Mapping[str, Any], *, source: str = "interim") -> InterimPlan:
    """Return the plan of plain values.

    Raises
    ------
    DesignError
        A key is unknown or missing, a value cannot be.
    """
    return build_from_values(InterimPlan, values, source, examples={"looks": "[0.5, 1]"})
