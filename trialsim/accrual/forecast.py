"""When a trial is full, by the Poisson-gamma model, in closed form.

People enrolled by month t are Poisson with mean L(t) = G sum_i r_i (t - u_i)+, r_i gamma, G the
error of the expected rate. L(t) is taken as gamma with its own mean and variance; the count is then
negative binomial, which is exact where all sites open together and the rate is known, and the time
at which n people are in is a Pearson type VI variable.

References
----------
Anisimov & Fedorov 2007 (Stat Med 26:4958); Anisimov 2011 (Stat Med 30:2815), sites that open one
after another; Mountain & Sherlock 2022 (Biometrics 78:636), one gamma in place of a sum of gammas.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special, stats

from cohorts.counting import agree, tally
from trialsim.accrual.plan import AccrualPlan
from trialsim.errors import DesignError
from trialsim.whole_people import count_entering

_ENDS: Final = (0.025, 0.975)
_HALVINGS: Final = 80
_LONGEST: Final = 1200.0
"""Months; a trial that is not full by then is not a plan."""


@dataclass(frozen=True)
class Forecast:
    """When a trial is full: what is expected, and the ends of the 95 % interval.

    Attributes
    ----------
    n_to_screen, n_to_screen_lower, n_to_screen_upper
        People screened until the last one is in, whole: the expected number rounded up.
    months, months_lower, months_upper
        From the first site's opening to the randomization of the last person.
    last_visit, last_visit_lower, last_visit_upper
        To the last visit of that person.
    """

    n_to_screen: int
    n_to_screen_lower: int
    n_to_screen_upper: int
    months: float
    months_lower: float
    months_upper: float
    last_visit: float
    last_visit_lower: float
    last_visit_upper: float


def forecast_enrollment(
    plan: AccrualPlan, n_enrolled: int, *, fraction_enrolled: float, duration_months: float
) -> Forecast:
    """Return when `n_enrolled` people are in, and when the last of them has the last visit.

    Parameters
    ----------
    plan
        Sites and their rates.
    n_enrolled
        Both arms together, at least 1.
    fraction_enrolled
        Share of the screened people whom the strategy enrolls, 1 where nobody is screened out;
        those who fail for other reasons are taken off besides.
    duration_months
        From randomization to the last visit.

    Raises
    ------
    DesignError
        The trial would not be full within 100 years.

    Examples
    --------
    >>> plan = AccrualPlan(sites=40, screened_per_site_per_month=1.5, failure_rate=0.2)
    >>> found = forecast_enrollment(plan, 240, fraction_enrolled=0.5, duration_months=24)
    >>> found.n_to_screen, round(found.months, 1)
    (600, 10.0)
    """
    share = fraction_enrolled * (1 - plan.failure_rate)
    if _compute_chance(plan, n_enrolled, share, _LONGEST) < _ENDS[1]:
        rate = plan.screened_per_site_per_month
        raise DesignError(
            f"With {tally(plan.sites, 'sites that screen')} {rate:g} "
            f"{agree(rate, 'people a month')} each, {tally(n_enrolled, 'people')} at {share:.3g} "
            f"of those screened are not enrolled within {_LONGEST / 12:.0f} years."
        )
    low, high = (
        _find_month(plan, n_enrolled, share, chance) + plan.screening_months for chance in _ENDS
    )
    n_to_screen = count_entering(n_enrolled, share)
    expected = plan.expect_months(n_to_screen)
    failed = [0, 0]
    if share < 1:
        failed = [int(stats.nbinom.ppf(end, n_enrolled, share)) for end in _ENDS]
    return Forecast(
        n_to_screen,
        n_enrolled + failed[0],
        n_enrolled + failed[1],
        expected,
        low,
        high,
        *(month + duration_months for month in (expected, low, high)),
    )


def _find_month(plan: AccrualPlan, n_enrolled: int, share: float, chance: float) -> float:
    """Return the month by which so many people are in with this probability."""
    low, high = 0.0, _LONGEST
    for _ in range(_HALVINGS):
        month = (low + high) / 2
        if _compute_chance(plan, n_enrolled, share, month) < chance:
            low = month
        else:
            high = month
    return high


def _compute_chance(plan: AccrualPlan, n_enrolled: int, share: float, month: float) -> float:
    """Return the probability that at least so many people are in by a month."""
    is_open = np.maximum(month - plan.openings, 0.0)
    mean = plan.screened_per_site_per_month * float(is_open.sum())
    if mean == 0:
        return 0.0
    between = plan.site_variation**2 * float((is_open**2).sum()) / float(is_open.sum()) ** 2
    # of L over its mean: (1 + between) (1 + uncertainty) - 1
    spread = (1 + between) * (1 + plan.rate_uncertainty**2) - 1
    if spread == 0:
        return float(special.gammainc(n_enrolled, share * mean))
    shape = 1 / spread
    return float(special.betainc(n_enrolled, shape, share * mean / (share * mean + shape)))
