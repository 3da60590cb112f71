"""What the name of a person, a visit or a site may be.

Names become file names, SQL values, cells of spreadsheets and text on pages. They are checked
once, where a cohort is read, so that nothing after that has to ask what is in them.
"""

import re
from typing import Final

LONGEST: Final = 128
"""Characters of a name."""

PLAIN: Final = r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,127}"
"""A regular expression that nearly all names match; those that do have no fault."""

_LONG_WORD: Final = re.compile(r"[^\s/\\]{256,}")
"""A word that names nothing: names of files have 255 characters at most."""

_N_SHOWN: Final = 40
"""Characters of such a word that are shown."""

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


def show_plainly(text: str) -> str:
    """Return text as it can be read.

    Invisible characters are written out, so that no terminal obeys them; a word of more characters
    than a name can have is cut.
    """
    text = _LONG_WORD.sub(_cut_word, text)
    if text.isprintable():  # as nearly all are
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )


def _cut_word(found: re.Match[str]) -> str:
    return f"{found[0][:_N_SHOWN]}... ({len(found[0])} characters)"
