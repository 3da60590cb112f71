"""A finished or running trial: who was randomized to what, what was seen of them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohorts.counting import tally
from trialsim.errors import DesignError
from trialsim.finished.arrays import TrialArrays

Floats = NDArray[np.float64]


MIN_PER_ARM: Final = 5
"""People of each arm at the last visit below whom no effect is estimated."""


def are_balanced(share_treated: float) -> bool:
    """Say whether arms are of about one size (45 to 55 %)."""
    return abs(share_treated - 0.5) <= 0.05


@dataclass(frozen=True)
class TwinPredictions:
    """What a model says of the trial's people untreated, from their baseline alone.

    Attributes
    ----------
    predicted
        (n_participants, n_visits) at the visits after baseline, in the trial's unit.
    sd
        Standard deviation of its error, shaped like `predicted`; None where not told.
    """

    predicted: Floats
    sd: Floats | None


@dataclass(frozen=True)
class FinishedTrial:
    """One trial as arrays; rows are people, in the order of `participant_id`.

    Attributes
    ----------
    participant_id
        Everyone randomized whose outcome at baseline is known, (n,).
    treatment
        0 control, 1 treatment, (n,); None while the arms are blinded.
    months
        Planned visits, (n_visits,), 0 first.
    outcome
        (n, n_visits), NaN where missing.
    covariates
        Known at baseline, as numbers, one row a person.
    endpoint
        What is measured, such as "hippocampus".
    unit
        "mm3" or "log_percent" (100 ln volume, so that 1 is 1 % of the volume it starts from).
    twins
        Predictions of everybody's untreated outcomes, where given.
    notes
        What the reader of a result should know about how the table was read.
    """

    participant_id: NDArray[np.str_]
    treatment: Floats | None
    months: Floats
    outcome: Floats
    covariates: pd.DataFrame
    endpoint: str
    unit: str = "mm3"
    twins: TwinPredictions | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of people."""
        return len(self.participant_id)

    @property
    def arms(self) -> Floats:
        """Return the treatment of everyone.

        Raises
        ------
        DesignError
            While the arms are blinded.
        """
        if self.treatment is None:
            raise DesignError(
                "The arms of this trial are blinded, so no effect can be estimated; the checks of "
                "baseline and missing visits need no arms (`trialsim analyze --checks`)."
            )
        return self.treatment

    @property
    def arrays(self) -> TrialArrays:
        """Return what estimators take.

        Raises
        ------
        DesignError
            While the arms are blinded.
        """
        twins = self.twins
        return TrialArrays(
            outcome=self.outcome[None],
            treatment=self.arms,
            months=self.months,
            covariates=self.covariates.to_numpy(dtype=float)[None],
            twin=None if twins is None else twins.predicted[None],
            twin_sd=None if twins is None or twins.sd is None else twins.sd[None],
        )

    @property
    def allocation(self) -> float:
        """Share of the people who are in the treatment arm."""
        return float(self.arms.mean())

    @property
    def is_balanced(self) -> bool:
        """Whether the arms are of about one size (45 to 55 %)."""
        return are_balanced(self.allocation)

    def require_effect(self) -> None:
        """Refuse a trial that cannot say what the treatment did.

        Raises
        ------
        DesignError
            Blinded arms, too few people of an arm at the last visit, nobody of one at another.
        """
        seen = ~np.isnan(self.outcome[:, -1])
        for arm, name in enumerate(("control", "treatment")):
            n = int((seen & (self.arms == arm)).sum())
            if n < MIN_PER_ARM:
                raise DesignError(
                    f"Only {tally(n, f'of the {name} arm have')} an outcome at month "
                    f"{self.months[-1]:g}; at least {MIN_PER_ARM} are needed in each arm: "
                    f"{self._name_earlier()}."
                )

        everyone = ~np.isnan(self.outcome)
        empty = [
            f"Nobody of the {name} arm has an outcome at month {month:g}, where the arms are "
            "compared too: leave the rows of that visit out of the table."
            for arm, name in enumerate(("control", "treatment"))
            for month in self.months[~everyone[self.arms == arm].any(axis=0)]
        ]
        if empty:
            raise DesignError(*empty)

    def _name_earlier(self) -> str:
        """Return which visits have enough people of both arms, where some have."""
        seen = ~np.isnan(self.outcome)
        enough = [
            all((seen[self.arms == arm, visit]).sum() >= MIN_PER_ARM for arm in (0, 1))
            for visit in range(len(self.months))
        ]
        if not any(enough[1:]):
            return "no later visit has them"
        last = int(np.flatnonzero(enough)[-1])
        earlier = ",".join(f"{month:g}" for month in self.months[: last + 1])
        return f"name an earlier last visit (--visits-months {earlier})"
