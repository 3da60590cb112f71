"""Splits that keep every person, and every base anatomy, on one side."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from brlp_models.errors import ModelError

GROUPS = ("participant_id", "base_anatomy")


def split_people(
    index: pd.DataFrame, shares: Mapping[str, float], *, rng: np.random.Generator
) -> pd.Series:
    """Return the split of each row.

    Parameters
    ----------
    index
        One row a scan: `participant_id`, and `base_anatomy` where scans are synthetic.
    shares
        Share of people of each split; they sum to 1.
    rng
        Deals people (or base anatomies, where there are any) out to the splits.
    """
    unit = "base_anatomy" if "base_anatomy" in index else "participant_id"
    units = rng.permutation(np.sort(index[unit].unique()))
    ends = np.round(np.cumsum(list(shares.values())) * len(units)).astype(int)
    names = np.repeat(list(shares), np.diff(ends, prepend=0))
    split = index[unit].map(dict(zip(units, names, strict=True)))
    check_no_leak(index.assign(split=split))
    return split


def check_no_leak(index: pd.DataFrame) -> None:
    """Raise unless every person and every base anatomy lies in one split.

    Parameters
    ----------
    index
        `split`, and whichever of `participant_id` and `base_anatomy` there are.

    Raises
    ------
    ModelError
        One sentence for each person or anatomy in more than one split.
    """
    problems = []
    for column in (name for name in GROUPS if name in index):
        found = index.groupby(column)["split"].unique()
        problems += [
            f"{column} {name} is in the splits {', '.join(sorted(map(str, splits)))}; "
            "it must be in one."
            for name, splits in found.items()
            if len(splits) > 1
        ]
    if problems:
        raise ModelError(*problems)
