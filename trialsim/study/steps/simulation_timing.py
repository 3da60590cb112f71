"""How long simulating takes on this machine, from a few trials of people made up."""

import time
from typing import Final

import numpy as np

from trialsim.analysis.inputs import count_cores
from trialsim.comparison.candidate_runs import build_outcome_model
from trialsim.comparison.candidates import list_candidates
from trialsim.design import TrialDesign
from trialsim.simulation.pool import Pool, build_pool
from trialsim.simulation.trials import simulate_trials
from trialsim.study.protocol import Protocol

_TRIALS: Final = 100
_SEARCH: Final = 1.5
"""Times the trials of the sample sizes asked for: some target lies outside, and is searched for."""

_PER_CLOSED_FORM: Final = 0.0004
"""Seconds of a candidate's sample size by formula, which each bootstrap sample computes anew."""

_PER_REFIT: Final = {"regression": 0.0005, "boosting": 0.05, "stacked": 0.0005}
"""Seconds of fitting a strategy to one of many samples that are fitted together."""


def estimate_simulation(protocol: Protocol) -> float:
    """Return the seconds of simulating every candidate, then of the bootstrap of people."""
    selection, section = protocol.selection, protocol.simulation
    candidates = list_candidates(selection.strategies, selection.fractions_enrolled)
    trials = _SEARCH * len(candidates) * section.n_simulations * measure_trial(protocol)
    formulas = len(candidates) * len(protocol.design.analyses) * _PER_CLOSED_FORM
    refits = _count_fits(protocol) * sum(_PER_REFIT.get(name, 0.0) for name in selection.strategies)
    return trials + section.n_bootstrap * (refits + formulas)


def _count_fits(protocol: Protocol) -> int:
    """Return how often a sample has each strategy fitted, at most.

    People who are scored by what was fitted on them are cross-fitted: those screened where there
    is no archive, those of the archive where they stand for the trial.
    """
    folds = protocol.selection.folds
    if protocol.cohort.training is None:
        return folds
    return 1 if protocol.design.outcomes == "observed" else folds + 1


def measure_trial(protocol: Protocol) -> float:
    """Return the seconds of one simulated trial at all sample sizes, with all analyses."""
    design, section = _drop_normal_ageing(protocol.design), protocol.simulation
    sizes = [design.split(n) for n in sorted(set(section.sample_sizes))]
    model = build_outcome_model(_make_up_pool(design), design)
    start = time.perf_counter()
    simulate_trials(model, design, sizes, seed=0, replicates=range(_TRIALS), workers=1)
    n_cores = min(section.workers, count_cores())
    return (time.perf_counter() - start) / _TRIALS / n_cores


def _drop_normal_ageing(design: TrialDesign) -> TrialDesign:
    # people made up need not decline faster than the normal ageing that the protocol states
    return design.change(relative_to="all decline", normal_change_per_year=None)


def _make_up_pool(design: TrialDesign) -> Pool:
    rng, n_people = np.random.default_rng(0), 60
    start, slope = (rng.normal(mean, sd, (n_people, 1)) for mean, sd in ((6500, 700), (-12, 7)))
    noise = rng.normal(0, 60, (n_people, len(design.times)))
    outcome = start + slope * design.times + noise
    return build_pool(
        outcome if design.unit == "mm3" else 100 * np.log(outcome), score=-slope[:, 0]
    )
