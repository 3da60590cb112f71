"""Whether the effect differs with the decline that the twin predicts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from trialsim.analysis.adjusted import regress
from trialsim.errors import DesignError
from trialsim.finished.trial import FinishedTrial


@dataclass(frozen=True)
class EffectHeterogeneity:
    """The effect as a straight line of predicted decline.

    Attributes
    ----------
    slope, slope_se, slope_lower, slope_upper, p_value, df
        What one unit more of predicted decline adds to the effect; 0 is one effect for everyone,
        a share s of slowing for everyone gives a slope of s. Robust (HC2).
    by_decline
        `predicted_decline` at its quartiles, `effect`, `lower`, `upper` there.
    """

    slope: float
    slope_se: float
    slope_lower: float
    slope_upper: float
    p_value: float
    df: float
    by_decline: pd.DataFrame


def estimate_heterogeneity(trial: FinishedTrial, *, alpha: float = 0.05) -> EffectHeterogeneity:
    """Return how the effect at the last visit changes with predicted decline.

    The outcome is regressed on arm, baseline, covariates, predicted decline (baseline minus twin)
    and arm x predicted decline. People were randomized, so that the interaction is one of
    treatment; the decline that would have come is known by its prediction alone, which shrinks the
    slope by the twin's own error.

    Raises
    ------
    DesignError
        Blinded arms, too few people, or no twins whose predictions differ.
    """
    trial.require_effect()
    if trial.twins is None:
        raise DesignError("Effects by predicted decline need twins (`--twins`).")
    decline = trial.outcome[:, 0] - trial.twins.predicted[:, -1]
    if np.ptp(decline) == 0:
        raise DesignError("The twins predict the same decline for everyone.")
    centred = decline - decline.mean()
    known = np.column_stack([trial.outcome[:, 0], trial.covariates.to_numpy(dtype=float)])
    design = np.column_stack(
        [np.ones(trial.size), trial.arms, trial.arms * centred, centred, known - known.mean(axis=0)]
    )
    fit = regress(trial.outcome[None, :, -1], design[None], np.ones((1, trial.size)))
    if not fit.solvable[0] or fit.df[0] < 1:
        raise DesignError("Too few people to tell whether the effect differs with decline.")
    covariance = fit.compute_robust_covariance()[0]

    def tell(*weights: float) -> tuple[float, float, float, float]:
        """Return a sum of effect and slope, its error, degrees of freedom and reach."""
        contrast = np.array([0.0, *weights, *np.zeros(fit.beta.shape[1] - 3)])
        se, df = np.sqrt(contrast @ covariance @ contrast), fit.compute_robust_df(contrast)[0]
        return float(contrast @ fit.beta[0]), float(se), float(df), stats.t.isf(alpha / 2, df) * se

    slope, slope_se, df, reach = tell(0.0, 1.0)
    rows = []
    for at in np.quantile(decline, [0.25, 0.5, 0.75]):
        own, _, _, own_reach = tell(1.0, at - decline.mean())
        rows.append((float(at), own, own - own_reach, own + own_reach))
    return EffectHeterogeneity(
        slope=slope,
        slope_se=slope_se,
        slope_lower=float(slope - reach),
        slope_upper=float(slope + reach),
        p_value=float(2 * stats.t.sf(abs(slope / slope_se), df)),
        df=df,
        by_decline=pd.DataFrame(rows, columns=["predicted_decline", "effect", "lower", "upper"]),
    )
