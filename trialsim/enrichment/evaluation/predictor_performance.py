"""How well scores predict decline, out of sample."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from cohorts.keys import is_among
from trialsim.enrichment.definition import FastProgressorDefinition
from trialsim.enrichment.evaluation.bootstrap import (
    N_BOOTSTRAP,
    FloatArray,
    IntArray,
    compute_interval,
    deal_bags,
)
from trialsim.enrichment.evaluation.evaluated import take_evaluated
from trialsim.enrichment.evaluation.resampled_counts import Counts
from trialsim.enrichment.strategies.registry import STRATEGIES
from trialsim.enrichment.truth import TrueDecline
from trialsim.ordering import sort_places

_SMALLEST_BAG, _GROWTH = 2_500, 0.7
SUBGROUPS = ("site", "diagnosis", "sex")

# Below this many people a subgroup's interval would say nothing.
_MIN_PEOPLE = 30
_MIN_PEOPLE_TO_MEASURE = 3
# Counts of people that are ranked at once: few enough to stay in a core's own cache.
_AT_ONCE = 16_000

_OF_PREDICTIONS = {"calibration_slope", "calibration_intercept", "r_squared"}


def compute_predictor_performance(
    scores: pd.DataFrame,
    truth: TrueDecline,
    definition: FastProgressorDefinition,
    *,
    rng: np.random.Generator,
    participants: pd.DataFrame | None = None,
    n_bootstrap: int = N_BOOTSTRAP,
) -> pd.DataFrame:
    """Return how well each strategy's scores predict the decline.

    Metrics: `spearman` and `pearson` correlation of score and decline; `auc` for fast progressors
    (with the top-S definition, the fastest 30 %); for strategies that predict a decline,
    `calibration_slope` and `calibration_intercept` (observed on predicted change, losses
    negative; 1 and 0 are ideal) and `r_squared` = 1 - residual / total sum of squares of the
    prediction as it is, which can be negative; `missing_score_rate`. Random enrollment predicts
    nothing and is left out.

    Parameters
    ----------
    scores
        Table of `cohorts.schema`.
    truth
        Decline of those in whom it is known.
    definition
        Who is a fast progressor.
    rng
        Draws the bootstrap.
    participants
        With it, the same by site, diagnosis and sex, in subgroups of at least 30 people.
    n_bootstrap
        Resamples of people behind the 95 % percentile intervals.

    Returns
    -------
    pandas.DataFrame
        The `predictor_performance` table.
    """
    people, predicted = take_evaluated(scores, truth)
    fast = definition.find_fast(truth.decline[people], truth.annual_decline[people])
    decline = truth.decline[people].to_numpy()
    frames = []
    # products of narrow tables: threads cost more than they save, and change last digits
    with threadpool_limits(1, user_api="blas"):
        for subgroup, members in _list_groups(people, participants):
            scores_of = [score[members] for score in predicted.values()]
            truth_of = decline[members], fast[members]
            samples = _Sample.take_each(scores_of, *truth_of)
            # each subgroup has draws of its own, and everyone's scores see the same ones
            (draws,) = rng.spawn(1)
            measured = _resample(samples, scores_of, *truth_of, n_bootstrap, draws)
            for strategy, sample, metrics in zip(predicted, samples, measured, strict=True):
                table = sample.tabulate(*metrics)
                if not _predicts(strategy):
                    table = table[~table["metric"].isin(_OF_PREDICTIONS)]
                frames.append(table.assign(strategy=strategy, subgroup=subgroup))
    columns = ["strategy", "metric", "subgroup", "value", "value_lower", "value_upper", "n"]
    if not frames:
        return pd.DataFrame(columns=columns)
    order = {strategy: place for place, strategy in enumerate(predicted)}
    found = pd.concat(frames, ignore_index=True)[columns]
    return found.sort_values(
        "strategy", key=lambda names: names.map(order), kind="stable"
    ).reset_index(drop=True)


def _predicts(strategy: str) -> bool:
    return strategy in STRATEGIES and STRATEGIES[strategy].predicts_decline


def compute_predicted_changes(
    scores: pd.DataFrame, truth: TrueDecline, *, unit: str
) -> pd.DataFrame:
    """Return predicted and observed change of each person, for strategies that predict one.

    Parameters
    ----------
    scores
        Table of `cohorts.schema`.
    truth
        Decline of those in whom it is known.
    unit
        Of scores and truth, "percent" or "mm3"; the result is in percent of the baseline volume.

    Returns
    -------
    pandas.DataFrame
        The `predicted_changes` table; losses are negative.
    """
    predicting = [name for name in scores["strategy"].unique() if _predicts(name)]
    rows = scores[scores["strategy"].isin(predicting) & scores["score"].notna()]
    rows = rows[is_among(rows["participant_id"], truth.decline.index)]
    person = rows["participant_id"]
    # Not Series.map: of no rows at all it makes text, which has no sign.
    observed = truth.decline.reindex(person).to_numpy(dtype=float)
    baseline = truth.baseline_volume.reindex(person).to_numpy(dtype=float)
    to_percent = 1.0 if unit == "percent" else 100 / baseline
    return pd.DataFrame(
        {
            "participant_id": person,
            "strategy": rows["strategy"],
            "predicted_change_percent": -rows["score"].to_numpy(dtype=float) * to_percent,
            "observed_change_percent": -observed * to_percent,
            "truth": truth.kind,
        }
    ).reset_index(drop=True)


def _list_groups(
    people: pd.Index, participants: pd.DataFrame | None
) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    yield "all", np.ones(len(people), dtype=bool)
    if participants is None:
        return
    table = participants.set_index("participant_id").reindex(people)
    for covariate in [name for name in SUBGROUPS if name in table]:
        for level in sorted(table[covariate].dropna().unique(), key=str):
            members = (table[covariate] == level).to_numpy()
            if members.sum() >= _MIN_PEOPLE and not members.all():
                yield f"{covariate} {level}", members


@dataclass(frozen=True)
class _Order:
    """People in the order of a value, the lowest first.

    Parameters
    ----------
    rows
        Of the people.
    last, sizes
        Of values that repeat: each value's last place, and how many have it. None where none does.
    """

    rows: IntArray
    last: IntArray | None
    sizes: IntArray | None

    @classmethod
    def by(cls, values: FloatArray, known: IntArray) -> "_Order":
        rows = known[sort_places(values[known])]
        last = np.flatnonzero(np.append(np.diff(values[rows]) > 0, True))
        if last.size >= rows.size:
            return cls(rows, None, None)
        return cls(rows, last, np.diff(last, prepend=-1))

    def rank(self, counts: Counts, untied: FloatArray | None = None) -> "_Ranked":
        """Rank people who count as often as `counts`, (n_resamples, n_people), says.

        Squares of mean ranks less their own mean (n + 1) / 2 add up to (n^3 - sum of t^3) / 12,
        where t people share a rank (Kendall 1945, Biometrika 33:239): `untied`, where that is known
        of these people and no value repeats. All of these are whole numbers of halves or quarters,
        and exact up to 300,000 people.
        """
        weight = counts.take(self.rows, axis=1, mode="clip")
        until = weight.cumsum(axis=1, dtype=np.int32)
        n = until[:, -1:]
        together = weight
        if self.last is None or self.sizes is None:
            twice = 2 * until
            twice -= weight
            twice -= n
            ranks = twice * 0.5
        else:
            untied, ends = None, until[:, self.last]
            before = np.pad(ends, ((0, 0), (1, 0)))[:, :-1]
            together = ends - before
            ranks = np.repeat((before + ends - n) * 0.5, self.sizes, axis=1)
        total = n[:, 0].astype(float)
        if untied is None:
            of_rank = together.astype(float)
            untied = (total**3 - np.vecdot(np.square(of_rank), of_rank)) / 12
        return _Ranked(weight, total, ranks, untied)


class _Ranked(NamedTuple):
    """Resamples of people in an order: how often, how many in all, ranks, their sum of squares."""

    weight: Counts
    n: FloatArray
    ranks: FloatArray
    squares: FloatArray


@dataclass(frozen=True)
class _Sample:
    """Scores and declines of those whose score is known, ordered once for all resamples.

    Parameters
    ----------
    n_people
        With and without a score.
    by_score, by_decline
        The people with a score. Of samples whose scores are known of the same people, the order of
        declines is one object.
    from_decline
        Where a person, in the order of scores, stands in the order of declines.
    event
        Who is a fast progressor, in the order of scores.
    sums
        (8, n) what is added up over a resample, in the order of scores.
    """

    n_people: int
    by_score: _Order
    by_decline: _Order
    from_decline: IntArray
    event: FloatArray
    sums: FloatArray

    @classmethod
    def take_each(
        cls, scores: Sequence[FloatArray], decline: FloatArray, fast: npt.NDArray[np.bool_]
    ) -> "list[_Sample]":
        """Return the sample of each score of the same people."""
        declines: dict[bytes, _Order] = {}
        samples = []
        for score in scores:
            known = np.flatnonzero(np.isfinite(score))
            by_score, key = _Order.by(score, known), known.tobytes()
            if key not in declines:
                declines[key] = _Order.by(decline, known)
            place = np.empty(score.size, dtype=np.int64)
            place[declines[key].rows] = np.arange(known.size)
            x, y = score[by_score.rows], decline[by_score.rows]
            # centered first, so that the sums of squares lose no digits
            x_offset, y_offset = x - x.mean() if x.size else x, y - y.mean() if y.size else y
            sums = [(y - x) ** 2, x, y, x_offset, y_offset, x_offset**2, y_offset**2]
            samples.append(
                cls(
                    score.size,
                    by_score,
                    declines[key],
                    place[by_score.rows],
                    fast[by_score.rows].astype(float),
                    np.stack([*sums, x_offset * y_offset]),
                )
            )
        return samples

    def measure(self, counts: Counts, declines: Sequence[_Ranked]) -> dict[str, FloatArray]:
        """Return each metric, (n_resamples,), with each person as often as `counts` says.

        Parameters
        ----------
        counts
            (n_resamples, n_people).
        declines
            Of the same resamples, a few after the other.
        """
        weights = np.empty((len(counts), self.by_score.rows.size))
        parts, stop = [], 0
        for decline in declines:
            start, stop = stop, stop + len(decline.n)
            untied = decline.squares if self.by_decline.last is None else None
            own = self.by_score.rank(counts[start:stop], untied)
            weight = weights[start:stop]
            weight[:] = own.weight
            weighted = own.ranks * weight
            decline_ranks = decline.ranks.take(self.from_decline, axis=1, mode="clip")
            products = np.vecdot(weighted, decline_ranks)
            n_fast, fast_ranks = weight @ self.event, weighted @ self.event
            parts.append((own.n, n_fast, fast_ranks, products, own.squares, decline.squares))
        found = map(np.concatenate, zip(*parts, strict=True))
        n, n_fast, fast_ranks, rank_products, score_squares, decline_squares = found
        rank_sum = fast_ranks + n_fast * (n + 1) / 2
        # one product of all resamples: of other numbers of columns BLAS may round otherwise
        residual, x_sum, y_sum, x_off, y_off, x_squares, y_squares, products = (
            self.sums @ np.ascontiguousarray(weights.T)
        )
        # few people may be one person again and again: ranks tell exactly that nothing varies
        x_varies, y_varies = score_squares > 0, decline_squares > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            x_square = np.where(x_varies, x_squares - x_off**2 / n, np.nan)
            y_square = np.where(y_varies, y_squares - y_off**2 / n, np.nan)
            product = products - x_off * y_off / n
            slope = product / x_square
            return {
                "spearman": rank_products / np.sqrt(score_squares * decline_squares),
                "pearson": product / np.sqrt(x_square * y_square),
                # Mann-Whitney; undefined where everybody or nobody is fast.
                "auc": (rank_sum - n_fast * (n_fast + 1) / 2) / (n_fast * (n - n_fast)),
                "calibration_slope": slope,
                # Of changes, which are minus the declines.
                "calibration_intercept": slope * x_sum / n - y_sum / n,
                "r_squared": 1 - residual / y_square,
            }

    @property
    def is_measured(self) -> bool:
        """Whether enough people have a score."""
        return self.by_score.rows.size >= _MIN_PEOPLE_TO_MEASURE

    def tabulate(
        self, observed: dict[str, FloatArray], resampled: dict[str, FloatArray]
    ) -> pd.DataFrame:
        """Return one row a metric: its value in these people, its interval over resamples."""
        n = self.by_score.rows.size
        missing = 1 - n / self.n_people if self.n_people else np.nan
        rows = [("missing_score_rate", missing, np.nan, np.nan, self.n_people)]
        for name, value in observed.items():
            lower, upper = (float(bound) for bound in compute_interval(resampled[name]))
            rows.append((name, float(value[0]), lower, upper, n))
        return pd.DataFrame(rows, columns=["metric", "value", "value_lower", "value_upper", "n"])


def _resample(
    samples: Sequence[_Sample],
    scores: Sequence[FloatArray],
    decline: FloatArray,
    fast: npt.NDArray[np.bool_],
    n_bootstrap: int,
    rng: np.random.Generator,
) -> list[tuple[dict[str, FloatArray], dict[str, FloatArray]]]:
    """Return each sample's metrics, and those of the same resamples of people.

    Resamples are held a few at once. Nothing is measured of a sample of too few people.
    """
    parts: list[dict[str, list[FloatArray]]] = [{} for _ in samples]
    measured = [place for place, one in enumerate(samples) if one.is_measured]
    observed = _measure_once([samples[place] for place in measured])
    rarest = min([int(fast.sum()), *(samples[place].by_score.rows.size for place in measured)])
    size = max(_SMALLEST_BAG, decline.size**_GROWTH)
    for bag in deal_bags(decline.size, n_bootstrap, rng, size=size, rarest=rarest):
        scores_of = [scores[place][bag.members] for place in measured]
        own = _Sample.take_each(scores_of, decline[bag.members], fast[bag.members])
        base = _measure_once(own, bag.copies)
        for _, counts in bag.iterate_counts(rng):
            found = _measure(own, counts)
            for place, values, at, once in zip(measured, found, base, observed, strict=True):
                for name in values:
                    # a resample differs from its bag as one of everyone from everyone
                    moved = values[name] - at[name] + once[name]
                    parts[place].setdefault(name, []).append(moved)
    once_of = dict(zip(measured, observed, strict=True))
    return [
        (once_of.get(place, {}), {name: np.concatenate(found) for name, found in own.items()})
        for place, own in enumerate(parts)
    ]


def _measure(samples: Sequence[_Sample], counts: Counts) -> list[dict[str, FloatArray]]:
    """Return each sample's metrics, (n_resamples,); an order of declines is ranked once."""
    step = max(1, _AT_ONCE // counts.shape[1])
    blocks = [counts[start : start + step] for start in range(0, len(counts), step)]
    orders = {id(one.by_decline): one.by_decline for one in samples}
    ranked = {key: [order.rank(block) for block in blocks] for key, order in orders.items()}
    return [one.measure(counts, ranked[id(one.by_decline)]) for one in samples]


def _measure_once(samples: Sequence[_Sample], copies: int = 1) -> list[dict[str, FloatArray]]:
    """Return each sample's metrics, (1,), in these people, each as often as the other."""
    if not samples:
        return []
    return _measure(samples, np.full((1, samples[0].n_people), copies, dtype=np.int32))
