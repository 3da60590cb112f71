"""Whether every accepted MMRM is a maximum, in small trials with many missing visits.

    python benchmarks/check_maxima.py [--trials 10000] [--only 2]

Gradient and curvature are numerical derivatives of the restricted likelihood at the estimates, in
steps of a hundredth of a standard error. Prints, for each kind of trial: the share of fits
accepted, the share without an interior maximum, the accepted fits that are no maximum (none is
wanted), type I error of the accepted fits by Satterthwaite's and Kenward & Roger's methods.
"""

import argparse
import time
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trialsim.analysis.likelihood import differentiate, evaluate_likelihood
from trialsim.analysis.mmrm import MmrmFit, estimate_mmrm
from trialsim.analysis.patterns import PatternStatistics, center_outcome, summarize
from trialsim.analysis.reml import RemlFit, fit_reml

Floats = NDArray[np.float64]
SEED = 20260101
BATCH = 125
"""Trials fitted at once."""


@dataclass(frozen=True)
class Kind:
    """Trials that are hard to fit."""

    name: str
    n_arm: int
    n_visits: int
    missing: float
    monotone: bool = False

    def simulate(self, batch: int, n_trials: int = BATCH) -> PatternStatistics:
        """Return trials without an effect."""
        rng = np.random.default_rng((SEED, batch))
        n, times = 2 * self.n_arm, np.arange(self.n_visits)
        y = rng.normal(size=(n_trials, n, 1)) + 0.4 * rng.normal(size=(n_trials, n, 1)) * times
        y = y + 0.6 * rng.normal(size=(n_trials, n, self.n_visits))
        if self.monotone:
            leave = rng.exponential(size=(n_trials, n, 1)) / -np.log1p(-self.missing)
            y[leave * times[-1] < times] = np.nan
        else:
            y[rng.random(y.shape) < self.missing] = np.nan
        predictors = np.ones((1, n, 2))
        predictors[..., 1] = np.arange(n) % 2
        return summarize(center_outcome(y), np.broadcast_to(predictors, (n_trials, n, 2)))


KINDS = (
    Kind("12 + 12, 4 visits, 30 % missing", 12, 4, 0.3),
    Kind("10 + 10, 4 visits, 40 % missing", 10, 4, 0.4),
    Kind("15 + 15, 5 visits, 30 % missing", 15, 5, 0.3),
    Kind("12 + 12, 4 visits, 30 % leave", 12, 4, 0.3, monotone=True),
)


def find_false_maxima(statistics: PatternStatistics, fitted: MmrmFit) -> NDArray[np.intp]:
    """Return the accepted trials whose numerical Newton decrement or curvature is no maximum's."""
    accepted = fitted.reml.converged
    trials = np.flatnonzero(accepted)
    part, eta = statistics.select(accepted), fitted.reml.eta[accepted]
    state = evaluate_likelihood(part, fitted.mean, fitted.covariance, eta)
    information = differentiate(part, fitted.mean, fitted.covariance, state).expected
    # whitened by the expected information, so that a step of 1 is about one standard error
    values, vectors = np.linalg.eigh(information)
    axes = vectors / np.sqrt(np.maximum(values, 1e-12))[:, None, :]
    gradient, hessian = _differentiate(part, fitted, eta, axes)
    steepness = np.abs(gradient).max(axis=1)
    curvature = np.linalg.eigvalsh(hessian)[:, -1]
    return trials[(steepness > 1e-3) | ~(curvature < 0)]


def _differentiate(
    statistics: PatternStatistics, fitted: MmrmFit, eta: Floats, axes: Floats, h: float = 0.01
) -> tuple[Floats, Floats]:
    """Return gradient and Hessian of the log likelihood along `axes` by central differences."""

    def at(shift: Floats) -> Floats:
        moved = eta + axes @ shift
        return evaluate_likelihood(statistics, fitted.mean, fitted.covariance, moved).log_likelihood

    n = eta.shape[1]
    steps = h * np.eye(n)
    middle = at(np.zeros(n))
    up, down = [at(step) for step in steps], [at(-step) for step in steps]
    gradient = np.stack([(a - b) / (2 * h) for a, b in zip(up, down, strict=True)], axis=1)
    hessian = np.empty((len(eta), n, n))
    for i in range(n):
        for j in range(i + 1):
            both = at(steps[i] + steps[j]) if i != j else at(2 * steps[i])
            none = at(-steps[i] - steps[j]) if i != j else at(-2 * steps[i])
            if i == j:
                hessian[:, i, i] = (both - 2 * middle + none) / (4 * h**2)
                continue
            mixed = both + none - up[i] - up[j] - down[i] - down[j] + 2 * middle
            hessian[:, i, j] = hessian[:, j, i] = mixed / (2 * h**2)
    return gradient, hessian


def count_rejections(fit: RemlFit) -> int:
    """Return the accepted trials that reject at two-sided .05."""
    ok = fit.converged
    t = np.abs(fit.estimate[ok]) / np.sqrt(fit.variance[ok])
    return int((2 * special.stdtr(fit.df[ok], -t) < 0.05).sum())


@dataclass(frozen=True)
class Tally:
    """Trials of one kind, counted."""

    fitted: int
    accepted: int
    boundary: int
    false_maxima: int
    rejected_satterthwaite: int
    rejected_kenward_roger: int


def judge(statistics: PatternStatistics) -> Tally:
    """Fit trials, judge them by both methods and count."""
    plain = estimate_mmrm(statistics)
    accepted = plain.reml.converged
    # the maximum is the same: the second fit starts there
    adjusted = fit_reml(
        statistics.select(accepted),
        plain.mean,
        plain.covariance,
        [plain.reml.eta[accepted]],
        kenward_roger="observed",
    )
    if not adjusted.converged.all():
        raise RuntimeError("An accepted maximum was not accepted again.")
    return Tally(
        len(accepted),
        int(accepted.sum()),
        int(plain.boundary.sum()),
        len(find_false_maxima(statistics, plain)),
        count_rejections(plain.reml),
        count_rejections(adjusted),
    )


def main() -> None:
    """Print one line for each kind of trial after every quarter of the trials."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000, help="of each kind")
    parser.add_argument("--only", type=int, choices=range(len(KINDS)), help="number of one kind")
    asked = parser.parse_args()
    kinds = KINDS if asked.only is None else (KINDS[asked.only],)
    n_batches = -(-asked.trials // BATCH)
    counts = {kind: np.zeros(len(fields(Tally)), dtype=int) for kind in kinds}
    for batch in range(n_batches):
        for kind in kinds:
            counts[kind] += astuple(judge(kind.simulate(batch)))
        if (batch + 1) % max(1, n_batches // 4) == 0:
            for kind in kinds:
                describe(kind, Tally(*counts[kind]))


def describe(kind: Kind, tally: Tally) -> None:
    """Print what was counted."""
    print(
        f"{kind.name}, {tally.fitted} trials: accepted {tally.accepted / tally.fitted:.4f}, "
        f"without an interior maximum {tally.boundary / tally.fitted:.4f}, no maximum "
        f"{tally.false_maxima} of {tally.accepted}; type I error Satterthwaite "
        f"{tally.rejected_satterthwaite / tally.accepted:.4f}, Kenward-Roger "
        f"{tally.rejected_kenward_roger / tally.accepted:.4f} "
        f"({time.process_time():.0f} s CPU in all)",
        flush=True,
    )


if __name__ == "__main__":
    main()
