"""Checks of randomization and of missing visits, which need no outcome after baseline."""

import numpy as np
import pandas as pd

from trialsim.finished.trial import FinishedTrial, Floats

ARMS = ("control", "treatment")


def compare_baseline(trial: FinishedTrial) -> pd.DataFrame:
    """Return covariates, outcome at baseline and predicted change by arm, without p values.

    Randomization makes every difference one of chance, so that a test of it asks nothing; its size
    says what to adjust for. Columns: `covariate`, `mean_control`, `mean_treatment`, `sd`,
    `standardized_difference` (treatment minus control, in pooled standard deviations). Blinded: the
    mean and sd of everyone.
    """
    rows = []
    for name, values in _list_baseline(trial).items():
        row: dict[str, object] = {
            "covariate": name,
            "mean": values.mean(),
            "sd": values.std(ddof=1),
        }
        if trial.treatment is not None:
            control, treated = values[trial.arms == 0], values[trial.arms == 1]
            pooled = np.sqrt((control.var(ddof=1) + treated.var(ddof=1)) / 2)
            row |= {
                "mean_control": control.mean(),
                "mean_treatment": treated.mean(),
                "standardized_difference": (treated.mean() - control.mean()) / pooled
                if pooled > 0
                else 0.0,
            }
        rows.append(row)
    return pd.DataFrame(rows)


def count_missing(trial: FinishedTrial) -> pd.DataFrame:
    """Return people with an outcome by arm and visit: `arm`, `months`, `n`, `n_seen`, `share_seen`.

    While the arms are blinded the arm is "all".
    """
    seen = ~np.isnan(trial.outcome)
    everyone = np.ones(trial.size, dtype=bool)
    groups = {"all": everyone} if trial.treatment is None else {
        name: trial.arms == value for value, name in enumerate(ARMS)
    }  # fmt: skip
    return pd.DataFrame(
        [
            {
                "arm": name,
                "months": month,
                "n": int(group.sum()),
                "n_seen": int(seen[group, visit].sum()),
                "share_seen": float(seen[group, visit].mean()),
            }
            for name, group in groups.items()
            for visit, month in enumerate(trial.months)
        ]
    )


def _list_baseline(trial: FinishedTrial) -> dict[str, Floats]:
    listed = {str(name): trial.covariates[name].to_numpy(float) for name in trial.covariates}
    listed[f"{trial.endpoint} at baseline"] = trial.outcome[:, 0]
    if trial.twins is not None:
        listed["predicted change of the twin"] = trial.twins.predicted[:, -1] - trial.outcome[:, 0]
    return listed
