"""The looks of a trial of the people that a strategy enrolls."""

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from trialsim import __version__
from trialsim.adaptive.enrichment import (
    EnrichmentRule,
    Population,
    compare_with_enriching_from_the_start,
)
from trialsim.analyses import ANALYSES
from trialsim.analytic import LookPlan, group_sequential, plan_looks
from trialsim.analytic.sequential.endpoint import Endpoint
from trialsim.analytic.sequential.futility import is_rule
from trialsim.comparison.closed_form import Moments, has_closed_form
from trialsim.costs import Costs
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.interim.endpoint import (
    ScaledEndpoint,
    build_endpoint,
    compute_final_variance,
    get_sd,
)
from trialsim.interim.plan import InterimPlan
from trialsim.interim.wording import describe_family, write_paragraph
from trialsim.simulation.effects import Estimand, compute_shift
from trialsim.simulation.looks import SimulatedLooks, simulate_looks
from trialsim.simulation.outcomes import OutcomeModel
from trialsim.simulation.stopping import tabulate_stops
from trialsim.workers.spread import Workers

EFFECT_NAMES = {0.0: "none", 0.5: "half", 1.0: "whole"}

_ANALYSES = {
    "change": "the comparison of changes",
    "ancova": "ANCOVA of completers",
    "ancova_score": "ANCOVA of completers with the prognostic score",
    "random_slope": "the random-slope model",
    "random_slope_score": "the random-slope model with the prognostic score",
    "mmrm": "the MMRM at the last visit",
    "mmrm_score": "the MMRM at the last visit with the prognostic score",
}


_PACE_UNKNOWN: Final = (
    "interim.accrual_per_month, costs.screening_rate_per_month, or an [accrual] section must say "
    "how fast people are enrolled: looks take place in calendar time."
)


@dataclass(frozen=True)
class LookCalibration:
    """What the closed forms of looks take from simulated trials with one analysis.

    Attributes
    ----------
    effect
        Mean estimate over the one that the closed form expects.
    variance
        Of the estimate, over the closed form's: that at which one analysis has the target power
        with the people that simulated trials needed for it.
    """

    effect: float = 1.0
    variance: float = 1.0


@dataclass(frozen=True)
class Enrolled:
    """The people that a strategy enrolls, and what it takes to find them.

    Attributes
    ----------
    strategy, fraction_enrolled
        Who they are.
    is_screened
        Whether a scan chooses them.
    model
        Draws their outcomes.
    moments
        What closed forms know of them.
    calibration
        What these do not know: t quantiles, sites, scans that cannot be read, what happens to
        people.
    proposed
        People that are proposed for one analysis over those found: above 1 where the choice owes
        part of its size to having been chosen.
    """

    strategy: str
    fraction_enrolled: float
    is_screened: bool
    model: OutcomeModel
    moments: Moments
    calibration: LookCalibration = LookCalibration()
    proposed: float = 1.0

    def expect_difference(self, design: TrialDesign) -> float:
        """Return what the first analysis of a design estimates on average."""
        shift = compute_shift(design, self.moments.true_change)
        difference = Estimand(shift, design.times).get_value(design.analyses[0])
        return self.calibration.effect * difference

    def build_endpoint(self, design: TrialDesign) -> Endpoint:
        """Return what the first analysis of a design estimates, with its precision.

        Raises
        ------
        DesignError
            As `trialsim.interim.endpoint.build_endpoint`.
        """
        model = build_endpoint(design.analyses[0], self.moments, design)
        return ScaledEndpoint(model, self.calibration.variance)

    def calibrate(self, design: TrialDesign, *, n_control: float, estimate: float) -> "Enrolled":
        """Return the people with what simulated trials of one analysis show of them.

        Parameters
        ----------
        design
            Of these trials.
        n_control
            People that they needed in control for the target power.
        estimate
            Their mean estimate; no closed form, where there is one, errs in it.
        """
        analysis, plain = design.analyses[0], replace(self, calibration=LookCalibration())
        expected = plain.expect_difference(design)
        effect = 1.0 if has_closed_form(analysis, design) else estimate / expected
        once = group_sequential(
            [1.0], alpha=design.alpha, sides=design.sides, power=design.target_power
        )
        wanted = n_control * (effect * expected / once.drift) ** 2
        variance = wanted / compute_final_variance(plain.build_endpoint(design), design)
        return replace(self, calibration=LookCalibration(effect, variance))

    def get_accrual(self, interim: InterimPlan, costs: Costs) -> float:
        """Return the people randomized a month.

        Raises
        ------
        DesignError
            Neither accrual nor the screening rate is known.
        """
        if interim.accrual_per_month is not None:
            return interim.accrual_per_month
        if costs.screening_rate_per_month is None:
            raise DesignError(_PACE_UNKNOWN)
        share = self.fraction_enrolled if self.is_screened else 1.0
        return costs.screening_rate_per_month * share * (1 - costs.failure_rate)


