"""What is assumed of treated people after they left.

Every assumption is a mean course for a person who was last seen at visit d; the outcomes after d
then follow from that course and the person's own earlier outcomes.

References
----------
Carpenter, Roger & Kenward 2013 (J Biopharm Stat 23:1352). White, Royes & Best 2020 (J Biopharm
Stat 30:334). Wolbers et al. 2022 (Pharm Stat 21:1246), conditional means.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.result import Floats
from trialsim.errors import DesignError

STRATEGIES: Final[dict[str, str]] = {
    "missing_at_random": "they go on as those of their own arm who stayed",
    "jump_to_reference": "they have the control arm's mean course from then on: the effect is lost",
    "copy_increments": "they change as the control arm does from then on: the effect so far stays",
    "copy_reference": "they had the control arm's mean course all along",
}
"""Every strategy with its assumption about treated people who left."""


def check_strategy(strategy: str) -> None:
    """Refuse a strategy that is not in `STRATEGIES`.

    Raises
    ------
    DesignError
        For another name.
    """
    if strategy not in STRATEGIES:
        raise DesignError(f"strategy must be one of {', '.join(STRATEGIES)}, got {strategy!r}.")


def build_courses(
    own: Floats, reference: Floats, last_seen: NDArray[np.intp], strategy: str
) -> Floats:
    """Return the mean course of each person under a strategy, (n_trials, n_people, n_visits).

    Parameters
    ----------
    own, reference
        Mean course in the person's arm and in control, (n_trials, n_people, n_visits).
    last_seen
        (n_trials, n_people), the last visit seen; -1 where none after baseline was. People seen at
        the last visit keep their own course.
    strategy
        A name in `STRATEGIES`.
    """
    check_strategy(strategy)
    n_visits = own.shape[2]
    left = (last_seen < n_visits - 1)[..., None]
    after = np.arange(n_visits) > last_seen[..., None]
    if strategy == "missing_at_random":
        return own
    if strategy == "jump_to_reference":
        return np.where(after, reference, own)
    if strategy == "copy_reference":
        return np.where(left, reference, own)
    gap = own - reference
    at = np.maximum(last_seen, 0)[..., None]
    # who was never seen after baseline has had no effect yet
    kept = np.where(last_seen[..., None] >= 0, np.take_along_axis(gap, at, axis=2), 0.0)
    return np.where(after, reference + kept, own)
