"""Baseline covariates as the standardized columns of a regression."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brlp_models.errors import ModelError


@dataclass(frozen=True)
class CovariateCoding:
    """How a baseline table becomes a matrix: numbers standardized, categories as indicators.

    Parameters
    ----------
    centers, scales
        Mean and sd of each numeric covariate in the training people.
    levels
        Levels of each categorical covariate in the training people; the first is the reference.

    Examples
    --------
    >>> table = pd.DataFrame({"age_years": [70.0, 80.0], "sex": ["F", "M"]})
    >>> coding = CovariateCoding.fit(table, ["age_years", "sex"])
    >>> coding.encode(table).tolist()
    [[1.0, -1.0, 0.0], [1.0, 1.0, 1.0]]
    """

    centers: Mapping[str, float]
    scales: Mapping[str, float]
    levels: Mapping[str, tuple[str, ...]]

    @classmethod
    def fit(cls, table: pd.DataFrame, names: Sequence[str]) -> "CovariateCoding":
        """Learn means, sds and levels from the training people.

        A covariate that is constant among them is coded by its name and has no column.

        Raises
        ------
        ModelError
            Where the table lacks a covariate.
        """
        missing = [name for name in names if name not in table.columns]
        if missing:
            raise ModelError(*(f"The baseline table has no column {name!r}." for name in missing))
        numeric = [name for name in names if pd.api.types.is_numeric_dtype(table[name])]
        numbers = table[numeric].astype(float)
        return cls(
            centers={name: float(numbers[name].mean()) for name in numeric},
            scales={name: float(numbers[name].std(ddof=0)) for name in numeric},
            levels={
                name: tuple(sorted(table[name].dropna().astype(str).unique()))
                for name in names
                if name not in numeric
            },
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The covariates that a table must have."""
        return (*self.centers, *self.levels)

    def encode(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return the design matrix, shape (n_people, 1 + n_columns), its first column ones.

        Raises
        ------
        ModelError
            A covariate that is missing (as a column, or for some people), not finite, or of a
            level that the training people did not have; all problems together.
        """
        self._check(table)
        columns = [np.ones(len(table))]
        for name, center in self.centers.items():
            if self.scales[name] > 0:
                columns.append((table[name].to_numpy(dtype=float) - center) / self.scales[name])
        for name, levels in self.levels.items():
            values = table[name].astype(str).to_numpy()
            columns += [(values == level).astype(float) for level in levels[1:]]
        return np.column_stack(columns)

    def _check(self, table: pd.DataFrame) -> None:
        problems = [
            f"The baseline table has no column {name!r}, which the auxiliary model needs."
            for name in self.names
            if name not in table.columns
        ]
        for name in self.centers:
            if name in table.columns:
                numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=float)
                problems += _name_people(table, ~np.isfinite(numbers), f"has no number for {name}")
        for name, levels in self.levels.items():
            if name in table.columns:
                known = table[name].astype(str).isin(levels).to_numpy()
                wanted = f"needs {name} to be one of {', '.join(levels)}"
                problems += _name_people(table, ~known, wanted, table[name])
        if problems:
            raise ModelError(*problems)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON content."""
        return {
            "centers": dict(self.centers),
            "scales": dict(self.scales),
            "levels": {name: list(levels) for name, levels in self.levels.items()},
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "CovariateCoding":
        """Build the coding from JSON content."""
        return cls(
            centers=dict(content["centers"]),
            scales=dict(content["scales"]),
            levels={name: tuple(levels) for name, levels in content["levels"].items()},
        )


def _name_people(
    table: pd.DataFrame, chosen: NDArray[np.bool_], what: str, got: pd.Series | None = None
) -> list[str]:
    rows = np.flatnonzero(chosen).tolist()
    return [
        f"Participant {table.index[row]} {what}"
        + (f", got {got.iloc[row]!r}." if got is not None else ".")
        for row in rows
    ]
