"""Designs that nothing beats: the Pareto front of several aims."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.result import Floats

RESOLUTION: Final = 0.01
"""Aims that differ by less than 1 % (shares: one in a hundred) count as equal."""


def find_front(amounts: Floats, shares: Floats) -> NDArray[np.intp]:
    """Return the rows that no other row beats: at least as good in all, better in one.

    Of rows that are equal within the resolution, that with the least first amount stands for all.

    Parameters
    ----------
    amounts
        (n_designs, n_amounts), 0 or more, less is better, such as cost and months; infinite where
        a design is not possible.
    shares
        (n_designs, n_shares), from 0 to 1, less is better; NaN where it is not known, which
        anything known beats.

    Examples
    --------
    >>> find_front(np.array([[1.0, 9.0], [2.0, 3.0], [2.5, 4.0]]), np.zeros((3, 1))).tolist()
    [0, 1]
    """
    possible = np.flatnonzero(np.isfinite(amounts).all(axis=1))
    order = possible[np.argsort(amounts[possible, 0], kind="stable")]
    with np.errstate(divide="ignore"):
        steps = np.floor(np.log(np.maximum(amounts[order], 1e-12)) / np.log1p(RESOLUTION))
    parts = np.floor(np.nan_to_num(shares[order], nan=2.0) / RESOLUTION + 1e-9)
    cells, first = np.unique(np.column_stack([steps, parts]), axis=0, return_index=True)
    # what is good in all has few others that beat it, and beats most
    kept = _keep_unbeaten(cells[np.argsort(cells.sum(axis=1), kind="stable")])
    by_cell = {tuple(cell): place for cell, place in zip(cells.tolist(), first, strict=True)}
    places = np.array([by_cell[tuple(cell)] for cell in kept.tolist()], dtype=np.intp)
    return order[np.sort(places)]


def _keep_unbeaten(cells: Floats) -> Floats:
    """Return the different rows that no other row beats."""
    place = 0
    while place < len(cells):
        stays = (cells < cells[place]).any(axis=1)
        stays[place] = True
        place = int(stays[:place].sum()) + 1
        cells = cells[stays]
    return cells
