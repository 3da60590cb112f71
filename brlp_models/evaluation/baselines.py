"""Predictors beside the model: carry forward, the auxiliary model, regressions, given baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from brlp_models.auxiliary.interface import AuxiliaryModel, tabulate_predictions
from brlp_models.baselines.baseline import Baseline
from brlp_models.baselines.scoring import predict_changes
from brlp_models.errors import ModelError
from brlp_models.evaluation.measures.ranking import REGION
from brlp_models.evaluation.methods import AUXILIARY, CARRY_FORWARD, KEY, MODEL, REFERENCE
from brlp_models.evaluation.times import MethodTimes
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.context import ONE_VISIT, SEVERAL_VISITS, AuxiliaryModels
from brlp_models.scans.cache import ScanCache
from cohorts.cohort import Cohort

_FOLDS = 5
_FEWEST = 6


def predict_carry_forward(predicted: pd.DataFrame) -> pd.DataFrame:
    """Return the volumes of the starting scan, unchanged.

    Parameters
    ----------
    predicted
        The model's predictions; `start_mm3` is the volume segmented in the input scan, the one
        that the model's predicted ratio multiplies, so that both stand on the same measurement.
    """
    return predicted[KEY].assign(predicted_mm3=predicted["start_mm3"], method=CARRY_FORWARD)


def predict_auxiliary(
    model: BrlpModel,
    cohort: Cohort,
    horizons_months: Sequence[float],
    determinants: Mapping[str, float],
) -> pd.DataFrame:
    """Return what the model's auxiliary model says on its own, in native volumes.

    Parameters
    ----------
    model, cohort, horizons_months
        As in `predict_cohort`.
    determinants
        MNI-space over native volume, by participant; who has none is left out.
    """
    auxiliary = AuxiliaryModels.load(model).choose(1)
    table = cohort.baseline()
    table = table[table.index.isin(list(determinants))]
    scale = pd.Series(determinants, dtype=float).reindex(table.index)
    if auxiliary.volume_space == "native":
        scale = scale * 0 + 1
    measured = [str(column) for column in table if str(column).endswith("_mm3")]
    table = table.assign(**{column: table[column] * scale for column in measured})
    found = auxiliary.predict_volumes(table, horizons_months=list(horizons_months))
    scales = found["participant_id"].map(scale)
    return found.assign(
        predicted_mm3=found["volume_mm3"] / scales,
        sd_mm3=found["volume_sd_mm3"] / scales,
        method=AUXILIARY,
    )[[*KEY, "predicted_mm3", "sd_mm3", "method"]]


def predict_from_table(
    cohort: Cohort,
    at_horizon: pd.DataFrame,
    start: pd.DataFrame,
    *,
    region: str = REGION,
    training: tuple[Cohort, pd.DataFrame] | None,
) -> pd.DataFrame:
    """Return a region by the best regression on everything known at baseline but the scan.

    Ridge regression or boosted trees, whichever cross-validation prefers on the people fitted on.

    Parameters
    ----------
    cohort
        The people.
    at_horizon
        Of `truth.find_volumes_at`; read for the fit alone.
    start
        `participant_id`, `region`, `start_mm3`, as measured; the predicted ratio multiplies it.
    region
        The model's endpoint.
    training
        Another cohort with its volumes at the horizons, to fit on; None: five-fold cross-fitting.

    Raises
    ------
    ModelError
        Where fewer than six people are there to cross-fit on.
    """
    x = _encode(cohort.baseline())
    measured = start[start["region"] == region].set_index("participant_id")["start_mm3"]
    rows = []
    for horizon, own in at_horizon[at_horizon["region"] == region].groupby("horizon_months"):
        people = own["participant_id"]
        if training is None:
            ratio = _cross_fit(x.loc[people], _compute_ratio(own))
            sd = _leave_one_out_sd(ratio - _compute_ratio(own))
        else:
            there = training[1]
            fit_on = there[(there["horizon_months"] == horizon) & (there["region"] == region)]
            known = _encode(training[0].baseline()).loc[fit_on["participant_id"]]
            columns = [name for name in x.columns if name in known.columns]
            machine = _build_regression(len(known)).fit(known[columns], _compute_ratio(fit_on))
            ratio = machine.predict(x.loc[people, columns])
            # of the folds that the machine was chosen by
            sd = np.full(len(ratio), np.sqrt(-machine.best_score_))
        start_mm3 = people.map(measured)
        rows.append(
            own.assign(predicted_mm3=ratio * start_mm3, sd_mm3=sd * start_mm3, method=REFERENCE)
        )
    return pd.concat(rows, ignore_index=True)[[*KEY, "predicted_mm3", "sd_mm3", "method"]]


def predict_by_baselines(
    baselines: Sequence[Baseline],
    model: BrlpModel,
    cohort: Cohort,
    predicted: pd.DataFrame,
    cache: ScanCache,
    times: MethodTimes,
) -> pd.DataFrame:
    """Return rows of baselines that were fitted on other people, where the model has some.

    Parameters
    ----------
    baselines
        From `load_baseline`.
    model, cohort, cache
        As in `brlp_models.baselines.scoring.predict_changes`.
    predicted
        Rows of the model, with `start_mm3` and whatever goes with them.
    times
        Gets how long each takes.

    Raises
    ------
    ModelError
        For people that a baseline learned from.
    """
    known = predicted[(predicted["method"] == MODEL) & (predicted["region"] == REGION)]
    known = known.drop(columns="sd_mm3").reset_index(drop=True)
    people = cohort.select([str(name) for name in known["participant_id"].unique()])
    keys = list(zip(known["participant_id"], known["horizon_months"], strict=True))
    months_asked = sorted({months for _, months in keys})
    rows = []
    for baseline in baselines:
        with times.measure(baseline.config.name, len(people.participants)):
            changes, _ = predict_changes(
                baseline, model, people, cache, horizons_months=months_asked
            )
        percent = [changes.loc[person, months] for person, months in keys]
        expected = known["start_mm3"] * (1 + np.array(percent, dtype=float) / 100)
        error = [baseline.config.find_spread(months) for months in known["horizon_months"]]
        rows.append(
            known.assign(
                predicted_mm3=expected,
                sd_mm3=known["start_mm3"] * np.array(error, dtype=float) / 100,
                method=baseline.config.name,
            )
        )
    return pd.concat(rows, ignore_index=True).dropna(subset="predicted_mm3")


@dataclass(frozen=True)
class CarriedForward:
    """An auxiliary model that expects every volume to stay what it is at baseline."""

    regions: tuple[str, ...]
    volume_space: str = "native"
    measured_by: str | None = None

    def predict_volumes(
        self,
        baseline_table: pd.DataFrame,
        *,
        horizons_months: Sequence[float],
        visits: pd.DataFrame | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Return the baseline volumes at every horizon."""
        start = baseline_table[[f"{region}_mm3" for region in self.regions]].to_numpy(float)
        still = np.repeat(start[:, None], len(horizons_months), axis=1)
        return tabulate_predictions(
            baseline_table.index, horizons_months, self.regions, still, np.zeros_like(still)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what describes it."""
        return {"kind": "carried_forward", "regions": list(self.regions)}


def carry_context_forward(model: BrlpModel) -> AuxiliaryModels:
    """Return auxiliary models that predict no change, for the ablation without any."""
    regions: dict[str, None] = {}
    for entry in model.config.context:
        kind, _, region = entry.name.partition(":")
        if kind in {"volume", "change"}:
            regions[region] = None
    still: AuxiliaryModel = CarriedForward(tuple(regions))
    return AuxiliaryModels({ONE_VISIT: still, SEVERAL_VISITS: still})


def _build_regression(n_people: int) -> GridSearchCV:
    steps = [
        ("impute", SimpleImputer(keep_empty_features=True)),
        ("scale", StandardScaler()),
        ("machine", RidgeCV()),
    ]
    machines = [
        RidgeCV(alphas=np.logspace(-1, 4, 11)),
        HistGradientBoostingRegressor(max_iter=120, learning_rate=0.06, random_state=0),
    ]
    folds = KFold(min(_FOLDS, n_people), shuffle=True, random_state=0)
    error = "neg_mean_squared_error"
    return GridSearchCV(Pipeline(steps), {"machine": machines}, cv=folds, scoring=error)


def _cross_fit(x: pd.DataFrame, ratio: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if len(x) < _FEWEST:
        raise ModelError(
            f"The regression on the baseline table is cross-fitted on at least {_FEWEST} people "
            f"with a later volume, got {len(x)}; give another cohort with --train-on."
        )
    n = min(_FOLDS, len(x))
    folds = KFold(n, shuffle=True, random_state=1)
    n_fitted = len(x) - len(x) // n - 1
    return np.asarray(cross_val_predict(_build_regression(n_fitted), x, ratio, cv=folds))


def _leave_one_out_sd(errors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the sd of the errors of the others, for each person."""
    squares = errors**2
    return np.asarray(np.sqrt((squares.sum() - squares) / (len(errors) - 1)))


def _compute_ratio(table: pd.DataFrame) -> npt.NDArray[np.float64]:
    return (table["true_mm3"] / table["baseline_mm3"]).to_numpy(float)


def _encode(table: pd.DataFrame) -> pd.DataFrame:
    numbers = table.select_dtypes("number").astype(float)
    codes = pd.get_dummies(table[["sex", "diagnosis"]], dtype=float)
    return pd.concat([numbers, codes], axis=1)
