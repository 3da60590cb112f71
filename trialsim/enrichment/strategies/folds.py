"""Cross-fitting: nobody is scored by a model that saw their own outcome."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.counting import tally
from cohorts.keys import locate_rows
from trialsim.enrichment.strategies.strategy import ScreeningTables
from trialsim.errors import DesignError

FloatArray = npt.NDArray[np.float64]

_MIN_PEOPLE = 20


class Learner(Protocol):
    """Learns an outcome from features, in many weighted samples of the same people."""

    def __call__(
        self, features: FloatArray, outcome: FloatArray, weights: FloatArray, targets: FloatArray
    ) -> FloatArray:
        """Return predictions for `targets` (n, p) by each sample's model, (n_samples, n).

        `features` (k, p) and `outcome` (k,) are learned from with `weights` (n_samples, k).
        """
        ...


def _draw_folds(
    tables: ScreeningTables, rng: np.random.Generator, n_samples: int
) -> npt.NDArray[np.int64]:
    """Return the fold of each person, drawn anew for each sample, (n_samples, n_people)."""
    n_people = len(tables.index)
    folds = np.empty((n_samples, n_people), dtype=np.int64)
    turns = np.arange(n_people) % tables.n_folds
    for row in folds:
        row[rng.permutation(n_people)] = turns
    return folds


@dataclass(frozen=True)
class Fit:
    """Out-of-sample predictions.

    Attributes
    ----------
    prediction
        (n_samples, n_people); NaN where a feature is missing.
    folds
        (n_samples, n_people); None where the model was fitted on other people.
    """

    prediction: FloatArray
    folds: npt.NDArray[np.int64] | None


@dataclass(frozen=True)
class Samples:
    """How often each person is in each sample; None for one sample that holds everyone once.

    Attributes
    ----------
    people
        (n_samples, n_people), the screened; None keeps them.
    training
        (n_samples, n_training), the people to fit on; None keeps them.
    """

    people: FloatArray | None = None
    training: FloatArray | None = None

    @property
    def n(self) -> int:
        """Number of samples."""
        return max(len(one) for one in (self.people, self.training, [1]) if one is not None)


def fit_out_of_sample(
    tables: ScreeningTables,
    build_features: Callable[[ScreeningTables], pd.DataFrame],
    learner: Learner,
    *,
    name: str,
    rng: np.random.Generator,
    samples: Samples | None = None,
) -> Fit:
    """Predict everyone's decline by models that never saw it.

    Parameters
    ----------
    tables
        Screened people; `tables.training` to fit on instead, where it is given.
    build_features
        Makes the numeric features, one row a person.
    learner
        Fits the models.
    name
        The strategy, for error messages.
    rng
        Assigns folds, anew in each sample.
    samples
        Resampled people, whose models predict all of the screened; everyone once when None.

    Raises
    ------
    DesignError
        Where too few people have both features and an outcome.
    """
    samples = samples or Samples()
    features = build_features(tables)
    usable = features.notna().all(axis=1).to_numpy()
    targets = features.to_numpy()[usable]
    prediction = np.full((samples.n, len(tables.index)), np.nan)
    if tables.training is not None:
        known, outcome, rows = _take_known(
            tables.training,
            build_features(tables.training)[list(features.columns)],
            name,
            is_other=True,
        )
        weights = _weigh(samples.training, len(tables.training.index))[:, rows]
        prediction[:, usable] = learner(known, outcome, weights, targets)
        return Fit(prediction, None)
    known, outcome, rows = _take_known(tables, features, name)
    weights = _weigh(samples.people, len(tables.index))[:, rows]
    folds = _draw_folds(tables, rng, samples.n)
    for held_out in range(tables.n_folds):
        others = folds[:, rows] != held_out
        if samples.people is None:
            _require(int(others.sum()), name)
        predicted = np.full(prediction.shape, np.nan)
        predicted[:, usable] = learner(known, outcome, weights * others, targets)
        prediction = np.where(folds == held_out, predicted, prediction)
    return Fit(prediction, folds)


def _weigh(counts: FloatArray | None, n_people: int) -> FloatArray:
    return np.ones((1, n_people)) if counts is None else counts


def _take_known(
    tables: ScreeningTables, features: pd.DataFrame, name: str, *, is_other: bool = False
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.intp]]:
    if tables.outcome is None:
        who, settled = (
            ("nobody of those to fit on (--train-on)", "--horizon-months names another")
            if is_other
            else ("nobody", "--train-on names other people to fit on")
        )
        raise DesignError(
            f"{name}: no measured change to fit on; {who} has a visit near the horizon of "
            f"{tables.horizon_months:g} months with {tables.region} measured there and at baseline "
            f"({settled})."
        )
    known, people = (one.to_frame(name="person") for one in (tables.outcome.index, tables.index))
    places = locate_rows(people, known, ["person"])
    outcome = np.append(tables.outcome.to_numpy(dtype=float), np.nan)[places]
    rows = np.flatnonzero(features.notna().all(axis=1).to_numpy() & np.isfinite(outcome))
    _require(len(rows), name)
    return features.to_numpy()[rows], outcome[rows], rows


def _require(n_people: int, name: str) -> None:
    if n_people < _MIN_PEOPLE:
        known = tally(n_people, "people have")
        raise DesignError(
            f"{name}: only {known} every feature and a measured change to fit on, at "
            f"least {_MIN_PEOPLE} are needed; fit on other people (--train-on) or leave it out."
        )
