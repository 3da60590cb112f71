"""Cross-fitting: nobody is scored by a model that saw their own outcome."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from trialsim.enrichment.strategy import ScreeningTables
from trialsim.errors import DesignError

Regressor = Any
"""An object with `fit(features, outcome)` and `predict(features)`."""

_MIN_PEOPLE = 20


def assign_folds(tables: ScreeningTables, rng: np.random.Generator) -> pd.Series:
    """Return the fold, 0 to n_folds - 1, of each row; copies of a person share theirs.

    Parameters
    ----------
    tables
        Their own folds are returned where they have them.
    rng
        Shuffles people.
    """
    if tables.folds is not None:
        return tables.folds
    person = tables.get_person()
    people = pd.Index(person.unique())
    shuffled = people[rng.permutation(len(people))]
    by_person = pd.Series(np.arange(len(shuffled)) % tables.n_folds, index=shuffled)
    return pd.Series(by_person.reindex(person).to_numpy(), index=tables.index, name="fold")


@dataclass(frozen=True)
class Fit:
    """Out-of-sample predictions.

    Attributes
    ----------
    prediction
        By row; NaN where a feature is missing.
    fold
        By row; None where the model was fitted on other people.
    """

    prediction: pd.Series
    fold: pd.Series | None


def fit_out_of_sample(
    tables: ScreeningTables,
    build_features: Callable[[ScreeningTables], pd.DataFrame],
    build_model: Callable[[], Regressor],
    *,
    name: str,
    rng: np.random.Generator,
) -> Fit:
    """Predict everyone's decline by models that never saw it.

    Parameters
    ----------
    tables
        Screened people; `tables.training` to fit on instead, where it is given.
    build_features
        Makes the numeric features, one row a person.
    build_model
        Makes a new model for each fold.
    name
        The strategy, for error messages.
    rng
        Assigns folds.

    Raises
    ------
    DesignError
        Where too few people have both features and an outcome.
    """
    features = build_features(tables)
    prediction = pd.Series(np.nan, index=tables.index)
    usable = features.notna().all(axis=1)
    if tables.training is not None:
        known, outcome = _take_known(tables.training, build_features(tables.training), name)
        model = build_model().fit(known[features.columns].to_numpy(), outcome)
        prediction[usable] = model.predict(features[usable].to_numpy())
        return Fit(prediction, None)
    known, outcome = _take_known(tables, features, name)
    fold = assign_folds(tables, rng)
    own = fold[known.index].to_numpy()
    for held_out in np.unique(fold[usable]):
        seen = own != held_out
        _require(int(seen.sum()), name)
        model = build_model().fit(known.to_numpy()[seen], outcome[seen])
        rows = usable & (fold == held_out)
        prediction[rows] = model.predict(features[rows].to_numpy())
    return Fit(prediction, fold)


def _take_known(
    tables: ScreeningTables, features: pd.DataFrame, name: str
) -> tuple[pd.DataFrame, npt.NDArray[np.float64]]:
    if tables.outcome is None:
        raise DesignError(
            f"{name}: no measured change to fit on; nobody has a visit near the horizon of "
            f"{tables.horizon_months:g} months (--train-on names other people to fit on)."
        )
    outcome = tables.outcome.reindex(tables.index)
    known = features.notna().all(axis=1) & outcome.notna()
    _require(int(known.sum()), name)
    return features[known], outcome[known].to_numpy(dtype=float)


def _require(count: int, name: str) -> None:
    if count < _MIN_PEOPLE:
        raise DesignError(
            f"{name}: only {count} people have every feature and a measured change to fit on, at "
            f"least {_MIN_PEOPLE} are needed; fit on other people (--train-on) or leave it out."
        )
