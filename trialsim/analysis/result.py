"""What an analysis returns for every trial."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Record = TypeVar("Record", bound="DataclassInstance")


@dataclass(frozen=True)
class FitResult:
    """Treatment effect of each trial; every array has the shape (n_trials,).

    Attributes
    ----------
    estimate
        Treatment minus control, in the unit of the outcome (a slope: per unit of time).
    se
        Standard error, model-based unless another was asked for.
    df
        Degrees of freedom of the t statistic.
    p_value
        Two-sided p value of "no difference".
    converged
        False where the fit failed; its estimate, se, df and p value are then NaN.
    boundary
        True where the likelihood is highest on the edge of the possible covariances. A
        random-slope fit there is kept; an unstructured one has no maximum and failed.
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
    edge = np.zeros_like(ok) if boundary is None else boundary
    return FitResult(estimate, se, df, compute_p_values(estimate / se, df), ok, edge)


def compute_p_values(t: Floats, df: Floats) -> Floats:
    """Return two-sided p values of t statistics (NaN stays NaN)."""
    p_values: Floats = 2.0 * special.stdtr(df, -np.abs(t))
    return p_values


def join_results(parts: Sequence[FitResult]) -> FitResult:
    """Return the results of consecutive batches of trials as one."""
    names = [field.name for field in fields(FitResult)]
    return FitResult(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def take_trials(record: Record, trials: Flags) -> Record:
    """Return the part of a record of arrays, one row a trial, that belongs to some trials."""
    return type(record)(*(getattr(record, field.name)[trials] for field in fields(record)))
