"""When the looks of a trial come, how many people it needs, how long it takes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import optimize

from cohorts.counting import tally
from cohorts.entrances import entrance
from trialsim.analytic.arguments import ANY, NOT_NEGATIVE, POSITIVE, find_problems, raise_problems
from trialsim.analytic.point import FloatArray, count_whole
from trialsim.analytic.sequential.accrual import Accrual
from trialsim.analytic.sequential.design import GroupSequentialDesign
from trialsim.analytic.sequential.endpoint import Endpoint
from trialsim.analytic.sequential.futility import is_rule, read_rule
from trialsim.analytic.sequential.group_sequential import follow_rule, group_sequential
from trialsim.analytic.two_arm_test import compute_fewest_control
from trialsim.errors import DesignError

LookUnit = Literal["months", "completers", "information"]

EFFECTS = (0.0, 0.5, 1.0)
"""Multiples of the design effect at which a plan is described: none, half, the whole."""


@dataclass(frozen=True, kw_only=True)
class LookPlan:
    """A group-sequential trial in people and calendar months; arrays are (n_looks,).

    Attributes
    ----------
    design
        Bounds and errors.
    delta
        Difference between the arms that the power is for, in the endpoint's unit.
    n_control, n_treatment
        People randomized by the end, not rounded unless asked for.
    months
        Calendar month of each look.
    n_enrolled
        People randomized by each look.
    n_completers
        Those who have had their last visit by each look.
    information
        1 / variance of the estimate at each look.
    """

    design: GroupSequentialDesign
    delta: float
    n_control: float
    n_treatment: float
    months: FloatArray
    n_enrolled: FloatArray
    n_completers: FloatArray
    information: FloatArray

    @property
    def n_total(self) -> float:
        """People randomized by the end."""
        return self.n_control + self.n_treatment

    @property
    def efficacy_effect(self) -> FloatArray:
        """Difference that just stops for efficacy, in the endpoint's unit and delta's direction."""
        return np.asarray(np.sign(self.delta) * self.design.efficacy_z / np.sqrt(self.information))

    @property
    def futility_effect(self) -> FloatArray:
        """Difference short of which the trial stops for futility."""
        return np.asarray(np.sign(self.delta) * self.design.futility_z / np.sqrt(self.information))

    def tabulate_looks(self) -> pd.DataFrame:
        """Return one row a look: when, who, bounds on three scales, errors, stops by effect."""
        design = self.design
        columns = {
            "look": np.arange(1, design.n_looks + 1),
            "calendar_months": self.months,
            "n_enrolled": self.n_enrolled,
            "n_completers": self.n_completers,
            "information": self.information,
            "information_rate": design.information_rates,
            "efficacy_z": design.efficacy_z,
            "efficacy_p": design.nominal_p,
            "efficacy_effect": self.efficacy_effect,
            "futility_z": design.futility_z,
            "futility_effect": self.futility_effect,
            "cumulative_alpha": design.cumulative_alpha,
            "cumulative_beta": design.cumulative_beta,
        }
        for effect, name in zip(EFFECTS, ("none", "half", "whole"), strict=True):
            stops = design.stop_probabilities(effect)
            columns[f"stop_efficacy_{name}"] = stops.efficacy
            columns[f"stop_futility_{name}"] = stops.futility
        return pd.DataFrame(columns)

    def tabulate_expectations(self) -> pd.DataFrame:
        """Return one row an effect (none, half, whole): power, people and months on average."""
        stops = self.design.stop_probabilities(np.array(EFFECTS))
        share = stops.efficacy + stops.futility
        # what does not stop before the last look ends there
        share[:, -1] = 1 - share[:, :-1].sum(axis=1)
        return pd.DataFrame(
            {
                "effect": EFFECTS,
                "power": stops.efficacy.sum(axis=1),
                "expected_n": share @ self.n_enrolled,
                "expected_months": share @ self.months,
                "expected_information": share @ self.information,
            }
        )


@entrance
def plan_looks(
    endpoint: Endpoint,
    looks: Sequence[float] | FloatArray,
    *,
    by: LookUnit = "information",
    delta: float,
    accrual: float | Accrual,
    n_total: float | None = None,
    allocation_ratio: float = 1.0,
    dropout_per_month: float = 0.0,
    dropout_per_month_treatment: float | None = None,
    followup_months: float | None = None,
    whole_people: bool = False,
    **boundaries: Any,
) -> LookPlan:
    """Plan the looks of a trial with repeated measures.

    The information at a look is that of the people who have had the visits by then:
    p_gj = H(tau - t_j) G_g(t_j) is the share of arm g with visit j at calendar month tau, H being
    accrual and G staying in (Hampson & Jennison 2013; Lu, Luo & Chen 2008).

    Parameters
    ----------
    endpoint
        `MmrmEndpoint` or `SlopeEndpoint`.
    looks
        When to look: calendar months; or shares of the completers, of the information, which end at
        1. The last look comes when the last person has been followed, and may be left out of
        months.
    by
        What `looks` are: "months", "completers", "information".
    delta
        Difference between the arms, in the endpoint's unit.
    accrual
        People randomized a month, both arms together.
    n_total
        People of both arms; None to find those that have the power.
    allocation_ratio
        Treatment : control.
    dropout_per_month, dropout_per_month_treatment
        Constant hazard of leaving; treatment as control when None.
    followup_months
        Of the person enrolled last; the last visit when None. Where it is shorter, later visits
        take place only for those who came earlier.
    whole_people
        Whether each arm is rounded up to whole people.
    boundaries
        alpha, sides, power, efficacy, futility and the others of `group_sequential`.

    Returns
    -------
    LookPlan
        Months, people, information and bounds of each look.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right; a look before anyone has the visits
        that the estimate needs.

    Examples
    --------
    >>> from trialsim import analytic
    >>> endpoint = analytic.MmrmEndpoint([12, 24], sd=60, correlation=analytic.ar1(0.5, 2))
    >>> plan = analytic.plan_looks(endpoint, [0.5, 1], delta=20, accrual=10)
    >>> round(float(plan.n_total), 1)
    283.6
    """
    treated = (
        dropout_per_month if dropout_per_month_treatment is None else (dropout_per_month_treatment)
    )
    last_visit = float(endpoint.visit_months[-1])
    followup = last_visit if followup_months is None else followup_months
    wanted = np.asarray(looks, dtype=float)
    raise_problems(
        [
            *find_problems(
                delta=(delta, ANY),
                n_total=(n_total, POSITIVE),
                allocation_ratio=(allocation_ratio, POSITIVE),
                dropout_per_month=(dropout_per_month, NOT_NEGATIVE),
                dropout_per_month_treatment=(treated, NOT_NEGATIVE),
                followup_months=(followup, POSITIVE),
            ),
            *_find_look_problems(wanted, by, delta),
        ]
    )
    trial = _Trial(
        endpoint, Accrual.at(accrual), allocation_ratio, (dropout_per_month, treated), followup
    )
    return _Planner(trial, wanted, by, delta, boundaries).plan(n_total, whole_people)


@dataclass(frozen=True)
class _Trial:
    """Everything that does not depend on the number of people."""

    endpoint: Endpoint
    accrual: Accrual
    allocation_ratio: float
    hazards: tuple[float, float]
    followup: float

    def get_end(self, n_total: float) -> float:
        return float(self.accrual.find_month(n_total)) + self.followup

    def compute_due(self, month: float, n_total: float) -> FloatArray:
        """Return the share of people whose visits have fallen due, (n_visits,)."""
        months = np.minimum(month, self.get_end(n_total))
        return self.accrual.count(months - self.endpoint.visit_months, n_total) / n_total

    def compute_information(self, month: float, n_total: float) -> float:
        """Return the information at a calendar month; 0 before anyone tells of the effect."""
        due, visits = self.compute_due(month, n_total), self.endpoint.visit_months
        if due[self.endpoint.n_visits_needed - 1] <= 1e-12:
            return 0.0
        control, treatment = (due * np.exp(-hazard * visits) for hazard in self.hazards)
        variance = self.endpoint.compute_unit_variance(control, treatment, self.allocation_ratio)
        return n_total / (1 + self.allocation_ratio) / variance

    def count_completers(self, month: float, n_total: float) -> float:
        share = np.array([1.0, self.allocation_ratio]) / (1 + self.allocation_ratio)
        stay = np.exp(-np.array(self.hazards) * self.endpoint.visit_months[-1])
        return float(self.compute_due(month, n_total)[-1] * n_total * (share @ stay))


@dataclass(frozen=True)
class _Planner:
    trial: _Trial
    looks: FloatArray
    by: LookUnit
    delta: float
    boundaries: dict[str, Any]

    def plan(self, n_total: float | None, whole_people: bool) -> LookPlan:
        n = self._find_size() if n_total is None else n_total
        if whole_people:
            per_control = 1 + self.trial.allocation_ratio
            control = count_whole(n / per_control)
            treatment = count_whole(n - n / per_control)
            # in the proportion of the people that there are
            trial = replace(self.trial, allocation_ratio=treatment / control)
            return replace(self, trial=trial).plan(control + treatment, whole_people=False)
        months, information = self._place(n)
        drift = abs(self.delta) * float(information[-1]) ** 0.5
        design = self._design(information / information[-1], drift)
        trial = self.trial
        n_control = n / (1 + trial.allocation_ratio)
        plan = LookPlan(
            design=design,
            delta=self.delta,
            n_control=n_control,
            n_treatment=n - n_control,
            months=months,
            n_enrolled=trial.accrual.count(months, n),
            n_completers=np.array([trial.count_completers(month, n) for month in months]),
            information=information,
        )
        # power and drift are those of the people there are, at this effect
        return replace(plan, design=design.at_drift(drift))

    def _design(self, rates: FloatArray, drift: float) -> GroupSequentialDesign:
        futility = self.boundaries.get("futility")
        if not is_rule(futility):
            return group_sequential(rates, **self.boundaries)
        # a chance of success is that of the people there are, not of those with the power asked for
        rules = {key: value for key, value in self.boundaries.items() if "futility" not in key}
        return follow_rule(read_rule(futility, rates.size), rates, drift=drift, **rules)

    def _find_size(self) -> float:
        """Return the people with whom the information at the end is what the drift needs."""

        def excess(log_n: float) -> float:
            n = float(np.exp(log_n))
            _, information = self._place(n)
            design = group_sequential(information / information[-1], **self.boundaries)
            return float(np.log(information[-1] * self.delta**2 / design.drift**2))

        low, high = self._bracket()
        if excess(np.log(low)) > 0:
            raise DesignError(
                f"{tally(round(low), 'people reach')} the power before the look at month "
                f"{self.looks[-1]:g}: plan earlier looks."
            )
        found = float(np.exp(optimize.brentq(excess, np.log(low), np.log(high), xtol=1e-10)))
        ratio = self.trial.allocation_ratio
        # where two people an arm are more than enough, the power is above what was asked for
        return max(found, float(compute_fewest_control(ratio)) * (1 + ratio))

    def _bracket(self) -> tuple[float, float]:
        # The information of a trial grows with its people, nearly in proportion.
        n = 100.0
        per_person = self.trial.compute_information(self.trial.get_end(n), n) / n
        fixed = group_sequential([1.0], **self._without_looks())
        low = 0.5 * (fixed.drift / self.delta) ** 2 / per_person
        if self.by == "months":
            # the trial must not end before its looks
            followed = self.looks[-1] - self.trial.followup
            low = max(low, float(self.trial.accrual.count(followed, np.inf)) * 1.002)
        return low, 8 * low + 10

    def _without_looks(self) -> dict[str, Any]:
        known = ("alpha", "sides", "power")
        return {name: self.boundaries[name] for name in known if name in self.boundaries}

    def _place(self, n: float) -> tuple[FloatArray, FloatArray]:
        """Return calendar month and information of each look, the last one at the end."""
        end = self.trial.get_end(n)
        full = self.trial.compute_information(end, n)
        months = np.append(self._find_months(n, end, full), end)
        information = [self.trial.compute_information(month, n) for month in months[:-1]]
        for number, (month, known) in enumerate(zip(months, information, strict=False), start=1):
            if known <= 0:
                first = self.trial.endpoint.visit_months[self.trial.endpoint.n_visits_needed - 1]
                raise DesignError(
                    f"Look {number} at month {month:g} comes before anyone has the visit at month "
                    f"{first:g} that the estimate needs."
                )
        return months, np.array([*information, full])

    def _find_months(self, n: float, end: float, full: float) -> FloatArray:
        """Return the months of the looks before the last."""
        if self.by == "months":
            early = self.looks[self.looks < end - 1e-9]
            late = self.looks[self.looks > end + 1e-9]
            if late.size:
                raise DesignError(
                    f"A look at month {late[0]:g} comes after the end of the trial at month "
                    f"{end:.4g}."
                )
            return early

        def reach(month: float, share: float) -> float:
            if self.by == "completers":
                return float(self.trial.compute_due(month, n)[-1]) - share
            return self.trial.compute_information(month, n) / full - share

        found = [optimize.brentq(reach, 0.0, end, args=(share,)) for share in self.looks[:-1]]
        return np.array(found)


def _find_look_problems(looks: FloatArray, by: str, delta: float) -> list[str]:
    problems = [] if delta else ["delta must differ from 0: no number of people detects it."]
    if by not in ("months", "completers", "information"):
        return [*problems, f'by must be "months", "completers" or "information", got "{by}".']
    if looks.ndim != 1 or not looks.size or not np.all(np.isfinite(looks)):
        return [*problems, f"looks must list numbers, got {looks.tolist()}."]
    if looks[0] <= 0 or np.any(np.diff(looks) <= 0):
        problems.append(f"looks must be greater than 0 and increase, got {looks.tolist()}.")
    elif by != "months" and abs(looks[-1] - 1) > 1e-9:
        problems.append(f"looks by {by} must end at 1, got {looks.tolist()}.")
    return problems
