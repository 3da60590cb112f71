"""All that a comparison takes before anything is simulated; whatever is refused is refused here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from cohorts.counting import tally
from trialsim.comparison.archive import FEWEST_EFFECTIVE
from trialsim.comparison.candidate_runs import PreparedCandidate, prepare_candidate
from trialsim.comparison.candidates import EVERYONE, Candidate, list_candidates
from trialsim.comparison.pools import PoolGatherer
from trialsim.comparison.screened import Screened
from trialsim.design import TrialDesign
from trialsim.enrichment.balancing import compute_effective_size
from trialsim.errors import DesignError
from trialsim.simulation.pool import Pool
from trialsim.simulation.trials import Sizes, check_sizes

_MIN_NORMAL: Final = 10


@dataclass(frozen=True)
class PreparedComparison:
    """Every candidate whose trials can be simulated.

    Attributes
    ----------
    candidates
        With their people.
    design
        With normal ageing, where it is taken off.
    sizes
        People in control and in treatment.
    refusals
        A sentence for each candidate that an archive lacks.
    """

    candidates: tuple[PreparedCandidate, ...]
    design: TrialDesign
    sizes: Sizes
    refusals: tuple[str, ...]


def prepare_candidates(
    screened: Screened,
    design: TrialDesign,
    *,
    sample_sizes: Sequence[int],
    fractions_enrolled: Sequence[float],
    rng: np.random.Generator,
) -> PreparedComparison:
    """Return the candidates with all that simulating them takes.

    Parameters
    ----------
    screened
        The people.
    design, sample_sizes, fractions_enrolled
        As in `compare_strategies`.
    rng
        Breaks ties, draws missed visits.

    Raises
    ------
    DesignError
        One sentence for each thing that keeps trials from being simulated.
    """
    design = add_normal_change(design, screened)
    candidates = list_candidates(list(screened.scores), fractions_enrolled)
    candidates, pools, refusals = _gather_pools(candidates, screened, rng)
    sizes = [design.split(n) for n in sorted(set(sample_sizes))]
    check_sizes(sizes)
    prepared: list[PreparedCandidate] = []
    problems: list[str] = []
    for candidate, pool in zip(candidates, pools, strict=True):
        try:
            prepared.append(prepare_candidate(candidate, pool, design))
        except DesignError as error:
            problems += [f"{candidate.label}: {text}" for text in error.problems]
    if problems:
        raise DesignError(*problems)
    return PreparedComparison(tuple(prepared), design, sizes, tuple(refusals))


def _gather_pools(
    candidates: list[Candidate], screened: Screened, rng: np.random.Generator
) -> tuple[list[Candidate], list[Pool], list[str]]:
    """Return the candidates with their pools, and a sentence for each that an archive lacks.

    Raises
    ------
    DesignError
        A pool is too small, or an archive has none.
    """
    kept: list[Candidate] = []
    pools: list[Pool] = []
    refusals: list[str] = []
    gatherer = PoolGatherer(screened, rng)
    for candidate in candidates:
        try:
            pool = gatherer.gather(candidate)
        except DesignError as error:
            # an archive may hold few of the people beyond one cut-off and enough beyond another
            if screened.target is None:
                raise
            refusals += error.problems
            continue
        kept.append(candidate)
        pools.append(pool)
    if not kept:
        raise DesignError(*_tell_far_archive(screened) or refusals)
    return kept, pools, refusals


def _tell_far_archive(screened: Screened) -> list[str]:
    """Return a sentence where even the whole archive is too unlike those screened, else none."""
    weights = screened.weights[EVERYONE][screened.was_seen]
    effective = float(compute_effective_size(weights))
    if screened.target is None or effective >= FEWEST_EFFECTIVE:
        return []
    return [
        f"The archive is too unlike the people screened: weighted to agree with them at baseline, "
        f"its {tally(len(weights), 'people')} who were followed say as much as "
        f"{effective:.0f}, at least "
        f"{FEWEST_EFFECTIVE} are needed; name people more like them (--train-on)."
    ]


def add_normal_change(design: TrialDesign, screened: Screened) -> TrialDesign:
    """Return the design with the normal ageing of the people in whom it is known, where asked for.

    Raises
    ------
    DesignError
        Fewer than 10 of them have the first and the last visit.
    """
    if design.relative_to == "all decline" or screened.is_normal is None:
        return design
    ends = np.isfinite(screened.outcome[:, [0, -1]]).all(axis=1)
    n_known = int((ends & screened.is_normal).sum())
    if n_known < _MIN_NORMAL:
        raise DesignError(
            f"Normal ageing needs at least {_MIN_NORMAL} people with the first and last visit, "
            f"got {n_known}; give normal_change_per_year instead."
        )
    people = screened.is_normal & screened.was_seen
    true_change = screened.expected[EVERYONE].true_change[people, -1]
    change = np.average(true_change, weights=screened.weights[EVERYONE][people])
    return design.change(normal_change_per_year=float(change * 12 / design.duration_months))
