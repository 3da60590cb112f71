"""Augmented differences in means: inverse-probability weights, predictions of a fixed model."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from trialsim.analysis.adjusted import regress
from trialsim.analysis.covariance import invert_positive_definite
from trialsim.analysis.inputs import Trials, fit_in_batches, read_trials
from trialsim.analysis.result import FitResult, Flags, Floats, build_result
from trialsim.errors import DesignError

_LOGISTIC_STEPS = 25


def fit_augmented(
    response: ArrayLike,
    treatment: ArrayLike,
    covariates: ArrayLike | None = None,
) -> FitResult:
    """Return the mean effect in everyone randomized by augmented inverse-probability weighting.

    In each arm a line through the covariates predicts the response of everybody; the errors of the
    people seen are added back, weighted by one over the chance of being in the arm (known: the
    randomization) and of being seen (a logistic model in each arm). The estimate is right where the
    lines or the logistic models are. With nobody missing it is Lin's estimator. The error comes
    from the influence function, in which each error counts as much as it moves the estimate, by
    its weight and by the line, and is divided by the root of 1 - leverage as in HC2; whom a line
    runs through errs as the others of the arm do. The degrees of freedom are Welch's of the two
    arms, each of whose lines leaves n - p.

    Parameters
    ----------
    response
        (n_trials, n_participants), NaN where missing.
    treatment
        0 (control) or 1, (n_participants,) or (n_trials, n_participants).
    covariates
        Known at baseline, (n_participants, q) or (n_trials, n_participants, q).

    Raises
    ------
    DesignError
        Shapes that do not match, an empty arm, a missing covariate.

    References
    ----------
    Robins, Rotnitzky & Zhao 1994 (J Am Stat Assoc 89:846). Tsiatis et al. 2008 (Stat Med 27:4658).
    """
    y = np.asarray(response, dtype=float)
    trials = read_trials(y[..., None], treatment, [0.0], covariates, min_visits=1)
    return fit_in_batches(trials, _augment)


@np.errstate(all="ignore")
def _augment(batch: Trials) -> FitResult:
    y = batch.outcome[..., 0]
    design = np.delete(batch.predictors, 1, axis=2)
    treated = np.broadcast_to(batch.predictors[..., 1], y.shape) == 1
    n = y.shape[1]
    variances, spent, assumed = (np.zeros(len(y)) for _ in range(3))
    estimate, influence = np.zeros(len(y)), np.zeros_like(y)
    fine = np.ones(len(y), dtype=bool)
    for arm, sign in ((treated, 1.0), (~treated, -1.0)):
        own = np.where(arm, y, np.nan)
        line = regress(own, design, np.ones_like(y))
        fitted = (design @ line.beta[..., None])[..., 0]
        chance = _estimate_chance_seen(~np.isnan(y), arm, design)
        share = arm.mean(axis=1, keepdims=True)
        weight = line.weights / (share * chance)
        estimate += sign * (fitted + weight * line.residual).mean(axis=1)
        # what weights leave of the covariates' means is bridged by the line, whose error it brings
        gap = design.mean(axis=1) - (weight[:, None, :] @ design)[:, 0] / n
        bridged = (design @ (line.bread @ gap[..., None]))[..., 0]
        moved = weight + n * line.weights * bridged
        scale = line.compute_scale()
        error = moved * line.residual * np.sqrt(scale)
        influence += sign * (fitted + error)
        lost = (moved**2 * (scale == 0)).sum(axis=1) * line.compute_variance()
        assumed += lost
        own_variance = (error**2).sum(axis=1) + lost
        variances += own_variance
        spent += own_variance**2 / line.df
        fine &= line.solvable & (line.df > 0)
    variance = influence.var(axis=1) / n + assumed / n**2
    return build_result(estimate, variance, variances**2 / spent, fine)


def _estimate_chance_seen(seen: Flags, arm: Flags, design: Floats) -> Floats:
    """Return the fitted chance of a response in one arm, (t, n), 1 where nobody lacks one."""
    chance = np.ones(seen.shape)
    some = (arm & ~seen).any(axis=1)
    if not some.any():
        return chance
    x = design[some] if len(design) > 1 else design
    target, member = seen[some].astype(float), arm[some].astype(float)
    beta = np.zeros((len(target), design.shape[2]))
    for _ in range(_LOGISTIC_STEPS):
        p = special.expit(np.clip((x @ beta[..., None])[..., 0], -12, 12))
        turned = x.transpose(0, 2, 1)
        bent = turned * (member * p * (1 - p))[:, None, :]
        step, _, fine = invert_positive_definite(bent @ x)
        move = (step @ (turned @ (member * (target - p))[..., None]))[..., 0]
        # Newton's whole step overshoots where the fit is far: shortened so the likelihood rises at
        # every step, whatever the covariates' units (Sun & Tran-Dinh 2019, Math Program 178:145)
        reach = np.abs((x @ move[..., None])[..., 0] * member).max(axis=1)
        short = np.divide(np.log1p(reach), reach, out=np.ones_like(reach), where=reach > 0)
        beta += np.where(fine[:, None], short[:, None] * move, 0.0)
    # separated data have no maximum: the steps go on until who is seen is sure to be; a floor
    # bounds the weight of one person
    chance[some] = np.maximum(special.expit((x @ beta[..., None])[..., 0]), 0.05)
    return chance


def fit_prediction_powered(
    response: ArrayLike,
    treatment: ArrayLike,
    prediction: ArrayLike,
) -> FitResult:
    """Return the difference in means less lambda times the difference in mean predictions (PPI++).

    The arms are randomized, so that the second difference has mean 0 whatever the model predicts;
    lambda makes the variance least:
    lambda = (cov_1 / n_1 + cov_0 / n_0) / (var_1 / n_1 + var_0 / n_0), with the variance of the
    prediction m and its covariance with the response y in each arm. The error is
    sqrt(var_1(y - lambda m) / n_1 + var_0(y - lambda m) / n_0), the degrees of freedom Welch's less
    one for lambda.

    Parameters
    ----------
    response
        (n_trials, n_participants), NaN where missing: such people are left out.
    treatment
        0 (control) or 1, (n_participants,) or (n_trials, n_participants).
    prediction
        Of a model that this trial did not train, (n_participants,) or (n_trials, n_participants).

    Raises
    ------
    DesignError
        Shapes that do not match, an empty arm, a missing prediction.

    References
    ----------
    Angelopoulos et al. 2023 (Science 382:669), prediction-powered inference; Angelopoulos, Duchi &
    Zrnic 2023 (arXiv 2311.01453), PPI++: the tuned lambda, here of a difference between arms.
    """
    y, m = np.asarray(response, dtype=float), np.asarray(prediction, dtype=float)
    if m.shape not in {y.shape, y.shape[1:]}:
        raise DesignError(
            f"prediction must have the shape {y.shape} or {y.shape[1:]}, got {m.shape}."
        )
    trials = read_trials(y[..., None], treatment, [0.0], m[..., None], min_visits=1)
    return fit_in_batches(trials, _tune)


def _tune(batch: Trials) -> FitResult:
    y = batch.outcome[..., 0]
    m = np.broadcast_to(batch.predictors[..., 2], y.shape)
    treated = np.broadcast_to(batch.predictors[..., 1], y.shape) == 1
    with np.errstate(all="ignore"):
        arms = [_summarize_arm(y, m, arm) for arm in (treated, ~treated)]
        # a prediction that is the same for everyone says nothing: lambda is then 0
        spread = arms[0][4] + arms[1][4]
        tuned = np.where(spread > 0, (arms[0][3] + arms[1][3]) / spread, 0.0)
        means = [mean_y - tuned * mean_m for mean_y, mean_m, *_ in arms]
        parts = [
            own_y - 2 * tuned * both + tuned**2 * own_m for _, _, own_y, both, own_m, _ in arms
        ]
        variance = np.asarray(parts[0] + parts[1])
        spent = sum(part**2 / (own[5] - 1) for part, own in zip(parts, arms, strict=True))
        df = np.asarray(variance**2 / spent - 1)
    return build_result(means[0] - means[1], variance, df, df > 0)


def _summarize_arm(
    y: Floats, m: Floats, arm: Flags
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """Return mean y, mean m, var y / n, cov / n, var m / n, n of each trial's arm."""
    used = (arm & ~np.isnan(y)).astype(float)
    n = used.sum(axis=1)
    own = np.where(used > 0, y, 0.0)
    mean_y, mean_m = own.sum(axis=1) / n, (m * used).sum(axis=1) / n
    from_y = np.where(used > 0, own - mean_y[:, None], 0.0)
    from_m = (m - mean_m[:, None]) * used
    scale = (n - 1) * n
    squares = [(a * b).sum(axis=1) / scale for a, b in
               ((from_y, from_y), (from_y, from_m), (from_m, from_m))]  # fmt: skip
    return mean_y, mean_m, squares[0], squares[1], squares[2], n
