"""Correlation of repeated measures."""

import numpy as np
import numpy.typing as npt

from cohorts.entrances import entrance
from trialsim.analytic.arguments import CORRELATION, find_problems, raise_problems
from trialsim.analytic.point import FloatArray


@entrance
def ar1(rho: float, n: int) -> FloatArray:
    """Return the (n, n) correlation rho^abs(i - j) of a first-order autoregression.

    Parameters
    ----------
    rho
        Correlation of neighboring visits, between -1 and 1.
    n
        Number of visits.

    Returns
    -------
    numpy.ndarray
        (n, n), 1 on the diagonal.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> ar1(0.5, 3).tolist()
    [[1.0, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 1.0]]
    """
    _check(rho, n)
    steps = np.arange(n)
    return np.asarray(float(rho) ** np.abs(steps[:, None] - steps[None, :]))


@entrance
def exchangeable(rho: float, n: int) -> FloatArray:
    """Return the (n, n) correlation that is rho between any two visits.

    Parameters
    ----------
    rho
        Between -1 and 1; positive definite only above -1 / (n - 1).
    n
        Number of visits.

    Returns
    -------
    numpy.ndarray
        (n, n), 1 on the diagonal.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> exchangeable(0.5, 3).tolist()
    [[1.0, 0.5, 0.5], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]]
    """
    _check(rho, n)
    return np.where(np.eye(n, dtype=bool), 1.0, float(rho))


def _check(rho: float, n: int) -> None:
    problems = find_problems(rho=(rho, CORRELATION))
    problems += [] if n >= 1 else [f"The number of visits must be at least 1, got {n}."]
    raise_problems(problems)


def find_correlation_problems(
    correlation: npt.ArrayLike,
    n_visits: int | None = None,
    *,
    name: str = "correlation",
    stacked: bool = False,
) -> list[str]:
    """Return one sentence for each reason why `correlation` is no correlation matrix.

    Parameters
    ----------
    correlation
        (n_visits, n_visits), or several of them where they may be `stacked`.
    n_visits
        The size that it must have; any when None.
    name
        What the sentences call it.
    stacked
        Whether (n, n_visits, n_visits) is right, too.
    """
    matrix = np.asarray(correlation, dtype=float)
    n_dimensions = (2, 3) if stacked else (2,)
    if matrix.ndim not in n_dimensions or matrix.shape[-2] != matrix.shape[-1]:
        return [f"{name} must be a square matrix, got shape {matrix.shape}."]
    if n_visits is not None and matrix.shape[-1] != n_visits:
        return [f"{name} must be {n_visits} x {n_visits}, one row a visit, got {matrix.shape}."]
    diagonal = np.diagonal(matrix, axis1=-2, axis2=-1)
    if not np.allclose(matrix, np.swapaxes(matrix, -2, -1)) or not np.allclose(diagonal, 1):
        return [f"{name} must be symmetric with ones on its diagonal."]
    smallest = np.linalg.eigvalsh(matrix).min()
    if smallest <= 1e-10:
        return [f"{name} must be positive definite, its smallest eigenvalue is {smallest:.3g}."]
    return []


def expand_correlation(correlation: npt.ArrayLike, n_visits: int) -> FloatArray:
    """Return a matrix as it is, one number as the exchangeable matrix of `n_visits` visits."""
    matrix = np.asarray(correlation, dtype=float)
    return exchangeable(float(matrix), n_visits) if matrix.ndim == 0 else matrix
