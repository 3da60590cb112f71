"""Closed form for a binary endpoint among those whom a prognostic score selects."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy.optimize import elementwise

from cohorts.entrances import entrance
from trialsim.analytic.arguments import (
    ANY,
    NOT_NEGATIVE,
    OPEN_SHARE,
    SHARE_TO_1,
    Range,
    find_flag_problems,
    find_problems,
    raise_problems,
)
from trialsim.analytic.cutoffs import count_of_archive, find_cutoffs
from trialsim.analytic.point import DesignPoint, FloatArray, Quantity, simplify
from trialsim.analytic.solver import SizeQuestion
from trialsim.errors import DesignError

_AUC = Range(0.5, 1, True, False, "at least 0.5 and below 1")


@dataclass(frozen=True, kw_only=True)
class BinaryPoint(DesignPoint):
    """A design point of an enriched trial with a binary endpoint; `delta` is a risk difference.

    Attributes
    ----------
    event_rate
        Among the selected without treatment.
    reduction
        Relative reduction of the event rate by treatment.
    fraction_enrolled
        Share of the screened people who are selected.
    n_to_screen
        People to screen, `n_total` / `fraction_enrolled`.
    cost
        n_total x participant cost + n_to_screen x screening cost.
    """

    event_rate: Quantity
    reduction: Quantity
    fraction_enrolled: Quantity
    n_to_screen: Quantity
    cost: Quantity


@entrance
def binary_enrichment(
    *,
    event_rate: Quantity,
    reduction: Quantity | None = None,
    fraction_enrolled: Quantity = 1.0,
    screening_cost: Quantity = 0.0,
    participant_cost: Quantity = 0.0,
    n_control: Quantity | None = None,
    power: Quantity | None = None,
    alpha: Quantity = 0.05,
    sides: int = 2,
    allocation_ratio: Quantity = 1.0,
) -> BinaryPoint:
    """Compare two event rates among the selected.

    Normal approximation with the pooled variance under the null hypothesis (Kerr et al. 2017,
    Clin Trials 14:629). Arrays of `event_rate` and `fraction_enrolled`, from
    `compute_binormal_event_rate` or `compute_observed_event_rate`, sweep the threshold. Unlike
    BioPET's, the cost charges screening at every fraction, so it does not jump where everyone
    is enrolled.

    Parameters
    ----------
    event_rate
        Among the selected without treatment, 0-1.
    reduction
        Relative reduction by treatment, 0-1.
    fraction_enrolled
        Share of the screened people who are selected, greater than 0 and at most 1.
    screening_cost, participant_cost
        Cost of each person screened and enrolled.
    n_control, power, alpha, sides, allocation_ratio
        As in `trialsim.analytic.means`; exactly one of `n_control`, `power`, `reduction` is None.

    Returns
    -------
    BinaryPoint
        Whichever of `reduction`, `n_control` and `power` was left out, with the others.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> from trialsim import analytic
    >>> point = analytic.binary_enrichment(event_rate=0.4, reduction=0.3, power=0.8)
    >>> round(float(point.n_control), 1)
    243.4
    """
    question = SizeQuestion(
        reduction, n_control, power, alpha, sides, allocation_ratio, "z", "reduction"
    )
    question.check(
        event_rate=(event_rate, OPEN_SHARE),
        reduction=(reduction, OPEN_SHARE),
        fraction_enrolled=(fraction_enrolled, SHARE_TO_1),
        screening_cost=(screening_cost, NOT_NEGATIVE),
        participant_cost=(participant_cost, NOT_NEGATIVE),
    )
    n, power, reduction = _solve(question, np.asarray(event_rate, dtype=float))
    total = n * (1 + np.asarray(allocation_ratio))
    n_to_screen = total / fraction_enrolled
    values = {
        "n_control": n,
        "n_treatment": total - n,
        "n_total": total,
        "power": power,
        "delta": np.multiply(event_rate, reduction),
        "event_rate": event_rate,
        "reduction": reduction,
        "fraction_enrolled": fraction_enrolled,
        "n_to_screen": n_to_screen,
        "cost": total * participant_cost + n_to_screen * screening_cost,
    }
    return BinaryPoint(**{name: simplify(value) for name, value in values.items()})


def _compute_power(
    n: FloatArray, rate: FloatArray, reduction: FloatArray, ratio: FloatArray, z_alpha: FloatArray
) -> FloatArray:
    treated = rate * (1 - reduction)
    null, alternative = _compute_sds(rate, treated, ratio)
    return np.asarray(special.ndtr((np.sqrt(n) * (rate - treated) - z_alpha * null) / alternative))


def _compute_sds(
    rate: FloatArray, treated: FloatArray, ratio: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return sqrt(n_control) x se of the risk difference under null and alternative."""
    pooled = (rate + ratio * treated) / (1 + ratio)
    null = np.sqrt((1 + 1 / ratio) * pooled * (1 - pooled))
    return null, np.sqrt(rate * (1 - rate) + treated * (1 - treated) / ratio)


