"""How many people a fraction enrolls, and how much of each: of those with equal scores, a part."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cohorts.counting import tally
from trialsim.analytic.point import FloatArray
from trialsim.errors import DesignError


@dataclass(frozen=True)
class Cutoffs:
    """Down to which score people are enrolled, whoever is asked about; one for each sample.

    Attributes
    ----------
    lowest
        The lowest score of anybody enrolled, of the shape of the samples; minus infinity where
        people without a score are, who come last.
    share
        How many of the people with just that score are enrolled, of the same shape, above 0 and at
        most 1: who of them, chance decides.
    """

    lowest: FloatArray
    share: FloatArray

    def admit(self, score: npt.ArrayLike) -> FloatArray:
        """Return how much of each person is enrolled, 0 to 1, (..., n_people).

        Parameters
        ----------
        score
            (..., n_people), NaN where missing.
        """
        own, lowest = _put_unscored_last(score), self.lowest[..., None]
        return np.where(own == lowest, self.share[..., None], own > lowest)


def find_cutoffs(score: npt.ArrayLike, n_enrolled: int, counts: npt.ArrayLike = 1.0) -> Cutoffs:
    """Return down to which score people are enrolled, and in which part those who have just it.

    A trial enrolls whole people, and chance decides who of those with equal scores they are. Each
    of them counts by the share that is enrolled, which is the mean over what chance may decide, and
    the same in whichever order people stand.

    Parameters
    ----------
    score
        (..., n_people), the highest are enrolled first, and people without one (NaN) last.
    n_enrolled
        How many are enrolled of each sample, above 0 and at most as many as it has.
    counts
        How often each person is in each sample, (..., n_people).

    Examples
    --------
    Two of four people, of whom three share the score at which the second is enrolled:

    >>> find_cutoffs([3, 2, 2, 2], 2).admit([3, 2, 2, 2]).round(2).tolist()
    [1.0, 0.33, 0.33, 0.33]
    """
    own, often = np.broadcast_arrays(_put_unscored_last(score), counts)
    order = np.argsort(-own, axis=-1, kind="stable")
    until = np.cumsum(np.take_along_axis(often, order, axis=-1), axis=-1)
    # counts that are no whole numbers lose their last digits in sums
    place = (until >= n_enrolled - 1e-9).argmax(axis=-1)[..., None]
    lowest = np.take_along_axis(own, np.take_along_axis(order, place, axis=-1), axis=-1)
    above = (often * (own > lowest)).sum(axis=-1)
    tied = (often * (own == lowest)).sum(axis=-1)
    return Cutoffs(lowest[..., 0], np.asarray((n_enrolled - above) / tied))


def count_selected(fraction_enrolled: float, n_people: int) -> int:
    """Return how many people a fraction is: the nearest whole number, at least one.

    Raises
    ------
    DesignError
        For a fraction outside 0 to 1.
    """
    if not 0 < fraction_enrolled <= 1:
        raise DesignError(
            "A fraction enrolled must be greater than 0 and at most 1, got "
            f"{fraction_enrolled:.15g}."
        )
    return max(1, int(np.floor(fraction_enrolled * n_people + 0.5)))


def count_of_archive(fraction_enrolled: float, n_people: int) -> int:
    """Return how many people of an archive show what a fraction of other people is like.

    Raises
    ------
    DesignError
        For a fraction outside 0 to 1, and for one that is nobody of the archive: its first person
        alone is of a larger fraction than the one for which people are screened.
    """
    count = count_selected(fraction_enrolled, n_people)
    if fraction_enrolled * n_people < 0.5:
        raise DesignError(
            f"A fraction of {fraction_enrolled:g} is nobody of the archive's "
            f"{tally(n_people, 'people')}: enroll more, or bring a larger archive."
        )
    return count


def _put_unscored_last(score: npt.ArrayLike) -> FloatArray:
    values = np.asarray(score, dtype=float)
    return np.where(np.isnan(values), -np.inf, values)
