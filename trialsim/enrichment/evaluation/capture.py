"""Capture rate: the share of the true fast progressors who are among the selected.

The BrLP paper calls it efficacy. Chance is drawing without replacement: S of N people contain a
share S / N of any group, with the hypergeometric distribution around it.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from trialsim.enrichment.definition import FastProgressorDefinition
from trialsim.enrichment.evaluation.bootstrap import (
    MIN_SAMPLES,
    N_BOOTSTRAP,
    FloatArray,
    IntArray,
    compute_interval,
    compute_score_interval,
    deal_bags,
)
from trialsim.enrichment.evaluation.chance import Chance, ChanceLaw, compute_smallest_p_values
from trialsim.enrichment.evaluation.evaluated import take_evaluated
from trialsim.enrichment.evaluation.resampled_capture import compute_resampled_rates, pick_members
from trialsim.enrichment.selection import rank_scores
from trialsim.enrichment.strategies.registry import order_strategies
from trialsim.enrichment.truth import TrueDecline
from trialsim.errors import DesignError

# A bag whose people are too few to place a cut-off as finely as everyone does makes intervals
# wide: 1 % at 10,000 of 20,000 people, 5 % at 5,000.
_SMALLEST_BAG, _PER_ROOT = 10_000, 50


class CaptureTables(NamedTuple):
    """The `capture_rates` and `capture_differences` tables."""

    rates: pd.DataFrame
    differences: pd.DataFrame


def capture_rate(
    score: npt.ArrayLike,
    decline: npt.ArrayLike,
    n_selected: int | Sequence[int],
    *,
    rng: np.random.Generator,
    fast: npt.ArrayLike | None = None,
    n_bootstrap: int = N_BOOTSTRAP,
) -> pd.DataFrame:
    """Return the capture rate of one score for one number of selected people, or for a curve.

    The same people in another order give the same numbers.

    Parameters
    ----------
    score
        (n_people,), higher = faster predicted decline; NaN ranks last.
    decline
        True decline, (n_people,), higher = faster, none missing.
    n_selected
        S, or several.
    rng
        Breaks ties, draws the bootstrap.
    fast
        Who truly is a fast progressor, (n_people,); None for the top S by `decline`.
    n_bootstrap
        Resamples of people behind the interval; the scores are kept as they are.

    Returns
    -------
    pandas.DataFrame
        `n_selected`, `n_evaluated`, `capture_rate`, its 95 % percentile interval
        (`capture_rate_lower`, `capture_rate_upper`; Wilson's as well where it reaches none or all
        of the fast; none from fewer than 200 resamples, or where everyone is selected),
        `chance_rate` = S / N, and
        `chance_p_value`, the exact hypergeometric probability to capture as many or more by
        chance.

    Raises
    ------
    DesignError
        For S of 0 or above the number of people, missing declines, lengths that differ.
    """
    values = np.asarray(score, dtype=float)
    true = np.asarray(decline, dtype=float)
    flags = None if fast is None else np.asarray(fast, dtype=bool)
    sizes = check_n_selected(n_selected, true.size)
    if values.shape != true.shape or not np.isfinite(true).all():
        raise DesignError(
            "score and decline must be one value a person, decline without missing values, got "
            f"shapes {values.shape} and {true.shape}, {int((~np.isfinite(true)).sum())} missing."
        )
    # what is drawn for people goes by their places: without names, by what is known of them
    places = np.lexsort((values, true) if flags is None else (flags, values, true))
    values, true, flags = values[places], true[places], None if flags is None else flags[places]
    truth_rank = rank_scores(true, rng)
    ranks = [rank_scores(values, rng)]
    (curve,) = _estimate(ranks, truth_rank, flags, sizes, n_bootstrap, rng)
    return _tabulate(curve, sizes, true.size, flags)


def compute_capture_rates(
    scores: pd.DataFrame,
    truth: TrueDecline,
    definition: FastProgressorDefinition,
    n_selected: int | Sequence[int],
    *,
    rng: np.random.Generator,
    n_bootstrap: int = N_BOOTSTRAP,
) -> CaptureTables:
    """Return capture rates of every strategy, and their paired differences.

    Random enrollment is shown at its expectation S / N with the central 95 % range of the
    hypergeometric distribution, not at one draw of it. All strategies see the same resampled
    people, so the interval of a difference is paired. The p-values of all strategies and sizes
    are one family: `chance_p_value` is adjusted by the smallest of each permutation of what became
    of people.

    Parameters
    ----------
    scores
        Table of `cohorts.schema`.
    truth
        Decline of those in whom it is known; the others are left out.
    definition
        Who is a fast progressor.
    n_selected
        S, or several.
    rng
        Breaks ties, draws the bootstrap.
    n_bootstrap
        Resamples of people.

    Raises
    ------
    DesignError
        For S of 0 or above the number of people with a known decline; where nobody is left.
    """
    people, values = take_evaluated(scores, truth)
    sizes = check_n_selected(n_selected, len(people))
    decline = truth.decline[people]
    flags = None
    if not definition.is_top_selected:
        flags = definition.find_fast(decline, truth.annual_decline[people])
    truth_rank = rank_scores(decline.to_numpy(), rng)
    # ties are broken one strategy after the other, in an order that is not that of the rows
    ranks = {strategy: rank_scores(values[strategy], rng) for strategy in order_strategies(values)}
    estimated = _estimate([*ranks.values()], truth_rank, flags, sizes, n_bootstrap, rng)
    found = dict(zip(ranks, estimated, strict=True))
    curves = {
        strategy: found.get(strategy) or _Curve.expect(sizes, len(people), flags, n_bootstrap)
        for strategy in map(str, scores["strategy"].unique())
    }
    rates = [
        _tabulate(curve, sizes, len(people), flags).assign(strategy=strategy)
        for strategy, curve in curves.items()
    ]
    smallest = _find_smallest([*ranks.values()], truth_rank, flags, sizes, n_bootstrap, rng)
    rates = _adjust_p_values(rates, curves, smallest)
    labels = {"definition": f"{definition.text}{truth.suffix}", "truth": truth.kind}
    table = pd.concat(rates, ignore_index=True).assign(**labels)
    return CaptureTables(table, _tabulate_differences(curves, sizes))


def check_n_selected(n_selected: int | Sequence[int], n_people: int) -> IntArray:
    """Return the numbers selected, rising.

    Raises
    ------
    DesignError
        Where any is below 1 or above `n_people`.
    """
    sizes = np.unique(np.atleast_1d(np.asarray(n_selected, dtype=np.int64)))
    wrong = sizes[(sizes < 1) | (sizes > n_people)]
    if wrong.size or not sizes.size:
        shown = ", ".join(map(str, wrong)) or "none"
        raise DesignError(
            f"The number selected must be between 1 and {n_people}, the people whose decline is "
            f"known, got {shown}."
        )
    return sizes


class _Curve(NamedTuple):
    """Capture rates at each S: observed, their interval, resampled (n_bootstrap, n_sizes).

    `at_edge`: where resamples reach the lowest or highest rate that there can be, so that they tell
    too little of the error.
    """

    observed: FloatArray
    lower: FloatArray
    upper: FloatArray
    resampled: FloatArray
    at_edge: npt.NDArray[np.bool_]
    is_expectation: bool

    def find_errors(self) -> tuple[FloatArray, FloatArray]:
        """Return how far the interval reaches below and above; an expectation has no error."""
        if self.is_expectation:
            return np.zeros_like(self.observed), np.zeros_like(self.observed)
        return self.observed - self.lower, self.upper - self.observed

    @classmethod
    def expect(
        cls, sizes: IntArray, n_people: int, flags: npt.NDArray[np.bool_] | None, n_bootstrap: int
    ) -> "_Curve":
        chance = sizes / n_people
        n_fast, laws = _find_laws(sizes, n_people, flags)
        lower, upper = (
            np.array([law.find_quantile(tail) for law in laws]) / n_fast for tail in (0.025, 0.975)
        )
        at_edge = np.zeros(sizes.size, dtype=bool)
        return cls(chance, lower, upper, np.tile(chance, (n_bootstrap, 1)), at_edge, True)


def _count_fast(sizes: IntArray, flags: npt.NDArray[np.bool_] | None) -> IntArray:
    """Return how many people are fast at each S."""
    return sizes if flags is None else np.full_like(sizes, flags.sum())


def _find_laws(
    sizes: IntArray, n_people: int, flags: npt.NDArray[np.bool_] | None
) -> tuple[IntArray, list[ChanceLaw]]:
    """Return how many people are fast at each S, and how many of them chance selects."""
    n_fast, by_chance = _count_fast(sizes, flags), Chance(n_people)
    return n_fast, [
        by_chance.of(n_fast=fast, n_selected=size)
        for fast, size in zip(n_fast.tolist(), sizes.tolist(), strict=True)
    ]


def _estimate(
    ranks: Sequence[IntArray],
    truth_ranks: IntArray,
    flags: npt.NDArray[np.bool_] | None,
    sizes: IntArray,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> list[_Curve]:
    """Return the curve of each ranking; all see the same resampled people, a few at a time."""
    n_people = truth_ranks.size
    orders = [np.argsort(rank) for rank in ranks]
    truth_order = np.argsort(truth_ranks)
    everyone = np.ones((1, n_people), dtype=np.int32)
    observed = [
        compute_resampled_rates(everyone, order, truth_order, flags, sizes)[0] for order in orders
    ]
    # of its own, so that it can be drawn piece by piece
    (draws,) = rng.spawn(1)
    resampled = [np.empty((n_bootstrap, sizes.size)) for _ in orders]
    rarest = int(min(sizes[0], n_people if flags is None else flags.sum()))
    size = max(_SMALLEST_BAG, _PER_ROOT * n_people**0.5)
    for bag in deal_bags(n_people, n_bootstrap, draws, size=size, rarest=rarest):
        own = [pick_members(order, bag.members) for order in [*orders, truth_order]]
        fast = None if flags is None else flags[bag.members]
        once = np.full((1, bag.members.size), bag.copies, dtype=np.int32)
        # a resample differs from its bag as one of everyone from everyone
        moves = [
            rate - compute_resampled_rates(once, order, own[-1], fast, sizes)[0]
            for rate, order in zip(observed, own[:-1], strict=True)
        ]
        for rows, counts in bag.iterate_counts(draws):
            for order, move, rates in zip(own[:-1], moves, resampled, strict=True):
                rates[rows] = compute_resampled_rates(counts, order, own[-1], fast, sizes) + move
    n_fast = _count_fast(sizes, flags)
    return [
        _measure_error(one, rates, sizes, n_people, n_fast)
        for one, rates in zip(observed, resampled, strict=True)
    ]


def _measure_error(
    observed: FloatArray, resampled: FloatArray, sizes: IntArray, n_people: int, n_fast: IntArray
) -> _Curve:
    lower, upper = compute_interval(resampled)
    # who are more than those who are not selected cannot all be missed
    least = np.maximum(sizes + n_fast - n_people, 0) / np.maximum(n_fast, 1)
    reached = ((resampled <= least) | (resampled >= 1)).any(axis=0)
    at_edge = (sizes < n_people) & reached & (len(resampled) >= MIN_SAMPLES)
    # resamples cannot pass these bounds, and of few people who are all captured they never part
    score = compute_score_interval(observed * n_fast, n_fast)
    lower = np.where(at_edge, np.fmin(lower, np.maximum(score[0], least)), lower)
    upper = np.where(at_edge, np.fmax(upper, score[1]), upper)
    return _Curve(observed, lower, upper, resampled, at_edge, False)


def _tabulate(
    curve: _Curve, sizes: IntArray, n_people: int, flags: npt.NDArray[np.bool_] | None
) -> pd.DataFrame:
    n_fast, laws = _find_laws(sizes, n_people, flags)
    p_values = [
        # nobody is fast: there is no rate
        law.compute_p_value(round(rate * fast)) if fast else np.nan
        for law, rate, fast in zip(laws, curve.observed.tolist(), n_fast.tolist(), strict=True)
    ]
    return pd.DataFrame(
        {
            "n_selected": sizes,
            "n_evaluated": n_people,
            "capture_rate": curve.observed,
            "capture_rate_lower": curve.lower,
            "capture_rate_upper": curve.upper,
            "chance_rate": sizes / n_people,
            "chance_p_value": 1.0 if curve.is_expectation else p_values,
        }
    )


def _find_smallest(
    ranks: Sequence[IntArray],
    truth_ranks: IntArray,
    flags: npt.NDArray[np.bool_] | None,
    sizes: IntArray,
    n_permutations: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the smallest p value of the family in each permutation of what became of people."""
    if n_permutations < MIN_SAMPLES or not ranks:
        return np.empty(0)
    _, laws = _find_laws(sizes, truth_ranks.size, flags)
    truth = np.searchsorted(sizes, truth_ranks)
    fast = truth if flags is None else np.where(flags, 0, sizes.size)
    selected = [np.searchsorted(sizes, rank) for rank in ranks]
    # of its own, so that intervals stay what they are
    (deals,) = rng.spawn(1)
    return compute_smallest_p_values(laws, selected, fast, n_permutations, deals)


