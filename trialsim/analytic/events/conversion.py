"""Time to conversion, such as from MCI to AD, by the log-rank test."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from cohorts.counting import tally
from cohorts.entrances import entrance
from trialsim.analytic.arguments import (
    ANY,
    NOT_NEGATIVE,
    OPEN_SHARE,
    POSITIVE,
    find_problems,
    find_sides_problems,
    raise_problems,
)
from trialsim.analytic.cutoffs import count_of_archive, find_cutoffs
from trialsim.analytic.events.hazard import Hazard, estimate_weighted_hazard, read_conversions
from trialsim.analytic.point import Quantity, simplify
from trialsim.errors import DesignError

_QUANTILE = float(special.ndtri(0.975))
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


@entrance
def logrank_events(
    *,
    hazard_ratio: Quantity,
    power: Quantity = 0.8,
    alpha: float = 0.05,
    sides: int = 2,
    allocation_ratio: float = 1.0,
) -> Quantity:
    """Return the conversions that a log-rank test needs.

    d = (1 + r)^2 / r (z_{1-a} + z_{1-b})^2 / log(HR)^2 (Schoenfeld 1981, Biometrika 68:316).

    Parameters
    ----------
    hazard_ratio
        Treatment : control, other than 1.
    power, alpha, sides, allocation_ratio
        As in `trialsim.analytic.means`.

    Returns
    -------
    float or numpy.ndarray
        Not rounded.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> round(logrank_events(hazard_ratio=0.8, power=0.9), 2)
    844.09
    """
    _check_ratio(hazard_ratio, power, alpha, sides, allocation_ratio)
    quantiles = special.ndtri(power) - special.ndtri(alpha / sides)
    share = (1 + allocation_ratio) ** 2 / allocation_ratio
    return simplify(share * quantiles**2 / np.log(hazard_ratio) ** 2)


def compute_event_share(
    hazard: Hazard,
    *,
    accrual_months: float,
    followup_months: float,
    dropout_per_month: float = 0.0,
) -> float:
    """Return the share of an arm that is seen to convert.

    Parameters
    ----------
    hazard
        Of conversion.
    accrual_months
        During which people enter evenly.
    followup_months
        From the last person in to the end; others are followed longer.
    dropout_per_month
        Hazard of leaving.
    """
    raise_problems(
        find_problems(
            accrual_months=(accrual_months, NOT_NEGATIVE),
            followup_months=(followup_months, POSITIVE),
            dropout_per_month=(dropout_per_month, NOT_NEGATIVE),
        )
    )
    end = accrual_months + followup_months
    cuts = [cut for cut in (*hazard.from_months, followup_months, end) if cut <= end]
    edges = np.unique([0.0, *cuts])
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    month = (middle[:, None] + half[:, None] * _NODES).ravel()
    weight = (half[:, None] * _WEIGHTS).ravel()
    # those who entered early enough to be followed so long
    followed = (
        np.clip((end - month) / accrual_months, 0, 1)
        if accrual_months > 0
        else (month <= followup_months).astype(float)
    )
    starts = np.asarray(hazard.from_months)
    rate = np.asarray(hazard.per_month)[np.searchsorted(starts, month, side="right") - 1]
    survived = np.exp(-hazard.accumulate(month) - dropout_per_month * month)
    return float(weight @ (rate * survived * followed))


@entrance
def conversion_trial(
    hazard: Hazard,
    *,
    hazard_ratio: float,
    accrual_months: float,
    followup_months: float,
    dropout_per_month: float = 0.0,
    power: float = 0.8,
    alpha: float = 0.05,
    sides: int = 2,
    allocation_ratio: float = 1.0,
) -> dict[str, float]:
    """Return events and people of a trial with time to conversion.

    Parameters
    ----------
    hazard
        Of conversion in control; treatment multiplies it by `hazard_ratio`.
    hazard_ratio
        Treatment : control, above 0.
    accrual_months, followup_months, dropout_per_month
        As in `compute_event_share`.
    power, alpha, sides, allocation_ratio
        As in `logrank_events`.

    Returns
    -------
    dict
        events, share_control and share_treatment seen to convert, n_control, n_treatment, n_total
        (not rounded).

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> from trialsim.analytic import estimate_hazard
    >>> hazard = estimate_hazard([12, 24, 36, 36], [1, 1, 0, 0])
    >>> found = conversion_trial(hazard, hazard_ratio=0.7, accrual_months=12, followup_months=24)
    >>> round(found['n_total'], 1)
    661.1
    """
    events = logrank_events(
        hazard_ratio=hazard_ratio,
        power=power,
        alpha=alpha,
        sides=sides,
        allocation_ratio=allocation_ratio,
    )
    follow = {
        "accrual_months": accrual_months,
        "followup_months": followup_months,
        "dropout_per_month": dropout_per_month,
    }
    control = compute_event_share(hazard, **follow)
    treatment = compute_event_share(hazard.multiply(hazard_ratio), **follow)
    if not control + allocation_ratio * treatment > 0:
        raise DesignError(
            f"Nobody converts within {accrual_months + followup_months:g} months by this hazard: "
            "follow for longer."
        )
    n_control = float(events) / (control + allocation_ratio * treatment)
    return {
        "events": float(events),
        "share_control": control,
        "share_treatment": treatment,
        "n_control": n_control,
        "n_treatment": n_control * allocation_ratio,
        "n_total": n_control * (1 + allocation_ratio),
    }


@entrance
def conversion_enrichment(
    months: npt.ArrayLike,
    converted: npt.ArrayLike,
    score: npt.ArrayLike,
    fractions_enrolled: Sequence[float],
    *,
    from_months: Sequence[float] = (0.0,),
    screening_cost: float = 0.0,
    participant_cost: float = 0.0,
    **trial: float,
) -> pd.DataFrame:
    """Return the trial among the top fractions by a score, one row a fraction.

    Parameters
    ----------
    months, converted, from_months
        Of an archive, as in `estimate_hazard`.
    score
        (n_people,), higher = sooner. Of people with equal scores at the threshold a share is
        taken of each, whatever their order.
    fractions_enrolled
        Shares of the archive, above 0 and at most 1; of people the nearest whole number, which
        must not be 0.
    screening_cost, participant_cost
        A person screened (none where everyone is enrolled), enrolled.
    trial
        As in `conversion_trial`.

    Returns
    -------
    pandas.DataFrame
        One row a fraction: what `conversion_trial` returns, people to screen and costs; the people
        of the archive and conversions that it stands on, and the 95 % interval of `n_total` that
        so many conversions leave (the rest of the archive's error, and that of the better of
        several fractions, are not in it).

    Raises
    ------
    DesignError
        As in `estimate_hazard` and `conversion_trial`; a fraction that is no share, or nobody.

    Examples
    --------
    >>> found = conversion_enrichment(
    ...     [12, 24, 36, 36], [1, 1, 0, 0], [4, 3, 2, 1], [0.5, 1.0],
    ...     hazard_ratio=0.7, accrual_months=12, followup_months=24,
    ... )
    >>> bool(found['n_total'].is_monotonic_increasing)
    True
    """
    time, event = read_conversions(months, converted)
    raise_problems(
        find_problems(
            score=(score, ANY),
            screening_cost=(screening_cost, NOT_NEGATIVE),
            participant_cost=(participant_cost, NOT_NEGATIVE),
        )
    )
    scores = np.asarray(score, dtype=float)
    if scores.shape != time.shape:
        raise DesignError(
            f"Every person of the archive needs a score, got {tally(scores.size, 'scores')} of "
            f"{tally(time.size, 'people')}."
        )
    if not len(fractions_enrolled):
        raise DesignError("fractions_enrolled must list at least one share, got none.")
    rows = []
    for fraction in fractions_enrolled:
        weights = find_cutoffs(scores, count_of_archive(fraction, time.size)).admit(scores)
        n_conversions = float(weights[event].sum())
        if not n_conversions > 0:
            raise DesignError(
                f"Nobody among the top {fraction:.3g} of the archive converted: enroll more."
            )
        hazard = estimate_weighted_hazard(time, event, weights, from_months)
        found = conversion_trial(hazard, **trial)  # type: ignore[arg-type]
        # the logarithm of a rate of d events has the standard error 1 / sqrt(d)
        far = np.exp(_QUANTILE / np.sqrt(n_conversions))
        lower, upper = (
            conversion_trial(hazard.multiply(factor), **trial)["n_total"]  # type: ignore[arg-type]
            for factor in (far, 1 / far)
        )
        screened = found["n_total"] / fraction
        cost = participant_cost * found["n_total"]
        cost += screening_cost * screened if fraction < 1 else 0.0
        rows.append(
            {
                "fraction_enrolled": fraction,
                **found,
                "n_total_lower": lower,
                "n_total_upper": upper,
                "n_to_screen": screened,
                "cost": cost,
                "n_archive": float(weights.sum()),
                "n_conversions": n_conversions,
            }
        )
    return pd.DataFrame(rows)


def _check_ratio(
    ratio: Quantity, power: Quantity, alpha: float, sides: int, allocation: float
) -> None:
    problems = find_sides_problems(sides) + find_problems(
        hazard_ratio=(ratio, POSITIVE),
        power=(power, OPEN_SHARE),
        alpha=(alpha, OPEN_SHARE),
        allocation_ratio=(allocation, POSITIVE),
    )
    if not problems and np.any(np.less_equal(power, alpha)):
        problems.append(
            f"power must exceed alpha, got power {np.min(power):g} with alpha {alpha:g}."
        )
    if np.any(np.equal(ratio, 1)):
        problems.append("hazard_ratio must differ from 1: no number of events shows no effect.")
    raise_problems(problems)
