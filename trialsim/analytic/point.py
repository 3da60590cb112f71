"""A design point: how many people, what power, what effect."""

import math
from dataclasses import dataclass, fields
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from trialsim.errors import DesignError

FloatArray = npt.NDArray[np.float64]
Quantity = float | FloatArray
"""One number, or one a design."""

ROUNDING_RULE = "each arm rounded up to the next whole person"

MOST_PEOPLE: Final = 1e10
"""An arm of more people than there are on earth answers nothing."""

# 252.0000000001 is 252 people, computed; it is not a reason to enroll one more an arm.
_ROUNDING_SLACK = 1e-9


class RoundedSize(NamedTuple):
    """Whole people, and the rule that made them whole."""

    n_control: int
    n_treatment: int
    n_total: int
    rule: str = ROUNDING_RULE


@dataclass(frozen=True, kw_only=True)
class DesignPoint:
    """One answer of a closed form, or one an element where arguments were arrays.

    Attributes
    ----------
    n_control, n_treatment
        Participants randomized to each arm, not rounded.
    n_total
        Their sum.
    power
        Probability to reject the null hypothesis, 0-1.
    delta
        Difference between the arms, in the units of the endpoint.
    """

    n_control: Quantity
    n_treatment: Quantity
    n_total: Quantity
    power: Quantity
    delta: Quantity

    def rounded(self) -> RoundedSize:
        """Return whole people, each arm rounded up; only for a point that holds one design.

        Raises
        ------
        DesignError
            Where an arm would hold more people than there are.
        """
        control, treatment = count_whole(self.n_control), count_whole(self.n_treatment)
        return RoundedSize(control, treatment, control + treatment)

    def to_dict(self) -> dict[str, Any]:
        """Return every attribute as plain numbers or lists, ready for JSON."""
        return {
            field.name: np.asarray(getattr(self, field.name)).tolist() for field in fields(self)
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row a design; scalars are repeated."""
        columns = {field.name: np.ravel(getattr(self, field.name)) for field in fields(self)}
        values = np.broadcast_arrays(*columns.values())
        return pd.DataFrame(dict(zip(columns, values, strict=True)))


def simplify(value: npt.ArrayLike) -> Quantity:
    """Return a float for a 0-dimensional array, the array otherwise."""
    array = np.asarray(value, dtype=float)
    return float(array) if array.ndim == 0 else array


def count_whole(value: Quantity) -> int:
    """Return the whole people of an arm.

    Raises
    ------
    DesignError
        Where these are more people than there are.
    """
    refuse_too_many(float(value))
    return math.ceil(float(value) * (1 - _ROUNDING_SLACK))


def refuse_too_many(n_people: float) -> None:
    """Refuse an arm of more people than there are.

    Raises
    ------
    DesignError
        Where it is one.
    """
    if not n_people <= MOST_PEOPLE:
        needed = f"{n_people:.3g}"
        raise DesignError(
            f"An arm would need {needed} people, more than there are: the effect is too small "
            "beside its spread."
        )
