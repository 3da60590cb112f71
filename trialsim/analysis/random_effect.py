"""A linear model with one random effect, such as a site, for many trials at once.

y = X beta + Z u + e with cov(u) = tau^2 I, cov(e) = sigma^2 I. With the ratio r = tau^2 / sigma^2
and the fixed part swept out, M = I - X (X'X)^-1 X', the restricted likelihood depends on the
eigenvalues of Z'MZ alone, so that r is found along one dimension.

References
----------
Patterson & Thompson 1971 (Biometrika 58:545), REML. Henderson 1975 (Biometrics 31:423).
"""

from collections.abc import Callable

import numpy as np

from trialsim.analysis.covariance import invert_positive_definite
from trialsim.analysis.result import FitResult, Floats, build_result

_GRID = np.concatenate([[0.0], np.geomspace(1e-4, 10.0, 41)])
_REFINEMENTS = 30
_GOLDEN = (np.sqrt(5) - 1) / 2


def fit_random_effect(
    cross: Floats, n: Floats, fixed: Floats, random: Floats, response: Floats
) -> FitResult:
    """Return the coefficient of the treatment, the second fixed predictor, by REML.

    Degrees of freedom are those of a comparison within the groups of the random effect: people
    minus groups minus fixed coefficients other than the intercept. A variance ratio of 0 is kept as
    a fit on the boundary.

    Parameters
    ----------
    cross
        (n_trials, c, c) cross-products of all columns.
    n
        People, (n_trials,).
    fixed, random, response
        Rows that pick or combine the columns, (p, c), (k, c), (1, c).
    """
    xx, xz, zz = fixed @ cross @ fixed.T, fixed @ cross @ random.T, random @ cross @ random.T
    xy, zy = fixed @ cross @ response.T, random @ cross @ response.T
    yy = (response @ cross @ response.T)[:, 0, 0]
    inverse, _, fine = invert_positive_definite(xx)
    back = inverse @ np.concatenate([xz, xy], axis=2)
    spread = zz - xz.transpose(0, 2, 1) @ back[..., :-1]
    pull = (zy - xz.transpose(0, 2, 1) @ back[..., -1:])[..., 0]
    total = yy - np.einsum("ti,ti->t", xy[..., 0], back[..., -1])
    values, vectors = np.linalg.eigh(np.where(fine[:, None, None], spread, 0.0))
    values = np.maximum(values, 0.0)
    squares = np.einsum("tij,ti->tj", vectors, pull) ** 2
    df = n - len(fixed)

    def judge(ratio: Floats) -> Floats:
        """Return minus twice the restricted log likelihood at ratios, (n_trials,)."""
        scale = 1 + ratio[:, None] * values
        left = total - (ratio[:, None] * squares / scale).sum(axis=1)
        with np.errstate(all="ignore"):
            return np.asarray(np.log(scale).sum(axis=1) + df * np.log(left))

    ratio = _minimize(judge, len(cross))
    # (I + r Z'Z)^-1 without a division by a ratio of 0
    core = np.linalg.solve(
        np.eye(len(random)) + ratio[:, None, None] * zz,
        ratio[:, None, None] * np.concatenate([xz.transpose(0, 2, 1), zy], axis=2),
    )
    information, _, solvable = invert_positive_definite(xx - xz @ core[..., :-1])
    beta = (information @ (xy - xz @ core[..., -1:]))[..., 0]
    scale = 1 + ratio[:, None] * values
    with np.errstate(all="ignore"):
        residual = (total - (ratio[:, None] * squares / scale).sum(axis=1)) / df
    within = n - len(random) - (len(fixed) - 1)
    variance = residual * information[:, 1, 1]
    return build_result(beta[:, 1], variance, within, fine & solvable, ratio == 0)


def _minimize(judge: Callable[[Floats], Floats], n_trials: int) -> Floats:
    """Return the best ratio of each trial: on a grid, then by golden sections around it."""
    found = np.stack([judge(np.full(n_trials, ratio)) for ratio in _GRID])
    best = np.nan_to_num(found, nan=np.inf).argmin(axis=0)
    low = _GRID[np.maximum(best - 1, 0)].copy()
    high = _GRID[np.minimum(best + 1, len(_GRID) - 1)].copy()
    for _ in range(_REFINEMENTS):
        width = _GOLDEN * (high - low)
        left, right = high - width, low + width
        falls = judge(left) < judge(right)
        high, low = np.where(falls, right, high), np.where(falls, low, left)
    middle = (low + high) / 2
    return np.where(judge(np.zeros(n_trials)) <= judge(middle), 0.0, middle)
