"""What a strategy is, what it may see."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.counting import tally
from cohorts.keys import has_repeated, is_among, order_by_name
from trialsim import defaults
from trialsim.enrichment.definition import Unit
from trialsim.errors import DesignError


@dataclass(frozen=True)
class ScreeningTables:
    """Everything about the screened people that strategies may ask for, in order of names.

    Attributes
    ----------
    baseline
        One row a person, index `participant_id`: what is known at baseline, nothing later
        (`Cohort.baseline`).
    outcome
        Measured decline at the horizon, in `unit`, higher = faster; only those who have it. Seen
        by strategies that are cross-fitted, and by them alone.
    truth
        Decline that the oracle knows: the latent one where it exists, else the measured one.
    predictions, auxiliary
        Rows of the `predictions` table: from the image model, and from the model without an image.
    region, unit, horizon_months
        Of the endpoint whose decline is predicted.
    training
        Other people to fit on, instead of cross-fitting.
    n_folds
        For cross-fitting.

    Raises
    ------
    DesignError
        Where people are repeated or nobody is there.
    """

    baseline: pd.DataFrame
    outcome: pd.Series | None = None
    truth: pd.Series | None = None
    predictions: pd.DataFrame | None = None
    auxiliary: pd.DataFrame | None = None
    region: str = "hippocampus"
    unit: Unit = "percent"
    horizon_months: float = 24.0
    training: "ScreeningTables | None" = None
    n_folds: int = defaults.N_FOLDS

    def __post_init__(self) -> None:
        names = self.baseline.index.to_frame(name="name")
        if has_repeated(names, ["name"]):
            repeated = self.baseline.index[self.baseline.index.duplicated()].unique()
            shown = ", ".join(map(str, repeated[:3]))
            raise DesignError(
                f"The baseline table holds {tally(len(repeated), 'people')} twice: {shown}."
            )
        if self.baseline.empty:
            raise DesignError("The cohort is empty: there is nobody to screen.")
        if self.n_folds < 2:
            raise DesignError(f"Cross-fitting needs at least 2 folds, got {self.n_folds}.")
        object.__setattr__(self, "baseline", order_by_name(self.baseline))

    @property
    def index(self) -> pd.Index:
        """The people, `participant_id`."""
        return self.baseline.index

    def look_up(self, by_person: pd.Series) -> pd.Series:
        """Return a value of each person; NaN where a person has none."""
        values = by_person.reindex(self.index)
        return pd.Series(values.to_numpy(), index=self.index, name=by_person.name)

    def select(self, rows: npt.NDArray[np.intp]) -> "ScreeningTables":
        """Return some of the people, whose places rise."""
        index = self.index[rows]

        def take(values: pd.Series | None) -> pd.Series | None:
            if values is None:
                return None
            # pandas would keep a table of everyone's names to look a few people up in
            return values[is_among(values.index.to_series(), index)].reindex(index)

        outcome = take(self.outcome)
        # where nothing but the outcome is known, it is the truth
        truth = outcome if self.truth is self.outcome else take(self.truth)
        return replace(
            self,
            baseline=self.baseline.iloc[rows],
            outcome=None if outcome is None else outcome.dropna(),
            truth=None if truth is None else truth.dropna(),
        )


class Strategy(Protocol):
    """A way of choosing whom to enroll.

    Attributes
    ----------
    name
        What tables and figures call it.
    needs
        What it reads beside covariates: "outcome", "truth", "predictions", "auxiliary" of
        `ScreeningTables`, or "head_size" and the region at baseline.
    predicts_decline
        Whether its score is a decline in the unit of the endpoint, so that it can be calibrated.
    is_attainable
        False for the oracle, a bound that no trial can reach.
    enrolls_everyone
        True for random enrollment: nobody is screened out, no selection scan is charged.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def needs(self) -> frozenset[str]: ...  # noqa: D102

    @property
    def predicts_decline(self) -> bool: ...  # noqa: D102

    @property
    def is_attainable(self) -> bool: ...  # noqa: D102

    @property
    def enrolls_everyone(self) -> bool: ...  # noqa: D102

    def score(self, tables: ScreeningTables, rng: np.random.Generator) -> pd.DataFrame:
        """Return `score` (higher = faster decline) and `fold` for each row of `tables`.

        A person for whom the strategy cannot tell has score NaN; `fold` is <NA> where nothing was
        cross-fitted.
        """
        ...


def make_scores(score: pd.Series, fold: pd.Series | None = None) -> pd.DataFrame:
    """Return the two columns that `Strategy.score` gives."""
    nothing = pd.Series(pd.NA, index=score.index, dtype="Int64")
    folds = nothing if fold is None else fold.astype("Int64")
    return pd.DataFrame({"score": score.astype(float), "fold": folds}, index=score.index)
