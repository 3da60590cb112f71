"""What a list of `name=value` states twice: of two values the later one would win unseen."""

from collections.abc import Iterable
from typing import Any


def find_restated(pairs: Iterable[tuple[str, Any]]) -> list[str]:
    """Return, in words, each name that is stated with several values.

    Parameters
    ----------
    pairs
        Names with values; the same value again states nothing else.

    Examples
    --------
    >>> find_restated([("1", "CN"), ("2", "AD"), ("1", "MCI"), ("2", "AD")])
    ['1 is stated as CN and as MCI']
    """
    values: dict[str, list[Any]] = {}
    for name, value in pairs:
        known = values.setdefault(name, [])
        if value not in known:
            known.append(value)
    return [
        f"{name} is stated as {' and as '.join(map(str, known))}"
        for name, known in values.items()
        if len(known) > 1
    ]
