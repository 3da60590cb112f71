"""How fast people are enrolled."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trialsim.analytic.piecewise import accumulate_rate, find_month_of
from trialsim.analytic.point import FloatArray
from trialsim.errors import DesignError


@dataclass(frozen=True)
class Accrual:
    """People enrolled a month, in one or several periods; both arms together.

    Attributes
    ----------
    per_month
        Rate of each period; the last one goes on.
    from_months
        Calendar month at which each period starts; the first is 0.

    Raises
    ------
    DesignError
        Rates that are not positive, or periods that do not start at 0 and increase.
    """

    per_month: tuple[float, ...]
    from_months: tuple[float, ...] = (0.0,)

    def __post_init__(self) -> None:
        rates, starts = np.asarray(self.per_month), np.asarray(self.from_months)
        problems = []
        if rates.shape != starts.shape or starts.ndim != 1 or not starts.size:
            problems.append(
                f"Accrual needs one rate a period, got {rates.size} rates, {starts.size} starts."
            )
        elif starts[0] != 0 or np.any(np.diff(starts) <= 0):
            problems.append(
                f"Accrual periods must start at month 0 and increase, got {starts.tolist()}."
            )
        if not np.all(np.isfinite(rates) & (rates > 0)):
            problems.append(f"People enrolled a month must be above 0, got {rates.tolist()}.")
        if problems:
            raise DesignError(*problems)

    @classmethod
    def at(cls, per_month: "float | Accrual") -> "Accrual":
        """Return accrual at one rate."""
        return per_month if isinstance(per_month, Accrual) else cls((float(per_month),))

    def count(self, months: npt.ArrayLike, n_total: float) -> FloatArray:
        """Return the people enrolled by calendar months, at most `n_total`."""
        people = accumulate_rate(self.per_month, self.from_months, months)
        return np.asarray(np.minimum(people, n_total))

    def find_month(self, people: npt.ArrayLike) -> FloatArray:
        """Return the calendar month at which so many people have been enrolled."""
        return find_month_of(self.per_month, self.from_months, people)
