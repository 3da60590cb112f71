"""Whom a selection leaves out: standardized differences."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.keys import locate_rows
from trialsim.errors import DesignError

_MAX_LEVELS = 12
_IDENTIFIERS = {"participant_id", "baseline_session_id"}
_LEAST_KNOWN = 2


def compute_group_differences(
    rankings: pd.DataFrame, counts: pd.DataFrame, participants: pd.DataFrame
) -> pd.DataFrame:
    """Compare selected with not selected people by every baseline covariate.

    The standardized difference is that of means over the root of the mean variance of the two
    groups (Austin 2009, Stat Med 28:3083); each level of a category counts as a 0/1 covariate.

    Parameters
    ----------
    rankings
        Table of `cohorts.schema`.
    counts
        The `selection_counts` table; fractions at which everyone is selected are left out.
    participants
        Table of `cohorts.schema`; numbers, and categories of at most 12 levels.

    Returns
    -------
    pandas.DataFrame
        The `group_differences` table. NaN where a covariate does not vary; one that is known of a
        single person in a group is left out.

    Raises
    ------
    DesignError
        Where a strategy that leaves someone out ranks people who are not in `participants`.
    """
    covariates = build_covariates(participants)
    key = ["participant_id"]
    people = covariates.index.to_frame()
    frames = []
    leaving_out = counts[counts["n_selected"] < counts["n_ranked"]]
    for strategy, own in leaving_out.groupby("strategy", sort=False):
        rows = rankings[rankings["strategy"] == strategy]
        places, ranks = locate_rows(rows[key], people, key), rows["rank"].to_numpy()
        if (places < 0).any():
            raise DesignError("The rankings hold people who are not in the participants table.")
        # looked up once for all fractions
        ranked = {str(name): covariates[name].to_numpy()[places] for name in covariates}
        for fraction, n_selected in zip(own["fraction_enrolled"], own["n_selected"], strict=True):
            differences = _compare(ranked, ranks <= n_selected)
            frames.append(differences.assign(strategy=strategy, fraction_enrolled=fraction))
    columns = ["strategy", "fraction_enrolled", "covariate"]
    columns += ["mean_selected", "mean_not_selected", "standardized_difference"]
    if not frames:
        return pd.DataFrame(columns=columns).astype({"strategy": str, "covariate": str})
    return pd.concat(frames, ignore_index=True)[columns]


def build_covariates(participants: pd.DataFrame) -> pd.DataFrame:
    """Return the covariates as numbers, index `participant_id`; a category becomes 0/1 columns."""
    table = participants.reset_index() if participants.index.name else participants
    table = table.set_index("participant_id")
    columns: dict[str, npt.NDArray[np.floating]] = {}
    for name in [column for column in table if column not in _IDENTIFIERS]:
        values = table[name]
        if pd.api.types.is_numeric_dtype(values):
            columns[str(name)] = values.to_numpy(dtype=float, na_value=np.nan)
            continue
        codes, levels = pd.factorize(values)
        if len(levels) > _MAX_LEVELS:
            continue
        ordered = sorted(enumerate(levels), key=lambda numbered: str(numbered[1]))
        # The second of two levels says nothing new.
        for code, level in ordered[:1] if len(levels) == 2 else ordered:
            # half precision holds 0, 1 and NaN as they are
            is_level = (codes == code).astype(np.float16)
            columns[f"{name} {level}"] = np.where(codes >= 0, is_level, np.float16(np.nan))
    # each column is held once, where pandas would put all of them together
    return pd.DataFrame(columns, table.index, copy=False)


def _compare(
    covariates: Mapping[str, npt.NDArray[np.floating]], is_selected: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    """Compare people by one covariate after the other."""
    groups = np.flatnonzero(is_selected), np.flatnonzero(~is_selected)
    found = []
    for name, values in covariates.items():
        (n, mean, variance), (n_other, other, other_variance) = (
            _describe(values.take(rows).astype(float, copy=False)) for rows in groups
        )
        counts = zip((n, n_other), map(len, groups), strict=True)
        if all(known >= min(_LEAST_KNOWN, size) for known, size in counts):
            spread = np.sqrt((variance + other_variance) / 2)
            standardized = (mean - other) / spread if spread > 0 else np.nan
            found.append((name, mean, other, standardized))
    columns = ["covariate", "mean_selected", "mean_not_selected", "standardized_difference"]
    return pd.DataFrame(found, columns=columns)


def _describe(values: npt.NDArray[np.float64]) -> tuple[int, float, float]:
    """Return how many values are known, their mean and variance."""
    missing = np.isnan(values)
    n = len(values) - int(np.count_nonzero(missing))
    if n < len(values):
        values[missing] = 0.0
    mean = values.sum() / n if n else np.nan
    squares = (mean - values) ** 2
    if n < len(values):
        squares[missing] = 0.0
    return n, float(mean), float(squares.sum() / (n - 1)) if n > 1 else np.nan
