"""Capture rates in resamples of people, of whom each counts as often as it was drawn."""

import numpy as np
import numpy.typing as npt

from trialsim.enrichment.evaluation.bootstrap import FloatArray, IntArray

# Counts of people that are put in order at once: few enough to stay in a core's nearest cache, and
# in memory that is not given back in between.
_AT_ONCE = 16_000


def compute_resampled_rates(
    counts: npt.NDArray[np.int32],
    order: IntArray,
    truth_order: IntArray,
    flags: npt.NDArray[np.bool_] | None,
    sizes: IntArray,
) -> FloatArray:
    """Return the capture rate of each resample at each number selected, (n_resamples, n_sizes).

    The copies of someone with w of them take the places A + 1 ... A + w of a ranking that has A
    before them, so at S selected clip(S - A, 0, w) of them are. No resample is sorted.

    Parameters
    ----------
    counts
        How often each person is in each resample, (n_resamples, n_people).
    order, truth_order
        People by falling score, by falling decline.
    flags
        Who is a fast progressor, (n_people,); None for as many by `truth_order` as are selected.
    sizes
        Numbers selected.
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


def pick_members(order: IntArray, members: IntArray) -> IntArray:
    """Return the order of the members among themselves.

    Parameters
    ----------
    order
        Of everyone.
    members
        Who they are, by their places among everyone.
    """
    place = np.full(order.size, -1)
    place[members] = np.arange(members.size)
    own = place[order]
    return own[own >= 0]


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
