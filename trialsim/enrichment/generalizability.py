"""Whom a selection leaves out: standardized differences."""

import numpy as np
import pandas as pd

from cohorts.keys import is_among
from trialsim.errors import DesignError

_MAX_LEVELS = 12
_IDENTIFIERS = {"participant_id", "baseline_session_id"}
_LEAST_KNOWN = 2


def compute_group_differences(selections: pd.DataFrame, participants: pd.DataFrame) -> pd.DataFrame:
    """Compare selected with not selected people by every baseline covariate.

    The standardized difference is that of means over the root of the mean variance of the two
    groups (Austin 2009, Stat Med 28:3083); each level of a category counts as a 0/1 covariate.

    Parameters
    ----------
    selections
        Table of `cohorts.schema`; fractions at which everyone is selected are left out.
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
        Where no person of `selections` is in `participants`.
    """
    covariates = build_covariates(participants)
    if not is_among(selections["participant_id"], covariates.index).all():
        raise DesignError("The selections hold people who are not in the participants table.")
    frames = []
    keys = ["strategy", "fraction_enrolled"]
    for _, rows in selections.groupby(selections.groupby(keys, sort=False).ngroup()):
        chosen = rows["is_selected"].to_numpy()
        if chosen.all():
            continue
        people = covariates.loc[rows["participant_id"]]
        differences = _compare(people[chosen], people[~chosen])
        strategy, fraction = rows["strategy"].iloc[0], rows["fraction_enrolled"].iloc[0]
        frames.append(differences.assign(strategy=strategy, fraction_enrolled=fraction))
    columns = [*keys, "covariate"]
    columns += ["mean_selected", "mean_not_selected", "standardized_difference"]
    if not frames:
        return pd.DataFrame(columns=columns).astype({"strategy": str, "covariate": str})
    return pd.concat(frames, ignore_index=True)[columns]


def build_covariates(participants: pd.DataFrame) -> pd.DataFrame:
    """Return the covariates as numbers, index `participant_id`; a category becomes 0/1 columns."""
    table = participants.reset_index() if participants.index.name else participants
    table = table.set_index("participant_id")
    columns: dict[str, pd.Series] = {}
    for name in [column for column in table if column not in _IDENTIFIERS]:
        values = table[name]
        if pd.api.types.is_numeric_dtype(values):
            columns[str(name)] = values.astype(float)
        elif values.nunique() <= _MAX_LEVELS:
            levels = sorted(values.dropna().unique(), key=str)
            # The second of two levels says nothing new.
            for level in levels[:1] if len(levels) == 2 else levels:
                columns[f"{name} {level}"] = (values == level).where(values.notna()).astype(float)
    return pd.DataFrame(columns)


def _compare(selected: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    mean, other = selected.mean(), others.mean()
    spread = np.sqrt((selected.var() + others.var()) / 2)
    table = pd.DataFrame(
        {
            "covariate": mean.index.astype(str),
            "mean_selected": mean.to_numpy(),
            "mean_not_selected": other.to_numpy(),
            "standardized_difference": ((mean - other) / spread.where(spread > 0)).to_numpy(),
        }
    )
    known = [group.count() >= min(_LEAST_KNOWN, len(group)) for group in (selected, others)]
    return table[(known[0] & known[1]).to_numpy()]
