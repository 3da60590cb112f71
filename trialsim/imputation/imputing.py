"""Missing outcomes filled in from a model under a strategy."""

import numpy as np

from trialsim.analysis.covariance import invert_positive_definite
from trialsim.analysis.patterns import encode_patterns
from trialsim.analysis.result import Floats
from trialsim.imputation.model import ImputationModel
from trialsim.imputation.strategies import build_courses


def impute(
    outcome: Floats,
    predictors: Floats,
    model: ImputationModel,
    *,
    strategy: str,
    rng: np.random.Generator | None = None,
) -> Floats:
    """Return the outcomes with every gap filled, (n_trials, n_people, n_visits).

    A gap gets its mean given the person's seen outcomes and the strategy's course; with `rng` a
    draw from that distribution instead. People seen at the last visit are imputed at random
    missingness whatever the strategy.

    Parameters
    ----------
    outcome
        (n_trials or 1, n_people, n_visits) after baseline, NaN where missing.
    predictors
        (n_trials or 1, n_people, p), as in `estimate_imputation_model`.
    model
        What outcomes are expected from what was seen.
    strategy
        A name in `trialsim.imputation.strategies.STRATEGIES`.
    rng
        For multiple imputation.

    Raises
    ------
    DesignError
        For an unknown strategy.
    """
    n_trials, n_visits = model.covariance.shape[:2]
    shape = (n_trials, *outcome.shape[1:])
    y = np.broadcast_to(outcome, shape)
    seen = ~np.isnan(y)
    last_seen = np.where(seen, np.arange(n_visits), -1).max(axis=2)
    own = np.broadcast_to(model.compute_means(predictors), shape)
    reference = np.broadcast_to(model.compute_reference_means(predictors), shape)
    course = build_courses(own, reference, last_seen, strategy)
    distance = np.where(seen, y - course, 0.0)
    filled = course.copy()
    codes = encode_patterns(y)
    for code in np.unique(codes):
        member = codes == code
        has = (code >> np.arange(n_visits)) % 2 == 1
        carry, left = condition(model.covariance, has)
        own_gaps = distance @ carry.transpose(0, 2, 1)
        if rng is not None and not has.all():
            own_gaps = own_gaps + _draw(left, shape, rng)
        filled[member] += own_gaps[member]
    return np.where(seen, y, filled)


def condition(covariance: Floats, has: np.ndarray) -> tuple[Floats, Floats]:
    """Return cov(y, seen) cov(seen)^-1 with unseen columns 0, and cov(y given seen)."""
    both = has[:, None] & has[None, :]
    inverse, _, _ = invert_positive_definite(np.where(both, covariance, np.eye(len(has))))
    carry = covariance @ (inverse * both)
    return carry, covariance - carry @ covariance


def _draw(covariance: Floats, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
    return np.asarray(rng.standard_normal(shape) @ root.transpose(0, 2, 1))
