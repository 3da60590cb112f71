"""Predictors that use no image: carry forward, the auxiliary model, the best tabular regression."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold, cross_val_predict

from brlp_models.evaluation.accuracy import CARRY_FORWARD, REFERENCE
from brlp_models.model import BrlpModel
from brlp_models.prediction_context import AuxiliaryModels
from cohorts.baseline import build_baseline_table
from cohorts.cohort import Cohort

AUXILIARY = "auxiliary model alone"


def predict_carry_forward(predicted: pd.DataFrame) -> pd.DataFrame:
    """Return the volumes of the starting scan, unchanged.

    Parameters
    ----------
    predicted
        The model's predictions; `start_mm3` is the volume segmented in the input scan, the one
        that the model's predicted ratio multiplies, so that both stand on the same measurement.
    """
    columns = ["participant_id", "horizon_months", "region"]
    return predicted[columns].assign(predicted_mm3=predicted["start_mm3"], method=CARRY_FORWARD)


def predict_auxiliary(
    model: BrlpModel, cohort: Cohort, horizons_months: Sequence[float]
) -> pd.DataFrame:
    """Return what the model's auxiliary model says on its own."""
    auxiliary = AuxiliaryModels.load(model).choose(1)
    found = auxiliary.predict_volumes(
        build_baseline_table(cohort), horizons_months=list(horizons_months)
    )
    return found.rename(columns={"volume_mm3": "predicted_mm3"}).assign(method=AUXILIARY)[
        ["participant_id", "horizon_months", "region", "predicted_mm3", "method"]
    ]


def predict_from_table(
    cohort: Cohort, at_horizon: pd.DataFrame, *, training: tuple[Cohort, pd.DataFrame] | None
) -> pd.DataFrame:
    """Return boosted regression on everything known at baseline but the scan.

    Parameters
    ----------
    cohort
        The people.
    at_horizon
        Of `truth.find_volumes_at`.
    training
        Another cohort with its volumes at the horizons, to fit on; None: five-fold cross-fitting.
    """
    rows = []
    x = _encode(build_baseline_table(cohort))
    fit_x = None if training is None else _encode(build_baseline_table(training[0]))
    for (horizon, region), own in at_horizon.groupby(["horizon_months", "region"]):
        people = own["participant_id"]
        ratio = (own["true_mm3"] / own["baseline_mm3"]).to_numpy(float)
        machine = HistGradientBoostingRegressor(max_iter=120, learning_rate=0.06, random_state=0)
        if training is None or fit_x is None:
            folds = KFold(min(5, len(own)), shuffle=True, random_state=0)
            found = cross_val_predict(machine, x.loc[people], ratio, cv=folds)
        else:
            table = training[1]
            there = table[(table["horizon_months"] == horizon) & (table["region"] == region)]
            wanted = (there["true_mm3"] / there["baseline_mm3"]).to_numpy(float)
            columns = [name for name in x.columns if name in fit_x.columns]
            machine.fit(fit_x.loc[there["participant_id"], columns], wanted)
            found = machine.predict(x.loc[people, columns])
        rows.append(
            own.assign(predicted_mm3=found * own["baseline_mm3"], method=REFERENCE)[
                ["participant_id", "horizon_months", "region", "predicted_mm3", "method"]
            ]
        )
    return pd.concat(rows, ignore_index=True)


def without_auxiliary(model: BrlpModel, folder: Path) -> BrlpModel:
    """Return the model with an auxiliary model that carries the baseline forward.

    Parameters
    ----------
    model
        From a folder.
    folder
        Gets the stand-in's file.
    """
    from brlp_models.auxiliary import write_auxiliary
    from brlp_models.auxiliary_regression import HuberAuxiliary

    found = AuxiliaryModels.load(model).choose(1)
    if not isinstance(found, HuberAuxiliary):
        return model
    still = replace(
        found,
        level_coefficients=0 * found.level_coefficients,
        rate_coefficients=0 * found.rate_coefficients,
    )
    for name in model.config.auxiliary.values():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_auxiliary(still, folder / name)
    return replace(model, folder=folder)


def _encode(table: pd.DataFrame) -> pd.DataFrame:
    numbers = table.select_dtypes("number")
    codes = pd.get_dummies(table[["sex", "diagnosis"]], dtype=float)
    return pd.concat([numbers, codes], axis=1)
