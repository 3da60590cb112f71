"""What a strategy makes of the mixed model's differences between the arms.

Filling gaps with conditional means and comparing the last visit by a linear model on everyone is a
linear function of the mixed model's differences at the visits: people who stayed, and those who are
imputed at random missingness, have the model's difference at the last visit; those who left after a
pattern of visits have what their strategy keeps of the differences so far.

References
----------
White, Royes & Best 2020 (J Biopharm Stat 30:334), causal model of reference-based imputation.
"""

from dataclasses import dataclass

import numpy as np

from trialsim.analysis.covariance import invert_positive_definite
from trialsim.analysis.result import Flags, Floats
from trialsim.imputation.imputing import condition
from trialsim.imputation.strategies import build_courses


@dataclass(frozen=True)
class WeighedDifferences:
    """How the effect of each trial (t) after imputation is made of its differences at the visits.

    Attributes
    ----------
    used
        Weight of each difference in the effect at delta 0, (t, n_visits).
    share_imputed
        What delta = 1 adds to the effect, (t,).
    lost
        What each difference adds to the last outcome of treated people who left after each pattern,
        less what it adds to that of those who stayed, (t, n_left, n_visits).
    left
        Which patterns lack the last visit, (n_patterns,).
    solvable
        Whether the linear model could be fitted, (t,).
    """

    used: Floats
    share_imputed: Floats
    lost: Floats
    left: Flags
    solvable: Flags


def weigh_differences(
    predictors: Floats, seen: Flags, covariance: Floats, strategy: str
) -> WeighedDifferences:
    """Return what the effect after imputation is made of.

    Parameters
    ----------
    predictors
        Cross-products of the intercept, the treatment and covariates of the people of each pattern,
        those without a visit among them, (n_trials, n_patterns, p, p).
    seen
        Visits after baseline of each pattern, (n_patterns, n_visits).
    covariance
        Of the visits, (n_trials, n_visits, n_visits).
    strategy
        A name in `trialsim.imputation.strategies.STRATEGIES`.
    """
    left = ~seen[:, -1]
    inverse, _, solvable = invert_positive_definite(predictors.sum(axis=1))
    # the treatment's coefficient in a regression of "treated and left after this pattern"
    weight = np.einsum("tp,tkp->tk", inverse[:, 1], predictors[:, left, 1])
    own = np.eye(seen.shape[1])[-1]
    lost = _keep(covariance, seen[left], strategy) - own
    used = own + np.einsum("tk,tkv->tv", weight, lost)
    return WeighedDifferences(used, weight.sum(axis=1), lost, left, solvable)


def _keep(covariance: Floats, seen: Flags, strategy: str) -> Floats:
    """Return what each difference adds to the last imputed outcome, (n_trials, n_left, n_visits).

    Parameters
    ----------
    covariance
        Of the visits, (n_trials, n_visits, n_visits).
    seen
        Patterns of visits after baseline of people who left, (n_left, n_visits).
    strategy
        A name in `trialsim.imputation.strategies.STRATEGIES`.
    """
    n_left, n_visits = seen.shape
    # a unit difference at one visit at a time: every strategy is linear in them
    own = np.broadcast_to(np.eye(n_visits), (n_left, n_visits, n_visits))
    last_seen = np.where(seen, np.arange(n_visits), -1).max(axis=1, initial=-1)
    after = np.broadcast_to(last_seen[:, None], (n_left, n_visits))
    course = build_courses(own, np.zeros_like(own), after, strategy)
    carry = [condition(covariance, has)[0][:, -1] for has in seen]
    carried = np.stack(carry, axis=1) if carry else np.empty((len(covariance), 0, n_visits))
    off = np.where(seen[:, None, :], own - course, 0.0)
    return np.asarray(course[None, ..., -1] + np.einsum("kvj,tkj->tkv", off, carried))
