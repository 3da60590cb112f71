"""Closed forms of one design, of which tests change what they are about."""

from functools import partial

from trialsim import analytic

TIMES = [0.0, 0.5, 1.0, 1.5, 2.0]
STAY = [1.0, 0.95, 0.9, 0.85, 0.8]
slope = partial(
    analytic.random_slope,
    visit_times=TIMES,
    slope_variance=4900,
    residual_variance=3600,
    intercept_variance=160000,
    intercept_slope_covariance=5600,
)
enriched = partial(
    analytic.prognostic_enrichment,
    mean_decline=100,
    sd_decline=80,
    score_correlation=0.4,
    fraction_enrolled=0.5,
)
rates = partial(analytic.binary_enrichment, event_rate=0.3)
