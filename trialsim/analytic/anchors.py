"""Published results that the closed forms must give again."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import pandas as pd

from cohorts.counting import tally
from cohorts.entrances import entrance
from trialsim.analytic.binary import binary_enrichment
from trialsim.analytic.correlation import ar1
from trialsim.analytic.prognostic import compute_selected_decline
from trialsim.analytic.repeated_measures import (
    compute_variance_inflation,
    marginal_slope,
    time_averaged,
)
from trialsim.analytic.slopes import random_slope
from trialsim.analytic.two_sample import ancova, means

_COHEN = "Cohen 1992, Psychol Bull 112:155, table 2"
_DIGGLE_29 = "Diggle, Heagerty, Liang & Zeger 2002, p. 29"
_DIGGLE_30 = "Diggle, Heagerty, Liang & Zeger 2002, p. 30"
_LU = "Lu, Luo & Chen 2008, Int J Biostat 4(1), table 2; longpower"
_LONGPOWER = "longpower, ADAS-Cog example (Donohue & Edland)"
_HU = "Hu, Mackey & Thomas 2021, Biom J 63:806; longpower"
_BONETT = "Bonett, statpsych, size.test.ancova2 example"
_ADAS_TIMES = (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5)


class Anchor(NamedTuple):
    """A published number, and how this package computes it."""

    name: str
    source: str
    expected: float
    tolerance: float
    compute: Callable[[], float]


@entrance
def check_anchors() -> pd.DataFrame:
    """Compute every published value again.

    Returns
    -------
    pandas.DataFrame
        One row a value: `anchor`, `source`, `expected`, `computed`, `tolerance` (absolute; 0 for
        whole people, otherwise what the published digits allow), `passes`.

    Examples
    --------
    >>> check_anchors()['passes'].all()
    np.True_
    """
    table = pd.DataFrame(
        {
            "anchor": anchor.name,
            "source": anchor.source,
            "expected": anchor.expected,
            "computed": anchor.compute(),
            "tolerance": anchor.tolerance,
        }
        for anchor in ANCHORS
    )
    table["passes"] = (table["computed"] - table["expected"]).abs() <= table["tolerance"]
    return table


def _cohen(effect: float, expected: int) -> Anchor:
    return Anchor(
        f"n per arm, two-sample t, d = {effect}, power .8, two-sided .05",
        _COHEN,
        expected,
        0,
        lambda: means(delta=effect, sd=1, power=0.8).rounded().n_control,
    )


def _slope(rho: float, variance: float, expected: int) -> Anchor:
    return Anchor(
        f"n per arm, slope .5, times 0 2 5, rho {rho}, variance {variance:g}, one-sided .05",
        _DIGGLE_29,
        expected,
        0,
        lambda: (
            marginal_slope(
                delta=0.5,
                visit_times=[0, 2, 5],
                variance=variance,
                correlation=rho,
                power=0.8,
                sides=1,
            )
            .rounded()
            .n_control
        ),
    )


def _average(rho: float, effect: float, expected: int) -> Anchor:
    return Anchor(
        f"n per arm, mean of 3 visits, rho {rho}, effect {effect} sd, one-sided .05",
        _DIGGLE_30,
        expected,
        0,
        lambda: (
            time_averaged(delta=effect, n_visits=3, variance=1, correlation=rho, power=0.8, sides=1)
            .rounded()
            .n_control
        ),
    )


def _inflation(n_visits: int, dropout: float, first_last: float, expected: float) -> Anchor:
    rho = first_last ** (1 / (n_visits - 1))
    retention = [1 - dropout * visit / (n_visits - 1) for visit in range(n_visits)]
    return Anchor(
        f"MMRM variance inflation, {tally(n_visits, 'visits')}, drop-out {dropout}, "
        f"first-last correlation {first_last}",
        _LU,
        expected,
        0.00005,
        lambda: float(compute_variance_inflation(ar1(rho, n_visits), retention)),
    )


def _bonett() -> float:
    point = ancova(delta=0.7, sd=1.37**0.5, correlation=0, power=0.9)
    return point.rounded().n_control


def _adas(baseline: Literal["free", "common"]) -> float:
    point = random_slope(
        delta=1.5,
        visit_times=_ADAS_TIMES,
        slope_variance=24,
        residual_variance=10,
        intercept_variance=55,
        intercept_slope_covariance=0.8 * (55 * 24) ** 0.5,
        baseline=baseline,
        power=0.8,
    )
    return float(point.n_control)


def _hu_total() -> float:
    return float(
        random_slope(
            delta=1.5,
            visit_times=_ADAS_TIMES,
            slope_variance=24,
            residual_variance=10,
            baseline="common",
            retention=[share / 21 for share in (21, 21, 20, 18, 15, 11, 6)],
            power=0.8,
        ).n_total
    )


def _unequal_sds_power() -> float:
    return float(
        means(
            delta=0.8,
            sd=1.6,
            sd_treatment=1.25,
            n_control=200 / 3,
            allocation_ratio=2,
            distribution="z",
        ).power
    )


def _published_plan() -> float:
    point = means(delta=3, sd=7.58, sd_treatment=8.17, power=0.8, distribution="z")
    return point.rounded().n_total


ANCHORS = (
    _cohen(0.5, 64),
    _cohen(0.8, 26),
    _slope(0.2, 100, 313),
    _slope(0.2, 200, 625),
    _slope(0.2, 300, 938),
    _slope(0.5, 100, 196),
    _slope(0.5, 200, 391),
    _slope(0.5, 300, 586),
    _slope(0.8, 100, 79),
    _slope(0.8, 200, 157),
    _slope(0.8, 300, 235),
    _average(0.2, 0.2, 145),
    _average(0.5, 0.2, 207),
    _average(0.8, 0.2, 268),
    _average(0.2, 0.3, 65),
    _average(0.5, 0.4, 52),
    _average(0.8, 0.5, 43),
    _inflation(2, 0.1, 0.7, 1.0567),
    _inflation(2, 0.2, 0.3, 1.2275),
    _inflation(2, 0.4, 0.5, 1.5),
    _inflation(4, 0.1, 0.5, 1.0628),
    _inflation(4, 0.2, 0.7, 1.0880),
    _inflation(4, 0.3, 0.3, 1.3107),
    _inflation(4, 0.4, 0.9, 1.0773),
    Anchor(
        "n per arm, ANCOVA, 1 covariate, residual variance 1.37, effect .7, power .9",
        _BONETT,
        61,
        0,
        _bonett,
    ),
    Anchor(
        "n per arm, random slope, an intercept for each arm",
        _LONGPOWER,
        207.3101,
        0.00005,
        lambda: _adas("free"),
    ),
    Anchor(
        "n per arm, random slope, common baseline",
        _LONGPOWER,
        135.4827,
        0.00005,
        lambda: _adas("common"),
    ),
    Anchor("N, random slope, common baseline, drop-out", _HU, 430.3265, 0.00005, _hu_total),
    Anchor(
        "power, unequal sds 1.6 and 1.25, 1:2, N = 200",
        "gsDesign 3.11, nNormal example",
        0.9467,
        0.00005,
        _unequal_sds_power,
    ),
    Anchor(
        "N, normal approximation, sds 7.58 and 8.17, difference 3, power .8",
        "Statistical analysis plan of NCT05638204",
        218,
        0,
        _published_plan,
    ),
    Anchor(
        "N, event rate .35 reduced by 25 %, one-sided .025, power .8",
        "BioPET 0.2.2 (Kerr et al. 2017, Clin Trials 14:629)",
        868.864,
        0.0005,
        lambda: float(binary_enrichment(event_rate=0.35, reduction=0.25, power=0.8).n_total),
    ),
    Anchor(
        "mean of the upper half of a standard normal",
        "Johnson, Kotz & Balakrishnan 1994, ch. 13",
        0.7979,
        0.00005,
        lambda: float(compute_selected_decline(0.0, 1.0, 1.0, 0.5).mean),
    ),
)
"""Every published value, in the order in which reports list them."""
