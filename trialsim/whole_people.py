"""People are whole: how many must enter, so that enough of them pass."""

from typing import overload

import numpy as np

from trialsim.analysis.result import Floats


@overload
def count_entering(n_passing: float, share: float) -> int: ...
@overload
def count_entering(n_passing: Floats, share: float | Floats) -> Floats: ...
def count_entering(n_passing: float | Floats, share: float | Floats) -> int | Floats:
    """Return the people who must enter a stage, so that `n_passing` pass it.

    Parameters
    ----------
    n_passing
        People wanted.
    share
        Of those who enter, the share that passes, above 0 and at most 1; one for each number of
        people, or one for all.

    Examples
    --------
    >>> count_entering(116, 0.5)
    232
    >>> count_entering(30, 0.3)
    100
    """
    # a share such as 0.3 is no exact binary number: 30 / 0.3 must stay 100
    needed = np.ceil(np.asarray(n_passing, dtype=float) / share - 1e-9)
    return needed if needed.ndim else int(needed)
