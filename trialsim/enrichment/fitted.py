"""Strategies that learn from measured change, never from a person's own."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from trialsim.enrichment.features import build_features, list_covariates, list_volumes
from trialsim.enrichment.folds import fit_out_of_sample
from trialsim.enrichment.predicted import compute_predicted_decline
from trialsim.enrichment.strategy import ScreeningTables, make_scores


@dataclass(frozen=True)
class Regression:
    """Huber regression of the decline on age, sex, baseline diagnosis, baseline volumes.

    The strategy that the BrLP paper compares with (Puglisi, Alexander & Ravi 2025).
    """

    name: str = "regression"
    needs: frozenset[str] = frozenset({"outcome"})
    predicts_decline: bool = True
    is_attainable: bool = True
    enrolls_everyone: bool = False

    def score(self, tables: ScreeningTables, rng: np.random.Generator) -> pd.DataFrame:
        """Return the cross-fitted decline.

        Raises
        ------
        DesignError
            Where too few people have a measured change.
        """
        columns = list_volumes(tables)
        fit = fit_out_of_sample(
            tables,
            lambda people: build_features(people, columns),
            build_huber,
            name=self.name,
            rng=rng,
        )
        return make_scores(fit.prediction, fit.fold)


@dataclass(frozen=True)
class Boosting:
    """Gradient-boosted trees on the same, APOE4, education and MMSE where they are known."""

    name: str = "boosting"
    needs: frozenset[str] = frozenset({"outcome"})
    predicts_decline: bool = True
    is_attainable: bool = True
    enrolls_everyone: bool = False

    def score(self, tables: ScreeningTables, rng: np.random.Generator) -> pd.DataFrame:
        """Return the cross-fitted decline.

        Raises
        ------
        DesignError
            Where too few people have a measured change.
        """
        columns = list_volumes(tables) + list_covariates(tables)
        fit = fit_out_of_sample(
            tables,
            lambda people: build_features(people, columns),
            lambda: _build_trees(rng),
            name=self.name,
            rng=rng,
        )
        return make_scores(fit.prediction, fit.fold)


@dataclass(frozen=True)
class Stacked:
    """Huber regression on the features of `regression`, the BrLP prediction, its uncertainty."""

    name: str = "stacked"
    needs: frozenset[str] = frozenset({"outcome", "predictions"})
    predicts_decline: bool = True
    is_attainable: bool = True
    enrolls_everyone: bool = False

    def score(self, tables: ScreeningTables, rng: np.random.Generator) -> pd.DataFrame:
        """Return the cross-fitted decline.

        Training people without predictions cannot teach what a prediction is worth; then the
        screened people are cross-fitted instead, and their folds are recorded.

        Raises
        ------
        DesignError
            Where predictions are missing, or too few people have a measured change.
        """
        if tables.training is not None and tables.training.predictions is None:
            tables = replace(tables, training=None)
        columns = list_volumes(tables)

        def build(people: ScreeningTables) -> pd.DataFrame:
            predicted = compute_predicted_decline(people, "predictions", name=self.name)
            features = build_features(people, columns).assign(predicted=predicted["decline"])
            # One draw a person has no spread; then there is no uncertainty to use.
            if self._has_sd(tables):
                features["predicted_sd"] = predicted["sd"]
            return features

        fit = fit_out_of_sample(tables, build, build_huber, name=self.name, rng=rng)
        return make_scores(fit.prediction, fit.fold)

    def _has_sd(self, tables: ScreeningTables) -> bool:
        cohorts = [tables] if tables.training is None else [tables, tables.training]
        return all(
            compute_predicted_decline(people, "predictions", name=self.name)["sd"].notna().any()
            for people in cohorts
        )


def build_huber() -> Any:
    """Return a Huber regression that standardizes what it is given."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.linear_model import HuberRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Volumes of 10^5 mm3 beside 0/1 flags keep L-BFGS from converging unless they are scaled.
    model = make_pipeline(StandardScaler(), HuberRegressor(max_iter=2000))
    return TransformedTargetRegressor(model, transformer=StandardScaler())


def _build_trees(rng: np.random.Generator) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=100,
        learning_rate=0.05,
        max_leaf_nodes=8,
        early_stopping=False,
        random_state=int(rng.integers(2**31)),
    )
