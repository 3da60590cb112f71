"""Comparison of strategies: what each choice of people buys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohorts.schema import validate_table
from trialsim import defaults
from trialsim.analysis.result import Floats
from trialsim.comparison.archive import ScreenedPeople, list_imbalance, tabulate_balance
from trialsim.comparison.candidate_runs import CandidateRun, Simulation, run_candidate
from trialsim.comparison.candidates import EVERYONE
from trialsim.comparison.cohort_error.bootstrap import bootstrap_sizes
from trialsim.comparison.cohort_error.intervals import MIN_SAMPLES
from trialsim.comparison.decision import tabulate_decisions
from trialsim.comparison.estimands import tabulate_estimands
from trialsim.comparison.halving import find_halving, measure_archive_sd
from trialsim.comparison.notes import describe_halving, list_notes
from trialsim.comparison.pool_moments import tabulate_moments
from trialsim.comparison.preparing import prepare_candidates
from trialsim.comparison.proposal import tabulate_proposals
from trialsim.comparison.refitting import Rescore
from trialsim.comparison.relation import list_unrelated
from trialsim.comparison.screened import Screened, read_screened
from trialsim.comparison.sensitivity import tabulate_sensitivity
from trialsim.comparison.sizes.errors import SizeErrors
from trialsim.comparison.sizes.search import draw_replicate_weights
from trialsim.comparison.tables import (
    find_cheapest_run,
    tabulate_characteristics,
    tabulate_cheapest,
    tabulate_power_differences,
    tabulate_sample_sizes,
    tabulate_savings,
)
from trialsim.costs import Costs
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.workers.spread import Workers

Progress = Callable[[int, int, str], None]
"""Told what is done, what there is to do, the name of the work."""


@dataclass(frozen=True)
class Comparison:
    """Everything found, as tables.

    Attributes
    ----------
    tables
        By name: operating_characteristics, power_differences, sample_sizes, sample_size_savings,
        archive_balance (with an archive), cheapest_fractions, proposed_sizes, decisions,
        sensitivity, pool_moments.
    notes
        What a reader must know: small pools, people who lack a visit, whose error is included.
    """

    tables: dict[str, pd.DataFrame]
    notes: tuple[str, ...]


def compare_strategies(
    trajectories: pd.DataFrame,
    scores: pd.DataFrame,
    design: TrialDesign,
    costs: Costs | None = None,
    *,
    sample_sizes: Sequence[int] = defaults.SAMPLE_SIZES,
    fractions_enrolled: Sequence[float] = defaults.FRACTIONS_ENROLLED,
    n_simulations: int = defaults.N_SIMULATIONS,
    n_bootstrap: int = defaults.N_BOOTSTRAP,
    seed: int = defaults.SEED,
    workers: Workers = defaults.WORKERS,
    reference_strategy: str = "random",
    prognostic_score: "pd.Series[float] | None" = None,
    baseline: pd.DataFrame | None = None,
    normal_people: pd.Index | None = None,
    weights: "pd.Series[float] | None" = None,
    stands_for: ScreenedPeople | None = None,
    error_covariance: Floats | None = None,
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
    design
        The trial that is planned.
    costs
        Of screening and enrolling; nothing costs when None.
    sample_sizes
        People in both arms together, for the power curves. A sample size that is searched for may
        lie outside: further trials are then simulated.
    fractions_enrolled
        Shares of the screened people, each above 0 and at most 1.
    n_simulations
        Trials simulated at each point.
    n_bootstrap
        Bootstrap samples of people for the error of the cohort. Fewer than 200 carry no interval,
        and none is given.
    seed
        Root of every random stream, 0 to 2^64 - 1.
    workers
        Threads; as many as there are cores when None. The results are the same with any number.
    reference_strategy
        What the others are compared with, if it is among them.
    prognostic_score
        What the score-adjusted analyses adjust for, index `participant_id`; each strategy's own
        score when None.
    baseline
        What is known at baseline, as numbers without the endpoint's own region, index
        `participant_id` (`trialsim.enrichment.strategies.features.build_all_features`). With it the
        part of a selection that is measurement error of the baseline is told from the rest.
    normal_people
        Whose change is normal ageing, for `relative_to` "decline above normal ageing" without
        `normal_change_per_year`; estimated again in each bootstrap sample.
    weights
        How many people each screened person stands for, index `participant_id`; equal when None.
    stands_for
        The screened people, where those with trajectories are an archive of others who were
        followed: the cut-offs are found on the screened people, and the archive is weighted to
        agree with them (`baseline` is then needed).
    error_covariance
        Where trajectories are predictions: how measured outcomes scatter around them in the unit of
        the design, (n_people, n_visits, n_visits) in the order of `trajectories`.
    rescore
        Fits the strategies again to samples (`trialsim.comparison.refitting.build_rescore`);
        without it the scores stay as given.
    on_progress
        Told what is done.

    Raises
    ------
    DesignError
        One sentence for each input that cannot be.
    """
    screened = read_screened(
        trajectories,
        scores,
        design,
        baseline=baseline,
        prognostic=prognostic_score,
        normal_people=normal_people,
        weights=weights,
        stands_for=stands_for,
        error_covariance=error_covariance,
    )
    return compare_screened(
        screened,
        design,
        costs,
        sample_sizes=sample_sizes,
        fractions_enrolled=fractions_enrolled,
        n_simulations=n_simulations,
        n_bootstrap=n_bootstrap,
        seed=seed,
        workers=workers,
        reference_strategy=reference_strategy,
        rescore=rescore,
        on_progress=on_progress,
    )


