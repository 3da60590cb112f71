"""The error that comes from the cohort at hand: a bootstrap of its people.

Simulation answers for the people that were given. Others of the same kind would have given other
scores, other pools, other sample sizes. Each bootstrap sample repeats all of it: the strategies are
fitted again where a callback does so, the people are chosen again, the sample size is computed
again. The closed form of the sample, relative to that of the cohort, carries the simulated sample
size over, because a simulation for every sample would cost a hundredfold and moves the same way.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialsim.analysis.result import Floats
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.simulation.candidates import (
    Candidate,
    Screened,
    gather_pool,
    keep_possible_analyses,
)
from trialsim.simulation.closed_form import (
    Moments,
    compute_pool_moments,
    compute_sample_size,
    compute_size_ratio,
)

Rescore = Callable[[np.random.Generator], tuple[NDArray[np.intp], pd.DataFrame]]
"""Draws a bootstrap sample and scores it anew.

Returns the positions of the people drawn, as rows of the scores, and their new scores, one row each
in that order. All copies of a person must be in one fold of whatever is cross-fitted.
"""


def bootstrap_size_ratios(
    screened: Screened,
    candidates: Sequence[Candidate],
    design: TrialDesign,
    *,
    n_bootstrap: int,
    seed: int,
    rescore: Rescore | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> dict[str, Floats]:
    """Return closed-form sample sizes of bootstrap samples relative to the cohort's.

    Returns
    -------
    dict
        Analysis -> (n_candidates, n_bootstrap); infinite where no sample size is large enough, NaN
        where the cohort itself has none.
    """
    rng = np.random.default_rng([seed, 0])
    base = _compute_sizes(screened, candidates, design, rng)
    ratios = {name: np.full((len(candidates), n_bootstrap), np.nan) for name in design.analyses}
    if n_bootstrap:
        at_base = _compute_ratios(screened, candidates, design, base, rng)
    for b in range(n_bootstrap):
        rng = np.random.default_rng([seed, 1, b])
        sample = _draw_sample(screened, rescore, rng)
        found = _compute_ratios(sample, candidates, design, base, rng)
        for name in design.analyses:
            known = np.isfinite(at_base[name])
            ratios[name][known, b] = found[name][known] / at_base[name][known]
        if on_progress is not None:
            on_progress(1)
    return ratios


def _draw_sample(screened: Screened, rescore: Rescore | None, rng: np.random.Generator) -> Screened:
    n_people = len(screened.outcome)
    if rescore is None:
        people: NDArray[np.intp] = rng.integers(n_people, size=n_people)
        fresh = {}
    else:
        people, table = rescore(rng)
        if len(table) != len(people):
            raise DesignError(
                f"rescore must give one row of scores for each person drawn ({len(people)}), got "
                f"{len(table)}."
            )
        fresh = {str(name): table[name].to_numpy(dtype=float) for name in table.columns}
    scores = {name: fresh.get(name, old[people]) for name, old in screened.scores.items()}
    return screened.resample(people, scores)


Table = dict[str, Floats]
"""Analysis -> one number a candidate."""


def _compute_sizes(
    screened: Screened,
    candidates: Sequence[Candidate],
    design: TrialDesign,
    rng: np.random.Generator,
) -> Table:
    return _compute_each(
        screened,
        candidates,
        design,
        rng,
        lambda name, moments, possible, _: compute_sample_size(name, moments, possible),
        np.nan,
    )


def _compute_ratios(
    screened: Screened,
    candidates: Sequence[Candidate],
    design: TrialDesign,
    base: Table,
    rng: np.random.Generator,
) -> Table:
    def compute(name: str, moments: Moments, possible: TrialDesign, row: int) -> float:
        near = base[name][row]
        return compute_size_ratio(name, moments, possible, near) if near > 0 else np.nan

    return _compute_each(screened, candidates, design, rng, compute, np.inf)


def _compute_each(
    screened: Screened,
    candidates: Sequence[Candidate],
    design: TrialDesign,
    rng: np.random.Generator,
    compute: Callable[[str, Moments, TrialDesign, int], float],
    otherwise: float,
) -> Table:
    table = {name: np.full(len(candidates), otherwise) for name in design.analyses}
    for row, candidate in enumerate(candidates):
        try:
            pool = gather_pool(candidate, screened, rng)
            possible = keep_possible_analyses(design, pool)
            moments = compute_pool_moments(pool, possible)
        except DesignError:
            # a sample whose people cannot be analysed counts as one that needs too many
            continue
        for name in possible.analyses:
            table[name][row] = compute(name, moments, possible, row)
    return table
