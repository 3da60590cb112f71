"""How well scores predict decline, out of sample."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from trialsim.enrichment.definition import FastProgressorDefinition
from trialsim.enrichment.registry import STRATEGIES
from trialsim.enrichment.resampling import FloatArray, IntArray, compute_interval, draw_people
from trialsim.enrichment.truth import TrueDecline

N_BOOTSTRAP = 1000
SUBGROUPS = ("site", "diagnosis", "sex")

# Below this many people a subgroup's interval would say nothing.
_MIN_PEOPLE = 30
_MIN_PEOPLE_TO_MEASURE = 3
_CHUNK = 500_000
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
    groups = [
        (subgroup, members, _draw_counts(int(members.sum()), n_bootstrap, rng))
        for subgroup, members in _list_groups(people, participants)
    ]
    frames = []
    for strategy, rows in scores.groupby("strategy", sort=False):
        built_in = STRATEGIES.get(str(strategy))
        if built_in is not None and built_in.enrolls_everyone:
            continue
        predicts = built_in is not None and built_in.predicts_decline
        score = rows.set_index("participant_id")["score"].reindex(people).to_numpy(dtype=float)
        for subgroup, members, counts in groups:
            table = _measure(score[members], decline[members], fast[members], counts)
            if not predicts:
                table = table[~table["metric"].isin(_OF_PREDICTIONS)]
            frames.append(table.assign(strategy=strategy, subgroup=subgroup))
    columns = ["strategy", "metric", "subgroup", "value", "value_lower", "value_upper", "n"]
    return (
        pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)
    )


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
    predicting = [name for name, strategy in STRATEGIES.items() if strategy.predicts_decline]
    rows = scores[scores["strategy"].isin(predicting) & scores["score"].notna()]
    rows = rows[rows["participant_id"].isin(truth.decline.index)]
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


def _draw_counts(n_people: int, n_bootstrap: int, rng: np.random.Generator) -> IntArray:
    """Return how often each person is in each resample, (n_bootstrap, n_people)."""
    drawn = draw_people(n_people, n_bootstrap, rng) + n_people * np.arange(n_bootstrap)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=n_bootstrap * n_people)
    return counts.reshape(n_bootstrap, n_people)


def _measure(
    score: FloatArray, decline: FloatArray, fast: npt.NDArray[np.bool_], counts: IntArray
) -> pd.DataFrame:
    known = np.isfinite(score)
    n = int(known.sum())
    rows = [("missing_score_rate", 1 - known.mean(), np.nan, np.nan, len(score))]
    if n >= _MIN_PEOPLE_TO_MEASURE:
        x, y, event = score[known], decline[known], fast[known]
        observed = _compute_metrics(x, y, event, np.ones((1, n)))
        step = max(1, _CHUNK // n)
        parts = [
            _compute_metrics(x, y, event, counts[start : start + step][:, known])
            for start in range(0, len(counts), step)
        ]
        for name, value in observed.items():
            resampled = np.concatenate([part[name] for part in parts])
            lower, upper = (float(bound) for bound in compute_interval(resampled))
            rows.append((name, float(value[0]), lower, upper, n))
    return pd.DataFrame(rows, columns=["metric", "value", "value_lower", "value_upper", "n"])


def _compute_metrics(
    x: FloatArray, y: FloatArray, event: npt.NDArray[np.bool_], counts: npt.ArrayLike
) -> dict[str, FloatArray]:
    """Return each metric, (n_resamples,), with each person as often as `counts` says."""
    weight = np.asarray(counts, dtype=float)
    n = weight.sum(axis=1)
    score_rank, decline_rank = _rank_by_count(x, weight), _rank_by_count(y, weight)
    n_fast = weight @ event
    rank_sum = (weight * score_rank) @ event
    residual = weight @ (y - x) ** 2
    x_mean, y_mean = weight @ x / n, weight @ y / n
    # Centered first, so that the sums of squares lose no digits.
    x_offset, y_offset = x - x.mean(), y - y.mean()
    x_square = weight @ x_offset**2 - (weight @ x_offset) ** 2 / n
    y_square = weight @ y_offset**2 - (weight @ y_offset) ** 2 / n
    product = weight @ (x_offset * y_offset) - (weight @ x_offset) * (weight @ y_offset) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = product / x_square
        return {
            "spearman": _correlate(score_rank, decline_rank, weight),
            "pearson": product / np.sqrt(x_square * y_square),
            # Mann-Whitney; undefined where everybody or nobody is fast.
            "auc": (rank_sum - n_fast * (n_fast + 1) / 2) / (n_fast * (n - n_fast)),
            "calibration_slope": slope,
            # Of changes, which are minus the declines.
            "calibration_intercept": slope * x_mean - y_mean,
            "r_squared": 1 - residual / y_square,
        }


def _rank_by_count(values: FloatArray, weight: FloatArray) -> FloatArray:
    """Return mean ranks, (n_resamples, n_people), where each person counts `weight` times."""
    _, group = np.unique(values, return_inverse=True)
    order = np.argsort(group, kind="stable")
    last = np.flatnonzero(np.diff(group[order], append=group.size))
    until = np.cumsum(weight[:, order], axis=1)[:, last]
    before = np.pad(until, ((0, 0), (1, 0)))[:, :-1]
    return np.asarray(((before + until + 1) / 2)[:, group])


def _correlate(x: FloatArray, y: FloatArray, weight: FloatArray) -> FloatArray:
    n = weight.sum(axis=1, keepdims=True)
    left = x - (weight * x).sum(axis=1, keepdims=True) / n
    right = y - (weight * y).sum(axis=1, keepdims=True) / n
    squares = (weight * left**2).sum(axis=1) * (weight * right**2).sum(axis=1)
    return np.asarray((weight * left * right).sum(axis=1) / np.sqrt(squares))
