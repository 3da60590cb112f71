"""Mixed model for repeated measures with an unstructured covariance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from trialsim.analysis.covariance import (
    CovarianceModel,
    build_unstructured,
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
from trialsim.analysis.likelihood import MeanModel
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

_SINGULAR = 1e-3
"""Smallest eigenvalue of a correlation at which a fit without a maximum was on its way to 0."""


def fit_mmrm(
    outcome: ArrayLike,
    treatment: ArrayLike,
    visit_times: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    common_baseline: bool = False,
    site: ArrayLike | None = None,
    degrees_of_freedom: DegreesOfFreedom = "satterthwaite",
    covariance: Covariance = "pooled",
    standard_error: StandardError = "model",
    workers: int | None = None,
) -> FitResult:
    """Return the treatment difference at the last visit by an unstructured REML MMRM.

    Every given visit is an outcome. Means are free in each arm at each visit; covariates are
    crossed with visit. A likelihood that is highest where the covariance is singular has no
    maximum: its fit has not converged and has `boundary` set.

    Parameters
    ----------
    outcome
        (n_trials, n_participants, n_visits), NaN where missing; missing visits may be intermittent.
    treatment
        0 (control) or 1, (n_participants,) or (n_trials, n_participants).
    visit_times
        (n_visits,), increasing.
    covariates
        Known at baseline, (n_participants, q) or (n_trials, n_participants, q).
    common_baseline
        Whether the arms share their mean at the first visit (constrained longitudinal analysis).
    site
        Labels, (n_participants,) or (n_trials, n_participants): each site has a random intercept
        and, independent of it, a random slope over the visits. A variance of 0 leaves that one out,
        with `boundary` set.
    degrees_of_freedom
        "satterthwaite", or "kenward_roger" in the linear parametrization of the covariance, with
        its standard error.
    covariance
        "pooled" over the arms, or "by_arm".
    standard_error
        From the "model", or clustered by participant ("cr0", "cr2"), with Bell & McCaffrey's
        degrees of freedom.
    workers
        Threads; all cores when None. The result does not depend on it.

    Raises
    ------
    DesignError
        Shapes that do not match, an empty arm, a visit that nobody has, Kenward-Roger or sites with
        a clustered standard error, fewer than 2 sites.

    References
    ----------
    Mallinckrodt et al. 2008 (Drug Inf J 42:303). Satterthwaite's and Kenward & Roger's methods as
    in the R package mmrm ("Kenward-Roger-Linear").

    Examples
    --------
    >>> rng = np.random.default_rng(20260101)
    >>> volume = 100 + rng.normal(size=(1, 40, 3)).cumsum(axis=2)
    >>> arm = np.arange(40) % 2
    >>> fit = fit_mmrm(volume, arm, [0, 6, 12], degrees_of_freedom="kenward_roger")
    >>> print(fit.converged, fit.df.round(1))
    [ True] [38.]
    """
    inference = Inference(degrees_of_freedom, covariance, standard_error)
    trials = read_trials(outcome, treatment, visit_times, covariates, min_visits=2)
    trials, sites = join_sites(trials, site)

    def fit(batch: Trials) -> FitResult:
        people = batch.center()
        return fit_mmrm_statistics(
            people.summarize(by_arm=inference.by_arm),
            common_baseline=common_baseline,
            sites=sites,
            inference=inference,
            people=people,
        )

    return fit_in_batches(trials, fit, workers)


def fit_mmrm_statistics(
    statistics: PatternStatistics,
    *,
    common_baseline: bool = False,
    sites: RandomSites | None = None,
    inference: Inference = PLAIN,
    people: Trials | None = None,
) -> FitResult:
    """Return the MMRM of trials given by their sufficient statistics.

    Parameters
    ----------
    statistics
        The predictors are the intercept, the treatment, then covariates; by arm where the
        covariance is.
    common_baseline
        Whether both arms share their mean at baseline.
    sites
        Predictors that are indicators of sites, with random coefficients.
    inference
        Degrees of freedom and standard error, see `trialsim.analysis.inference`.
    people
        Those that the statistics were made of; a clustered standard error needs them.
    """
    mmrm = estimate_mmrm(
        statistics, common_baseline=common_baseline, sites=sites, inference=inference
    )
    fit = mmrm.reml
    variance, df = fit.variance, fit.df
    if inference.is_clustered:
        if people is None:
            raise TypeError("A clustered standard error needs the people of the trials.")
        corrected = inference.standard_error == "cr2"
        variance, df = compute_sandwich(
            people, statistics, mmrm.mean, mmrm.covariance, fit.eta, corrected=corrected
        )
    return build_result(fit.estimate, variance, df, fit.converged, mmrm.boundary | mmrm.vanished)


@dataclass(frozen=True)
class MmrmFit:
    """A REML fit with its model.

    Attributes
    ----------
    reml
        Its eta holds the lower triangle of the covariance, row by row; by arm, control's then
        treatment's. The standard deviations of sites come last.
    boundary
        Whether the likelihood is highest where the covariance is singular, (n_trials,).
    vanished
        Whether it is highest where a variance of sites is 0, (n_trials,).
    """

    reml: RemlFit
    mean: MeanModel
    covariance: CovarianceModel
    boundary: Flags
    vanished: Flags


def estimate_mmrm(
    statistics: PatternStatistics,
    *,
    common_baseline: bool = False,
    sites: RandomSites | None = None,
    inference: Inference = PLAIN,
) -> MmrmFit:
    """Return the fit with its covariance."""
    n_visits = statistics.n_visits
    included = np.ones((n_visits, statistics.n_predictors), dtype=bool)
    included[0, 1] = not common_baseline
    mean = MeanModel(np.eye(n_visits), included, contrast=(n_visits - 1, 1))
    model = build_unstructured(n_visits)
    if inference.by_arm:
        model = join_blocks([model, model])
    starts = _list_starts(leave_sites_out(statistics, sites), inference)
    if sites is not None:
        refuse_clustered(inference)
        mean = add_sites(mean, sites)
        model, starts = vary_sites(model, starts, sites)
    fit = fit_reml(
        statistics,
        mean,
        model,
        starts,
        fragile=_may_have_several_maxima(statistics),
        kenward_roger="observed" if inference.kenward_roger else None,
    )
    vanished = fit.converged & model.find_vanished(fit.eta).any(axis=1)
    return MmrmFit(fit, mean, model, _is_near_singular(model, fit), vanished)


def _may_have_several_maxima(statistics: PatternStatistics) -> Flags:
    """Return which trials are small and have visits missing in between.

    With monotone drop-out there is one maximum. With gaps, several were seen only where fewer than
    3 people a visit had every visit.
    """
    seen = statistics.seen
    complete = statistics.counts[:, seen.all(axis=1)].sum(axis=1)
    order = np.argsort(seen.sum(axis=1), kind="stable")
    nested = (seen[order][:-1] <= seen[order][1:]).all()
    return np.asarray((complete < 3 * statistics.n_visits) & ~nested)


def _is_near_singular(model: CovarianceModel, fit: RemlFit) -> Flags:
    """Return which fits without a maximum were on their way to a singular covariance."""
    near = np.zeros(len(fit.eta), dtype=bool)
    failed = np.flatnonzero(~fit.converged & np.isfinite(fit.eta).all(axis=1))
    full = model.compute_covariances(fit.eta[failed])
    deviation = np.sqrt(np.maximum(np.einsum("tgii->tgi", full), np.finfo(float).tiny))
    correlation = full / deviation[..., :, None] / deviation[..., None, :]
    near[failed] = np.linalg.eigvalsh(correlation)[..., 0].min(axis=1) < _SINGULAR
    return near


def _list_starts(statistics: PatternStatistics, inference: Inference) -> list[Floats]:
    """Return first values of the covariance: estimated, then with a common correlation."""
    rows, columns = np.tril_indices(statistics.n_visits)
    if not inference.by_arm:
        return [start[:, rows, columns] for start in _estimate_starts(statistics)]
    # within an arm the treatment is constant
    plain = [0, *range(2, statistics.n_predictors)]
    arms = [_estimate_starts(statistics.select_block(arm).keep_predictors(plain)) for arm in (0, 1)]
    return [
        np.concatenate([start[:, rows, columns] for start in pair], axis=1)
        for pair in zip(*arms, strict=True)
    ]


def _estimate_starts(statistics: PatternStatistics) -> list[Floats]:
    variances = [_compute_marginal_variance(statistics, j) for j in range(statistics.n_visits)]
    deviation = np.sqrt(np.maximum(np.stack(variances, axis=1), 0.0))
    products = deviation[:, :, None] * deviation[:, None, :]
    same = np.eye(statistics.n_visits)
    alike = [products * (same + common * (1 - same)) for common in (0.5, 0.9)]
    return [_estimate_start(statistics), *alike]


def _estimate_start(statistics: PatternStatistics) -> Floats:
    """Return covariances, (t, visits, visits): exact REML for trials without missing visits.

    Each visit is regressed on the predictors and the earlier visits among people who have them all
    (Anderson 1957, J Am Stat Assoc 52:200): under monotone drop-out this is maximum likelihood.
    """
    p, n_visits = statistics.n_predictors, statistics.n_visits
    covariance = np.zeros((len(statistics.counts), n_visits, n_visits))
    for j in range(n_visits):
        complete = statistics.seen[:, : j + 1].all(axis=1)
        cross = statistics.cross[:, complete].sum(axis=1)
        n = statistics.counts[:, complete].sum(axis=1)
        known, target = cross[:, : p + j, : p + j], cross[:, : p + j, p + j, None]
        inverse, _, fine = invert_positive_definite(known)
        with np.errstate(all="ignore"):
            slopes = inverse @ target
            left = cross[:, p + j, p + j] - np.einsum("tij,tij->t", slopes, target)
            variance = left / np.maximum(n - p, 1)
            slopes = np.where(fine[:, None, None], slopes, 0.0)[:, p:]
        fallback = _compute_marginal_variance(statistics, j)
        # a regression through all its points leaves no variance: take the visit's own
        sound = fine & (variance > 1e-9 * fallback) & (n > p + j + 1)
        slopes = np.where(sound[:, None, None], slopes, 0.0)
        variance = np.where(sound, variance, fallback)
        earlier = covariance[:, :j, :j]
        column = (earlier @ slopes)[..., 0]
        covariance[:, :j, j] = covariance[:, j, :j] = column
        covariance[:, j, j] = variance + np.einsum("ti,ti->t", column, slopes[..., 0])
    return covariance


def _compute_marginal_variance(statistics: PatternStatistics, visit: int) -> Floats:
    has = statistics.seen[:, visit]
    at = statistics.n_predictors + visit
    cross = statistics.cross[:, has].sum(axis=1)
    n = np.maximum(statistics.counts[:, has].sum(axis=1), 2)
    variance: Floats = (cross[:, at, at] - cross[:, 0, at] ** 2 / n) / (n - 1)
    return variance
