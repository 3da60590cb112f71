"""Linear mixed model with a random intercept and a random slope."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from trialsim.analysis.covariance import (
    CovarianceModel,
    add_shared,
    build_linear,
    invert_positive_definite,
    join_blocks,
)
from trialsim.analysis.inference import (
    PLAIN,
    Covariance,
    DegreesOfFreedom,
    Inference,
    StandardError,
)
from trialsim.analysis.inputs import Trials, fit_in_batches, read_trials
from trialsim.analysis.likelihood import MeanModel, compute_residual_sums
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.reml import RemlFit, fit_reml
from trialsim.analysis.result import FitResult, Flags, Floats, build_result
from trialsim.analysis.sandwich import compute_sandwich
from trialsim.analysis.site_effects import (
    RandomSites,
    add_sites,
    join_sites,
    leave_sites_out,
    refuse_clustered,
    vary_sites,
)
from trialsim.analysis.small_sample import Information


def fit_random_slope(
    outcome: ArrayLike,
    treatment: ArrayLike,
    visit_times: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    common_baseline: bool = False,
    covariate_slopes: bool = False,
    site: ArrayLike | None = None,
    degrees_of_freedom: DegreesOfFreedom = "satterthwaite",
    covariance: Covariance = "pooled",
    standard_error: StandardError = "model",
    workers: int | None = None,
) -> FitResult:
    """Return the treatment difference in slope by a REML random-slope model.

    y_ij = (b0 + g0 G_i) + (b1 + d G_i) t_j + u_0i + u_1i t_j + e_ij with free covariance of (u_0,
    u_1); the estimate is d. A covariate adds a main effect. A fit whose random-effects covariance
    is singular is kept with `boundary` set.

    Parameters
    ----------
    outcome
        (n_trials, n_participants, n_visits), NaN where missing; missing visits may be intermittent.
    treatment
        0 (control) or 1, (n_participants,) or (n_trials, n_participants).
    visit_times
        (n_visits,), increasing, 0 at randomization; the slope is per unit of them.
    covariates
        Known at baseline, (n_participants, q) or (n_trials, n_participants, q).
    common_baseline
        Whether the arms share their intercept (g0 = 0).
    covariate_slopes
        Whether covariates are crossed with time, which explains slopes too.
    site
        Labels, (n_participants,) or (n_trials, n_participants): each site has a random intercept
        and, independent of it, a random slope. A variance of 0 leaves that one out, with `boundary`
        set.
    degrees_of_freedom
        "satterthwaite", or "kenward_roger" with its standard error.
    covariance
        Of the random effects, with the residual variance: "pooled" over the arms, or "by_arm".
    standard_error
        From the "model", or clustered by participant ("cr0", "cr2"), with Bell & McCaffrey's
        degrees of freedom.
    workers
        Threads; all cores when None. The result does not depend on it.

    Raises
    ------
    DesignError
        Shapes that do not match, an empty arm, fewer than 3 visits, a visit that nobody has,
        Kenward-Roger or sites with a clustered standard error, fewer than 2 sites.

    References
    ----------
    Laird & Ware 1982 (Biometrics 38:963). Common baseline: Hu, Mackey & Thomas 2021 (Biom J
    63:806). Kenward & Roger's method as in the R package pbkrtest.

    Examples
    --------
    >>> rng = np.random.default_rng(20260101)
    >>> times = np.array([0.0, 1.0, 2.0])
    >>> slopes = rng.normal(-1.0, 0.5, size=(1, 40, 1))
    >>> volume = 100 + slopes * times + rng.normal(scale=0.3, size=(1, 40, 3))
    >>> fit = fit_random_slope(volume, np.arange(40) % 2, times)
    >>> print(fit.converged, fit.df.round(1))
    [ True] [38.]
    """
    inference = Inference(degrees_of_freedom, covariance, standard_error)
    trials = read_trials(outcome, treatment, visit_times, covariates, min_visits=3)
    trials, sites = join_sites(trials, site)

    def fit(batch: Trials) -> FitResult:
        people = batch.center()
        return fit_random_slope_statistics(
            people.summarize(by_arm=inference.by_arm),
            trials.visit_times,
            common_baseline=common_baseline,
            covariate_slopes=covariate_slopes,
            sites=sites,
            inference=inference,
            people=people,
        )

    return fit_in_batches(trials, fit, workers)


def fit_random_slope_statistics(
    statistics: PatternStatistics,
    visit_times: Floats,
    *,
    common_baseline: bool = False,
    covariate_slopes: bool = False,
    sites: RandomSites | None = None,
    inference: Inference = PLAIN,
    people: Trials | None = None,
) -> FitResult:
    """Return the random-slope model of trials given by their sufficient statistics.

    Parameters
    ----------
    statistics
        The predictors are the intercept, the treatment, then covariates; by arm where the
        covariance is.
    visit_times
        Of all visits, (n_visits,), in the unit of the slope.
    common_baseline
        Whether both arms share their mean at baseline.
    covariate_slopes
        Whether covariates are crossed with time.
    sites
        Predictors that are indicators of sites, with random coefficients.
    inference
        Degrees of freedom and standard error, see `trialsim.analysis.inference`.
    people
        Those that the statistics were made of; a clustered standard error needs them.
    """
    mean = _build_mean(
        visit_times,
        statistics.n_predictors,
        common_baseline=common_baseline,
        covariate_slopes=covariate_slopes,
    )
    if sites is not None:
        refuse_clustered(inference)
        mean = add_sites(mean, sites)
    growth = _estimate(statistics, visit_times, mean, inference, sites)
    fit = growth.reml
    variance, df = fit.variance, fit.df
    if inference.is_clustered:
        if people is None:
            raise TypeError("A clustered standard error needs the people of the trials.")
        model = _build_inner(visit_times, inference)
        corrected = inference.standard_error == "cr2"
        variance, df = compute_sandwich(
            people, statistics, mean, model, growth.terms, corrected=corrected
        )
    return build_result(fit.estimate, variance, df, fit.converged, growth.boundary & fit.converged)


@dataclass(frozen=True)
class GrowthFit:
    """A REML fit with its variance terms.

    Attributes
    ----------
    terms
        (d00, d01, d11, residual), (n_trials, 4); by arm, control's then treatment's. With sites,
        the standard deviations of their intercepts and slopes come last.
    boundary
        Whether a random-effects covariance is singular, (n_trials,).
    """

    reml: RemlFit
    terms: Floats
    boundary: Flags


def estimate_growth(statistics: PatternStatistics, visit_times: Floats) -> GrowthFit:
    """Return the fit with the variances of intercept, slope and residual."""
    mean = _build_mean(visit_times, statistics.n_predictors, common_baseline=False)
    return _estimate(statistics, visit_times, mean, PLAIN)


def _build_mean(
    visit_times: Floats,
    n_predictors: int,
    *,
    common_baseline: bool,
    covariate_slopes: bool = False,
) -> MeanModel:
    included = np.ones((2, n_predictors), dtype=bool)
    included[0, 1] = not common_baseline
    included[1, 2:] = covariate_slopes
    courses = np.column_stack([np.ones_like(visit_times), visit_times])
    return MeanModel(courses, included, contrast=(1, 1))


def _estimate(
    statistics: PatternStatistics,
    visit_times: Floats,
    mean: MeanModel,
    inference: Inference,
    sites: RandomSites | None = None,
) -> GrowthFit:
    inner = model = _build_inner(visit_times, inference)
    start = _list_terms(leave_sites_out(statistics, sites), mean, inference)
    starts = [start, start * np.tile([1.0, 0.0, 1.0, 1.0], model.n_blocks)]
    if sites is not None:
        model, starts = vary_sites(model, starts, sites)
    kenward_roger: Information | None = "expected" if inference.kenward_roger else None
    fit = fit_reml(statistics, mean, model, starts, kenward_roger=kenward_roger)
    people = fit.eta[:, : start.shape[1]]
    boundary = ~(fit.converged & _are_proper(people).all(axis=1))
    if boundary.any():
        edge = _fit_on_boundary(
            statistics.select(boundary), mean, inner, starts[0][boundary], kenward_roger
        )
        fit.put(np.flatnonzero(boundary), edge)
    boundary |= fit.converged & model.find_vanished(fit.eta).any(axis=1)
    return GrowthFit(fit, fit.eta, boundary)


def _are_proper(terms: Floats) -> Flags:
    """Return whether each random-effects covariance can be one, (n_trials, n_blocks)."""
    d00, d01, d11, _ = terms.reshape(len(terms), -1, 4).transpose(2, 0, 1)
    with np.errstate(invalid="ignore"):
        return np.asarray((d00 >= 0) & (d11 >= 0) & (d00 * d11 >= d01**2))


def _fit_on_boundary(
    statistics: PatternStatistics,
    mean: MeanModel,
    inner: CovarianceModel,
    start: Floats,
    kenward_roger: Information | None,
) -> RemlFit:
    """Return the highest fit, with terms as eta, in which some covariance of people is singular.

    `start` ends in the standard deviations of sites where they have an effect.
    """
    free, singular = build_linear(inner.basis), _build_singular(inner.basis)
    n_blocks = inner.n_blocks
    own, sites = np.split(start, [4 * n_blocks], axis=1)
    fits = []
    for edges in product((True, False), repeat=n_blocks):
        if not any(edges):
            continue
        model = join_blocks([singular if edge else free for edge in edges])
        model = add_shared(model, sites.shape[1])
        starts = [
            np.concatenate(
                [
                    _find_loading(terms, sign) if edge else terms
                    for terms, edge in zip(np.split(own, n_blocks, axis=1), edges, strict=True)
                ]
                + [sites],
                axis=1,
            )
            for sign in (1.0, -1.0)
        ]
        # the sign of the loading is a choice between two hills
        fragile = np.ones(len(start), dtype=bool)
        fit = fit_reml(
            statistics, mean, model, starts, fragile=fragile, kenward_roger=kenward_roger
        )
        terms = model.compute_terms(fit.eta)[:, : 4 * n_blocks]
        proper = (_are_proper(terms) | np.array(edges)).all(axis=1)
        eta = np.concatenate([terms, model.get_deviations(fit.eta)], axis=1)
        fits.append(replace(fit, eta=eta, converged=fit.converged & proper))
    best, *others = fits
    for other in others:
        best.improve(np.arange(len(start)), other)
    return best


def _find_loading(terms: Floats, sign: float) -> Floats:
    """Return (l0, l1, residual) near the terms, with the loadings' signs alike or not."""
    d00, _, d11, residual = terms.T
    return np.column_stack([np.sqrt(d00), sign * np.sqrt(d11) / 3, residual])


