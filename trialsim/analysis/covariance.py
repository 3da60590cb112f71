"""Covariance models whose entries are at most quadratic in their parameters."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.result import Flags, Floats

_VANISHED = 1e-12
"""Share of the variance of a visit below which a variance is 0."""


@dataclass(frozen=True)
class CovarianceModel:
    """Covariance of the visits, sum_a theta_a E_a with theta = L eta + eta' C eta / 2.

    One covariance for everyone, or one for each arm: theta then holds the terms of the control arm
    followed by those of the treatment arm. The last parameters may be standard deviations of
    effects that people share, and the last terms their variances; the covariance of a person's
    visits does not hold them.

    Attributes
    ----------
    basis
        E, (n_terms, n_visits, n_visits), symmetric.
    linear
        L, (n_blocks * n_terms + n_shared, n_parameters).
    curvature
        C, (n_blocks * n_terms + n_shared, n_parameters, n_parameters), symmetric.
    n_shared
        Number of shared effects' variances.
    """

    basis: Floats
    linear: Floats
    curvature: Floats
    n_shared: int = 0

    @property
    def n_blocks(self) -> int:
        """Number of covariances: 1, or 2 where each arm has its own."""
        return (len(self.linear) - self.n_shared) // len(self.basis)

    def find_blocks(self, block: NDArray[np.intp]) -> list[NDArray[np.intp] | slice]:
        """Return the patterns of each covariance, given which one each pattern has."""
        if self.n_blocks == 1:
            return [slice(None)]  # a view: the patterns need not be copied
        return [np.flatnonzero(block == g) for g in range(self.n_blocks)]

    def compute_terms(self, eta: Floats) -> Floats:
        """Return theta of each trial, (n_trials, n_terms)."""
        quadratic = np.einsum("ti,aij,tj->ta", eta, self.curvature, eta)
        return np.asarray(eta @ self.linear.T + quadratic / 2)

    def compute_covariances(self, eta: Floats) -> Floats:
        """Return the covariance of the visits, (n_trials, n_blocks, n_visits, n_visits)."""
        own = self.compute_terms(eta)[:, : self.n_blocks * len(self.basis)]
        terms = own.reshape(len(eta), self.n_blocks, len(self.basis))
        return np.asarray(np.einsum("tga,aij->tgij", terms, self.basis))

    def get_deviations(self, eta: Floats) -> Floats:
        """Return the standard deviations of shared effects, (n_trials, n_shared)."""
        return eta[:, eta.shape[1] - self.n_shared :]

    def find_vanished(self, eta: Floats) -> Flags:
        """Return which shared effects have a variance of 0, (n_trials, n_shared)."""
        variances = np.einsum("tgii->tgi", self.compute_covariances(eta)).mean(axis=(1, 2))
        return np.asarray(self.get_deviations(eta) ** 2 < _VANISHED * variances[:, None])

    def compute_jacobian(self, eta: Floats) -> Floats:
        """Return d theta / d eta of each trial, (n_trials, n_terms, n_parameters)."""
        return np.asarray(self.linear + np.einsum("aij,tj->tai", self.curvature, eta))


def build_linear(basis: Floats) -> CovarianceModel:
    """Return the model whose parameters are its terms."""
    n = len(basis)
    return CovarianceModel(basis, np.eye(n), np.zeros((n, n, n)))


def build_unstructured(n_visits: int) -> CovarianceModel:
    """Return the model with a free variance at each visit and a free covariance of each pair."""
    rows, columns = np.tril_indices(n_visits)
    basis = np.zeros((len(rows), n_visits, n_visits))
    terms = np.arange(len(rows))
    basis[terms, rows, columns] = basis[terms, columns, rows] = 1.0
    return build_linear(basis)


def join_blocks(models: Sequence[CovarianceModel]) -> CovarianceModel:
    """Return the model in which each arm has a covariance of its own, with the same terms."""
    n_terms = len(models[0].basis)
    sizes = [model.linear.shape[1] for model in models]
    linear = np.zeros((n_terms * len(models), sum(sizes)))
    curvature = np.zeros((len(linear), sum(sizes), sum(sizes)))
    for g, model in enumerate(models):
        rows = slice(g * n_terms, (g + 1) * n_terms)
        columns = slice(sum(sizes[:g]), sum(sizes[: g + 1]))
        linear[rows, columns] = model.linear
        curvature[rows, columns, columns] = model.curvature
    return CovarianceModel(models[0].basis, linear, curvature)


def add_shared(model: CovarianceModel, n_shared: int) -> CovarianceModel:
    """Return the model with standard deviations of shared effects as its last parameters."""
    n_terms, n_parameters = model.linear.shape
    size = n_parameters + n_shared
    linear = np.zeros((n_terms + n_shared, size))
    linear[:n_terms, :n_parameters] = model.linear
    curvature = np.zeros((n_terms + n_shared, size, size))
    curvature[:n_terms, :n_parameters, :n_parameters] = model.curvature
    own = np.arange(n_shared)
    curvature[n_terms + own, n_parameters + own, n_parameters + own] = 2.0
    return CovarianceModel(model.basis, linear, curvature, n_shared)


def invert_positive_definite(matrices: Floats) -> tuple[Floats, Floats, Flags]:
    """Return inverses, log determinants, and which matrices are positive definite.

    Gauss-Jordan sweeps of all matrices together; for the small matrices of a trial this takes a
    fraction of the time of a LAPACK call each, and a singular one does not stop the others.

    Parameters
    ----------
    matrices
        (..., n, n), symmetric.
    """
    *shape, n, _ = matrices.shape
    # trials last, so that each operation runs over all of them in one go
    flat = matrices.reshape(math.prod(shape), n, n)
    swept = flat.transpose(1, 2, 0).copy(order="C")
    diagonal = np.einsum("iit->it", swept).copy()
    log_determinant = np.zeros(swept.shape[2])
    fine = np.isfinite(diagonal).all(axis=0)
    product = np.empty_like(swept)
    with np.errstate(all="ignore"):
        for i in range(n):
            row = swept[i].copy()
            pivot = row[i].copy()
            # relative to the diagonal, so that the verdict does not depend on units
            fine &= pivot > 1e-11 * diagonal[i]
            log_determinant += np.log(pivot)
            column = swept[:, i] / pivot
            np.multiply(column[:, None], row[None], out=product)
            swept -= product
            swept[:, i] = swept[i] = column
            swept[i, i] = -1.0 / pivot
    inverse = np.ascontiguousarray(-swept.transpose(2, 0, 1)).reshape(matrices.shape)
    return inverse, log_determinant.reshape(shape), fine.reshape(shape)
