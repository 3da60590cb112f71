"""Huber regression of many weighted samples of the same people at once."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

EPSILON = 1.35
"""Residuals beyond this many scales count linearly: 95 % efficient where errors are normal."""

_RIDGE = 1e-4
_MAX_ITERATIONS = 200
_TOLERANCE = 1e-5

_WIDEST: Final = 100.0
"""Times the scale of the residuals that the spread of outcomes counts at most."""

_EXACT: Final = 1e-7
"""Of the spread: where lines fit people exactly, their scale goes down to 0."""

_LONGEST: Final = 1.9
"""Times the step that surely leads down; twice that may lead up."""

_HELD: Final = 2**15
"""Numbers of samples x people that are looked at together: few enough for the processor's cache."""


@dataclass(frozen=True)
class HuberFit:
    """Regression lines of each sample.

    Attributes
    ----------
    intercept
        (n_samples,).
    coefficients
        (n_samples, n_features).
    """

    intercept: FloatArray
    coefficients: FloatArray

    def predict(self, features: FloatArray) -> FloatArray:
        """Return the predictions of every sample's line, (n_samples, n_people)."""
        return np.asarray(self.intercept[:, None] + self.coefficients @ features.T)


def fit_huber(features: FloatArray, outcome: FloatArray, weights: FloatArray) -> HuberFit:
    """Return the regression with Huber's loss and a scale that is estimated along with it.

    The line and the scale s minimize sum_i w_i (s + H(r_i / s) s) with H(z) = z^2 up to `EPSILON`
    and linear beyond (Huber & Ronchetti 2009, Robust Statistics, section 7.7), plus a ridge of 1e-4
    on the standardized coefficients. Residuals that are cut off at the limit are fitted by least
    squares again and again (their section 7.8), for all samples together: the products of features
    are then the same in every step.

    Parameters
    ----------
    features
        (n_people, n_features).
    outcome
        (n_people,).
    weights
        (n_samples, n_people): how often each sample holds each person; 0 leaves a person out.

    Examples
    --------
    >>> x = np.arange(10.0)[:, None]
    >>> y = 3 + 2 * x[:, 0] + np.tile([0.5, -0.5], 5)
    >>> y[9] = 500.0  # an outlier
    >>> fit = fit_huber(x, y, np.ones((1, 10)))
    >>> bool(abs(fit.coefficients[0, 0] - 2) < 0.3)
    True
    """
    # volumes of 10^5 mm3 beside 0/1 flags: unscaled, the normal equations lose their digits
    x = np.ascontiguousarray(features.T)
    center, scale = x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True)
    scale = np.where(scale > 0, scale, 1.0)
    x = np.vstack([np.ones(len(features)), (x - center) / scale])
    lines = _minimize(_Samples(x, outcome, weights))
    slopes = lines[:, 1:] / scale[:, 0]
    return HuberFit(lines[:, 0] - slopes @ center[:, 0], slopes)


class _Sums(NamedTuple):
    """What the people of each sample add up to.

    Attributes
    ----------
    within
        Weight of those whose residual is within the limit, (n_samples,).
    squares
        Of the residuals within it, (n_samples,).
    moments
        Of the features with the residuals, cut off at the limit, (n_samples, p).
    """

    within: FloatArray
    squares: FloatArray
    moments: FloatArray


