"""How much worse the missing must have fared for the conclusion to fall."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from trialsim.errors import DesignError
from trialsim.imputation.jackknife import Jackknife


@dataclass(frozen=True)
class TippingPoint:
    """The delta at which an effect stops being significant.

    Attributes
    ----------
    delta
        Added to the imputed outcomes of treated people who left; 0 where the effect is not
        significant to begin with, infinite where no delta within reach overturns it.
    curve
        `delta`, `estimate`, `se`, `lower`, `upper`, `p_value` along the way.
    """

    delta: float
    curve: pd.DataFrame


def find_tipping_point(
    found: Jackknife, *, alpha: float = 0.05, largest: float | None = None, n_points: int = 21
) -> TippingPoint:
    """Return the smallest delta against the effect at which p reaches alpha.

    Parameters
    ----------
    found
        One trial with everyone and without each person, under the strategy that delta is added to:
        see `trialsim.imputation.jackknife.leave_each_out`.
    alpha
        Two-sided, 0 to 1.
    largest
        Largest size of delta; twice the effect over the share of treated people imputed when
        None.
    n_points
        Points of the curve.

    Raises
    ------
    DesignError
        Nobody in treatment left, so that there is nothing to add delta to, or a model that cannot
        be fitted.
    """
    if not found.converged[0]:
        raise DesignError("The imputation model could not be fitted to this trial.")
    if found.full[1, 0] == 0:
        raise DesignError("No treated person lacks the last visit: there is no tipping point.")
    effect, share = found.full[:, 0]
    reach = largest or 2 * abs(effect) / share
    against = -np.sign(effect)
    rows = [_describe(found, against * size, alpha) for size in np.linspace(0, reach, n_points)]
    curve = pd.DataFrame(rows)
    if curve["p_value"].iloc[0] > alpha:
        return TippingPoint(0.0, curve)

    def excess(size: float) -> float:
        return _describe(found, against * size, alpha)["p_value"] - alpha

    sizes = np.abs(curve["delta"].to_numpy())
    above = np.flatnonzero(curve["p_value"].to_numpy() > alpha)
    if not above.size:
        return TippingPoint(float(against * np.inf), curve)
    at = optimize.brentq(excess, sizes[above[0] - 1], sizes[above[0]])
    return TippingPoint(float(against * at), curve)


def _describe(found: Jackknife, delta: float, alpha: float) -> dict[str, float]:
    fit = found.combine(delta)
    estimate, se = float(fit.estimate[0]), float(fit.se[0])
    reach = float(stats.t.isf(alpha / 2, fit.df[0])) * se
    return {
        "delta": float(delta),
        "estimate": estimate,
        "se": se,
        "lower": estimate - reach,
        "upper": estimate + reach,
        "p_value": float(fit.p_value[0]),
    }
