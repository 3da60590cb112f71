"""The plan of a trial's looks, as a protocol's `[interim]` table or a file of its own holds it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from trialsim.analytic import GroupSequentialDesign, group_sequential
from trialsim.analytic.sequential.plan import LookUnit
from trialsim.errors import DesignError

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
        observed.
    accrual_per_month
        People randomized a month; None takes what screening gives.
    reestimation
        "none", or "blinded": the sample size follows the pooled variance at the first look.
    enrichment
        "none", or "adaptive": the first look chooses between everyone and the top fraction.

    Raises
    ------
    DesignError
        One sentence for each value that cannot be.
    """

    looks: tuple[float, ...]
    by: LookUnit = "information"
    efficacy: Boundary = "lan_demets_obrien_fleming"
    efficacy_parameter: float | None = None
    futility: Boundary | None = None
    futility_parameter: float | None = None
    binding: bool = False
    bounds: Literal["planned", "observed"] = "planned"
    accrual_per_month: float | None = None
    reestimation: Literal["none", "blinded"] = "none"
    enrichment: Literal["none", "adaptive"] = "none"

    def __post_init__(self) -> None:
        object.__setattr__(self, "looks", tuple(float(look) for look in self.looks))
        choices = {
            "by": ("months", "completers", "information"),
            "bounds": ("planned", "observed"),
            "reestimation": ("none", "blinded"),
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
    known = [one.name for one in fields(InterimPlan)]
    unknown = [key for key in values if key not in known]
    if unknown:
        raise DesignError(
            *(f"{source}: {key} is not known; there are {', '.join(known)}." for key in unknown)
        )
    if "looks" not in values:
        raise DesignError(f"{source}: looks is missing; list them, such as [0.5, 1].")
    try:
        return InterimPlan(**values)
    except (TypeError, ValueError) as error:
        raise DesignError(f"{source}: a value has the wrong type ({error}).") from error


@dataclass(frozen=True)
class MonitoringPlan:
    """What must be known to judge a look: fixed before the data, kept in a file.

    Attributes
    ----------
    information_rates, alpha, sides, power, boundaries
        Of `group_sequential`.
    delta
        Design effect in the endpoint's unit; None leaves effects as multiples of it.
    maximum_information
        Planned 1 / variance of the estimate at the end; None where information is given as shares.
    visits_months
        Planned visits after baseline; None takes those in the data.
    """

    information_rates: tuple[float, ...]
    alpha: float
    sides: int
    power: float
    boundaries: dict[str, Any]
    delta: float | None = None
    maximum_information: float | None = None
    visits_months: tuple[float, ...] | None = None

    def build(self) -> GroupSequentialDesign:
        """Return the design, with the drift that the planned people have."""
        design = group_sequential(
            self.information_rates,
            alpha=self.alpha,
            sides=self.sides,
            power=self.power,
            **self.boundaries,
        )
        if self.delta is None or self.maximum_information is None:
            return design
        return design.at_drift(abs(self.delta) * self.maximum_information**0.5)

    def write(self, path: Path) -> None:
        """Write the plan as JSON; numbers that are missing are null."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_monitoring_plan(path: Path) -> MonitoringPlan:
    """Return the plan that `trialsim samplesize sequential --write` made.

    Raises
    ------
    DesignError
        The file cannot be read, or is no plan.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
        return MonitoringPlan(**{**values, **lists})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DesignError(
            f"{path} is no monitoring plan; `trialsim samplesize sequential --write` makes one "
            f"({error})."
        ) from error