def refuse_looks(design: TrialDesign, interim: InterimPlan, costs: Costs) -> None:
    """Refuse, before anything is simulated, looks that cannot be planned of any people.

    Raises
    ------
    DesignError
        Nothing says how fast people are enrolled, or the rules cannot hold together.
    """
    problems = []
    if interim.accrual_per_month is None and costs.screening_rate_per_month is None:
        problems.append(_PACE_UNKNOWN)
    # where looks are placed otherwise, and where futility goes by chances, people tell the bounds
    if interim.by == "information" and not is_rule(interim.futility):
        try:
            group_sequential(
                interim.looks,
                alpha=design.alpha,
                sides=design.sides,
                power=design.target_power,
                **interim.boundaries,
            )
        except DesignError as error:
            problems += error.problems
    if problems:
        raise DesignError(*problems)


def plan_candidate(
    people: Enrolled, design: TrialDesign, interim: InterimPlan, costs: Costs
) -> LookPlan:
    """Return the looks of the trial with the target power, in months and people.

    Where more people are proposed than were found for one analysis, looks have as many times more.

    Raises
    ------
    DesignError
        As in `plan_looks`.
    """
    endpoint = people.build_endpoint(design)
    options: dict[str, Any] = {
        "by": interim.by,
        "delta": people.expect_difference(design),
        "accrual": people.get_accrual(interim, costs),
        "allocation_ratio": design.allocation_ratio,
        "dropout_per_month": design.compute_hazard(0),
        "dropout_per_month_treatment": design.compute_hazard(1),
        "alpha": design.alpha,
        "sides": design.sides,
        "power": design.target_power,
        **interim.boundaries,
    }
    needed = plan_looks(endpoint, interim.looks, **options)
    # each arm is rounded up, as everywhere else
    arms = (needed.n_control, needed.n_treatment)
    whole = sum(np.ceil(people.proposed * size - 1e-9) for size in arms)
    return plan_looks(endpoint, interim.looks, n_total=float(whole), **options)


def simulate_candidate(
    people: Enrolled,
    plan: LookPlan,
    design: TrialDesign,
    interim: InterimPlan,
    costs: Costs,
    *,
    n_simulations: int,
    seed: int,
    workers: Workers,
) -> SimulatedLooks:
    """Return every look of simulated trials of the planned size, at the planned months."""
    return simulate_looks(
        people.model,
        design.change(analyses=design.analyses[:1]),
        design.split(round(plan.n_total)),
        plan.months[:-1],
        accrual=people.get_accrual(interim, costs),
        seed=seed,
        replicates=range(n_simulations),
        workers=workers,
    )


