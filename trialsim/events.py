"""What may happen to people during a trial: they leave, stop treatment, fall ill, die."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cohorts.counting import tally

Rate = float | tuple[float, ...]
"""One share, of the arm by the last visit under a constant hazard; or one for each visit after
baseline, of those to whom it had not happened by the visit before."""

EventStrategy = Literal["hypothetical", "treatment_policy", "composite", "while_on_treatment"]

EVENT_STRATEGIES: Final[dict[EventStrategy, str]] = {
    "hypothetical": "as if it had not happened; what is measured after it is set aside",
    "treatment_policy": "what is measured counts whether it happened or not",
    "composite": "it counts as a bad outcome from then on",
    "while_on_treatment": "the last value before it counts from then on",
}
"""How an intercurrent event is dealt with (ICH E9(R1))."""


def compute_remaining(rate: Rate, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share to whom it has not happened at each visit, (n_visits,).

    Examples
    --------
    >>> compute_remaining(0.36, np.array([0.0, 12, 24])).round(2).tolist()
    [1.0, 0.8, 0.64]
    >>> compute_remaining((0.1, 0.5), np.array([0.0, 12, 24])).round(2).tolist()
    [1.0, 0.9, 0.45]
    """
    if isinstance(rate, tuple):
        return np.asarray(np.cumprod([1.0, *(1 - share for share in rate)]), dtype=float)
    return np.asarray((1 - rate) ** (times / times[-1]))


def find_rate_problems(name: str, rate: Rate, n_visits: int) -> Iterator[str]:
    """Yield one sentence for each share that cannot be, and for a list of the wrong length."""
    shares = rate if isinstance(rate, tuple) else (rate,)
    for share in shares:
        if not 0 <= share < 1:
            yield f"{name} must be a share from 0 to below 1, got {share:g}."
    if isinstance(rate, tuple) and len(rate) != n_visits - 1:
        yield (
            f"{name} must be one share, or one for each of the "
            f"{tally(n_visits - 1, 'visits')} after "
            f"baseline, got {len(rate)}."
        )


def read_rate(value: object) -> Rate:
    """Return a rate with its list as a tuple."""
    return tuple(map(float, value)) if isinstance(value, list | tuple) else value  # type: ignore[return-value]


@dataclass(frozen=True)
class _Happening:
    """What happens to a share of each arm: of the treatment arm as of control when None."""

    control: Rate = 0.0
    treatment: Rate | None = None

    def __post_init__(self) -> None:
        for arm in ("control", "treatment"):
            object.__setattr__(self, arm, read_rate(getattr(self, arm)))

    @property
    def treated(self) -> Rate:
        """The rate of the treatment arm."""
        return self.control if self.treatment is None else self.treatment

    def _find_rate_problems(self, name: str, n_visits: int) -> list[str]:
        problems = list(find_rate_problems(f"{name}.control", self.control, n_visits))
        if self.treatment is not None:
            problems += find_rate_problems(f"{name}.treatment", self.treatment, n_visits)
        return problems


@dataclass(frozen=True)
class DropOut(_Happening):
    """How people leave: their later outcomes are missing.

    Attributes
    ----------
    control, treatment
        Share of the arm that has left by the last visit, or by visit (`Rate`); treatment as control
        when None.
    decline_hazard_ratio
        Hazard ratio for each standard deviation of decline seen at the previous visit (missing at
        random); 1 for none.
    unseen_shift_control, unseen_shift_treatment
        What is added to a person's outcomes after leaving, in the unit of the endpoint (missing not
        at random); 0 for none.
    """

    decline_hazard_ratio: float = 1.0
    unseen_shift_control: float = 0.0
    unseen_shift_treatment: float = 0.0

    @property
    def depends_on_outcome(self) -> bool:
        """Whether leaving depends on the decline seen before."""
        return self.decline_hazard_ratio != 1.0

    def find_problems(self, n_visits: int) -> list[str]:
        """Return one sentence for each value that cannot be."""
        problems = self._find_rate_problems("dropout", n_visits)
        if not (0 < self.decline_hazard_ratio < math.inf):
            problems.append(
                "dropout.decline_hazard_ratio must be greater than 0 (1 for none), got "
                f"{self.decline_hazard_ratio:g}."
            )
        return problems


@dataclass(frozen=True)
class Event(_Happening):
    """An intercurrent event: people stay in the trial, but what is measured means something else.

    Attributes
    ----------
    control, treatment
        Share of the arm to whom it has happened by the last visit, or by visit (`Rate`); treatment
        as control when None.
    strategy
        How it is dealt with, a name in `EVENT_STRATEGIES`.
    shift
        What it adds to what is measured afterwards, in the unit of the endpoint.
    """

    strategy: EventStrategy = "hypothetical"
    shift: float = 0.0

    @property
    def happens(self) -> bool:
        """Whether it happens to anybody."""
        return bool(np.any(self.control) or np.any(self.treated))

    def find_problems(self, name: str, n_visits: int) -> list[str]:
        """Return one sentence for each value that cannot be."""
        problems = self._find_rate_problems(name, n_visits)
        if self.strategy not in get_args(EventStrategy):
            problems.append(
                f"{name}.strategy must be one of {', '.join(EVENT_STRATEGIES)}, got "
                f"{self.strategy!r}."
            )
        if not math.isfinite(self.shift):
            problems.append(f"{name}.shift must be a finite number, got {self.shift:g}.")
        if name == "death" and self.strategy == "treatment_policy":
            problems.append(
                'death.strategy cannot be "treatment_policy": nothing is measured after a death.'
            )
        if name == "death" and self.shift:
            problems.append(
                f"death.shift must be 0, got {self.shift:g}: nothing is measured after a death."
            )
        return problems
