"""The way from everyone screened to everyone enrolled: who enters each stage, what it costs."""

from dataclasses import dataclass

import numpy as np

from trialsim.accrual.plan import expect_months
from trialsim.analysis.result import Floats
from trialsim.costs import MONTHS_UNKNOWN, Costs
from trialsim.errors import DesignError
from trialsim.whole_people import count_entering


@dataclass(frozen=True)
class PathStage:
    """One stage of screening.

    Attributes
    ----------
    name
        What it measures.
    share_passing
        Of those who enter it, the failures taken off, above 0 and at most 1.
    cost
        Of each person who enters it.
    capacity_per_month
        People whom it can take a month; None for any number.
    """

    name: str
    share_passing: float
    cost: float
    capacity_per_month: float | None = None


@dataclass(frozen=True)
class ScreeningPath:
    """The stages of one choice, in their order, and the months that pass besides.

    Attributes
    ----------
    stages
        At least one.
    delay_months
        From the last stage to randomization, such as a run-in.
    """

    stages: tuple[PathStage, ...]
    delay_months: float = 0.0

    @property
    def has_queue(self) -> bool:
        """Whether a stage can take only so many people a month."""
        return any(stage.capacity_per_month is not None for stage in self.stages)

    def count_entering(self, n_enrolled: Floats) -> list[Floats]:
        """Return the people who enter each stage, whole, for numbers of people enrolled."""
        entering, needed = [], np.asarray(n_enrolled, dtype=float)
        for stage in reversed(self.stages):
            needed = count_entering(needed, stage.share_passing)
            entering.append(needed)
        return entering[::-1]

    def expect_enrollment(self, entering: list[Floats], costs: Costs) -> Floats:
        """Return the months until the last person is in; NaN where no screening rate is known.

        The course of screening, or the stage with the longest queue where that takes longer.
        """
        rate = costs.screening_rate_per_month
        queues = [
            people / stage.capacity_per_month
            for people, stage in zip(entering, self.stages, strict=True)
            if stage.capacity_per_month is not None
        ]
        if rate is None and not queues:
            return np.full(entering[0].shape, np.nan)
        if rate is not None:
            queues.append(expect_months(entering[0], rate, costs.opening_months))
        return np.asarray(np.max(queues, axis=0) + costs.screening_months + self.delay_months)

    def price(
        self,
        n_enrolled: Floats,
        entering: list[Floats],
        months: Floats,
        costs: Costs,
        n_visits: Floats | int,
    ) -> Floats:
        """Return what trials cost that last `months` in all, (n_designs,).

        Raises
        ------
        DesignError
            Months cost, and their number is not known.
        """
        screening = sum(
            people * stage.cost for people, stage in zip(entering, self.stages, strict=True)
        )
        total = n_enrolled * (costs.participant + (n_visits - 1) * costs.visit) + screening
        if costs.per_month:
            if costs.screening_rate_per_month is None and not self.has_queue:
                raise DesignError(MONTHS_UNKNOWN)
            total = total + costs.per_month * months
        return np.asarray(total)