def _adjust_p_values(
    rates: list[pd.DataFrame], curves: dict[str, _Curve], smallest: FloatArray
) -> list[pd.DataFrame]:
    """Return the tables with p values adjusted over all strategies and sizes together.

    By how rare as small a p value is among the `smallest` of permutations; without them,
    Bonferroni's.
    """
    n_tests = sum(curve.observed.size for curve in curves.values() if not curve.is_expectation)
    adjusted = []
    for curve, table in zip(curves.values(), rates, strict=True):
        own = table["chance_p_value"].to_numpy(float)
        if not smallest.size:
            own = np.minimum(own * max(n_tests, 1), 1.0)
        elif not curve.is_expectation:
            # sums of the same probabilities in another order
            as_small = smallest[:, None] <= own * (1 + 1e-9)
            own = np.where(np.isnan(own), np.nan, (1 + as_small.sum(axis=0)) / (1 + smallest.size))
        adjusted.append(table.assign(chance_p_value=own))
    return adjusted


def _tabulate_differences(curves: dict[str, _Curve], sizes: IntArray) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"strategy": [], "reference_strategy": []}, dtype=str).assign(
            n_selected=0, difference=0.0, difference_lower=0.0, difference_upper=0.0
        )
    ]
    for reference, strategy in combinations(curves, 2):
        one, other = curves[strategy], curves[reference]
        lower, upper = _bound_difference(one, other)
        frames.append(
            pd.DataFrame(
                {
                    "strategy": strategy,
                    "reference_strategy": reference,
                    "n_selected": sizes,
                    "difference": one.observed - other.observed,
                    "difference_lower": lower,
                    "difference_upper": upper,
                }
            )
        )
    return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]


def _bound_difference(one: _Curve, other: _Curve) -> tuple[FloatArray, FloatArray]:
    """Return the paired percentile interval, or that of both rates where resamples tell too little.

    References
    ----------
    Newcombe 1998 (Stat Med 17:873), method 10: the distances of both rates to the ends of their own
    intervals, squared and added. Without their correlation, so too wide rather than too narrow.
    """
    lower, upper = compute_interval(one.resampled - other.resampled)
    difference = one.observed - other.observed
    (below, above), (other_below, other_above) = one.find_errors(), other.find_errors()
    at_edge = one.at_edge | other.at_edge
    return (
        np.where(at_edge, difference - np.hypot(below, other_above), lower),
        np.where(at_edge, difference + np.hypot(above, other_below), upper),
    )
