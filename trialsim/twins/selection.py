"""What is left of a twin's correlation among people whom it selected (range restriction)."""

from typing import NamedTuple

import numpy as np
from scipy import stats

from trialsim.analysis.result import Floats
from trialsim.errors import DesignError
from trialsim.twins.scenario import check_twin_correlation


class SelectedVisits(NamedTuple):
    """The visits of the people selected.

    `sd` is that over the sd in everyone, `correlation` that of the visits, `twin_correlation` that
    of each visit with the twin.
    """

    sd: Floats
    correlation: Floats
    twin_correlation: Floats


def restrict_to_selected(
    correlation: Floats, twin_correlation: Floats, fraction_enrolled: float
) -> SelectedVisits:
    """Return the visits among the top fraction by the twin's predicted decline.

    Selection leaves the twin V = 1 - lam (lam - c) of its variance, with c the cut and lam its
    inverse Mills ratio, and every covariance loses rho rho' (1 - V) (Thorndike 1949, case 2, for
    several outcomes; Johnson, Kotz & Balakrishnan 1994, ch. 10).

    Parameters
    ----------
    correlation
        Of the visits given baseline in everyone eligible, (n_visits, n_visits).
    twin_correlation
        Of the twin with each visit, (n_visits,).
    fraction_enrolled
        Greater than 0 and at most 1.

    Raises
    ------
    DesignError
        Correlations that cannot be, a fraction that is none.
    """
    check_twin_correlation(correlation, twin_correlation)
    if not 0 < fraction_enrolled <= 1:
        raise DesignError(
            f"fraction_enrolled must be greater than 0 and at most 1, got {fraction_enrolled:g}."
        )
    rho = np.asarray(twin_correlation, dtype=float)
    left = 1.0
    if fraction_enrolled < 1:
        cut = float(stats.norm.isf(fraction_enrolled))
        mills = float(stats.norm.pdf(cut)) / fraction_enrolled
        left = 1 - mills * (mills - cut)
    covariance = np.asarray(correlation, dtype=float) - np.outer(rho, rho) * (1 - left)
    sd = np.sqrt(np.diag(covariance))
    return SelectedVisits(sd, covariance / np.outer(sd, sd), rho * np.sqrt(left) / sd)
