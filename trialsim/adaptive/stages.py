"""Means and variances of stages, drawn without drawing people."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from trialsim.analytic.point import FloatArray, Quantity


@dataclass(frozen=True)
class StageSample:
    """Sample means and sums of squares of one arm in many trials, (n_trials,)."""

    n: FloatArray
    mean: FloatArray
    squares: FloatArray

    def extend(
        self, rng: np.random.Generator, n: FloatArray, mean: Quantity, sd: Quantity
    ) -> "StageSample":
        """Return the sample with `n` more people, none or more, in each trial."""
        drawn = draw_sample(rng, self.n.shape, np.maximum(n, 2), mean, sd)
        # one person has a mean but no squares about it
        some = n >= 1
        single = np.where(n == 1, mean + np.asarray(sd) * rng.standard_normal(n.shape), drawn.mean)
        added = np.where(some, single, 0.0)
        total = self.n + n
        between = self.n * n / total * (added - self.mean) ** 2
        squares = self.squares + np.where(n >= 2, drawn.squares, 0.0) + np.where(some, between, 0.0)
        return StageSample(total, (self.n * self.mean + n * added) / total, squares)


def draw_sample(
    rng: np.random.Generator,
    shape: int | tuple[int, ...],
    n: Quantity,
    mean: Quantity,
    sd: Quantity,
) -> StageSample:
    """Return the sample mean and the sum of squares about it of n normal outcomes.

    They are independent: N(mean, sd^2 / n) and sd^2 chi^2_{n-1}; so a trial costs the same whatever
    its size.

    Parameters
    ----------
    rng
        Source of randomness.
    shape
        Of the result.
    n
        People, at least 2; may differ between trials.
    mean
        Of the outcomes.
    sd
        Of the outcomes, above 0.
    """
    people = np.broadcast_to(np.asarray(n, dtype=float), shape)
    drawn = mean + np.asarray(sd) / np.sqrt(people) * rng.standard_normal(shape)
    return StageSample(people, drawn, np.square(sd) * rng.chisquare(people - 1, shape))


def compare_samples(control: StageSample, treatment: StageSample) -> tuple[FloatArray, FloatArray]:
    """Return the one-sided p value of the pooled t test, and its estimate."""
    estimate = treatment.mean - control.mean
    df = control.n + treatment.n - 2
    variance = (control.squares + treatment.squares) / df * (1 / control.n + 1 / treatment.n)
    return special.stdtr(df, -estimate / np.sqrt(variance)), estimate
