"""How far those enrolled differ from those screened: women, over 75, race and ethnicity."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from trialsim.analysis.result import Floats

_OLD: Final = 75.0
_NAMED: Final = ("race", "ethnicity")


@dataclass(frozen=True)
class Groups:
    """Who belongs to which group of those screened.

    Attributes
    ----------
    names
        Of the groups.
    members
        (n_groups, n_people), 1 or 0, NaN where it is not known.
    """

    names: tuple[str, ...]
    members: Floats

    def compare(self, chosen: Floats) -> tuple[float, str]:
        """Return the largest difference between the share of a group in the chosen and in all.

        Parameters
        ----------
        chosen
            How much of each person is chosen, (n_people,).

        Returns
        -------
        tuple
            The absolute difference, 0 to 1 (NaN where nothing is known), and the group with its
            shares in words.
        """
        known = np.isfinite(self.members)
        member = np.where(known, self.members, 0.0)
        everyone = known.sum(axis=1)
        among = known @ chosen
        usable = (everyone > 0) & (among > 0)
        if not usable.any():
            return float("nan"), ""
        all_shares = member.sum(axis=1)[usable] / everyone[usable]
        own_shares = (member @ chosen)[usable] / among[usable]
        worst = int(np.abs(own_shares - all_shares).argmax())
        name = np.array(self.names)[usable][worst]
        words = (
            f"{name}: {own_shares[worst]:.0%} of those enrolled, {all_shares[worst]:.0%} screened"
        )
        return float(abs(own_shares[worst] - all_shares[worst])), words


def list_groups(participants: pd.DataFrame, people: pd.Index) -> Groups:
    """Return the groups of the people screened, as far as the table knows them.

    Parameters
    ----------
    participants
        Table of `cohorts.schema`, with `race` and `ethnicity` where they are known.
    people
        `participant_id` of those screened, in their order.
    """
    table = participants.set_index("participant_id").reindex(people)
    found = {"women": (table["sex"] == "F").where(table["sex"].notna())}
    age = table["age_years"]
    found["over 75"] = (age > _OLD).where(age.notna())
    for column in table:
        if str(column).casefold() in _NAMED:
            values = table[column]
            for level in sorted(values.dropna().unique(), key=str):
                found[f"{column} {level}"] = (values == level).where(values.notna())
    members = pd.DataFrame(found).astype(float).to_numpy().T
    return Groups(tuple(found), members)
