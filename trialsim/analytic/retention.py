"""Who is still in at each visit, or at the only one."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from trialsim.analytic.point import FloatArray, Quantity, simplify
from trialsim.analytic.solver import SizeQuestion


def count_measured(
    question: SizeQuestion, retention: Quantity, retention_treatment: Quantity | None
) -> SizeQuestion:
    """Return the question about the people whose outcome is measured.

    Parameters
    ----------
    question
        About the people enrolled.
    retention, retention_treatment
        Share measured, in the treatment arm if it differs; missing completely at random.
    """
    treated = retention if retention_treatment is None else retention_treatment
    measured = None if question.n_control is None else np.multiply(question.n_control, retention)
    ratio = np.multiply(question.allocation_ratio, np.divide(treated, retention))
    return replace(question, n_control=measured, allocation_ratio=ratio)


def count_enrolled(
    answered: dict[str, Quantity], question: SizeQuestion, retention: Quantity
) -> dict[str, Quantity]:
    """Return an answer about measured people as one about the enrolled: n / retention.

    Parameters
    ----------
    answered
        What `answer` gave for `count_measured`.
    question
        About the people enrolled.
    retention
        Share measured in the control arm.
    """
    n_control = np.divide(answered["n_control"], retention)
    n_treatment = np.multiply(n_control, question.allocation_ratio)
    return answered | {
        "n_control": simplify(n_control),
        "n_treatment": simplify(n_treatment),
        "n_total": simplify(n_control + n_treatment),
    }


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
    if not shares.size:
        return []
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