def _build_inner(visit_times: Floats, inference: Inference) -> CovarianceModel:
    """Return the model whose random-effects covariances need not be positive definite."""
    model = build_linear(_build_basis(visit_times))
    return join_blocks([model, model]) if inference.by_arm else model


def _build_basis(times: Floats) -> Floats:
    ones = np.ones_like(times)
    cross = np.outer(ones, times)
    return np.stack(
        [np.outer(ones, ones), cross + cross.T, np.outer(times, times), np.eye(len(times))]
    )


def _build_singular(basis: Floats) -> CovarianceModel:
    """Return the model with D = l l', the edge of the random-effects covariances."""
    linear = np.zeros((4, 3))
    linear[3, 2] = 1.0
    curvature = np.zeros((4, 3, 3))
    curvature[0, 0, 0] = curvature[2, 1, 1] = 2.0
    curvature[1, 0, 1] = curvature[1, 1, 0] = 1.0
    return CovarianceModel(basis, linear, curvature)


def _list_terms(statistics: PatternStatistics, mean: MeanModel, inference: Inference) -> Floats:
    if not inference.by_arm:
        return _estimate_start(statistics, mean.courses)
    # within an arm the treatment is constant
    plain = [0, *range(2, statistics.n_predictors)]
    arms = [statistics.select_block(arm).keep_predictors(plain) for arm in (0, 1)]
    return np.concatenate([_estimate_start(arm, mean.courses) for arm in arms], axis=1)


