"""What a page may tell of single people: by default nothing that names one."""

from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from reports.page.formats import is_missing, show_count

SMALLEST_CELL: Final = 5
"""Counts of fewer people than this are hidden, as registries and ethics committees ask."""


@dataclass(frozen=True)
class Privacy:
    """How much of single people a page shows.

    Parameters
    ----------
    identify
        Whether ids, sites and paths are shown, and small groups counted; for internal use only.
    smallest_cell
        The least number of people that a group has to have for its count to be shown.

    Examples
    --------
    >>> Privacy().show_people(3), Privacy().show_people(30), Privacy(identify=True).show_people(3)
    ('<5', '30', '3')
    """

    identify: bool = False
    smallest_cell: int = SMALLEST_CELL

    @property
    def least(self) -> int:
        """The least count that is shown; nobody at all is no small group."""
        return 1 if self.identify else self.smallest_cell

    def hides(self, count: Any) -> bool:
        """Say whether a group of `count` people is too small to be counted on the page."""
        return not is_missing(count) and 0 < count < self.least

    def show_people(self, count: Any) -> str:
        """Return a count of people; a small one is `<5`."""
        return f"<{self.least}" if self.hides(count) else show_count(count)

    def show_group(self, count: Any) -> str:
        """Return a count of people; a hidden one, given as NaN, is a word."""
        return "hidden" if is_missing(count) else show_count(count)

    def hide_groups(self, groups: pd.DataFrame, count: str) -> pd.DataFrame:
        """Return `groups`, which add up to a total that is shown, without the small ones' numbers.

        Where a single group is too small, the next smallest is hidden as well: the total would
        give the other away.

        Parameters
        ----------
        groups
            One row a group; every column of numbers is emptied where the group is hidden.
        count
            The column that holds the number of people.
        """
        hidden = groups[count].map(self.hides).astype(bool)
        rest = groups.loc[~hidden & (groups[count] > 0), count]
        if hidden.sum() == 1 and len(rest):
            hidden = hidden | (groups.index == rest.idxmin())
        numbers = list(groups.select_dtypes("number").columns)
        emptied = groups.astype(dict.fromkeys(numbers, float))
        emptied.loc[hidden, numbers] = float("nan")
        return emptied


NOBODY: Final = Privacy()
"""Nobody is identified: what a page is like unless something else is asked for."""


def person_name(place: int) -> str:
    """Return what a page calls the person at `place`, from 0: `person A`."""
    return f"person {chr(ord('A') + place)}"
