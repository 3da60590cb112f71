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

from trialsim.enrichment.bootstrap import (
    MIN_SAMPLES,
    FloatArray,
    IntArray,
    compute_interval,
    compute_score_interval,
    deal_bags,
)
from trialsim.enrichment.chance import Chance
from trialsim.enrichment.definition import FastProgressorDefinition
from trialsim.enrichment.evaluated import take_evaluated
from trialsim.enrichment.selection import rank_scores
from trialsim.enrichment.truth import TrueDecline
from trialsim.errors import DesignError

N_BOOTSTRAP = 1000

# A bag whose people are too few to place a cut-off as finely as everyone does makes intervals
# wide: 1 % at 10,000 of 20,000 people, 5 % at 5,000.
_SMALLEST_BAG, _PER_ROOT = 10_000, 50

# Counts of people that are put in order at once: few enough to stay in a core's nearest cache, and
# in memory that is not given back in between.
_AT_ONCE = 16_000


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
        (`capture_rate_lower`, `capture_rate_upper`; Wilson's where no resample differs; none from
        fewer than 200 resamples, or where everyone is selected), `chance_rate` = S / N, and
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
    are one family: `chance_p_value` is adjusted by the largest statistic of each resample.

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
    decline = truth.decline[people].to_numpy()
    flags = None
    if not definition.is_top_selected:
        flags = definition.find_fast(decline, truth.annual_decline[people].to_numpy())
    truth_rank = rank_scores(decline, rng)
    ranks = {strategy: rank_scores(score, rng) for strategy, score in values.items()}
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
    rates = _adjust_p_values(rates, curves)
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
    """Capture rates at each S: observed, their interval, resampled (n_bootstrap, n_sizes)."""

    observed: FloatArray
    lower: FloatArray
    upper: FloatArray
    resampled: FloatArray
    is_expectation: bool

    @classmethod
    def expect(
        cls, sizes: IntArray, n_people: int, flags: npt.NDArray[np.bool_] | None, n_bootstrap: int
    ) -> "_Curve":
        chance = sizes / n_people
        n_fast = sizes if flags is None else np.full_like(sizes, flags.sum())
        by_chance = Chance(n_people)
        laws = [
            by_chance.of(n_fast=fast, n_selected=size)
            for fast, size in zip(n_fast.tolist(), sizes.tolist(), strict=True)
        ]
        lower, upper = (
            np.array([law.find_quantile(tail) for law in laws]) / n_fast for tail in (0.025, 0.975)
        )
        return cls(chance, lower, upper, np.tile(chance, (n_bootstrap, 1)), True)


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
    observed = [_compute_rates(everyone, order, truth_order, flags, sizes)[0] for order in orders]
    # of its own, so that it can be drawn piece by piece
    (draws,) = rng.spawn(1)
    resampled = [np.empty((n_bootstrap, sizes.size)) for _ in orders]
    rarest = int(min(sizes[0], n_people if flags is None else flags.sum()))
    size = max(_SMALLEST_BAG, _PER_ROOT * n_people**0.5)
    for bag in deal_bags(n_people, n_bootstrap, draws, size=size, rarest=rarest):
        own = [_pick(order, bag.members) for order in [*orders, truth_order]]
        fast = None if flags is None else flags[bag.members]
        once = np.full((1, bag.members.size), bag.copies, dtype=np.int32)
        # a resample differs from its bag as one of everyone from everyone
        moves = [
            rate - _compute_rates(once, order, own[-1], fast, sizes)[0]
            for rate, order in zip(observed, own[:-1], strict=True)
        ]
        for rows, counts in bag.iterate_counts(draws):
            for order, move, rates in zip(own[:-1], moves, resampled, strict=True):
                rates[rows] = _compute_rates(counts, order, own[-1], fast, sizes) + move
    n_fast = sizes if flags is None else np.full_like(sizes, flags.sum())
    return [
        _Curve(one, *_find_interval(one, rates, sizes, n_people, n_fast), rates, False)
        for one, rates in zip(observed, resampled, strict=True)
    ]


def _pick(order: IntArray, members: IntArray) -> IntArray:
    """Return the order of the members among themselves."""
    place = np.full(order.size, -1)
    place[members] = np.arange(members.size)
    own = place[order]
    return own[own >= 0]


def _find_interval(
    observed: FloatArray, resampled: FloatArray, sizes: IntArray, n_people: int, n_fast: IntArray
) -> tuple[FloatArray, FloatArray]:
    lower, upper = compute_interval(resampled)
    if len(resampled) < MIN_SAMPLES:
        return lower, upper
    # resamples of a rate of 0 or 1 never differ, yet the rate is not sure
    alike = np.isnan(lower) & (sizes < n_people)
    score = compute_score_interval(observed * n_fast, n_fast)
    return np.where(alike, score[0], lower), np.where(alike, score[1], upper)


