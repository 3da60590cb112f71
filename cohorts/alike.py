"""Names of different people, visits or sites that are one to a reader."""

import unicodedata
from typing import Final

import pandas as pd

from cohorts.identifiers import PLAIN
from cohorts.keys import has_repeated

ALIKE: Final = "only in upper or lower case, spaces, zeros before a number or how letters are coded"
"""How the names differ that `find_alike` finds."""


def find_alike(names: pd.Series) -> pd.Series:
    """Return the names, of different ones, that are one to a reader or to a spreadsheet.

    Parameters
    ----------
    names
        Each name once.

    Examples
    --------
    >>> find_alike(pd.Series(["s1", "s2", "S1", "7", "007", "70"])).tolist()
    ['s1', 'S1', '7', '007']
    """
    plain = names.str.lower().mask(names.str.isdecimal(), names.str.lstrip("0"))
    odd = plain[~names.str.fullmatch(PLAIN)]
    plain.update(odd.map(lambda name: " ".join(unicodedata.normalize("NFKC", name).split())))
    if not has_repeated(plain.to_frame("name"), ["name"]):
        return names[:0]
    return names[plain.duplicated(keep=False)]
