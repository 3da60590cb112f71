"""The people that a baseline learns from, and what is known of them at baseline."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from brlp_models.auxiliary.covariates import CovariateCoding
from brlp_models.baselines.regression import Array
from brlp_models.errors import ModelError
from cohorts.cohort import Cohort

Images = Sequence[npt.NDArray[np.uint8]]
"""One baseline T1w scan a person on a model's grid, 0 to 255."""

REGION: Final = "hippocampus"
_COVARIATES: Final = ("age_years", "sex", "diagnosis", "apoe4", "education_years", "mmse")
_COVERAGE: Final = 0.9
_VOLUME: Final = "_mm3"


@dataclass(frozen=True)
class BaselinePeople:
    """People with a known future.

    Parameters
    ----------
    table
        What is known at baseline (`Cohort.baseline`), index `participant_id`.
    change
        Percent change of the hippocampus at each horizon (columns, months), in the table's order;
        NaN where it is not known.
    images
        Their scans in the same order; None for what learns from the table alone.
    signs
        Whatever else a scan shows and a reader may learn to read on the way, numbers in the same
        order; at prediction they are not asked for.
    groups
        Who are alike in more than chance, as those drawn from one anatomy; nobody where left out.
    is_synthetic
        Whether anybody is simulated.
    """

    table: pd.DataFrame
    change: pd.DataFrame
    images: Images | None = None
    signs: pd.DataFrame | None = None
    groups: "pd.Series[str] | None" = None
    is_synthetic: bool = True

    def take(self, rows: npt.NDArray[np.intp]) -> "BaselinePeople":
        """Return some of the people, by their place."""
        images = self.images
        return BaselinePeople(
            self.table.iloc[rows],
            self.change.iloc[rows],
            None if images is None else [images[int(row)] for row in rows],
            None if self.signs is None else self.signs.iloc[rows],
            None if self.groups is None else self.groups.iloc[rows],
            self.is_synthetic,
        )


def find_percent_changes(
    truth: Cohort, horizons_months: Sequence[float], people: pd.Index
) -> pd.DataFrame:
    """Return the percent change of the hippocampus at each horizon; NaN where it is not known.

    Parameters
    ----------
    truth
        The people with the volumes that count as true.
    horizons_months
        Months after baseline.
    people
        Whose, in this order.
    """
    changes = {
        float(horizon): truth.change(REGION, horizon).set_index("participant_id")["change_percent"]
        for horizon in horizons_months
    }
    return pd.DataFrame(changes).reindex(people)


def list_predictors(table: pd.DataFrame, *, volumes_only: bool = False) -> tuple[str, ...]:
    """Return the columns that at least nine in ten people have: covariates and volumes.

    Raises
    ------
    ModelError
        Where the hippocampus's own volume is not among them.
    """
    names = () if volumes_only else find_covariates(table)
    volumes = [name for name in _list_known(table) if name.endswith(_VOLUME)]
    if f"{REGION}{_VOLUME}" not in volumes:
        raise ModelError(f"Too few people have a baseline volume of the {REGION} to learn from.")
    return (*names, *volumes)


def find_covariates(table: pd.DataFrame) -> tuple[str, ...]:
    """Return the covariates that at least nine in ten people have."""
    known = _list_known(table)
    return tuple(name for name in _COVARIATES if name in known)


def _list_known(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in table if table[name].notna().mean() >= _COVERAGE]


@dataclass(frozen=True)
class TableCoding:
    """A baseline table as numbers: volumes on the log scale, categories as indicators."""

    covariates: CovariateCoding

    @classmethod
    def fit(cls, table: pd.DataFrame, names: Sequence[str]) -> "TableCoding":
        """Learn levels and scales from people who have every column."""
        return cls(CovariateCoding.fit(_take_logs(table, names), names))

    def find_complete(self, table: pd.DataFrame) -> npt.NDArray[np.bool_]:
        """Say who has every column with a value that training knew."""
        lacking = [name for name in self.covariates.names if name not in table]
        if lacking:
            raise ModelError(*(f"The baseline table has no column {name!r}." for name in lacking))
        complete = table[list(self.covariates.names)].notna().all(axis=1).to_numpy()
        for name, levels in self.covariates.levels.items():
            complete = complete & table[name].astype(str).isin(levels).to_numpy()
        return np.asarray(complete)

    def encode_complete(self, table: pd.DataFrame, name: str) -> npt.NDArray[np.float32]:
        """Return the columns of people who must have them all.

        Raises
        ------
        ModelError
            Where somebody lacks one, or nobody is there; `name` is what needs them.
        """
        if not len(table) or not self.find_complete(table).all():
            needed = ", ".join(self.covariates.names)
            raise ModelError(f"{name} needs {needed} of everyone, as training had them.")
        return self.encode(table).astype(np.float32)

    def encode(self, table: pd.DataFrame) -> Array:
        """Return the columns, (people, columns), of people who have them all."""
        # the column of ones is the regression's own
        return self.covariates.encode(_take_logs(table, self.covariates.names))[:, 1:]


def _take_logs(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    volumes = [name for name in names if name.endswith(_VOLUME)]
    logs = np.log(table[volumes].astype(float).clip(lower=1.0))
    return pd.DataFrame({name: logs[name] if name in volumes else table[name] for name in names})
