"""The plan that a running trial is judged by, in a file of its own."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from math import inf, isfinite
from pathlib import Path
from typing import Any, TypeGuard

from trialsim.analytic import GroupSequentialDesign, group_sequential
from trialsim.errors import DesignError


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
    allocation_ratio
        Treatment : control.
    """

    information_rates: tuple[float, ...]
    alpha: float
    sides: int
    power: float
    boundaries: dict[str, Any]
    delta: float | None = None
    maximum_information: float | None = None
    visits_months: tuple[float, ...] | None = None
    allocation_ratio: float = 1.0

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
    except (OSError, ValueError, RecursionError) as error:
        raise DesignError(_deny(path, str(error))) from error
    problems = [*_find_problems(values)]
    if problems:
        raise DesignError(*(_deny(path, problem) for problem in problems))
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    plan = MonitoringPlan(**{**values, **lists})
    try:
        plan.build()
    except DesignError as error:
        raise DesignError(*(f"{path}: {problem}" for problem in error.problems)) from error
    except (ValueError, TypeError) as error:
        raise DesignError(_deny(path, str(error))) from error
    return plan


def _deny(path: Path, why: str) -> str:
    return (
        f"{path} is no monitoring plan; `trialsim samplesize sequential --write` makes one ({why})."
    )


def _find_problems(values: Any) -> Iterator[str]:
    """Yield what keeps values from being those of a plan; rules and their numbers are left out."""
    if not isinstance(values, Mapping):
        yield "an object with keys is expected"
        return
    known = fields(MonitoringPlan)
    names = [one.name for one in known]
    yield from (
        f"it has no {one.name}"
        for one in known
        if one.default is MISSING and one.name not in values
    )
    yield from (f"{name} is not known" for name in values if name not in names)
    if not isinstance(values.get("boundaries", {}), Mapping):
        yield f"boundaries must be an object with keys, got {values['boundaries']!r}"
    for name in ("delta", "maximum_information", "allocation_ratio"):
        value = values.get(name)
        if name not in values or (value is None and name != "allocation_ratio"):
            continue
        least, right = (-inf, "other than 0") if name == "delta" else (0, "above 0")
        if not (_is_number(value) and value > least and value != 0):
            yield f"{name} must be a number {right}, got {value!r}"
    months = values.get("visits_months")
    if months is not None and not (
        isinstance(months, list)
        and months
        and all(map(_is_number, months))
        and months == sorted({month for month in months if month > 0})
    ):
        yield f"visits_months must be months above 0 that increase, got {months!r}"


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
