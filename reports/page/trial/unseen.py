"""What a trial's page tells of how many were seen, so that few unseen ones follow from nothing."""

import numpy as np
import pandas as pd

from reports.page.gather import StudyFacts
from reports.page.privacy import Privacy

_ARMS = ("control", "treatment")


def count_randomized(facts: StudyFacts, arm: str) -> float:
    """Return the people of an arm, who stand on the page; NaN where the table tells of none."""
    seen = facts.tables["trial_visits"]
    return float(seen.loc[seen["arm"] == arm, "n"].max())


def show_analysed(facts: StudyFacts, effects: pd.DataFrame, privacy: Privacy) -> pd.DataFrame:
    """Return effects with their people in words, as the table of who was seen tells them.

    Degrees of freedom count people too: they are emptied where a number of people is hidden.
    """
    shown, hidden = effects.copy(), np.zeros(len(effects), dtype=bool)
    for arm in _ARMS:
        name, total = f"n_{arm}", count_randomized(facts, arm)
        shown[name] = [privacy.show_part(count, total) for count in effects[name]]
        hidden |= np.array([privacy.hides_part(count, total) for count in effects[name]], bool)
    return shown.assign(df=effects["df"].mask(hidden))


def keep_uncounted(
    facts: StudyFacts, people: pd.DataFrame, arm: str, privacy: Privacy
) -> pd.DataFrame:
    """Return people of an arm, one row each, no more of them than the page says were seen.

    Nobody is left where fewer were seen than may be counted. Whom it leaves out hangs on names
    alone, so that two tables of the same people leave out the same.
    """
    total = count_randomized(facts, arm)
    if not privacy.hides_part(len(people), total):
        return people
    n_kept = 0 if privacy.hides(len(people)) else int(total) - privacy.least
    drawn = pd.util.hash_array(people["participant_id"].to_numpy(dtype=object)).argsort()
    return people.iloc[np.sort(drawn[:n_kept])]
