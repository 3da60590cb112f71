"""Strategies that learn nothing from outcomes."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cohorts.schema import HEAD_SIZE
from trialsim.enrichment.strategies.folds import FloatArray, Samples
from trialsim.enrichment.strategies.strategy import ScreeningTables, make_scores
from trialsim.errors import DesignError


class _Unfitted:
    """A strategy that learns from nobody's outcome."""

    needs: frozenset[str] = frozenset()
    predicts_decline: bool = False
    is_attainable: bool = True
    enrolls_everyone: bool = False


@dataclass(frozen=True)
class RandomEnrollment(_Unfitted):
    """Enroll whoever is eligible, in random order."""

    name: str = "random"
    enrolls_everyone: bool = True

    def score(self, tables: ScreeningTables, rng: np.random.Generator) -> pd.DataFrame:
        """Return a random number for each person."""
        return make_scores(pd.Series(rng.random(len(tables.index)), index=tables.index))


@dataclass(frozen=True)
class BaselineVolume(_Unfitted):
    """Enroll those with the smallest region for their head size.

    The region at baseline minus its regression on head size among the screened people, sign
    reversed (the residual method); the low baseline hippocampal volume that the EMA qualified for
    enrichment in 2011. Only baseline data enters.
    """

    name: str = "baseline_volume"
    needs: frozenset[str] = frozenset({"head_size"})

    def score(self, tables: ScreeningTables, rng: np.random.Generator) -> pd.DataFrame:
        """Return minus the head-size adjusted volume, mm3.

        Raises
        ------
        DesignError
            Where the region or the head size was not measured in at least three people.
        """
        score = self.score_samples(tables, Samples(), rng)[0]
        return make_scores(pd.Series(score, index=tables.index))

    def score_samples(
        self,
        tables: ScreeningTables,
        samples: Samples,
        rng: np.random.Generator,  # noqa: ARG002
    ) -> FloatArray:
        """Return everyone's score with each sample's regression on head size."""
        volumes = [get_volume(tables, f"{tables.region}_mm3"), get_volume(tables, HEAD_SIZE)]
        volume, head = (column.to_numpy(dtype=float) for column in volumes)
        known = np.isfinite(volume) & np.isfinite(head)
        if known.sum() < 3 or np.ptp(head[known]) == 0:
            raise DesignError(
                f"baseline_volume: {tables.region} and {HEAD_SIZE} must be measured at baseline "
                f"in at least 3 people with different head sizes, got {int(known.sum())}."
            )
        counts = np.ones((1, len(head))) if samples.people is None else samples.people
        weights = counts[:, known] / counts[:, known].sum(axis=1, keepdims=True)
        mean_head = weights @ head[known]
        offset = head[known] - mean_head[:, None]
        square = (weights * offset**2).sum(axis=1)
        product = (weights * offset) @ volume[known]
        slope = np.divide(product, square, out=np.zeros_like(square), where=square > 0)
        return np.asarray(slope[:, None] * (head - mean_head[:, None]) - volume)


@dataclass(frozen=True)
class Oracle(_Unfitted):
    """Enroll those who truly decline fastest; an unattainable bound."""

    name: str = "oracle"
    needs: frozenset[str] = frozenset({"truth"})
    predicts_decline: bool = True
    is_attainable: bool = False

    def score(self, tables: ScreeningTables, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG002
        """Return the true decline."""
        if tables.truth is None:
            raise DesignError(
                f"oracle: the true decline is not known of {tables.region} in this cohort."
            )
        return make_scores(tables.truth.reindex(tables.index))


@dataclass(frozen=True)
class GivenScores(_Unfitted):
    """Enroll by scores that someone brings.

    Attributes
    ----------
    name
        What tables and figures call it.
    scores
        By `participant_id`, higher = faster decline.
    """

    name: str
    scores: pd.Series = field(repr=False)

    def score(self, tables: ScreeningTables, rng: np.random.Generator) -> pd.DataFrame:  # noqa: ARG002
        """Return the scores that were given; NaN for people without one."""
        return make_scores(tables.look_up(self.scores))


def get_volume(tables: ScreeningTables, column: str) -> pd.Series:
    """Return a volume at baseline.

    Raises
    ------
    DesignError
        Where the baseline table has no such column.
    """
    if column not in tables.baseline:
        raise DesignError(f"The cohort has no {column} at baseline.")
    return tables.baseline[column]
