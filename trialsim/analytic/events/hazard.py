"""How fast people convert: a hazard that is constant within periods, and its estimate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cohorts.counting import tally
from cohorts.entrances import entrance
from trialsim.analytic.arguments import (
    POSITIVE,
    find_flag_problems,
    find_problems,
    raise_problems,
)
from trialsim.analytic.piecewise import accumulate_rate, find_month_of, split_months
from trialsim.analytic.point import FloatArray
from trialsim.errors import DesignError


@dataclass(frozen=True)
class Hazard:
    """A hazard that is constant within periods.

    Attributes
    ----------
    per_month
        Of each period, 0 or more; the last one goes on.
    from_months
        When each period starts, from 0.

    Raises
    ------
    DesignError
        Periods that do not start at 0 and increase, a hazard below 0, or 0 everywhere.
    """

    per_month: tuple[float, ...]
    from_months: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        try:
            rates, starts = (
                np.asarray(values, dtype=float) for values in (self.per_month, self.from_months)
            )
        except (TypeError, ValueError) as error:
            raise DesignError(f"A hazard and its periods must be numbers: {error}.") from error
        problems = []
        if rates.shape != starts.shape or not starts.size:
            problems.append(
                f"A hazard needs one rate a period, got {rates.size} and {starts.size} starts."
            )
        elif starts[0] != 0 or np.any(np.diff(starts) <= 0):
            problems.append(f"Periods must start at month 0 and increase, got {starts.tolist()}.")
        if not (np.all(np.isfinite(rates) & (rates >= 0)) and np.any(rates > 0)):
            problems.append(
                f"A hazard must be 0 or more, and above 0 somewhere, got {rates.tolist()}."
            )
        if problems:
            raise DesignError(*problems)

    def accumulate(self, months: npt.ArrayLike) -> FloatArray:
        """Return the cumulative hazard."""
        return accumulate_rate(self.per_month, self.from_months, months)

    def invert(self, cumulative: FloatArray) -> FloatArray:
        """Return the months at which the cumulative hazard is reached; infinite for never."""
        return find_month_of(self.per_month, self.from_months, cumulative)

    def multiply(self, ratio: float) -> "Hazard":
        """Return the hazard under a hazard ratio."""
        return Hazard(tuple(ratio * rate for rate in self.per_month), self.from_months)


@entrance
def estimate_hazard(
    months: npt.ArrayLike, converted: npt.ArrayLike, from_months: Sequence[float] = (0.0,)
) -> Hazard:
    """Return conversions over person-months in each period.

    Parameters
    ----------
    months
        Until conversion or the last visit, (n_people,).
    converted
        Whether it was a conversion, (n_people,).
    from_months
        When periods start.

    Returns
    -------
    Hazard
        Conversions a person-month in each period.

    Raises
    ------
    DesignError
        Nobody converted, a period without anybody in it.

    Examples
    --------
    >>> estimate_hazard([12, 24, 36, 36], [1, 1, 0, 0]).per_month
    (0.018518518518518517,)
    """
    time, event = read_conversions(months, converted)
    return estimate_weighted_hazard(time, event, np.ones(time.size), from_months)


def read_conversions(
    months: npt.ArrayLike, converted: npt.ArrayLike
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return the months of an archive and who converted.

    Parameters
    ----------
    months, converted
        As in `estimate_hazard`.

    Raises
    ------
    DesignError
        What is no number, no conversion, or not one value a person.
    """
    raise_problems(
        find_problems(months=(months, POSITIVE)) + find_flag_problems(converted=converted)
    )
    time, event = np.asarray(months, dtype=float), np.asarray(converted, dtype=float) == 1
    if time.shape != event.shape or time.ndim != 1 or not event.any():
        raise DesignError(
            "Conversions need one value a person and at least one who converted, got months of "
            f"{tally(time.size, 'people')}, {tally(event.sum(), 'conversions')} of {event.size}."
        )
    return time, event


def estimate_weighted_hazard(
    time: FloatArray,
    event: npt.NDArray[np.bool_],
    weights: FloatArray,
    from_months: Sequence[float],
) -> Hazard:
    """Return conversions over person-months in each period, people counted by their weights.

    Parameters
    ----------
    time, event
        From `read_conversions`.
    weights
        How much of each person counts, (n_people,).
    from_months
        When periods start.

    Raises
    ------
    DesignError
        A period without anybody in it.
    """
    starts = np.asarray(from_months, dtype=float)
    ends = np.append(starts[1:], np.inf)
    lived = (split_months(time, starts) * weights[:, None]).sum(axis=0)
    if np.any(lived == 0):
        raise DesignError(
            f"Nobody is followed in the period from month {starts[np.argmin(lived)]:g}."
        )
    within = (time[:, None] > starts) & (time[:, None] <= ends) & event[:, None]
    counted = (within * weights[:, None]).sum(axis=0)
    return Hazard(tuple((counted / lived).tolist()), tuple(starts.tolist()))
