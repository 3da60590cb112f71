"""The step that plans and simulates the looks of each strategy's trial."""

from dataclasses import replace

import numpy as np
import pandas as pd

from cohorts.errors import CohortError
from cohorts.schema import validate_table
from reports.store.run import Run
from trialsim.comparison.candidate_runs import prepare_candidate
from trialsim.comparison.candidates import Candidate
from trialsim.comparison.pools import gather_pool
from trialsim.comparison.preparing import add_normal_change
from trialsim.comparison.refitting import widen_scores
from trialsim.comparison.screened import Screened
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.interim.candidate import (
    Enrolled,
    compare_enriching,
    plan_candidate,
    refuse_looks,
    simulate_candidate,
    tabulate_candidate_expectations,
    tabulate_candidate_looks,
)
from trialsim.interim.increments import correlate_plan, find_dependence
from trialsim.interim.plan import InterimPlan
from trialsim.interim.reestimation import tabulate_reestimation
from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.steps.outcomes import find_outcomes
from trialsim.study.steps.screening import recall_screened

_SECONDS_A_TRIAL = 0.002


def make_interim_step(job: Job, interim: InterimPlan, stands_on: list[str]) -> Step:
    """Return the step that finds bounds, stopping probabilities, expected size and duration.

    Raises
    ------
    DesignError
        As in `refuse_looks`.
    """
    protocol = job.protocol
    refuse_looks(protocol.design, interim, protocol.trial_costs)
    n_trials = protocol.simulation.n_simulations * len(protocol.selection.strategies)
    return Step(
        "interim",
        lambda run: plan_interim(job, interim, run),
        job.config(
            "interim",
            "design",
            "costs",
            "accrual",
            "simulation.n_simulations",
            "cohort.window_months",
        ),
        stands_on=stands_on,
        estimate=lambda: n_trials * _SECONDS_A_TRIAL,
    )


def plan_interim(job: Job, interim: InterimPlan, run: Run) -> None:
    """Plan the looks of every strategy at its cheapest fraction; of fewest people without prices.

    Raises
    ------
    DesignError
        A look before anyone has the endpoint's visit, bounds that spend more than alpha; neither
        the cohort nor an archive nor a prediction can stand for the trials.
    """
    costs = job.protocol.trial_costs
    cohort, predictions, screening = recall_screened(job, run)
    try:
        source = find_outcomes(
            job, cohort, screening, widen_scores(run.read("scores")), predictions
        )
    except (CohortError, DesignError) as error:
        raise DesignError(f"No looks were planned: {' '.join(error.problems)}") from error
    screened = source.read(job.protocol.design)
    design = add_normal_change(job.protocol.design, screened)
    chosen = _choose_fractions(run, design.analyses[0], priced=costs.is_priced)
    rng = np.random.default_rng([job.protocol.study.seed, 9])
    looks, expectations, sizes, adaptive, notes = [], [], [], [], [source.sentence]
    amount = {"n_simulations": job.protocol.simulation.n_simulations}
    amount |= {"seed": job.protocol.study.seed}
    for done, candidate in enumerate(chosen):
        job.on_progress(f"looks of {candidate.strategy}", done, len(chosen))
        people = gather_enrolled(candidate, screened, design, rng)
        found = _find_simulated(run, candidate, design.analyses[0])
        proposed = _find_proposed(run, candidate, design.analyses[0])
        people = replace(people.calibrate(design, **found), proposed=proposed)
        plan = plan_candidate(people, design, interim, costs)
        simulated = simulate_candidate(
            people, plan, design, interim, costs, workers=job.workers, **amount
        )
        dependent = find_dependence(plan, simulated, design.analyses[0])
        if interim.bounds == "covariance":
            plan = correlate_plan(plan, simulated, design.analyses[0])
        elif dependent is not None:
            notes.append(f"{candidate.strategy}: {dependent}")
        looks.append(tabulate_candidate_looks(people, plan, simulated, design, interim))
        expectations.append(
            tabulate_candidate_expectations(people, plan, simulated, design, interim, costs)
        )
        if interim.reestimation != "none":
            sizes.append(tabulate_reestimation(people, plan, design, interim, seed=amount["seed"]))
        if interim.enrichment == "adaptive":
            if not candidate.is_screened or candidate.fraction_enrolled >= 1:
                notes.append(
                    f"{candidate.strategy} leaves nobody out, so there is nothing to choose at a "
                    "look."
                )
                continue
            everyone = gather_enrolled(Candidate(candidate.strategy, 1.0), screened, design, rng)
            everyone = replace(everyone, calibration=people.calibration)
            adaptive.append(
                compare_enriching(people, everyone, design, interim, costs, seed=amount["seed"])
            )
    for name, made in (
        ("looks", looks),
        ("look_expectations", expectations),
        ("reestimation", sizes),
        ("adaptive_enrichment", adaptive),
    ):
        if made:
            run.write(name, validate_table(pd.concat(made, ignore_index=True), name))
    job.tell(notes)


def _find_simulated(run: Run, candidate: Candidate, analysis: str) -> dict[str, float]:
    """Return the people in control that simulated trials needed, and their mean estimate.

    The estimate is that of the size at which it is known best.
    """
    key = ["strategy", "fraction_enrolled", "analysis"]
    own = [(candidate.strategy, candidate.fraction_enrolled, analysis)]
    sizes = run.read("sample_sizes").set_index(key).loc[own]
    simulated = run.read("operating_characteristics").set_index(key).loc[own]
    best = simulated.sort_values("bias_mcse").iloc[0]
    return {
        "n_control": float(sizes["n_control"].iloc[0]),
        "estimate": float(best["true_difference"] + best["bias"]),
    }


def _find_proposed(run: Run, candidate: Candidate, analysis: str) -> float:
    """Return the people proposed over those found, whole ones; 1 where another choice is."""
    table = run.read("proposed_sizes")
    own = table[
        (table["strategy"] == candidate.strategy)
        & (table["fraction_enrolled"] == candidate.fraction_enrolled)
        & (table["analysis"] == analysis)
    ]
    if own.empty:
        return 1.0
    return float(own["n_control_proposed"].iloc[0] / np.ceil(own["n_control"].iloc[0] - 1e-9))


def _choose_fractions(run: Run, analysis: str, *, priced: bool) -> list[Candidate]:
    """Return the fraction of each strategy whose looks are planned.

    Raises
    ------
    DesignError
        No strategy reaches the target power.
    """
    if priced:
        table = run.read("cheapest_fractions")
        table = table[(table["choice"] == "fraction") & (table["analysis"] == analysis)]
    else:
        sizes = run.read("sample_sizes")
        table = sizes[(sizes["analysis"] == analysis) & sizes["n_control"].notna()]
        table = table.sort_values("n_control", kind="stable").drop_duplicates("strategy")
        # in the order in which the protocol names strategies
        table = table.sort_index()
    if table.empty:
        raise DesignError(
            "No looks were planned: no strategy reaches the target power at any sample size tried."
        )
    return [
        Candidate(str(strategy), float(fraction))
        for strategy, fraction in zip(table["strategy"], table["fraction_enrolled"], strict=True)
    ]


def gather_enrolled(
    candidate: Candidate, screened: Screened, design: TrialDesign, rng: np.random.Generator
) -> Enrolled:
    """Return the people whom a strategy enrolls at a fraction, with what draws their outcomes."""
    found = prepare_candidate(candidate, gather_pool(candidate, screened, rng), design)
    return Enrolled(
        candidate.strategy,
        candidate.fraction_enrolled,
        candidate.is_screened,
        found.model,
        found.moments,
    )
