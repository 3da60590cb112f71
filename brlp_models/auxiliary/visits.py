"""Tables of visits as padded arrays."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from brlp_models.auxiliary.course_personalization import Observations
from brlp_models.errors import ModelError

ID = "ID"
TIME = "TIME"


def pad_visits(visits: pd.DataFrame, features: Sequence[str]) -> tuple[pd.Index, Observations]:
    """Return the people in order of first appearance, and their visits as padded tensors.

    Parameters
    ----------
    visits
        One row a visit: ID, TIME (age in years) and the features, as columns or index levels.
        A feature that was not measured is missing.
    features
        The columns to take, in the model's order.

    Raises
    ------
    ModelError
        A column is missing, an age is not finite, a value is not a number, or a person has no
        observed value at all.
    """
    table = visits.reset_index() if {ID, TIME} & set(visits.index.names) else visits
    missing = [name for name in (ID, TIME, *features) if name not in table.columns]
    if missing:
        raise ModelError(*(f"The table of visits has no column {name!r}." for name in missing))
    _check_values(table, features)
    codes, people = pd.factorize(table[ID])
    slot = table.groupby(codes).cumcount().to_numpy()
    n_times = int(slot.max()) + 1 if len(table) else 0
    times = np.zeros((len(people), n_times))
    values = np.full((len(people), n_times, len(features)), np.nan)
    times[codes, slot] = table[TIME].to_numpy(dtype=float)
    values[codes, slot] = table[list(features)].to_numpy(dtype=float)
    observed = np.isfinite(values)
    _check_someone_observed(people, observed)
    return pd.Index(people, name=ID), Observations(
        torch.from_numpy(times),
        torch.from_numpy(np.where(observed, values, 0.0)),
        torch.from_numpy(observed.astype(float)),
    )


def _check_values(table: pd.DataFrame, features: Sequence[str]) -> None:
    problems = [
        f"Column {name!r} of the visits must hold numbers, got {table[name].dtype}."
        for name in (TIME, *features)
        if not pd.api.types.is_numeric_dtype(table[name])
    ]
    if not problems:
        ages = table[TIME].to_numpy(dtype=float)
        people = table.loc[~np.isfinite(ages), ID].unique()
        problems = [f"A visit of {who} has no TIME (age in years)." for who in people]
    if table[ID].isna().any():
        problems.append("A visit has no ID.")
    if problems:
        raise ModelError(*problems)


def _check_someone_observed(people: pd.Index, observed: np.ndarray) -> None:
    if len(people) == 0:
        raise ModelError("The table of visits is empty.")
    silent = people[np.flatnonzero(~observed.any(axis=(1, 2)))]
    if len(silent):
        raise ModelError(*(f"No feature of {who} was observed at any visit." for who in silent))
