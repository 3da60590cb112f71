"""The coding of covariates that condition a prediction."""

from collections.abc import Iterator, Sequence
from typing import Final

import pandas as pd
import torch
from torch import Tensor

from brlp_models.errors import ModelError
from brlp_models.model.config import ContextEntry, ModelConfig
from brlp_models.model.ranges import describe_outside

NO_CONTEXT: Final = -1.0
"""What every entry is where the context is left out; coded values lie near 0 to 1."""


def encode_context(entries: Sequence[ContextEntry], values: pd.DataFrame) -> Tensor:
    """Return the coded context of each row.

    Parameters
    ----------
    entries
        The model's context, in order.
    values
        One row per prediction, one column per entry's name, in raw units (years, mm3); indexed by
        something that tells the user whom a problem belongs to.

    Returns
    -------
    Tensor
        (rows, 1, entries), float32.

    Raises
    ------
    ModelError
        One sentence for each missing column, missing value and unknown category.
    """
    problems = [problem for entry in entries for problem in _problems(entry, values)]
    if problems:
        raise ModelError(*problems)
    columns = [_encode(entry, values[entry.name]) for entry in entries]
    return torch.stack(columns, dim=-1)[:, None]


def find_values_outside_training(config: ModelConfig, values: pd.DataFrame) -> pd.DataFrame:
    """Return which values lie outside the span that the model was trained on.

    Parameters
    ----------
    config
        Its `training_ranges` say what is usual; names without a range are not checked.
    values
        One row per prediction, columns named as in `training_ranges`.

    Returns
    -------
    DataFrame
        `row` (the index value), `name`, `value`, `low`, `high`, `problem` (a sentence).
    """
    found = [
        {"row": row, "name": name, "value": value, "low": low, "high": high}
        for name, (low, high) in config.training_ranges.items()
        if name in values
        for row, value in _outside(values[name], low, high)
    ]
    table = pd.DataFrame(found, columns=["row", "name", "value", "low", "high"])
    table["problem"] = [
        describe_outside(f"{_say(name)} of {row}", value, (low, high), config.name)
        for row, name, value, low, high in table.itertuples(index=False, name=None)
    ]
    return table


def _say(name: str) -> str:
    kind, _, region = name.partition(":")
    return f"the {region.replace('_', ' ')} volume" if kind == "volume" else name


def _outside(column: pd.Series, low: float, high: float) -> Iterator[tuple[object, float]]:
    numbers = pd.to_numeric(column, errors="coerce")
    yield from numbers[(numbers < low) | (numbers > high)].items()


def _problems(entry: ContextEntry, values: pd.DataFrame) -> Iterator[str]:
    if entry.name not in values:
        yield f"The model's context needs {entry.name}, which is in no table of the cohort."
        return
    known = values[entry.name].notna()
    if entry.missing is None:
        yield from (
            f"{entry.name} of {row} is missing; the model's context needs it."
            for row in values.index[~known]
        )
    if entry.categories is not None:
        allowed = ", ".join(entry.categories)
        for row, value in values.loc[known, entry.name].items():
            if str(value) not in entry.categories:
                yield f"{entry.name} of {row} must be one of {allowed}, got {value!r}."


def _encode(entry: ContextEntry, raw: pd.Series) -> Tensor:
    if entry.categories is not None:
        known = raw.map(str, na_action="ignore")
        coded = known.map(entry.categories).astype("float64")
    else:
        at_zero, at_one = entry.range or (0.0, 1.0)
        coded = (pd.to_numeric(raw) - at_zero) / (at_one - at_zero)
    if entry.clip is not None:
        coded = coded.clip(*entry.clip)
    if entry.missing is not None:
        coded = coded.fillna(entry.missing)
    return torch.as_tensor(coded.to_numpy(dtype="float32", copy=True))