def tabulate_candidate_looks(
    people: Enrolled,
    plan: LookPlan,
    simulated: SimulatedLooks,
    design: TrialDesign,
    interim: InterimPlan,
) -> pd.DataFrame:
    """Return rows of the table `looks`."""
    table = plan.tabulate_looks()
    stops = _stop(plan, simulated, design, interim)
    for effect, name in ((0.0, "none"), (1.0, "whole")):
        rows = stops[stops["effect"] == effect]
        for kind in ("efficacy", "futility"):
            for ending in ("", "_mcse"):
                column = f"simulated_stop_{kind}_{name}{ending}"
                table[column] = rows[f"stop_{kind}{ending}"].to_numpy()
    finite = table.select_dtypes("number").replace([np.inf, -np.inf], np.nan)
    table[finite.columns] = finite
    table.insert(0, "strategy", people.strategy)
    table.insert(1, "fraction_enrolled", people.fraction_enrolled)
    table.insert(2, "analysis", design.analyses[0])
    return table


def tabulate_candidate_expectations(
    people: Enrolled,
    plan: LookPlan,
    simulated: SimulatedLooks,
    design: TrialDesign,
    interim: InterimPlan,
    costs: Costs,
) -> pd.DataFrame:
    """Return rows of the table `look_expectations`: power, people, months, cost by effect."""
    paragraph = write_paragraph(
        plan.design,
        efficacy=describe_family(interim.efficacy, interim.efficacy_parameter),
        futility=None
        if interim.futility is None
        else describe_family(interim.futility, interim.futility_parameter),
        version=__version__,
        plan=plan,
        analysis=_describe_analysis(design),
        unit=design.unit,
    )
    table = plan.tabulate_expectations()
    stops = _stop(plan, simulated, design, interim)
    by_effect = stops.groupby("effect")
    rejected = by_effect["reject_by_look"].last()
    mcse = by_effect["reject_by_look_mcse"].last()
    n_simulations = simulated.months.shape[1]
    table["simulated_power"] = table["effect"].map(rejected)
    table["simulated_power_mcse"] = table["effect"].map(mcse)
    table["expected_cost"] = [
        _price(people, costs, row["expected_n"], row["expected_months"])
        for _, row in table.iterrows()
    ]
    table["maximum_n"] = plan.n_total
    table["maximum_months"] = plan.months[-1]
    table["n_simulations"] = n_simulations
    table["paragraph"] = paragraph
    table["effect"] = table["effect"].map(EFFECT_NAMES)
    table.insert(0, "strategy", people.strategy)
    table.insert(1, "fraction_enrolled", people.fraction_enrolled)
    table.insert(2, "analysis", design.analyses[0])
    return table


def _describe_analysis(design: TrialDesign) -> str:
    name = design.analyses[0]
    judged = ANALYSES[name].is_mixed and design.inference.for_looks().kenward_roger
    error = " (Kenward & Roger's standard error)" if judged else ""
    return _ANALYSES[name] + error


def _stop(
    plan: LookPlan, simulated: SimulatedLooks, design: TrialDesign, interim: InterimPlan
) -> pd.DataFrame:
    return tabulate_stops(
        simulated,
        plan.design,
        design.analyses[0],
        # bounds at an estimated covariance are already those of the plan
        bounds="observed" if interim.bounds == "observed" else "planned",
        maximum_information=float(plan.information[-1]),
    )


def _price(people: Enrolled, costs: Costs, n: float, months: float) -> float:
    screened = n / people.fraction_enrolled if people.is_screened else 0.0
    return costs.participant * n + costs.screening * screened + costs.per_month * months


