"""Names of different people, visits or sites that are one to a reader."""

import unicodedata
from decimal import Context
from typing import Final

import pandas as pd

from cohorts.identifiers import LONGEST, PLAIN
from cohorts.keys import has_repeated

ALIKE: Final = (
    "only in upper or lower case, spaces, how a number is written (007, 7.0, 1E+05) or how "
    "letters are coded"
)
"""How the names differ that `find_alike` finds."""

_WRITTEN: Final = r"(\d+)\.0+|(\d+(?:\.\d+)?e\+\d{1,2})"
"""A whole number as a spreadsheet or a script may have written it; `1.1` and `1.10` are names, and
so are `1E2` and `10E1`: programs write the plus, codes of a site and a letter have none."""

_EXACT: Final = Context(prec=LONGEST)


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
    >>> find_alike(pd.Series(["7.0", "7", "1.00E+05", "100000", "1.1", "1.10"])).tolist()
    ['7.0', '7', '1.00E+05', '100000']
    >>> find_alike(pd.Series(["1E2", "10E1", "100", "00e1", "00e2"])).tolist()
    []
    """
    plain = names.str.lower()
    written = plain[plain.str.fullmatch(_WRITTEN)]
    plain.update(written.map(lambda name: f"{_EXACT.normalize(_EXACT.create_decimal(name)):f}"))
    plain = plain.mask(plain.str.isdecimal(), plain.str.lstrip("0"))
    odd = plain[~names.str.fullmatch(PLAIN)]
    plain.update(odd.map(lambda name: " ".join(unicodedata.normalize("NFKC", name).split())))
    if not has_repeated(plain.to_frame("name"), ["name"]):
        return names[:0]
    return names[plain.duplicated(keep=False)]
