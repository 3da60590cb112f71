"""How well scores predict decline, out of sample."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from cohorts.keys import is_among
from trialsim.enrichment.bootstrap import FloatArray, IntArray, compute_interval, deal_bags
from trialsim.enrichment.definition import FastProgressorDefinition
from trialsim.enrichment.registry import STRATEGIES
from trialsim.enrichment.truth import TrueDecline

N_BOOTSTRAP = 1000
_SMALLEST_BAG, _GROWTH = 2_500, 0.7
SUBGROUPS = ("site", "diagnosis", "sex")

# Below this many people a subgroup's interval would say nothing.
_MIN_PEOPLE = 30
_MIN_PEOPLE_TO_MEASURE = 3
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
    people = truth.decline.index.intersection(pd.Index(scores["participant_id"].unique()))
    decline = truth.decline[people].to_numpy()
    fast = definition.find_fast(decline, truth.annual_decline[people].to_numpy())
    predicted = {
        str(strategy): rows.set_index("participant_id")["score"].reindex(people).to_numpy(float)
        for strategy, rows in scores.groupby("strategy", sort=False)
        if not _is_random(str(strategy))
    }
    frames = []
    # products of narrow tables: threads cost more than they save, and change last digits
    with threadpool_limits(1, user_api="blas"):
        for subgroup, members in _list_groups(people, participants):
            scores_of = [score[members] for score in predicted.values()]
            truth_of = decline[members], fast[members]
            samples = [_Sample.take(score, *truth_of) for score in scores_of]
            # each subgroup has draws of its own, and everyone's scores see the same ones
            (draws,) = rng.spawn(1)
            resampled = _resample(samples, scores_of, *truth_of, n_bootstrap, draws)
            for strategy, sample, metrics in zip(predicted, samples, resampled, strict=True):
                table = sample.tabulate(metrics)
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


def _is_random(strategy: str) -> bool:
    return strategy in STRATEGIES and STRATEGIES[strategy].enrolls_everyone


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
class _Ties:
    """Where values of people in order repeat: each value's last place, and how many have it."""

    last: IntArray
    sizes: IntArray

    @classmethod
    def find(cls, ordered: FloatArray) -> "_Ties | None":
        last = np.flatnonzero(np.append(np.diff(ordered) > 0, True))
        return None if last.size == ordered.size else cls(last, np.diff(last, prepend=-1))