def compare_screened(
    screened: Screened,
    design: TrialDesign,
    costs: Costs | None = None,
    *,
    sample_sizes: Sequence[int] = defaults.SAMPLE_SIZES,
    fractions_enrolled: Sequence[float] = defaults.FRACTIONS_ENROLLED,
    n_simulations: int = defaults.N_SIMULATIONS,
    n_bootstrap: int = defaults.N_BOOTSTRAP,
    seed: int = defaults.SEED,
    workers: Workers = defaults.WORKERS,
    reference_strategy: str = "random",
    rescore: Rescore | None = None,
    on_progress: Progress | None = None,
) -> Comparison:
    """Return what `compare_strategies` does of people who were read.

    Of a million people, who asks can let go of the tables before trials are simulated.

    Parameters
    ----------
    screened
        The people, from `read_screened`.
    design, costs, sample_sizes, fractions_enrolled, n_simulations, n_bootstrap, seed, workers
        As in `compare_strategies`.
    reference_strategy, rescore, on_progress
        As in `compare_strategies`.

    Raises
    ------
    DesignError
        One sentence for each input that cannot be.
    """
    _check_counts(sample_sizes, n_simulations, n_bootstrap, seed)
    costs = costs or Costs()
    prepared = prepare_candidates(
        screened,
        design,
        sample_sizes=sample_sizes,
        fractions_enrolled=fractions_enrolled,
        rng=np.random.default_rng([seed, 0]),
    )
    design, sizes = prepared.design, prepared.sizes
    simulation = Simulation(
        n_simulations,
        seed,
        workers,
        draw_replicate_weights(n_simulations, np.random.default_rng([seed, 2])),
    )
    n_used = n_bootstrap if n_bootstrap >= MIN_SAMPLES else 0
    report = _Reporter(on_progress, len(prepared.candidates) * n_simulations + n_used)
    runs: list[CandidateRun] = []
    for one in prepared.candidates:
        report.name = one.candidate.label
        runs.append(run_candidate(one, costs, sizes, simulation, report, known=runs))
    report.name = "error of the cohort"
    cohort = bootstrap_sizes(
        screened,
        [one.candidate for one in prepared.candidates],
        design,
        n_bootstrap=n_used,
        seed=seed,
        rescore=rescore,
        workers=workers,
        on_progress=report,
    )
    errors = SizeErrors(runs, cohort)
    noise_sd = screened.expected[EVERYONE].noise_sd
    tables = _tabulate(errors, costs, reference_strategy, simulation, noise_sd)
    unlike: list[str] = []
    if screened.target is not None:
        balance = tabulate_balance(screened.target, screened.weights)
        tables["archive_balance"] = validate_table(balance, "archive_balance")
        unlike = list_imbalance(balance)
    notes = list_notes(
        errors,
        tables["proposed_sizes"],
        noise_sd=noise_sd,
        n_bootstrap=n_bootstrap,
        rescore=rescore,
    )
    planned = _plan_halving(errors, tables["proposed_sizes"], screened, design, rescore, seed)
    notes += [*list_unrelated(screened), *planned]
    return Comparison(tables, (*prepared.refusals, *unlike, *notes))


def _plan_halving(
    errors: SizeErrors,
    proposals: pd.DataFrame,
    screened: Screened,
    design: TrialDesign,
    rescore: Rescore | None,
    seed: int,
) -> list[str]:
    """Return what would halve the interval of the proposed size."""
    if proposals.empty or not errors.has_intervals:
        return []
    first = proposals.iloc[0]
    key = (first["strategy"], first["fraction_enrolled"])
    place, run = next(
        (i, run)
        for i, run in enumerate(errors.runs)
        if (run.candidate.strategy, run.candidate.fraction_enrolled) == key
    )
    sd = errors.get_cohort_sd(place, str(first["analysis"]))
    if not sd > 0:
        return []
    found = find_halving(
        sd,
        measure_archive_sd(screened, run.candidate, design, seed=seed, rescore=rescore),
        errors.n_screened,
        0 if screened.target is None else len(screened.outcome),
    )
    return describe_halving(found, errors.n_screened, len(screened.outcome))


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
    errors: SizeErrors, costs: Costs, reference: str, simulation: Simulation, noise_sd: float
) -> dict[str, pd.DataFrame]:
    sizes = tabulate_sample_sizes(errors, costs)
    cheapest = find_cheapest_run(errors.runs, sizes)
    tables = {
        "operating_characteristics": tabulate_characteristics(errors.runs),
        "power_differences": tabulate_power_differences(errors.runs, reference),
        "sample_sizes": sizes,
        "sample_size_savings": tabulate_savings(errors, costs, reference),
        "cheapest_fractions": tabulate_cheapest(errors, costs),
        "proposed_sizes": tabulate_proposals(errors, costs, reference),
        "decisions": tabulate_decisions(errors, costs, reference),
        "pool_moments": tabulate_moments(errors.runs),
        "sensitivity": tabulate_sensitivity(cheapest, errors.runs, costs, noise_sd),
        "estimands": tabulate_estimands(cheapest, simulation),
    }
    return {name: validate_table(table, name) for name, table in tables.items()}
