"""Sample sizes of many sets of moments at once, by the normal approximation.

A bootstrap asks for thousands of sizes and only for their ratios, in which the constants cancel and
the t distribution's small correction does too. The formulas are those of `trialsim.analytic`.
"""

from collections.abc import Callable, Sequence
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
    ratios = [design.allocation_ratio]
    sizes = compute_log_sizes_by_ratio(analysis, preventable, covariance, design, ratios)
    return np.asarray(sizes[0])


def compute_log_sizes_by_ratio(
    analysis: str,
    preventable: Floats,
    covariance: Floats,
    design: TrialDesign,
    allocation_ratios: Sequence[float],
) -> Floats:
    """Return `compute_log_sizes` at each allocation ratio, (n_ratios, n_samples).

    What a person of either arm tells is the same at every ratio and computed once.

    Parameters
    ----------
    analysis, preventable, covariance, design
        As in `compute_log_sizes`; the design's own ratio is not read.
    allocation_ratios
        Treatment : control.
    """
    kind = ANALYSES[analysis]
    gained, lost = (
        Estimand(course, design.times).get_value(analysis)
        for course in (compute_course(design), compute_pseudo_atrophy(design))
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        delta = np.log(-design.slowing * preventable * gained - lost)
        control, treatment = _compute_arms(kind, covariance, design)
        whole = np.stack([control + treatment / ratio for ratio in allocation_ratios])
        log_size = np.log(whole) - 2 * delta
    return np.asarray(np.where(np.isfinite(log_size), log_size, np.inf))


def _compute_arms(kind: Analysis, covariance: Floats, design: TrialDesign) -> tuple[Floats, Floats]:
    """Return the variance of what the analysis estimates for each arm, times its people."""
    retention = [design.compute_retention(arm) for arm in (0, 1)]
    find = _VARIANCES[kind.model](kind, covariance, design)
    control = find(retention[0])
    return control, control if (retention[0] == retention[1]).all() else find(retention[1])


def _prepare_change(kind: Analysis, covariance: Floats, design: TrialDesign) -> "_OfRetention":  # noqa: ARG001
    first, last = covariance[:, 0, 0], covariance[:, -2, -2]
    change = first + last - 2 * covariance[:, 0, -2]
    return lambda retention: change / retention[-1]


def _prepare_ancova(kind: Analysis, covariance: Floats, design: TrialDesign) -> "_OfRetention":  # noqa: ARG001
    residual = _condition(covariance, [0, -1] if kind.uses_score else [0])
    return lambda retention: residual[:, -2, -2] / retention[-1]


def _prepare_mmrm(kind: Analysis, covariance: Floats, design: TrialDesign) -> "_OfRetention":  # noqa: ARG001
    """Lu, Luo & Chen 2008: later visits given baseline, by the last visit that people have."""
    residual = _condition(covariance, [0, -1] if kind.uses_score else [0])[:, 1:-1, 1:-1]
    everyone = np.eye(residual.shape[1])
    return lambda retention: _invert_information(residual, retention[1:], everyone)[:, -1, -1]


def _prepare_random_slope(
    kind: Analysis, covariance: Floats, design: TrialDesign
) -> "_OfRetention":
    """Lines through the covariance of the visits; a shared intercept counts as known."""
    courses = np.column_stack([np.ones_like(design.times), design.times])
    visits = _condition(covariance, [-1]) if kind.uses_score else covariance
    smooth = _smooth(visits[:, :-1, :-1], courses)

    def find(retention: Floats) -> Floats:
        inverse = _invert_information(smooth, retention, courses)
        if design.common_baseline:
            return np.asarray(1 / np.linalg.inv(inverse)[:, 1, 1])
        return np.asarray(inverse[:, 1, 1])

    return find


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


_OfRetention = Callable[[Floats], Floats]
"""Gives the variance for an arm of whom these shares are left at the visits."""

_VARIANCES: Final[dict[str, Callable[[Analysis, Floats, TrialDesign], _OfRetention]]] = {
    "change": _prepare_change,
    "ancova": _prepare_ancova,
    "random_slope": _prepare_random_slope,
    "mmrm": _prepare_mmrm,
}