@dataclass(frozen=True)
class _Sample:
    """Scores and declines of those whose score is known, ordered once for all resamples.

    Parameters
    ----------
    n_people
        With and without a score.
    by_score, by_decline
        Rows of the people with a score, the lowest first.
    from_decline
        Where a person, in the order of scores, stands in the order of declines.
    score_ties, decline_ties
        None where no value repeats.
    event
        Who is a fast progressor, in the order of scores.
    sums
        (8, n) what is added up over a resample, in the order of scores.
    """

    n_people: int
    by_score: IntArray
    by_decline: IntArray
    from_decline: IntArray
    score_ties: _Ties | None
    decline_ties: _Ties | None
    event: FloatArray
    sums: FloatArray

    @classmethod
    def take(cls, score: FloatArray, decline: FloatArray, fast: npt.NDArray[np.bool_]) -> "_Sample":
        known = np.flatnonzero(np.isfinite(score))
        by_score = known[np.argsort(score[known], kind="stable")]
        by_decline = known[np.argsort(decline[known], kind="stable")]
        place = np.empty(score.size, dtype=np.int64)
        place[by_decline] = np.arange(known.size)
        x, y = score[by_score], decline[by_score]
        # centered first, so that the sums of squares lose no digits
        x_offset, y_offset = x - x.mean() if x.size else x, y - y.mean() if y.size else y
        sums = [(y - x) ** 2, x, y, x_offset, y_offset, x_offset**2, y_offset**2]
        return cls(
            score.size,
            by_score,
            by_decline,
            place[by_score],
            _Ties.find(x) if x.size else None,
            _Ties.find(decline[by_decline]) if x.size else None,
            fast[by_score].astype(float),
            np.stack([*sums, x_offset * y_offset]),
        )

    def measure(self, counts: FloatArray, work: FloatArray) -> dict[str, FloatArray]:
        """Return each metric, (n_resamples,), with each person as often as `counts` says.

        Numbers on the way are held in `work`, (4, n_people, n_resamples): new memory for every few
        resamples would take longer than what is computed in it.
        """
        weight, ranks, decline_ranks, spare = work[:, : self.by_score.size]
        np.take(counts, self.by_decline, axis=0, out=weight, mode="clip")
        n = weight.sum(axis=0)
        decline_squares = _rank_ordered(weight, n, self.decline_ties, ranks, spare)
        np.take(ranks, self.from_decline, axis=0, out=decline_ranks, mode="clip")
        np.take(counts, self.by_score, axis=0, out=weight, mode="clip")
        score_squares = _rank_ordered(weight, n, self.score_ties, ranks, spare)
        ranks *= weight
        n_fast = self.event @ weight
        rank_sum = self.event @ ranks + n_fast * (n + 1) / 2
        rank_products = np.einsum("ij,ij->j", ranks, decline_ranks)
        residual, x_sum, y_sum, x_off, y_off, x_squares, y_squares, products = self.sums @ weight
        x_square, y_square = x_squares - x_off**2 / n, y_squares - y_off**2 / n
        product = products - x_off * y_off / n
        with np.errstate(divide="ignore", invalid="ignore"):
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
        return self.by_score.size >= _MIN_PEOPLE_TO_MEASURE

    def measure_once(self, copies: int = 1) -> dict[str, FloatArray]:
        """Return each metric, (1,), of these people, each as often as the other."""
        counts = np.full((self.n_people, 1), float(copies))
        return self.measure(counts, np.empty((4, *counts.shape)))

    def tabulate(self, resampled: dict[str, FloatArray]) -> pd.DataFrame:
        """Return one row a metric: its value in these people, its interval over resamples."""
        n = self.by_score.size
        missing = 1 - n / self.n_people if self.n_people else np.nan
        rows = [("missing_score_rate", missing, np.nan, np.nan, self.n_people)]
        if self.is_measured:
            for name, value in self.measure_once().items():
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
) -> list[dict[str, FloatArray]]:
    """Return each sample's metrics over the same resamples of people; few are held at once."""
    parts: list[dict[str, list[FloatArray]]] = [{} for _ in samples]
    measured = [place for place, one in enumerate(samples) if one.is_measured]
    observed = {place: samples[place].measure_once() for place in measured}
    rarest = min([int(fast.sum()), *(samples[place].by_score.size for place in measured)])
    size = max(_SMALLEST_BAG, decline.size**_GROWTH)
    work = np.empty((4, 0, 0))
    for bag in deal_bags(decline.size, n_bootstrap, rng, size=size, rarest=rarest):
        in_bag = decline[bag.members], fast[bag.members]
        own = {place: _Sample.take(scores[place][bag.members], *in_bag) for place in measured}
        base = {place: sample.measure_once(bag.copies) for place, sample in own.items()}
        for _, drawn in bag.iterate_counts(rng):
            counts = drawn.astype(float)
            if work.shape[1:] != counts.shape:
                work = np.empty((4, *counts.shape))
            for place, sample in own.items():
                for name, values in sample.measure(counts, work).items():
                    # a resample differs from its bag as one of everyone from everyone
                    moved = values - base[place][name] + observed[place][name]
                    parts[place].setdefault(name, []).append(moved)
    return [{name: np.concatenate(values) for name, values in p.items()} for p in parts]


def _rank_ordered(
    weight: FloatArray, n: FloatArray, ties: _Ties | None, ranks: FloatArray, spare: FloatArray
) -> FloatArray:
    """Rank people in order, each counting `weight` times, and return the sum of squared ranks.

    Into `ranks`, (n_people, n_resamples), go mean ranks less their own mean (n + 1) / 2. Their
    squares add up to (n^3 - sum of t^3) / 12, where t people share a rank (Kendall 1945,
    Biometrika 33:239). All of these are whole numbers of halves or quarters, and exact.
    """
    np.cumsum(weight, axis=0, out=ranks)
    together = weight
    if ties is None:
        np.add(weight, n, out=spare)
        spare /= 2
        ranks -= spare
    else:
        until = ranks[ties.last]
        before = np.pad(until, ((1, 0), (0, 0)))[:-1]
        together = until - before
        ranks[:] = np.repeat((before + until - n) / 2, ties.sizes, axis=0)
    squares = np.square(together, out=spare[: len(together)])
    return np.asarray((n**3 - np.einsum("ij,ij->j", squares, together)) / 12)
