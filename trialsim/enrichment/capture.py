"""Capture rate: the share of the true fast progressors who are among the selected.

The BrLP paper calls it efficacy. Chance is drawing without replacement: S of N people contain a
share S / N of any group, with the hypergeometric distribution around it.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from trialsim.enrichment.definition import FastProgressorDefinition
from trialsim.enrichment.registry import STRATEGIES
from trialsim.enrichment.resampling import FloatArray, IntArray, compute_interval, draw_people
from trialsim.enrichment.selection import rank_scores
from trialsim.enrichment.truth import TrueDecline
from trialsim.errors import DesignError

N_BOOTSTRAP = 1000

# Rows of the bootstrap that are ranked at once hold about this many numbers.
_CHUNK = 4_000_000


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
        (`capture_rate_lower`, `capture_rate_upper`), `chance_rate` = S / N, and `chance_p_value`,
        the exact hypergeometric probability to capture as many or more by chance.

    Raises
    ------
    DesignError
        For S of 0 or above the number of people, missing declines, lengths that differ.
    """
    values = np.asarray(score, dtype=float)
    true = np.asarray(decline, dtype=float)
    flags = None if fast is None else np.asarray(fast, dtype=bool)
    sizes = check_sizes(n_selected, true.size)
    if values.shape != true.shape or not np.isfinite(true).all():
        raise DesignError(
            "score and decline must be one value a person, decline without missing values, got "
            f"shapes {values.shape} and {true.shape}, {int((~np.isfinite(true)).sum())} missing."
        )
    truth_rank = rank_scores(true, rng)
    drawn = draw_people(true.size, n_bootstrap, rng)
    curve = _Curve.estimate(rank_scores(values, rng), truth_rank, flags, sizes, drawn)
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
    people, so the interval of a difference is paired.

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
    people = truth.decline.index.intersection(pd.Index(scores["participant_id"].unique()))
    sizes = check_sizes(n_selected, len(people))
    decline = truth.decline[people].to_numpy()
    flags = None
    if not definition.is_top_selected:
        flags = definition.find_fast(decline, truth.annual_decline[people].to_numpy())
    truth_rank = rank_scores(decline, rng)
    drawn = draw_people(len(people), n_bootstrap, rng)
    by_strategy = {
        str(strategy): rows.set_index("participant_id")["score"].reindex(people)
        for strategy, rows in scores.groupby("strategy", sort=False)
    }
    curves: dict[str, _Curve] = {}
    for strategy, score in by_strategy.items():
        if is_chance(strategy):
            curves[strategy] = _Curve.expect(sizes, len(people), flags, n_bootstrap)
        else:
            ranks = rank_scores(score.to_numpy(dtype=float), rng)
            curves[strategy] = _Curve.estimate(ranks, truth_rank, flags, sizes, drawn)
    rates = [
        _tabulate(curve, sizes, len(people), flags).assign(strategy=strategy)
        for strategy, curve in curves.items()
    ]
    labels = {"definition": f"{definition.text}{truth.suffix}", "truth": truth.kind}
    table = pd.concat(rates, ignore_index=True).assign(**labels)
    return CaptureTables(table, _tabulate_differences(curves, sizes))


def is_chance(strategy: str) -> bool:
    """Return whether a strategy is random enrollment."""
    return strategy in STRATEGIES and STRATEGIES[strategy].enrolls_everyone


def check_sizes(n_selected: int | Sequence[int], n_people: int) -> IntArray:
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
    def estimate(
        cls,
        ranks: IntArray,
        truth_ranks: IntArray,
        flags: npt.NDArray[np.bool_] | None,
        sizes: IntArray,
        drawn: IntArray,
    ) -> "_Curve":
        everyone = np.arange(ranks.size)[None, :]
        observed = _compute_rates(ranks, truth_ranks, flags, sizes, everyone)[0]
        parts = [
            _compute_rates(ranks, truth_ranks, flags, sizes, rows)
            for rows in _split(drawn, ranks.size)
        ]
        resampled = np.concatenate(parts) if parts else np.empty((0, sizes.size))
        return cls(observed, *compute_interval(resampled), resampled, False)

    @classmethod
    def expect(
        cls, sizes: IntArray, n_people: int, flags: npt.NDArray[np.bool_] | None, n_bootstrap: int
    ) -> "_Curve":
        chance = sizes / n_people
        n_fast = sizes if flags is None else np.full_like(sizes, flags.sum())
        law = stats.hypergeom(n_people, n_fast, sizes)
        lower, upper = (np.asarray(law.ppf(tail)) / n_fast for tail in (0.025, 0.975))
        return cls(chance, lower, upper, np.tile(chance, (n_bootstrap, 1)), True)


def _split(drawn: IntArray, n_people: int) -> Iterator[IntArray]:
    step = max(1, _CHUNK // n_people)
    for start in range(0, len(drawn), step):
        yield drawn[start : start + step]


def _compute_rates(
    ranks: IntArray,
    truth_ranks: IntArray,
    flags: npt.NDArray[np.bool_] | None,
    sizes: IntArray,
    rows: IntArray,
) -> FloatArray:
    """Return (n_resamples, n_sizes) capture rates of the people in `rows`."""
    selected_at = _rank_again(ranks, rows)
    if flags is None:
        # Someone is captured from the S on that both rankings have reached.
        captured_at = np.maximum(selected_at, _rank_again(truth_ranks, rows))
        return np.stack([(captured_at <= size).sum(axis=1) / size for size in sizes], axis=1)
    fast = flags[rows]
    counts = np.stack([(fast & (selected_at <= size)).sum(axis=1) for size in sizes], axis=1)
    n_fast = fast.sum(axis=1, keepdims=True)
    return np.where(n_fast > 0, counts / np.maximum(n_fast, 1), np.nan)


def _rank_again(ranks: IntArray, rows: IntArray) -> IntArray:
    drawn = ranks[rows]
    # NumPy sorts 16-bit integers by radix, several times faster.
    small = drawn.astype(np.uint16) if ranks.size < 2**16 else drawn
    order = np.argsort(small, axis=1, kind="stable")
    again = np.empty_like(order)
    np.put_along_axis(again, order, np.arange(1, rows.shape[1] + 1)[None, :], axis=1)
    return again


def _tabulate(
    curve: _Curve, sizes: IntArray, n_people: int, flags: npt.NDArray[np.bool_] | None
) -> pd.DataFrame:
    n_fast = sizes if flags is None else np.full_like(sizes, flags.sum())
    captured = np.rint(curve.observed * n_fast)
    p_value = stats.hypergeom.sf(captured - 1, n_people, n_fast, sizes)
    return pd.DataFrame(
        {
            "n_selected": sizes,
            "n_evaluated": n_people,
            "capture_rate": curve.observed,
            "capture_rate_lower": curve.lower,
            "capture_rate_upper": curve.upper,
            "chance_rate": sizes / n_people,
            "chance_p_value": 1.0 if curve.is_expectation else np.minimum(p_value, 1.0),
        }
    )


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
