"""Comparison of strategies: what each choice of people buys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohorts.schema import validate_table
from trialsim.analysis.result import Floats
from trialsim.costs import Costs
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.simulation.candidate_runs import CandidateRun, Simulation, run_candidate
from trialsim.simulation.candidates import Candidate, gather_pool, list_candidates, read_screened
from trialsim.simulation.cohort_error import Rescore, bootstrap_size_ratios
from trialsim.simulation.comparison_tables import (
    tabulate_characteristics,
    tabulate_cheapest,
    tabulate_power_differences,
    tabulate_sample_sizes,
    tabulate_savings,
)
from trialsim.simulation.pool import SMALL_POOL, Pool
from trialsim.simulation.search import draw_replicate_weights
from trialsim.simulation.sensitivity import tabulate_sensitivity
from trialsim.simulation.trajectories import convert_unit

Progress = Callable[[int, int, str], None]
"""Told what is done, what there is to do, the name of the work."""


@dataclass(frozen=True)
class Comparison:
    """Everything found, as tables.

    Attributes
    ----------
    tables
        By name: operating_characteristics, power_differences, sample_sizes, sample_size_savings,
        cheapest_fractions, sensitivity.
    notes
        What a reader must know: small pools, people left out, what has no closed form.
    """

    tables: dict[str, pd.DataFrame]
    notes: tuple[str, ...]


def compare_strategies(
    trajectories: pd.DataFrame,
    scores: pd.DataFrame,
    design: TrialDesign,
    costs: Costs | None = None,
    *,
    sample_sizes: Sequence[int],
    fractions_enrolled: Sequence[float],
    n_simulations: int = 5000,
    n_bootstrap: int = 200,
    seed: int = 1,
    workers: int | None = None,
    reference_strategy: str = "random",
    prognostic_score: "pd.Series[float] | None" = None,
    rescore: Rescore | None = None,
    on_progress: Progress | None = None,
) -> Comparison:
    """Return power, sample size and cost of enrolling whom each strategy chooses.

    Parameters
    ----------
    trajectories
        Volumes in mm3, index `participant_id`, one column a visit (months), NaN where missing.
    scores
        Index `participant_id` (everyone screened), one column a strategy, higher = faster predicted
        decline, NaN where missing.
    sample_sizes
        People in both arms together, for the power curves. A sample size that is searched for may
        lie outside: further trials are then simulated.
    fractions_enrolled
        Shares of the screened people, each above 0 and at most 1.
    n_simulations
        Trials simulated at each point.
    n_bootstrap
        Bootstrap samples of people for the error of the cohort; 0 for none.
    seed
        Root of every random stream, 0 to 2^64 - 1.
    reference_strategy
        What the others are compared with, if it is among them.
    prognostic_score
        What the score-adjusted analyses adjust for, index `participant_id`; each strategy's own
        score when None.
    rescore
        Draws a bootstrap sample of people and fits the strategies again; without it the scores stay
        as given, so the error of the prediction model is left out.

    Raises
    ------
    DesignError
        One sentence for each input that cannot be.
    """
    _check_counts(sample_sizes, n_simulations, n_bootstrap, seed)
    costs = costs or Costs()
    people = pd.Index(trajectories.index)
    screened = read_screened(convert_unit(trajectories, design), people, scores, prognostic_score)
    candidates = list_candidates(list(screened.scores), fractions_enrolled)
    rng = np.random.default_rng([seed, 0])
    pools = [gather_pool(candidate, screened, rng) for candidate in candidates]
    simulation = Simulation(
        n_simulations,
        seed,
        workers,
        draw_replicate_weights(n_simulations, np.random.default_rng([seed, 2])),
    )
    report = _Reporter(on_progress, len(candidates) * n_simulations + n_bootstrap)
    sizes = [design.split(n) for n in sorted(set(sample_sizes))]
    runs = []
    for candidate, pool in zip(candidates, pools, strict=True):
        report.name = f"{candidate.strategy}, {candidate.fraction_enrolled:.0%}"
        runs.append(run_candidate(candidate, pool, design, costs, sizes, simulation, report))
    report.name = "error of the cohort"
    ratios = bootstrap_size_ratios(
        screened,
        candidates,
        design,
        n_bootstrap=n_bootstrap,
        seed=seed,
        rescore=rescore,
        on_progress=report,
    )
    tables = _tabulate(runs, ratios, costs, reference_strategy)
    return Comparison(tables, tuple(_list_notes(runs, pools, candidates, rescore is not None)))


class _Reporter:
    def __init__(self, on_progress: Progress | None, total: int) -> None:
        self.on_progress, self.total, self.done, self.name = on_progress, total, 0, ""

    def __call__(self, finished: int) -> None:
        self.done += finished
        if self.on_progress is not None:
            self.on_progress(self.done, self.total, self.name)


def _check_counts(
    sample_sizes: Sequence[int], n_simulations: int, n_bootstrap: int, seed: int
) -> None:
    problems = []
    if not len(sample_sizes):
        problems.append("sample_sizes must list at least one number of people, got none.")
    if n_simulations < 2:
        problems.append(f"n_simulations must be at least 2, got {n_simulations}.")
    if n_bootstrap < 0:
        problems.append(f"n_bootstrap must be 0 or more, got {n_bootstrap}.")
    if not 0 <= seed < 2**64:
        problems.append(f"seed must lie between 0 and 2^64 - 1, got {seed}.")
    if problems:
        raise DesignError(*problems)


def _tabulate(
    runs: list[CandidateRun], ratios: dict[str, Floats], costs: Costs, reference: str
) -> dict[str, pd.DataFrame]:
    sizes = tabulate_sample_sizes(runs, ratios, costs)
    tables = {
        "operating_characteristics": tabulate_characteristics(runs),
        "power_differences": tabulate_power_differences(runs, reference),
        "sample_sizes": sizes,
        "sample_size_savings": tabulate_savings(runs, ratios, costs, reference),
        "cheapest_fractions": tabulate_cheapest(runs, ratios, costs, sizes),
        "sensitivity": tabulate_sensitivity(runs, sizes),
    }
    return {name: validate_table(table, name) for name, table in tables.items()}


def _list_notes(
    runs: list[CandidateRun], pools: list[Pool], candidates: list[Candidate], is_refitted: bool
) -> list[str]:
    small = [
        f"{candidate.strategy} at {candidate.fraction_enrolled:.0%} {pool.size}"
        for candidate, pool in zip(candidates, pools, strict=True)
        if pool.size < SMALL_POOL
    ]
    notes = [
        f"Fewer than {SMALL_POOL} people stand for those who would be enrolled, so trials repeat "
        f"them: {', '.join(small)}."
    ] * bool(small)
    notes += [
        f"{candidate.strategy}, {candidate.fraction_enrolled:.0%} enrolled: {pool.n_incomplete} "
        "people lack a visit of the design and are left out of the resampled trajectories."
        for candidate, pool in zip(candidates, pools, strict=True)
        if pool.n_incomplete
    ]
    notes += [
        f"{run.candidate.strategy}: it has no score, so analyses that adjust for one are left out."
        for run in runs
        if len(run.design.analyses) < max(len(other.design.analyses) for other in runs)
    ]
    if not is_refitted:
        notes.append(
            "The bootstrap of people keeps the scores as given: the error of fitting a prediction "
            "model is not part of the intervals."
        )
    return notes