def _solve(question: SizeQuestion, rate: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    ratio = np.asarray(question.allocation_ratio, dtype=float)
    z_alpha = -special.ndtri(np.asarray(question.alpha) / question.sides)
    if question.effect is None:
        n, power = np.asarray(question.n_control, float), np.asarray(question.power, float)
        return n, power, _solve_reduction(n, power, rate, ratio, z_alpha)
    reduction = np.asarray(question.effect, dtype=float)
    if question.power is None:
        n = np.asarray(question.n_control, dtype=float)
        return n, _compute_power(n, rate, reduction, ratio, z_alpha), reduction
    power = np.asarray(question.power, dtype=float)
    treated = rate * (1 - reduction)
    null, alternative = _compute_sds(rate, treated, ratio)
    n = ((z_alpha * null + special.ndtri(power) * alternative) / (rate - treated)) ** 2
    return np.asarray(n), power, reduction


def _solve_reduction(
    n: FloatArray, power: FloatArray, rate: FloatArray, ratio: FloatArray, z_alpha: FloatArray
) -> FloatArray:
    n, power, rate, ratio, z_alpha = np.broadcast_arrays(n, power, rate, ratio, z_alpha)

    def excess(x: FloatArray, *rest: FloatArray) -> FloatArray:
        wanted, size, event_rate, allocation, critical = rest
        return _compute_power(size, event_rate, x, allocation, critical) - wanted

    found = elementwise.find_root(
        excess, (np.zeros(n.shape), np.ones(n.shape)), args=(power, n, rate, ratio, z_alpha)
    )
    if not np.all(found.success):
        raise DesignError("Even a reduction to no event at all does not reach the power asked for.")
    return np.asarray(found.x)


@entrance
def compute_binormal_event_rate(
    *, event_rate: float, auc: float, fraction_enrolled: Quantity
) -> Quantity:
    """Return the event rate in the top fraction by a binormal, equal-variance score.

    The score is N(0, 1) without and N(sqrt(2) z_auc, 1) with the event (Kerr et al. 2017); the
    threshold is solved for exactly instead of simulated.

    Parameters
    ----------
    event_rate
        In everyone eligible, 0-1.
    auc
        Area under the ROC curve of the score, 0.5-1.
    fraction_enrolled
        Share selected, greater than 0 and at most 1.

    Returns
    -------
    float or numpy.ndarray
        Of the shape of `fraction_enrolled`.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> round(compute_binormal_event_rate(event_rate=0.3, auc=0.75, fraction_enrolled=0.3), 3)
    0.54
    """
    raise_problems(
        find_problems(
            event_rate=(event_rate, OPEN_SHARE),
            auc=(auc, _AUC),
            fraction_enrolled=(fraction_enrolled, SHARE_TO_1),
        )
    )
    shift = np.sqrt(2) * special.ndtri(auc)
    fraction = np.asarray(fraction_enrolled, dtype=float)
    enrolled = np.where(fraction < 1, fraction, 0.5)

    def excess(x: FloatArray, wanted: FloatArray) -> FloatArray:
        below = (1 - event_rate) * special.ndtr(x) + event_rate * special.ndtr(x - shift)
        return np.asarray(1 - wanted - below)

    bounds = (np.full_like(enrolled, -40.0), np.full_like(enrolled, 40.0 + shift))
    cut = elementwise.find_root(excess, bounds, args=(enrolled,), tolerances={"xrtol": 1e-14}).x
    rate = event_rate * special.ndtr(shift - cut) / enrolled
    return simplify(np.where(fraction < 1, rate, event_rate))


@entrance
def compute_observed_event_rate(
    *, scores: npt.ArrayLike, events: npt.ArrayLike, fraction_enrolled: Quantity
) -> Quantity:
    """Return the event rate in the top fraction by score of people whose events are known.

    Parameters
    ----------
    scores
        Higher = higher risk; (n_people,). People with equal scores are as likely to be selected.
    events
        Whether each had the event; (n_people,), 0/1 or boolean.
    fraction_enrolled
        Share selected, greater than 0 and at most 1; of people the nearest whole number, which
        must not be 0.

    Returns
    -------
    float or numpy.ndarray
        Of the shape of `fraction_enrolled`.

    Raises
    ------
    DesignError
        Where lengths differ or values are missing; a fraction that is nobody.

    Examples
    --------
    >>> round(compute_observed_event_rate(
    ...     scores=[4, 3, 2, 1], events=[1, 1, 0, 1], fraction_enrolled=0.75
    ... ), 3)
    0.667
    """
    raise_problems(
        find_problems(fraction_enrolled=(fraction_enrolled, SHARE_TO_1), scores=(scores, ANY))
        + find_flag_problems(events=events)
    )
    values, happened = np.asarray(scores, dtype=float), np.asarray(events, dtype=float)
    if values.ndim != 1 or values.shape != happened.shape or values.size == 0:
        raise DesignError(
            "scores and events must be one value a person, "
            f"got shapes {values.shape} and {happened.shape}."
        )
    fractions = np.asarray(fraction_enrolled, dtype=float)
    counts = [count_of_archive(fraction, values.size) for fraction in fractions.ravel().tolist()]
    rates = [find_cutoffs(values, n).admit(values) @ happened / n for n in counts]
    return simplify(np.reshape(rates, fractions.shape))
