"""Sites as random effects of a mixed model: how they enter predictors, means and covariances."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from trialsim.analysis.covariance import CovarianceModel, add_shared
from trialsim.analysis.inference import Inference
from trialsim.analysis.inputs import Trials
from trialsim.analysis.likelihood import MeanModel
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.result import Floats
from trialsim.errors import DesignError

_FIRST = 0.3
"""Standard deviation of sites, in that of people, from which a fit starts."""


@dataclass(frozen=True)
class RandomSites:
    """Predictors that are indicators of sites, with random coefficients.

    Attributes
    ----------
    columns
        Which predictors they are.
    courses
        What sites add over the visits, (n_visits, q): constant, and in proportion to time. Each
        course has a variance of its own, and courses of one site are independent.
    """

    columns: slice
    courses: Floats

    def keep(self, n_predictors: int) -> list[int]:
        """Return the other predictors."""
        out = range(*self.columns.indices(n_predictors))
        return [j for j in range(n_predictors) if j not in out]


def build_random_sites(columns: slice, times: Floats) -> RandomSites:
    """Return sites with random intercepts and slopes; intercepts alone where there is one visit.

    Parameters
    ----------
    columns
        Predictors that are indicators of sites.
    times
        Of the visits that are outcomes, (n_visits,), from 0 at randomization.
    """
    courses = np.column_stack([np.ones_like(times), times])
    return RandomSites(columns, courses[:, : min(2, len(times))])


def join_sites(trials: Trials, site: ArrayLike | None) -> tuple[Trials, RandomSites | None]:
    """Return the trials with an indicator of each site as their last predictors, and these.

    Raises
    ------
    DesignError
        Labels of a wrong shape, fewer than 2 sites.
    """
    if site is None:
        return trials, None
    labels = np.asarray(site)
    labels = labels[None] if labels.ndim == 1 else labels
    shape = trials.outcome.shape[:2]
    if labels.shape not in {(1, shape[1]), shape}:
        raise DesignError(f"site must have the shape ({shape[1]},) or {shape}, got {labels.shape}.")
    known = np.unique(labels)
    if len(known) < 2:
        raise DesignError("site needs at least 2 sites where they are to have an effect, got 1.")
    own = (labels[..., None] == known).astype(float)
    n_trials, first = max(len(own), len(trials.predictors)), trials.predictors.shape[2]
    parts = [
        np.broadcast_to(part, (n_trials, *part.shape[1:])) for part in (trials.predictors, own)
    ]
    joined = replace(trials, predictors=np.concatenate(parts, axis=2))
    columns = slice(first, first + len(known))
    return joined, build_random_sites(columns, trials.visit_times)


def refuse_clustered(inference: Inference) -> None:
    """Raise for a standard error that takes people of one site for independent.

    Raises
    ------
    DesignError
        A clustered standard error.
    """
    if inference.is_clustered:
        raise DesignError(
            f'standard_error "{inference.standard_error}" clusters by participant, and a random '
            'effect of site makes the people of a site alike: use "model", or a "fixed" effect.'
        )


def add_sites(mean: MeanModel, sites: RandomSites) -> MeanModel:
    """Return the mean in which the indicators of sites have random coefficients alone."""
    included = mean.included.copy()
    included[:, sites.columns] = False
    component = np.full(included.shape, -1)
    columns = mean.courses
    for number, course in enumerate(sites.courses.T):
        same = np.flatnonzero((columns == course[:, None]).all(axis=0))
        if not same.size:
            same = np.array([columns.shape[1]])
            columns = np.column_stack([columns, course])
            included = np.vstack([included, np.zeros_like(included[:1])])
            component = np.vstack([component, np.full_like(component[:1], -1)])
        included[same[0], sites.columns] = True
        component[same[0], sites.columns] = number
    return replace(mean, courses=columns, included=included, component=component)


def leave_sites_out(statistics: PatternStatistics, sites: RandomSites | None) -> PatternStatistics:
    """Return the statistics without the indicators of sites."""
    if sites is None:
        return statistics
    return statistics.keep_predictors(sites.keep(statistics.n_predictors))


def vary_sites(
    model: CovarianceModel, starts: list[Floats], sites: RandomSites
) -> tuple[CovarianceModel, list[Floats]]:
    """Return the model with a variance of sites for each course, and first values with theirs.

    Parameters
    ----------
    model
        Of the covariance of a person's visits.
    starts
        Its first values, (n_trials, n_parameters) each.
    sites
        The courses of sites.
    """
    span = np.abs(sites.courses).max(axis=0)
    joined = []
    for start in starts:
        variances = np.einsum("tgii->tgi", model.compute_covariances(start)).mean(axis=(1, 2))
        with np.errstate(invalid="ignore"):
            first = _FIRST * np.sqrt(variances)[:, None] / span
        joined.append(np.column_stack([start, first]))
    return add_shared(model, len(span)), joined
