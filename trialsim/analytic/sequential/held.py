"""Bounds of the looks that were held, where estimated information may fall from one to the next."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from trialsim.analytic.point import FloatArray
from trialsim.analytic.sequential.bounds import CLOSEST
from trialsim.analytic.sequential.design import GroupSequentialDesign


@dataclass(frozen=True)
class HeldLooks:
    """The looks held so far, with their bounds.

    Attributes
    ----------
    design
        At the information of the looks that brought some, and of those still to come.
    tested
        Places of the looks that brought information, from 0.
    efficacy_z, futility_z
        Of every look held, (n_held,); infinite where a look tests nothing.
    """

    design: GroupSequentialDesign
    tested: npt.NDArray[np.intp]
    efficacy_z: FloatArray
    futility_z: FloatArray


def find_informed(shares: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return which looks have more information than all before them, (n_looks, ...).

    Examples
    --------
    >>> find_informed([0.4, 0.3, 0.7]).tolist()
    [True, False, True]
    """
    values = np.asarray(shares, dtype=float)
    informed, highest = np.ones(values.shape, dtype=bool), values[0]
    for place, share in enumerate(values):
        # what is no number is told where looks are placed
        informed[place] = (place == 0) | ~(share <= highest + CLOSEST)
        highest = np.where(informed[place], share, highest)
    return informed


def hold_looks(
    design: GroupSequentialDesign, shares: Sequence[float] | FloatArray, *, is_final: bool = False
) -> HeldLooks:
    """Return the bounds of looks that were held.

    Information is estimated, so that it may fall from one look to the next where people are few. A
    look that brings none tests nothing, spends nothing of alpha and takes no planned look's place.
    One that is stated to be the last must test: all of alpha that earlier looks have left is spent
    as if it shared nothing with them, which keeps the type I error whatever it shares (Bonferroni).

    Parameters
    ----------
    design
        As planned.
    shares
        Information at every look held, of the planned maximum.
    is_final
        Whether the last one is the last of all, whatever its information.

    Raises
    ------
    DesignError
        More looks that brought information than were planned, or one of them after the maximum.

    Examples
    --------
    >>> from trialsim.analytic import group_sequential
    >>> held = hold_looks(group_sequential([0.4, 0.7, 1.0]), [0.4, 0.3, 0.7])
    >>> held.efficacy_z.round(2).tolist()
    [3.36, inf, 2.44]
    """
    values, informed = np.asarray(shares, dtype=float), find_informed(shares)
    tested = np.flatnonzero(informed)
    held = design.adjust(values[tested], is_final=is_final and bool(informed[-1]))
    efficacy, futility = np.full(values.size, np.inf), np.full(values.size, -np.inf)
    efficacy[tested] = held.efficacy_z[: tested.size]
    futility[tested] = held.futility_z[: tested.size]
    if is_final and not informed[-1]:
        left = (held.alpha - held.cumulative_alpha[tested.size - 1]) / held.sides
        efficacy[-1] = -special.ndtri(max(left, 0.0))
        futility[-1] = -efficacy[-1] if held.sides == 2 else -np.inf
    return HeldLooks(held, tested, efficacy, futility)
