"""Who counts as a fast progressor."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.counting import tally
from cohorts.visits import WINDOW_MONTHS
from trialsim.analytic.cutoffs import find_cutoffs
from trialsim.errors import DesignError

Unit = Literal["percent", "mm3"]


@dataclass(frozen=True, kw_only=True)
class FastProgressorDefinition:
    """Who counts as a fast progressor: the top S, a top fraction, or a yearly change below a bound.

    Attributes
    ----------
    top_fraction
        Share of the evaluated people, 0-1. With neither this nor `rate_below`, the true top S is
        compared with the S selected people, as in the BrLP paper.
    rate_below
        Yearly change below which a person is fast; negative, in `unit` per year.
    unit
        "percent" of the volume at the start, or "mm3".
    horizon_months
        When the change is measured.
    window_months
        How far from the horizon the visit may lie; see `cohorts.visits`.

    Raises
    ------
    DesignError
        One sentence for each attribute that cannot be right.
    """

    top_fraction: float | None = None
    rate_below: float | None = None
    unit: Unit = "percent"
    horizon_months: float = 24.0
    window_months: float = WINDOW_MONTHS

    def __post_init__(self) -> None:
        problems = []
        if self.top_fraction is not None and self.rate_below is not None:
            problems.append("Give top_fraction or rate_below for fast progressors, not both.")
        if self.top_fraction is not None and not 0 < self.top_fraction < 1:
            problems.append(
                f"top_fraction must be between 0 and 1, both excluded, got {self.top_fraction:g}."
            )
        if self.rate_below is not None and not self.rate_below < 0:
            problems.append(
                f"rate_below must be negative, a loss per year, got {self.rate_below:g}."
            )
        if self.unit not in ("percent", "mm3"):
            problems.append(f'unit must be "percent" or "mm3", got "{self.unit}".')
        if not self.horizon_months > 0:
            problems.append(f"horizon_months must be above 0, got {self.horizon_months:g}.")
        elif not 0 <= self.window_months < self.horizon_months:
            problems.append(
                f"window_months must be 0 or more and below the horizon of "
                f"{self.horizon_months:g} months, got {self.window_months:g}."
            )
        if problems:
            raise DesignError(*problems)

    @property
    def is_top_selected(self) -> bool:
        """Whether as many true fast progressors are sought as people are selected."""
        return self.top_fraction is None and self.rate_below is None

    @property
    def text(self) -> str:
        """What a table or a figure calls this definition."""
        horizon = f"at {self.horizon_months:g} months"
        if self.rate_below is not None:
            return f"yearly change below {self.rate_below:g} {self.unit}, {horizon}"
        if self.top_fraction is not None:
            return f"fastest {100 * self.top_fraction:g} % {horizon}, {self.unit}"
        return f"as many fastest as selected, {horizon}, {self.unit}"

    def find_fast(
        self, decline: "pd.Series[float]", annual_decline: "pd.Series[float]"
    ) -> npt.NDArray[np.bool_]:
        """Return who is fast, (n_people,); of people who decline alike, the first by name.

        Parameters
        ----------
        decline
            Loss at the horizon, index `participant_id`, higher = faster.
        annual_decline
            Loss per year, of the same people.

        Raises
        ------
        DesignError
            Where nobody or everybody is fast.
        """
        if self.rate_below is not None:
            fast = annual_decline.to_numpy() > -self.rate_below
        else:
            # Without a fixed definition the fastest 30 % stand in, where one set is needed.
            count = max(1, round((self.top_fraction or DEFAULT_TOP_FRACTION) * decline.size))
            share = find_cutoffs(decline, count).admit(decline)
            fast, tied = share == 1, np.flatnonzero((share > 0) & (share < 1))
            names = decline.index[tied].to_numpy(dtype=str)
            fast[tied[np.argsort(names)][: count - fast.sum()]] = True
        if not fast.any() or fast.all():
            raise DesignError(
                f"The definition '{self.text}' makes {int(fast.sum())} of "
                f"{tally(fast.size, 'people')} fast progressors; it must part them."
            )
        return np.asarray(fast)


DEFAULT_TOP_FRACTION = 0.3
"""Who is fast where an analysis needs one fixed set (AUC) but the definition is the top S."""
