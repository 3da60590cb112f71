"""One p value of several hypotheses together, for closed tests."""

from typing import Literal

import numpy as np
from scipy import special

from trialsim.analytic.point import FloatArray
from trialsim.errors import DesignError

IntersectionTest = Literal["simes", "spiessens_debois", "dunnett", "bonferroni"]

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(64)


def intersect(
    p_values: FloatArray, test: IntersectionTest, correlation: float | None = None
) -> FloatArray:
    """Return the p value of "none of the treatments works in any of these".

    Parameters
    ----------
    p_values
        One-sided, (n_hypotheses, ...).
    test
        "simes" (1986, Biometrika 73:751), "bonferroni"; "spiessens_debois" (2010, Contemp Clin
        Trials 31:647: a population within another), "dunnett" (doses that share a control), both
        the exact distribution of the largest of equally correlated z.
    correlation
        Of the z: sqrt(share of the smaller population), r / (1 + r) of doses allocated r : 1.
    """
    m = len(p_values)
    if m == 1:
        return np.asarray(p_values[0])
    if test == "bonferroni":
        return np.asarray(np.minimum(m * p_values.min(axis=0), 1))
    if test == "simes":
        ranks = np.arange(1, m + 1).reshape(-1, *[1] * (p_values.ndim - 1))
        return np.asarray((m * np.sort(p_values, axis=0) / ranks).min(axis=0))
    if test not in ("spiessens_debois", "dunnett"):
        raise DesignError(
            "The intersection test must be simes, spiessens_debois, dunnett or bonferroni, got "
            f"{test!r}."
        )
    if correlation is None or not 0 <= correlation < 1:
        raise DesignError(
            f"The test {test} needs the correlation of its z, from 0 to below 1, got {correlation}."
        )
    return compute_largest_p(-special.ndtri(p_values.min(axis=0)), m, correlation)


def compute_largest_p(z: FloatArray, n: int, correlation: float) -> FloatArray:
    """Return P(the largest of n standard normals is above z); they share one factor.

    P = 1 - E[Phi((z + sqrt(rho) U) / sqrt(1 - rho))^n] (Dunnett 1955, J Am Stat Assoc 50:1096).
    """
    shared = np.sqrt(correlation) * _NODES
    inside = special.ndtr((np.asarray(z)[..., None] + shared) / np.sqrt(1 - correlation))
    # 1 - x^n of x near 1 keeps its digits through the complement
    above = -np.expm1(n * np.log(np.maximum(inside, 1e-300)))
    return np.asarray(above @ _WEIGHTS / _WEIGHTS.sum())