def _estimate_start(statistics: PatternStatistics, courses: Floats) -> Floats:
    """Return moment estimates of (d00, d01, d11, residual) from each person's own line."""
    residual = _compute_residuals(statistics)
    within = np.zeros(len(residual))
    freedom, weight = np.zeros_like(within), np.zeros((len(residual), 1, 1))
    between = np.zeros((len(residual), 2, 2))
    lines = []
    for k, seen in enumerate(statistics.seen):
        if seen.sum() < 3:
            continue
        design = courses * seen[:, None]
        squares = np.linalg.inv(design.T @ design)
        off_line = np.diag(seen.astype(float)) - design @ squares @ design.T
        within = within + np.einsum("ij,tij->t", off_line, residual[:, k])
        freedom = freedom + statistics.counts[:, k] * (seen.sum() - 2)
        lines.append((k, squares, squares @ design.T))
    with np.errstate(all="ignore"):
        noise = np.maximum(within / np.maximum(freedom, 1), 0)
    for k, squares, project in lines:
        n = statistics.counts[:, k, None, None]
        between = between + project @ residual[:, k] @ project.T
        between = between - n * noise[:, None, None] * squares
        weight = weight + n
    spread = between / np.maximum(weight, 1)
    return _make_proper(spread, noise, courses[-1, 1])


def _compute_residuals(statistics: PatternStatistics) -> Floats:
    """Return residual cross-products around least-squares means of each visit."""
    p = statistics.n_predictors
    zz, zy = statistics.cross[..., :p, :p], statistics.cross[..., :p, p:]
    n_visits = statistics.n_visits
    fitted = np.empty((len(zz), n_visits, p))
    for j in range(n_visits):
        has = statistics.seen[:, j]
        own, _, _ = invert_positive_definite(zz[:, has].sum(axis=1))
        fitted[:, j] = (own @ zy[:, has][..., j].sum(axis=1)[..., None])[..., 0]
    return compute_residual_sums(statistics, np.nan_to_num(fitted))[0]


def _make_proper(spread: Floats, noise: Floats, span: float) -> Floats:
    noise = np.where(noise > 0, noise, 1.0)
    d00 = np.maximum(spread[:, 0, 0], 0.05 * noise)
    d11 = np.maximum(spread[:, 1, 1], 0.05 * noise / span**2)
    limit = 0.9 * np.sqrt(d00 * d11)
    return np.column_stack([d00, np.clip(spread[:, 0, 1], -limit, limit), d11, noise])
