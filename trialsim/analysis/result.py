"""What an analysis returns for every trial."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class FitResult:
    """Treatment effect of each trial; every array has the shape (n_trials,).

    Attributes
    ----------
    estimate
        Treatment minus control, in the unit of the outcome (a slope: per unit of time).
    se
        Model-based standard error.
    df
        Degrees of freedom of the t statistic.
    p_value
        Two-sided p value of "no difference".
    converged
        False where the fit failed; its estimate, se, df and p value are then NaN.
    boundary
        True where a covariance estimate lies on the edge of what is possible (a singular
        random-effects covariance); such a fit is kept.
    """

    estimate: Floats
    se: Floats
    df: Floats
    p_value: Floats
    converged: Flags
    boundary: Flags


def build_result(
    estimate: Floats, variance: Floats, df: Floats, ok: Flags, boundary: Flags | None = None
) -> FitResult:
    """Return a `FitResult`; a trial whose numbers are not usable is marked as failed."""
    with np.errstate(invalid="ignore"):
        ok = ok & np.isfinite(estimate) & (variance > 0) & np.isfinite(variance) & (df > 0)
        se = np.where(ok, np.sqrt(variance), np.nan)
    estimate, df = np.where(ok, estimate, np.nan), np.where(ok, df, np.nan)
    edge = np.zeros_like(ok) if boundary is None else boundary & ok
    return FitResult(estimate, se, df, compute_p_values(estimate / se, df), ok, edge)


def compute_p_values(t: Floats, df: Floats) -> Floats:
    """Return two-sided p values of t statistics (NaN stays NaN)."""
    p_values: Floats = 2.0 * special.stdtr(df, -np.abs(t))
    return p_values


def join_results(parts: Sequence[FitResult]) -> FitResult:
    """Return the results of consecutive batches of trials as one."""
    names = [field.name for field in fields(FitResult)]
    return FitResult(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