@dataclass(frozen=True)
class _Samples:
    """Weighted samples of the same people.

    Attributes
    ----------
    x
        Ones, then the standardized features, (p, n_people).
    outcome
        (n_people,).
    weights
        (n_samples, n_people).
    """

    x: FloatArray
    outcome: FloatArray
    weights: FloatArray

    def add_products(self, middle: FloatArray) -> FloatArray:
        """Return the sums of products of features and outcome, (n_samples, p + 1, p + 1).

        Parameters
        ----------
        middle
            What is taken off the outcome in each sample, (n_samples,).
        """
        n_samples, p = len(middle), len(self.x)
        found = np.zeros((n_samples, p + 1, p + 1))
        for block in self._list_blocks(p + 1):
            x = np.broadcast_to(self.x[:, block], (n_samples, *self.x[:, block].shape))
            y = self.outcome[block] - middle[:, None]
            columns = np.concatenate([x, y[:, None]], axis=1)
            found += (columns * self.weights[:, None, block]) @ columns.transpose(0, 2, 1)
        return found

    def add_up(self, lines: FloatArray, limit: FloatArray) -> _Sums:
        """Return the sums at lines, (n_samples, p), and limits of residuals, (n_samples,)."""
        within, squares = np.zeros((2, len(lines)))
        moments = np.zeros(lines.shape)
        for block in self._list_blocks():
            x, weights = self.x[:, block], self.weights[:, block]
            residual = self.outcome[block] - lines @ x
            cut = np.minimum(residual, limit[:, None])
            np.maximum(cut, -limit[:, None], out=cut)
            within += np.vecdot(weights, (cut == residual).astype(float))
            weighted = np.multiply(weights, cut, out=residual)
            squares += np.vecdot(weighted, cut)
            moments += weighted @ x.T
        outside = self.weights.sum(axis=1) - within
        return _Sums(within, squares - limit**2 * outside, moments)

    def _list_blocks(self, n_each: int = 1) -> list[slice]:
        size = max(1, _HELD // (len(self.weights) * n_each))
        return [slice(start, start + size) for start in range(0, len(self.outcome), size)]


def _minimize(samples: _Samples) -> FloatArray:
    # by the weights of each sample: whoever is left out of it must not move its line
    total = samples.weights.sum(axis=1)
    middle = samples.weights @ samples.outcome / total
    whole = samples.add_products(middle)
    products, moments, square = whole[:, :-1, :-1], whole[:, :-1, -1], whole[:, -1, -1]
    spread = np.sqrt(square / total)
    spread = np.where(spread > 0, spread, 1.0)
    # from least squares on
    lines = _solve(products, moments, np.zeros(moments.shape), np.ones(len(total)))
    fitted = ((products @ lines[..., None])[..., 0] - 2 * moments) * lines
    scale = np.sqrt(np.maximum(square + fitted.sum(axis=1), 0.0) / total)
    lines[:, 0] += middle
    active = np.arange(len(total))
    for _ in range(_MAX_ITERATIONS):
        found = samples.add_up(lines[active], EPSILON * scale[active])
        freedom = total[active] - EPSILON**2 * (total[active] - found.within)
        # where nearly everyone is an outlier the scale has no minimum above 0: it stays
        square = found.squares / np.maximum(freedom, 1e-12)
        is_known = (freedom > 0) & (square > 0)
        scale[active] = np.sqrt(square, out=scale[active], where=is_known)
        relative = scale[active] / spread[active]
        step = _solve(products[active], found.moments, lines[active], relative)
        # as long as if only people within the limit had been counted
        longer = np.minimum(total[active] / np.maximum(found.within, 1e-300), _LONGEST)
        step *= longer[:, None]
        lines[active] += step
        # outliers spread the outcome, not the line: that is exact to a part of the residuals' scale
        unit = np.minimum(spread, np.maximum(_WIDEST * scale, _EXACT * spread))[active]
        is_moving = np.abs(step).max(axis=1) > _TOLERANCE * unit
        if not is_moving.any():
            break
        if not is_moving.all():
            active = active[is_moving]
            samples = _Samples(samples.x, samples.outcome, samples.weights[is_moving])
    return lines


def _solve(
    products: FloatArray, moments: FloatArray, lines: FloatArray, scale: FloatArray
) -> FloatArray:
    """Return the step to the line of least squares, whose slopes the ridge holds back."""
    # a feature that is constant in a sample gets coefficient 0
    ridge = np.full(lines.shape, _RIDGE) * np.maximum(scale, 1e-6)[:, None]
    ridge[:, 0] = 0.0
    curvature = products + ridge[:, :, None] * np.eye(lines.shape[1])
    return np.asarray(np.linalg.solve(curvature, (moments - ridge * lines)[..., None])[..., 0])
