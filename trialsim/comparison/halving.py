"""A planning number: how many more people would make the interval of a size half as wide.

The variance of ln size falls with the number of people. Where others stand for the screened people
it has two parts, one that falls with the people screened and one that falls with the archive: the
second is what is left when the archive alone is drawn again. Either part alone can halve the
interval only if the other one is below a quarter of the whole.
"""

from dataclasses import dataclass, replace

import numpy as np

from trialsim.comparison.candidates import Candidate
from trialsim.comparison.cohort_error.bootstrap import bootstrap_sizes
from trialsim.comparison.refitting import Refitting, Rescore
from trialsim.comparison.screened import Screened
from trialsim.design import TrialDesign

_SAMPLES = 200
"""Of the archive alone: 5 % Monte Carlo error of a standard deviation."""


@dataclass(frozen=True)
class Halving:
    """People with whom an interval would be half as wide, in all; NaN where none would do.

    Attributes
    ----------
    n_screened
        With the archive as it is.
    n_archive
        With the screened people as they are; NaN without an archive too.
    """

    n_screened: float
    n_archive: float


def find_halving(sd: float, archive_sd: float, n_screened: int, n_archive: int) -> Halving:
    """Return how many people of one group would halve an interval.

    Parameters
    ----------
    sd, archive_sd
        Standard deviation of ln size over both groups, and when the archive alone is drawn again.
    n_screened, n_archive
        People in each; no archive where 0.

    Examples
    --------
    >>> find_halving(0.2, 0.0, 100, 0)
    Halving(n_screened=400.0, n_archive=nan)
    >>> find_halving(0.2, 0.2, 100, 300)
    Halving(n_screened=nan, n_archive=1200.0)
    """
    whole, of_archive = sd**2, min(archive_sd, sd) ** 2
    return Halving(
        _scale(n_screened, whole - of_archive, of_archive, whole / 4),
        _scale(n_archive, of_archive, whole - of_archive, whole / 4),
    )


def measure_archive_sd(
    screened: Screened,
    candidate: Candidate,
    design: TrialDesign,
    *,
    seed: int,
    rescore: Rescore | None,
) -> float:
    """Return the standard deviation of ln size of the first analysis over archives alone.

    Parameters
    ----------
    screened
        People for whom an archive stands; 0 where they were followed themselves.
    candidate, design, seed, rescore
        As in `trialsim.comparison.cohort_error.bootstrap_sizes`.
    """
    target, own = screened.target, candidate.strategy
    if target is None:
        return 0.0
    if isinstance(rescore, Refitting):
        rescore = rescore.keep(own)
    if isinstance(target.rescore, Refitting):
        target = replace(target, rescore=target.rescore.keep(own))
    found = bootstrap_sizes(
        replace(screened, target=target),
        [candidate],
        design,
        n_bootstrap=_SAMPLES,
        seed=seed,
        rescore=rescore,
        redraws_screened=False,
    )
    drawn = found.log_ratios[design.analyses[0]][0]
    known = drawn[np.isfinite(drawn)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("nan")


def _scale(n_people: int, own: float, other: float, wanted: float) -> float:
    room = wanted - other
    return float(np.ceil(n_people * own / room - 1e-9)) if room > 0 and own > 0 else float("nan")
