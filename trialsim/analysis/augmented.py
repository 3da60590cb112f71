"""Augmented differences in means: inverse-probability weights, predictions of a fixed model."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from trialsim.analysis.adjusted import regress
from trialsim.analysis.covariance import invert_positive_definite
from trialsim.analysis.inputs import Trials, fit_in_batches, read_trials
from trialsim.analysis.result import FitResult, Flags, Floats, build_result
from trialsim.errors import DesignError

_LOGISTIC_STEPS = 25
_SPENT = 1e-6
"""Share of a residual's variance below which the fit leaves nothing of it."""


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
    arms, each of whose lines leaves n - p, or those that they would have if errors had one variance
    in both arms, which are fewer where few people happen to lie on their arm's line.

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
    variances, counts, left = [], [], []
    assumed = np.zeros(len(y))
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
        variances.append((error**2).sum(axis=1) + lost)
        counts.append((moved**2).sum(axis=1))
        left.append(line.df)
        fine &= line.solvable & (line.df > 0)
    variance = influence.var(axis=1) / n + assumed / n**2
    df = np.minimum(_join_df(variances, left), _join_df(counts, left))
    return build_result(estimate, variance, df, fine)


def _join_df(variances: list[Floats], df: list[Floats]) -> Floats:
    """Return Welch's degrees of freedom of a sum of arms' variances."""
    total = np.sum(variances, axis=0)
    return np.asarray(total**2 / np.sum(np.square(variances) / df, axis=0))


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
    prediction m and its covariance with the response y in each arm. Lambda, too, is estimated: the
    difference is a sum over the responses, each of which counts through its arm's mean and through
    lambda. The error is HC2's of that sum (each residual divided by the root of the share of its
    variance that the fit leaves), the degrees of freedom Bell & McCaffrey's.

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


class _Arm(NamedTuple):
    """An arm's people, (t, n) with 0 for others, and what is one for all of them, (t, 1)."""

    sign: float
    used: Floats
    n: Floats
    mean_y: Floats
    mean_m: Floats
    from_y: Floats
    from_m: Floats

    @property
    def weight(self) -> Floats:
        """Of the arm's squares in lambda."""
        return np.asarray(1 / (self.n * (self.n - 1)))


@np.errstate(all="ignore")
def _tune(batch: Trials) -> FitResult:
    y = batch.outcome[..., 0]
    m = np.broadcast_to(batch.predictors[..., 2], y.shape)
    treated = np.broadcast_to(batch.predictors[..., 1], y.shape) == 1
    arms = [_read_arm(y, m, arm, sign) for arm, sign in ((treated, 1.0), (~treated, -1.0))]
    spread = sum(arm.weight * _total(arm.from_m**2) for arm in arms)
    # a prediction that is the same for everyone says nothing: lambda is then 0
    scale = np.divide(1, spread, out=np.zeros_like(spread), where=spread > 0)
    tuned = scale * sum(arm.weight * _total(arm.from_m * arm.from_y) for arm in arms)
    away = sum(arm.sign * arm.mean_m for arm in arms)
    estimate = sum(arm.sign * arm.mean_y for arm in arms) - tuned * away
    # residuals are M e with (M M')_ij = [1 where i = j, less 1 / n, in one arm] + m_i m_j bend_ab
    squared = scale**2 * sum(arm.weight**2 * _total(arm.from_m**2) for arm in arms)
    told, second, assumed, variance, errors, left = (np.zeros_like(spread) for _ in range(6))
    bends = []
    for arm in arms:
        square = arm.used * (arm.sign / arm.n - away * scale * arm.weight * arm.from_m) ** 2
        bend = squared - 2 * scale * arm.weight
        own_left = arm.used * (1 - 1 / arm.n + bend * arm.from_m**2)
        tells = own_left > _SPENT
        d = np.divide(square, own_left, out=np.zeros_like(square), where=tells)
        residual = arm.from_y - tuned * arm.from_m
        variance += _total(d * residual**2)
        errors, left = errors + _total(residual**2), left + _total(own_left)
        told, assumed = told + _total(square * tells), assumed + _total(square * ~tells)
        second += _total(d**2) * (1 - 2 / arm.n) + (_total(d) / arm.n) ** 2
        both = _total((d * arm.from_m) ** 2) - _total(d * arm.from_m) ** 2 / arm.n
        second += 2 * bend * both
        bends.append((_total(d * arm.from_m**2), arm.weight))
    for own, weight in bends:
        for other, other_weight in bends:
            second += (squared - scale * (weight + other_weight)) ** 2 * own * other
    # whom lambda runs through errs as the others do
    variance += assumed * errors / left
    second += assumed * (2 * told + assumed) / left
    df = (told + assumed) ** 2 / second
    return build_result(*(values[:, 0] for values in (estimate, variance, df, df > 0)))


def _read_arm(y: Floats, m: Floats, arm: Flags, sign: float) -> _Arm:
    used = (arm & ~np.isnan(y)).astype(float)
    n, own = _total(used), np.where(used > 0, y, 0.0)
    mean_y, mean_m = _total(own) / n, _total(m * used) / n
    return _Arm(sign, used, n, mean_y, mean_m, used * (own - mean_y), used * (m - mean_m))


def _total(values: Floats) -> Floats:
    return np.asarray(values.sum(axis=1, keepdims=True))
