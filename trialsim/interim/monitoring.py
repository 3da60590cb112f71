"""The plan that a running trial is judged by, in a file of its own."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
        plan = MonitoringPlan(**{**values, **lists})
        plan.build()
        return plan
    except DesignError as error:
        raise DesignError(*(f"{path}: {problem}" for problem in error.problems)) from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DesignError(
            f"{path} is no monitoring plan; `trialsim samplesize sequential --write` makes one "
            f"({error})."
        ) from error
