"""What is reported of a trial that stopped: p value, estimate, two kinds of intervals."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
from scipy import optimize

from trialsim.analytic.arguments import OPEN_SHARE, find_problems, raise_problems
from trialsim.analytic.point import FloatArray
from trialsim.analytic.sequential.bounds import Looks, find_bounds, scale_shape
from trialsim.analytic.sequential.spending import Rule
from trialsim.analytic.sequential.walk import NO_EFFECT, Drift, compute_crossings

Interval = tuple[float, float]


@dataclass(frozen=True)
class StoppedTrial:
    """Inference after a trial; effects are multiples of the design effect.

    Attributes
    ----------
    stagewise_p
        P value by the stage-wise ordering, in which an earlier crossing is more extreme (Armitage
        1957; Tsiatis, Rosner & Mehta 1984, Biometrics 40:797); two-sided where the design is.
    median_unbiased
        Effect at which the trial's outcome is the median of that ordering.
    interval
        Its confidence interval. It holds for a trial that stopped as its bounds said.
    repeated_interval
        Repeated confidence interval (Jennison & Turnbull 1989, J R Stat Soc B 51:305): those of all
        looks hold together, whatever made the trial stop. Where the bounds follow from no level
        (Haybittle-Peto, given bounds) it is known at the coverage of the design, else NaN.
    repeated_p
        Smallest alpha at which the same kind of boundary would have been crossed at this look;
        NaN where the bounds follow from no level.
    """

    stagewise_p: float
    median_unbiased: float
    interval: Interval
    repeated_interval: Interval
    repeated_p: float

    def rescale(self, drift: float) -> "StoppedTrial":
        """Return the same with effects divided by `drift`."""
        low, high = self.interval
        repeated_low, repeated_high = self.repeated_interval
        return replace(
            self,
            median_unbiased=self.median_unbiased / drift,
            interval=(low / drift, high / drift),
            repeated_interval=(repeated_low / drift, repeated_high / drift),
        )

    def to_dict(self) -> dict[str, float | Interval]:
        """Return plain values, ready for JSON."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def infer(
    looks: Looks,
    look: int,
    z: float,
    *,
    lower: FloatArray,
    upper: FloatArray,
    level: float,
    coverage: float,
) -> StoppedTrial:
    """Return the inference of a trial that stopped at a look; effects are drifts.

    Parameters
    ----------
    looks
        Rules of the bounds.
    look
        From 1.
    z
        At that look.
    lower, upper
        Bounds of z that the type I error counts on, (n_looks,).
    level
        Type I error of one side that the bounds are for.
    coverage
        Of the intervals.
    """
    raise_problems(find_problems(level=(coverage, OPEN_SHARE)))
    times = looks.rates[:look]
    reached = np.append(upper[: look - 1], z)

    def compute_extremes(drift: float) -> float:
        """Return the probability of an outcome at least as much in favor of the treatment."""
        return float(compute_crossings(times, lower, reached, Drift(drift)).above.sum())

    root = float(np.sqrt(times[-1]))
    naive = float(z) / root
    p = compute_extremes(0.0)
    tail = (1 - coverage) / 2
    median, low, high = (_invert(compute_extremes, share, naive) for share in (0.5, tail, 1 - tail))
    own = np.isclose(tail, level, rtol=1e-9)
    width = (upper[look - 1] if own else _rebuild(looks, look, lower, tail)) / root
    return StoppedTrial(
        stagewise_p=p if looks.sides == 1 else 2 * min(p, 1 - p),
        median_unbiased=median,
        interval=(low, high),
        repeated_interval=(float(naive - width), float(naive + width)),
        repeated_p=_find_repeated_p(looks, look, lower, z),
    )


def _invert(compute: Callable[[float], float], share: float, start: float) -> float:
    """Return the drift at which an increasing probability reaches a share."""
    low, high = start - 4.0, start + 4.0
    while compute(low) > share:
        low -= 2 * (high - low)
    while compute(high) < share:
        high += 2 * (high - low)
    return float(optimize.brentq(lambda drift: compute(drift) - share, low, high, xtol=1e-10))


def _find_repeated_p(looks: Looks, look: int, lower: FloatArray, z: float) -> float:
    if np.isnan(_rebuild(looks, look, lower, 0.025)):
        return np.nan
    size = abs(z) if looks.sides == 2 else z

    def excess(log_level: float) -> float:
        # where nothing is spent the bound is infinite, which no root finder can follow
        return min(_rebuild(looks, look, lower, np.exp(log_level)), 40.0) - size

    low, high = np.log(1e-14), np.log(0.499)
    if excess(low) < 0:
        return 0.0
    if excess(high) > 0:
        return 1.0
    found = optimize.brentq(excess, low, high, xtol=1e-10)
    return float(looks.sides * np.exp(found))


def _rebuild(looks: Looks, look: int, lower: FloatArray, level: float) -> float:
    """Return the bound of a look when one side's type I error is `level`; NaN: it is no matter."""
    rule = looks.efficacy
    if rule.shape is not None:
        return float(scale_shape(rule.shape, looks, lower, level)[look - 1])
    if rule.function is None:
        return np.nan
    spent = rule.function(looks.spending_times, level)
    known = None if looks.sides == 2 else lower[:look]
    held = replace(looks, rates=looks.rates[:look], futility=None)
    return float(find_bounds(held, Rule.from_spent(spent[:look]), known, NO_EFFECT).upper[-1])
