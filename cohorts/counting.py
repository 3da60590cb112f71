"""How many of what, in words: `1 person has`, `3 people have`."""

from typing import Final

_OF_ONE: Final = {
    "people": "person",
    "series": "series",
    "anatomies": "anatomy",
    "have": "has",
    "are": "is",
    "were": "was",
    "lack": "lacks",
    "belong": "belongs",
    "lie": "lies",
    "follow": "follows",
    "do": "does",
    "occur": "occurs",
    "get": "gets",
    "say": "says",
    "reach": "reaches",
    "screen": "screens",
    "stand": "stands",
}


def tally(n: float, of: str) -> str:
    """Return a number with what is counted, in the singular where it is one.

    Parameters
    ----------
    n
        How many, a whole number.
    of
        What there are, in the plural: a noun, which a verb may follow.

    Examples
    --------
    >>> [tally(n, "people have") for n in (0, 1, 12000)]
    ['0 people have', '1 person has', '12,000 people have']
    >>> tally(1, "visits")
    '1 visit'
    """
    return f"{n:,.0f} {agree(n, of)}"


def agree(n: float, of: str) -> str:
    """Return the words of `tally` alone, for a number that is shown otherwise.

    Examples
    --------
    >>> [f"{n:g} {agree(n, 'people a month')}" for n in (1.0, 1.5)]
    ['1 person a month', '1.5 people a month']
    """
    if n != 1:
        return of
    return " ".join(_OF_ONE.get(word, word.removesuffix("s")) for word in of.split())