def _compute_rates(
    counts: npt.NDArray[np.int32],
    order: IntArray,
    truth_order: IntArray,
    flags: npt.NDArray[np.bool_] | None,
    sizes: IntArray,
) -> FloatArray:
    """Return (n_resamples, n_sizes) capture rates where each person counts `counts` times.

    `counts` are (n_resamples, n_people). The copies of someone with w of them take the places
    A + 1 ... A + w of a ranking that has A before them, so at S selected clip(S - A, 0, w) of them
    are. No resample is sorted.
    """
    if flags is None:
        # a copy is captured from the S on that both rankings have reached
        before = np.maximum(_count_before(counts, order), _count_before(counts, truth_order))
        return np.stack([_count_until(before, counts, size) / size for size in sizes], axis=1)
    is_fast = flags[order]
    step = max(1, _AT_ONCE // order.size)
    blocks = [counts[start : start + step] for start in range(0, len(counts), step)]
    ranked = (np.take(block, order, axis=1, mode="clip") for block in blocks)
    return np.concatenate([_count_through(block, is_fast, sizes) for block in ranked])


def _count_through(
    ranked: npt.NDArray[np.int32], is_fast: npt.NDArray[np.bool_], sizes: IntArray
) -> FloatArray:
    """Return the rates of resamples whose people are ranked: one resample a row.

    Resamples are counted through one after the other: all have the same number of people, so that
    the person is found at whom a selection ends.
    """
    n_people, n_resamples = ranked[0].sum(), len(ranked)
    fast = ranked * is_fast
    n_fast = fast.sum(axis=1)[:, None]
    ends = np.arange(n_resamples)[:, None] * n_people + np.minimum(sizes, n_people)
    until = np.cumsum(ranked, dtype=np.int32)
    last = np.searchsorted(until, ends)
    left_out = np.where(is_fast[last % is_fast.size], until[last] - ends, 0)
    found = np.cumsum(fast, dtype=np.int32)[last] - left_out
    found -= np.cumsum(n_fast, axis=0) - n_fast
    return np.where(n_fast > 0, found / np.maximum(n_fast, 1), np.nan)


def _count_before(counts: npt.NDArray[np.int32], order: IntArray) -> npt.NDArray[np.int32]:
    """Return how many copies stand before each person's in a ranking."""
    ordered = np.take(counts, order, axis=1, mode="clip")
    before = np.empty_like(ordered)
    before[:, order] = np.cumsum(ordered, axis=1, dtype=np.int32) - ordered
    return before


def _count_until(
    before: npt.NDArray[np.int32], counts: npt.NDArray[np.int32], size: int
) -> IntArray:
    return np.asarray(np.minimum(np.maximum(size - before, 0), counts).sum(axis=1))


def _tabulate(
    curve: _Curve, sizes: IntArray, n_people: int, flags: npt.NDArray[np.bool_] | None
) -> pd.DataFrame:
    n_fast = sizes if flags is None else np.full_like(sizes, flags.sum())
    by_chance = Chance(n_people)
    p_values = [
        # nobody is fast: there is no rate
        by_chance.of(n_fast=fast, n_selected=size).compute_p_value(round(rate * fast))
        if fast
        else np.nan
        for rate, fast, size in zip(
            curve.observed.tolist(), n_fast.tolist(), sizes.tolist(), strict=True
        )
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


def _adjust_p_values(rates: list[pd.DataFrame], curves: dict[str, _Curve]) -> list[pd.DataFrame]:
    """Return the tables with p-values adjusted over all strategies and sizes together.

    Westfall & Young 1993, Resampling-Based Multiple Testing, single-step max-T: a rate's distance
    from chance over its resampled standard deviation is held against the largest such distance
    that resamples have from their own rate. Without 200 resamples, Bonferroni's.
    """
    tested = {name: curve for name, curve in curves.items() if not curve.is_expectation}
    n_samples = min((len(curve.resampled) for curve in tested.values()), default=0)
    n_tests = sum(curve.observed.size for curve in tested.values())
    if n_samples < MIN_SAMPLES:
        return [
            table.assign(chance_p_value=np.minimum(table["chance_p_value"] * max(n_tests, 1), 1.0))
            for table in rates
        ]
    largest = np.full(n_samples, -np.inf)
    spreads = {}
    for name, curve in tested.items():
        spread = np.nanstd(curve.resampled, axis=0, ddof=1)
        spreads[name] = np.where(spread > 0, spread, np.nan)
        distance = (curve.resampled - curve.observed) / spreads[name]
        largest = np.fmax(largest, np.nanmax(np.nan_to_num(distance, nan=-np.inf), axis=1))
    adjusted = []
    for name, table in zip(curves, rates, strict=True):
        if name in tested:
            distance = (table["capture_rate"] - table["chance_rate"]).to_numpy() / spreads[name]
            beyond = (largest[:, None] >= distance).sum(axis=0)
            own = np.where(np.isfinite(distance), (1 + beyond) / (1 + n_samples), np.nan)
            exact = np.minimum(table["chance_p_value"] * n_tests, 1.0)
            table = table.assign(chance_p_value=np.where(np.isnan(own), exact, own))
        adjusted.append(table)
    return adjusted


def _tabulate_differences(curves: dict[str, _Curve], sizes: IntArray) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"strategy": [], "reference_strategy": []}, dtype=str).assign(
            n_selected=0, difference=0.0, difference_lower=0.0, difference_upper=0.0
        )
    ]
    for reference, strategy in combinations(curves, 2):
        one, other = curves[strategy], curves[reference]
        lower, upper = compute_interval(one.resampled - other.resampled)
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
