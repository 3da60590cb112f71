"""Strategies that learn from measured change, never from a person's own."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from trialsim.enrichment.strategies.features import (
    build_features,
    list_known_covariates,
    list_volumes,
)
from trialsim.enrichment.strategies.folds import Fit, FloatArray, Samples, fit_out_of_sample
from trialsim.enrichment.strategies.huber import fit_huber
from trialsim.enrichment.strategies.predicted import compute_predicted_decline
from trialsim.enrichment.strategies.strategy import ScreeningTables, make_scores


class _Fitted(ABC):
    """A strategy that learns from measured change."""

    needs: frozenset[str] = frozenset({"outcome"})
    predicts_decline: bool = True
    is_attainable: bool = True
    enrolls_everyone: bool = False

    def score(self, tables: ScreeningTables, rng: np.random.Generator) -> pd.DataFrame:
        """Return the cross-fitted decline.

        Raises
        ------
        DesignError
            Where too few people have a measured change, or predictions that it reads are missing.
        """
        return _make_scores(tables, self._fit(tables, rng))

    def score_samples(
        self, tables: ScreeningTables, samples: Samples, rng: np.random.Generator
    ) -> FloatArray:
        """Return everyone's score by the model of each sample, (n_samples, n_people)."""
        return self._fit(tables, rng, samples).prediction

    @abstractmethod
    def _fit(
        self, tables: ScreeningTables, rng: np.random.Generator, samples: Samples | None = None
    ) -> Fit: ...


@dataclass(frozen=True)
class Regression(_Fitted):
    """Huber regression of the decline on age, sex, baseline diagnosis, baseline volumes.

    The strategy that the BrLP paper compares with (Puglisi, Alexander & Ravi 2025).
    """

    name: str = "regression"

    def _fit(
        self, tables: ScreeningTables, rng: np.random.Generator, samples: Samples | None = None
    ) -> Fit:
        columns = list_volumes(tables)
        return fit_out_of_sample(
            tables,
            lambda people: build_features(people, columns),
            learn_huber,
            name=self.name,
            rng=rng,
            samples=samples,
        )


@dataclass(frozen=True)
class Boosting(_Fitted):
    """Gradient-boosted trees on the same, APOE4, education and MMSE where they are known."""

    name: str = "boosting"

    def _fit(
        self, tables: ScreeningTables, rng: np.random.Generator, samples: Samples | None = None
    ) -> Fit:
        columns = list_volumes(tables) + list_known_covariates(tables)
        return fit_out_of_sample(
            tables,
            lambda people: build_features(people, columns),
            learn_trees,
            name=self.name,
            rng=rng,
            samples=samples,
        )


@dataclass(frozen=True)
class Stacked(_Fitted):
    """Huber regression on the features of `regression`, the BrLP prediction, its uncertainty.

    Training people without predictions cannot teach what a prediction is worth; then the screened
    people are cross-fitted instead, and their folds are recorded.
    """

    name: str = "stacked"
    needs: frozenset[str] = frozenset({"outcome", "predictions"})

    def _fit(
        self, tables: ScreeningTables, rng: np.random.Generator, samples: Samples | None = None
    ) -> Fit:
        tables = choose_training(tables)
        columns = list_volumes(tables)

        def build(people: ScreeningTables) -> pd.DataFrame:
            predicted = compute_predicted_decline(people, "predictions", name=self.name)
            features = build_features(people, columns).assign(predicted=predicted["decline"])
            # one draw a person has no spread of its own, so that it tells nothing of the person
            if self._has_spread(tables):
                features["predicted_sd"] = predicted["sd"]
            return features

        return fit_out_of_sample(
            tables, build, learn_huber, name=self.name, rng=rng, samples=samples
        )

    def _has_spread(self, tables: ScreeningTables) -> bool:
        cohorts = [tables] if tables.training is None else [tables, tables.training]
        return all(
            people.predictions is not None
            and bool((people.predictions["n_samples"] > 1).any())
            and compute_predicted_decline(people, "predictions", name=self.name)["sd"].notna().any()
            for people in cohorts
        )


def choose_training(tables: ScreeningTables) -> ScreeningTables:
    """Return the tables without training people who have no predictions to learn from."""
    if tables.training is not None and tables.training.predictions is None:
        return replace(tables, training=None)
    return tables


def learn_huber(
    features: FloatArray, outcome: FloatArray, weights: FloatArray, targets: FloatArray
) -> FloatArray:
    """Return predictions by Huber regression; a `Learner`."""
    return fit_huber(features, outcome, weights).predict(targets)


def learn_trees(
    features: FloatArray, outcome: FloatArray, weights: FloatArray, targets: FloatArray
) -> FloatArray:
    """Return predictions by gradient-boosted trees; a `Learner`."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    predictions = np.empty((len(weights), len(targets)))
    for row, weight in zip(predictions, weights, strict=True):
        trees = HistGradientBoostingRegressor(
            max_iter=100,
            learning_rate=0.05,
            max_leaf_nodes=8,
            early_stopping=False,
            random_state=0,
        )
        # copies rather than weights: the least number of people in a leaf counts copies
        copies = np.repeat(np.arange(len(weight)), weight.astype(int))
        row[:] = trees.fit(features[copies], outcome[copies]).predict(targets)
    return predictions


def _make_scores(tables: ScreeningTables, fit: Fit) -> pd.DataFrame:
    score = pd.Series(fit.prediction[0], index=tables.index)
    fold = None if fit.folds is None else pd.Series(fit.folds[0], index=tables.index)
    return make_scores(score, fold)
