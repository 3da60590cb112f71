"""What the name of a person, a visit or a site may be.

Names become file names, SQL values, cells of spreadsheets and text on pages. They are checked
once, where a cohort is read, so that nothing after that has to ask what is in them.
"""

import unicodedata
from typing import Final

import pandas as pd

from cohorts.keys import has_repeated

LONGEST: Final = 128
"""Characters of a name."""

PLAIN: Final = r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,127}"
"""A regular expression that nearly all names match; those that do have no fault."""

ALIKE: Final = "only in upper or lower case, spaces, zeros before a number or how letters are coded"
"""How the names differ that `find_alike` finds."""

_PATH: Final = frozenset("/\\")
_PATTERN: Final = frozenset("*?[]")


def find_fault(name: str) -> str | None:
    r"""Return what is wrong with a name, and what would be right; None for a sound one.

    Examples
    --------
    >>> find_fault("sub-01")
    >>> find_fault("../sub-01")
    'it has a part of a path (/ or \\), or is one; a plain name is expected'
    """
    if not name or name != name.strip():
        return "it is empty, or begins or ends with a space; a plain name is expected"
    if len(name) > LONGEST:
        return f"it has {len(name)} characters; at most {LONGEST} are expected"
    if not name.isprintable():
        return "it has invisible characters (control, direction, zero width); none are expected"
    if _PATH & set(name) or name in (".", ".."):
        return "it has a part of a path (/ or \\), or is one; a plain name is expected"
    if _PATTERN & set(name):
        return "it has a wildcard (*, ?, [ or ]); a plain name is expected"
    return None


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


def show_plainly(text: str) -> str:
    """Return text with its invisible characters written out, so that no terminal obeys them."""
    if text.isprintable():  # as nearly all are
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )
