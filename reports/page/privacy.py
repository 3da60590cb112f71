"""What a page may tell of single people: by default nothing that names one."""

from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from reports.page.formats import is_blank, show_count

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
        return not is_blank(count) and 0 < count < self.least

    def show_people(self, count: Any) -> str:
        """Return a count of people; a small one is `<5`."""
        return f"<{self.least}" if self.hides(count) else show_count(count)

    def show_group(self, count: Any) -> str:
        """Return a count of people; a hidden one, given as NaN, is a word."""
        return "hidden" if is_blank(count) else show_count(count)

    def hide_groups(self, groups: pd.DataFrame, count: str) -> pd.DataFrame:
        """Return `groups`, which add up to a total that is shown, without the small ones' numbers.

        Where a single group is too small, the next smallest is hidden as well: the total would
        give the other away. So it goes on while those hidden are together too few.

        Parameters
        ----------
        groups
            One row a group; every column of numbers is emptied where the group is hidden.
        count
            The column that holds the number of people.
        """
        hidden = self.hide_line(groups[count])
        numbers = list(groups.select_dtypes("number").columns)
        emptied = groups.astype(dict.fromkeys(numbers, float))
        emptied.loc[hidden, numbers] = float("nan")
        return emptied

    def hide_line(self, counts: "pd.Series[float]") -> "pd.Series[bool]":
        """Say which of `counts`, whose total is shown, are hidden; see `hide_groups`."""
        return self._hide_more(counts, counts.map(self.hides).astype(bool))

    def _hide_more(
        self, counts: "pd.Series[float]", hidden: "pd.Series[bool]"
    ) -> "pd.Series[bool]":
        """Hide the next smallest while what is hidden could be computed from the total."""
        while hidden.any() and (hidden.sum() == 1 or self.hides(counts[hidden].sum())):
            rest = counts[~hidden & (counts > 0)]
            if rest.empty:
                break
            hidden = hidden | (counts.index == rest.idxmin())
        return hidden

    def hide_table(self, counts: pd.DataFrame) -> pd.DataFrame:
        """Say which cells of a two-way table are hidden whose totals of lines are shown.

        In no row and no column can a small cell be computed from the total and the others.

        Parameters
        ----------
        counts
            Of people, by row and column.
        """
        hidden = counts.map(self.hides).astype(bool)
        for _ in range(counts.size):
            n_hidden = hidden.to_numpy().sum()
            # a cell that is hidden for its row may be alone in its column
            for table in (counts, counts.T):
                lines = hidden if table is counts else hidden.T
                rows = [self._hide_more(table.loc[name], lines.loc[name]) for name in table.index]
                done = pd.DataFrame(rows, index=table.index)
                hidden = done if table is counts else done.T
            if hidden.to_numpy().sum() == n_hidden:
                break
        return hidden

    def hides_part(self, count: Any, total: Any) -> bool:
        """Say whether `count` of a total that is shown, or the rest of it, is too small."""
        return self.hides(count) or (not is_blank(count) and self.hides(total - count))

    def show_part(self, count: Any, total: Any) -> str:
        """Return a count of people out of a total that is shown.

        Examples
        --------
        >>> [Privacy().show_part(n, 60) for n in (60, 58, 40, 3)]
        ['60', '>55', '40', '<5']
        """
        if not is_blank(count) and count > 0 and self.hides(total - count):
            return f">{show_count(total - self.least)}"
        return self.show_people(count)


NOBODY: Final = Privacy()
"""Nobody is identified: what a page is like unless something else is asked for."""


def person_name(place: int) -> str:
    """Return what a page calls the person at `place`, from 0: `person A`."""
    return f"person {chr(ord('A') + place)}"
