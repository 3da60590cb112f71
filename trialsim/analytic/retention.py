"""Who is still in at each visit."""

import numpy as np
import numpy.typing as npt

from trialsim.analytic.point import FloatArray


def complete_retention(retention: npt.ArrayLike | None, n_visits: int) -> FloatArray:
    """Return the share still in at each visit, (n_visits,); everyone where None is given."""
    return np.ones(n_visits) if retention is None else np.asarray(retention, dtype=float)


def find_retention_problems(
    retention: npt.ArrayLike | None, n_visits: int, *, name: str
) -> list[str]:
    """Return one sentence for each reason why `retention` describes no monotone drop-out."""
    shares = complete_retention(retention, n_visits)
    if shares.shape != (n_visits,):
        return [f"{name} must hold one share a visit ({n_visits}), got shape {shares.shape}."]
    if not np.all((shares >= 0) & (shares <= 1)):
        wrong = ", ".join(f"{share:g}" for share in shares[~((shares >= 0) & (shares <= 1))])
        return [f"{name} must hold shares between 0 and 1, got {wrong}."]
    if np.any(np.diff(shares) > 0):
        return [f"{name} must not rise from one visit to the next, got {shares.tolist()}."]
    if shares[-1] == 0:
        return [f"{name} must leave someone at the last visit, got 0 there."]
    return []


def compute_last_visit_shares(retention: FloatArray) -> FloatArray:
    """Return the share of people whose last visit is visit k, (n_visits,)."""
    return np.asarray(retention - np.append(retention[1:], 0.0))
