"""How far the effect hangs on what is assumed of people who left."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import stats

from trialsim.finished.trial import FinishedTrial, Floats
from trialsim.imputation.estimation import fit_imputed
from trialsim.imputation.jackknife import Jackknife, leave_each_out
from trialsim.imputation.strategies import STRATEGIES


def leave_each_person_out(trial: FinishedTrial) -> dict[str, Jackknife]:
    """Return the trial with everyone and without each person, imputed under each strategy.

    Raises
    ------
    DesignError
        Blinded arms, or too few people of an arm at the last visit.
    """
    trial.require_effect()
    predictors = np.column_stack([np.ones(trial.size), trial.arms, adjust_for(trial)])
    return leave_each_out(trial.outcome[None, :, 1:], predictors[None], list(STRATEGIES))


def compare_assumptions(
    trial: FinishedTrial,
    left_out: Mapping[str, Jackknife],
    *,
    rng: np.random.Generator,
    n_imputations: int = 200,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Return the effect at the last visit under each assumption about people who left.

    Columns: `strategy`, `estimate`, `se` and interval by conditional means with jackknife,
    `estimate_rubin`, `se_rubin` by multiple imputation, `n_imputed_control`, `n_imputed_treatment`,
    `assumption`. The model adjusts for baseline, covariates and, where there is one, the twin.

    Parameters
    ----------
    trial
        As `read_trial` returns it.
    left_out
        Of `leave_each_person_out`.
    rng
        Of the imputations.
    n_imputations
        Of Rubin's rules.
    alpha
        Two-sided; intervals cover 1 - alpha.
    """
    later, known = trial.outcome[None, :, 1:], adjust_for(trial)
    missing = np.isnan(trial.outcome[:, -1])
    rows = []
    for strategy, assumption in STRATEGIES.items():
        fit = left_out[strategy].combine(0.0)
        pooled = fit_imputed(
            later,
            trial.arms,
            known,
            strategy=strategy,
            variance="rubin",
            n_imputations=n_imputations,
            rng=rng,
        )
        estimate, se = float(fit.estimate[0]), float(fit.se[0])
        reach = float(stats.t.isf(alpha / 2, fit.df[0])) * se
        rows.append(
            {
                "strategy": strategy,
                "estimate": estimate,
                "se": se,
                "lower": estimate - reach,
                "upper": estimate + reach,
                "p_value": float(fit.p_value[0]),
                "estimate_rubin": float(pooled.estimate[0]),
                "se_rubin": float(pooled.se[0]),
                "n_imputed_control": int((missing & (trial.arms == 0)).sum()),
                "n_imputed_treatment": int((missing & (trial.arms == 1)).sum()),
                "assumption": assumption,
            }
        )
    return pd.DataFrame(rows)


def adjust_for(trial: FinishedTrial) -> Floats:
    """Return baseline, covariates and the twin's last prediction, centred, (n, q)."""
    columns = [trial.outcome[:, :1], trial.covariates.to_numpy(dtype=float)]
    columns += [trial.twins.predicted[:, -1:]] if trial.twins is not None else []
    known = np.column_stack(columns)
    return np.asarray(known - known.mean(axis=0))