def compare_enriching(
    selected: Enrolled,
    everyone: Enrolled,
    design: TrialDesign,
    interim: InterimPlan,
    costs: Costs,
    *,
    seed: int,
    n_simulations: int = 20_000,
) -> pd.DataFrame:
    """Return rows of the table `adaptive_enrichment`: choosing at the look, or from the start.

    Both have as many people as enriching from the start needs for the target power, times those
    proposed over those found.

    Raises
    ------
    DesignError
        Everyone is selected, so that there is nothing to choose.
    """
    fraction = selected.fraction_enrolled
    rule, population, n_total = plan_enriching(selected, everyone, design, interim)
    # people are screened as fast as the looks' people are randomized
    passing = fraction * (1 - costs.failure_rate)
    pace = selected.get_accrual(interim, costs) / passing
    costs = replace(costs, screening_rate_per_month=pace)
    table = compare_with_enriching_from_the_start(
        rule,
        population,
        n_total=n_total,
        followup_months=design.duration_months,
        costs=costs,
        n_simulations=n_simulations,
        seed=seed,
    )
    none = Population(fraction, 0.0, 0.0, population.sd_selected, population.sd_rest)
    table["type_one_error"] = compare_with_enriching_from_the_start(
        rule, none, n_total=n_total, n_simulations=n_simulations, seed=seed
    )["reject_any"]
    table.insert(0, "strategy", selected.strategy)
    table.insert(1, "fraction_enrolled", fraction)
    table.insert(2, "maximum_n", n_total)
    return table


def plan_enriching(
    selected: Enrolled, everyone: Enrolled, design: TrialDesign, interim: InterimPlan
) -> tuple[EnrichmentRule, Population, int]:
    """Return the rule of a trial that may enrich, its people, and how many it takes.

    Parameters
    ----------
    selected, everyone, design, interim
        As in `compare_enriching`.

    Raises
    ------
    DesignError
        Everyone is selected, so that there is nothing to choose; the people do not decline.
    """
    fraction = selected.fraction_enrolled
    if not selected.is_screened or fraction >= 1:
        raise DesignError(
            f'interim.enrichment "adaptive" needs a strategy that leaves someone out, got '
            f"{selected.strategy} at {100 * fraction:.3g}%."
        )
    effects = [people.expect_difference(design) for people in (selected, everyone)]
    within = _leave_within(selected, everyone, design)
    sds = [get_sd(people.build_endpoint(design), design) for people in (selected, within)]
    rest = 1 - fraction
    variance_rest = (sds[1] ** 2 - fraction * sds[0] ** 2) / rest
    population = Population(
        fraction,
        effects[0],
        (effects[1] - fraction * effects[0]) / rest,
        sds[0],
        float(np.sqrt(variance_rest)) if variance_rest > 0 else sds[1],
    )
    rule = EnrichmentRule(
        group_sequential(
            interim.looks,
            alpha=design.alpha / design.sides,
            power=design.target_power,
            efficacy=interim.efficacy,  # type: ignore[arg-type]
            efficacy_parameter=interim.efficacy_parameter,
        ),
        stop_below=0.0,
    )
    effect = effects[0] / (sds[0] * 2)
    needed = selected.proposed * (rule.design.drift / effect) ** 2
    return rule, population, int(2 * np.ceil(needed / 2))


def _leave_within(selected: Enrolled, everyone: Enrolled, design: TrialDesign) -> Enrolled:
    """Return everyone with the covariance that is left within the selected and within the rest.

    Everyone's is the mean of these two and, besides, what the means of the two differ by, while the
    trial compares arms within each. Given the score, by which people are selected, means do not
    differ.
    """
    if ANALYSES[design.analyses[0]].uses_score:
        return everyone
    odds = selected.fraction_enrolled / (1 - selected.fraction_enrolled)
    means = [people.model.compute_expectations() for people in (selected, everyone)]
    visits = [mean.baseline + mean.mean_change for mean in means]
    # the score counts in no analysis that comes here
    away = np.append(visits[0] - visits[1], 0.0)
    moments, growth = everyone.moments, everyone.moments.growth
    left = [moments.covariance - odds * np.outer(away, away)]
    if growth is not None and selected.moments.growth is not None:
        own = selected.moments.growth
        line = np.array([own.intercept - growth.intercept, own.slope - growth.slope])
        left.append(growth.covariance - odds * np.outer(line, line))
        growth = replace(growth, covariance=left[1])
    # few people may differ by more than they vary
    if min(np.linalg.eigvalsh(part).min() for part in left) < 0:
        return everyone
    return replace(everyone, moments=replace(moments, covariance=left[0], growth=growth))
