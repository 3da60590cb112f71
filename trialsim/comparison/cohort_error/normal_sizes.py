"""Sample sizes of many sets of moments at once, by the normal approximation.

A bootstrap asks for thousands of sizes and only for their ratios, in which the constants cancel and
the t distribution's small correction does too. The formulas are those of `trialsim.analytic`.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from trialsim.analyses import ANALYSES, Analysis
from trialsim.analysis.result import Floats
from trialsim.design import TrialDesign
from trialsim.simulation.effects import Estimand, compute_course, compute_pseudo_atrophy


def compute_log_sizes(
    analysis: str, preventable: Floats, covariance: Floats, design: TrialDesign
) -> Floats:
    """Return ln of the people needed in control; infinite where nothing can be prevented.

    Parameters
    ----------
    analysis
        A name in `trialsim.analyses.ANALYSES`.
    preventable
        Mean change to the last visit that a treatment could prevent; a loss is negative,
        (n_samples,).
    covariance
        Of the outcomes at the visits, then of the score, (n_samples, n_visits + 1, n_visits + 1).
    design
        Visits, slowing, drop-out, arms, error rates.
    """
    kind = ANALYSES[analysis]
    gained, lost = (
        Estimand(course, design.times).get_value(analysis)
        for course in (compute_course(design), compute_pseudo_atrophy(design))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = np.log(-design.slowing * preventable * gained - lost)
        log_size = np.log(_VARIANCES[kind.model](kind, covariance, design)) - 2 * delta
    return np.asarray(np.where(np.isfinite(log_size), log_size, np.inf))


def _compute_change(kind: Analysis, covariance: Floats, design: TrialDesign) -> Floats:  # noqa: ARG001
    first, last = covariance[:, 0, 0], covariance[:, -2, -2]
    return np.asarray((first + last - 2 * covariance[:, 0, -2]) * _count_completers(design))


def _compute_ancova(kind: Analysis, covariance: Floats, design: TrialDesign) -> Floats:
    residual = _condition(covariance, [0, -1] if kind.uses_score else [0])
    return np.asarray(residual[:, -2, -2] * _count_completers(design))


def _compute_mmrm(kind: Analysis, covariance: Floats, design: TrialDesign) -> Floats:
    """Lu, Luo & Chen 2008: later visits given baseline, by the last visit that people have."""
    residual = _condition(covariance, [0, -1] if kind.uses_score else [0])[:, 1:-1, 1:-1]
    return _add_arms(
        lambda arm: _invert_information(
            residual, design.compute_retention(arm)[1:], np.eye(residual.shape[1])
        )[:, -1, -1],
        design,
    )


def _compute_random_slope(kind: Analysis, covariance: Floats, design: TrialDesign) -> Floats:
    """Lines through the covariance of the visits; a shared intercept counts as known."""
    courses = np.column_stack([np.ones_like(design.times), design.times])
    visits = _condition(covariance, [-1]) if kind.uses_score else covariance
    smooth = _smooth(visits[:, :-1, :-1], courses)

    def compute(arm: int) -> Floats:
        inverse = _invert_information(smooth, design.compute_retention(arm), courses)
        if design.common_baseline:
            return np.asarray(1 / np.linalg.inv(inverse)[:, 1, 1])
        return np.asarray(inverse[:, 1, 1])

    return _add_arms(compute, design)


def _condition(covariance: Floats, known: list[int]) -> Floats:
    """Return the covariance that is left given some of the variables."""
    shared = covariance[:, :, known]
    own = shared[:, known]
    explained = shared @ np.linalg.pinv(own, hermitian=True) @ shared.transpose(0, 2, 1)
    return np.asarray(covariance - explained)


def _smooth(visits: Floats, courses: Floats) -> Floats:
    """Return the nearest covariance of lines with noise, by least squares over its entries."""
    a, b = courses.T
    basis = [np.outer(a, a), np.outer(a, b) + np.outer(b, a), np.outer(b, b), np.eye(len(a))]
    flat = np.stack(basis).reshape(len(basis), -1)
    terms = visits.reshape(len(visits), -1) @ np.linalg.pinv(flat)
    # noise and slopes that come out negative by chance count as almost none
    scale = np.trace(visits, axis1=1, axis2=2) / len(a)
    terms[:, 3] = np.maximum(terms[:, 3], 1e-4 * scale)
    terms[:, 2] = np.maximum(terms[:, 2], 0.0)
    limit = 0.999 * np.sqrt(np.maximum(terms[:, 0], 0.0) * terms[:, 2])
    terms[:, 1] = np.clip(terms[:, 1], -limit, limit)
    return np.asarray((terms @ flat).reshape(visits.shape))


def _invert_information(covariance: Floats, retention: Floats, courses: Floats) -> Floats:
    """Return the variance of a person's coefficients, averaged over the last visit they have."""
    leaves_after = retention - np.append(retention[1:], 0.0)
    size = courses.shape[1]
    information = np.zeros((len(covariance), size, size))
    for k, share in enumerate(leaves_after, start=1):
        if share > 0:
            inverse = np.linalg.inv(covariance[:, :k, :k])
            information += share * (courses[:k].T @ inverse @ courses[:k])
    return np.asarray(np.linalg.inv(information))


def _add_arms(compute: Callable[[int], Floats], design: TrialDesign) -> Floats:
    return np.asarray(compute(0) + compute(1) / design.allocation_ratio)


def _count_completers(design: TrialDesign) -> float:
    left = [float(design.compute_retention(arm)[-1]) for arm in (0, 1)]
    return 1 / left[0] + 1 / (left[1] * design.allocation_ratio)


_VARIANCES: Final[dict[str, Callable[[Analysis, Floats, TrialDesign], Floats]]] = {
    "change": _compute_change,
    "ancova": _compute_ancova,
    "random_slope": _compute_random_slope,
    "mmrm": _compute_mmrm,
}
