"""Interim looks planned for a trial that has no cohort: as a table, sentences, a file."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from cohorts.counting import tally
from trialsim import __version__
from trialsim.analytic import (
    GroupSequentialDesign,
    LookPlan,
    MmrmEndpoint,
    ar1,
    group_sequential,
    plan_looks,
)
from trialsim.analytic.sequential.futility import is_rule
from trialsim.errors import DesignError
from trialsim.interim.monitoring import MonitoringPlan
from trialsim.interim.wording import describe_family, write_paragraph

_EFFECTS: Final = {"no": 0.0, "half": 0.5, "whole": 1.0}


@dataclass(frozen=True)
class Calendar:
    """What places looks in time and people.

    Attributes
    ----------
    delta, sd
        Difference between the arms at the last visit, sd given baseline.
    visits_months
        Visits after baseline.
    rho
        Correlation of neighboring visits given baseline.
    dropout
        Share that has left by the last visit, 0 to below 1.
    accrual_per_month
        People randomized a month.
    n_total
        People of both arms; those with the power when None.
    allocation_ratio
        Treatment : control.
    """

    delta: float
    sd: float
    visits_months: Sequence[float]
    rho: float
    dropout: float
    accrual_per_month: float
    n_total: float | None
    allocation_ratio: float

    def plan(self, looks: Sequence[float], by: str, rules: Mapping[str, Any]) -> LookPlan:
        """Return the looks of an MMRM.

        Raises
        ------
        DesignError
            Where the looks cannot be planned.
        """
        if not 0 <= self.dropout < 1:
            raise DesignError(f"dropout must be a share from 0 to below 1, got {self.dropout:g}.")
        visits = list(self.visits_months)
        if not visits or not all(0 < month < math.inf for month in visits):
            raise DesignError(
                "visits_months must list the visits after baseline, such as 6,12,24, got "
                f"{', '.join(f'{month:g}' for month in visits) or 'none'}."
            )
        return plan_looks(
            MmrmEndpoint(visits, sd=self.sd, correlation=ar1(self.rho, len(visits))),
            list(looks),
            by=by,  # type: ignore[arg-type]
            delta=self.delta,
            dropout_per_month=-math.log1p(-self.dropout) / visits[-1],
            whole_people=self.n_total is None,
            accrual=self.accrual_per_month,
            n_total=self.n_total,
            allocation_ratio=self.allocation_ratio,
            **rules,
        )


@dataclass(frozen=True)
class PlannedLooks:
    """Looks with their bounds.

    Attributes
    ----------
    design
        Of the bounds.
    boundaries, test
        Rules, and alpha, sides and power, as they were stated.
    calendar, plan
        Where the looks are in time; None where they are shares of the information alone.
    """

    design: GroupSequentialDesign
    boundaries: Mapping[str, Any]
    test: Mapping[str, Any]
    calendar: Calendar | None = None
    plan: LookPlan | None = None

    def tabulate(self) -> pd.DataFrame:
        """Return one row a look: when, its bounds, how often trials stop there."""
        design, plan = self.design, self.plan
        table = pd.DataFrame({"look": np.arange(1, design.n_looks + 1)})
        if plan is not None:
            table["month"] = plan.months.round(1)
            table["randomized"] = np.ceil(plan.n_enrolled - 1e-9).astype(int)
        table["information"] = design.information_rates.round(4)
        table["efficacy_z"] = design.efficacy_z.round(4)
        table["p"] = design.nominal_p.round(6)
        if plan is not None:
            table["difference"] = [float(f"{effect:.4g}") for effect in plan.efficacy_effect]
        if design.has_futility:
            table["futility_z"] = design.futility_z.round(4)
        table["alpha_spent"] = design.cumulative_alpha.round(6)
        for name, effect in _EFFECTS.items():
            stops = design.stop_probabilities(effect)
            # with two sides the lower bound is the other side's, which stops a trial as well
            is_lower = design.has_futility or design.sides == 2
            share = stops.efficacy + stops.futility * is_lower
            table[f"stops_{name}"] = share.round(4)
        return table

    def phrase(self) -> list[str]:
        """Return what the trial expects, in sentences."""
        sentences = []
        for name, effect in _EFFECTS.items():
            share = self.design.expected_information(effect)
            stops = self.design.stop_probabilities(effect)
            rejects = f"rejects {stops.efficacy.sum():.1%}"
            if self.design.sides == 2:
                rejects += f" in its direction, {stops.futility.sum():.1%} in the other"
            sentences.append(
                f"With {name} effect: {rejects}, expected information "
                f"{share.of_maximum:.1%} of the maximum, {share.of_fixed:.1%} of one analysis"
                f"{self._expect(effect)}."
            )
        people = "." if self.plan is None else f"; {tally(round(self.plan.n_total), 'people')}."
        inflation, drift = self.design.inflation_factor, self.design.drift
        return [*sentences, f"Inflation {inflation:.4f}, drift {drift:.4f}{people}"]

    def write_paragraph(self) -> str:
        """Return a paragraph for a protocol's section on interim analyses."""
        stated = self.boundaries
        futility = stated["futility"]
        return write_paragraph(
            self.design,
            efficacy=describe_family(stated["efficacy"], stated["efficacy_parameter"]),
            futility=None
            if futility is None
            else describe_family(futility, stated["futility_parameter"]),
            version=__version__,
            plan=self.plan,
            analysis="the MMRM at the last visit" if self.plan else "the primary analysis",
        )

    def write(self, path: Path) -> None:
        """Write the plan that `trialsim monitor` reads, as JSON."""
        design, held = self.design, dict(self.boundaries)
        if is_rule(held["futility"]):
            # a rule's bounds are fixed with the plan: z that a committee can look up
            held["futility"] = {"z": design.to_dict()["futility_z"][:-1]}
        plan, calendar = self.plan, self.calendar
        MonitoringPlan(
            tuple(design.information_rates.tolist()),
            boundaries=held,
            delta=None if calendar is None else calendar.delta,
            maximum_information=None if plan is None else float(plan.information[-1]),
            visits_months=None if calendar is None else tuple(calendar.visits_months),
            allocation_ratio=1.0 if calendar is None else calendar.allocation_ratio,
            **self.test,
        ).write(path)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        found = dict(self.design.to_dict())
        if self.plan is not None:
            looks, expected = self.plan.tabulate_looks(), self.plan.tabulate_expectations()
            found["looks"] = json.loads(looks.to_json(orient="records"))
            found["expectations"] = json.loads(expected.to_json(orient="records"))
        return found

    def _expect(self, effect: float) -> str:
        if self.plan is None:
            return ""
        table = self.plan.tabulate_expectations()
        row = table[table["effect"] == effect].iloc[0]
        return f", {tally(round(row['expected_n']), 'people')}, {row['expected_months']:.1f} months"


def plan_sequential(
    looks: Sequence[float],
    by: str,
    boundaries: Mapping[str, Any],
    test: Mapping[str, Any],
    calendar: Calendar | None = None,
) -> PlannedLooks:
    """Return the looks of a trial.

    Parameters
    ----------
    looks
        Shares ending at 1, or calendar months before the last look.
    by
        What they are: "information", "completers" or "months".
    boundaries
        Rules of efficacy and futility, of `trialsim.analytic.group_sequential`.
    test
        Its `alpha`, `sides` and `power`.
    calendar
        What places them in time; needed for looks by completers or months.

    Raises
    ------
    DesignError
        Where the looks cannot be planned.
    """
    rules = {**boundaries, **test}
    if calendar is not None:
        plan = calendar.plan(looks, by, rules)
        return PlannedLooks(plan.design, boundaries, test, calendar, plan)
    if by != "information":
        raise DesignError(f"Looks by {by} need --delta and --sd, which place them in time.")
    return PlannedLooks(group_sequential(list(looks), **rules), boundaries, test)
