"""Trials that show that a treatment is not much worse."""

from typing import Literal

from cohorts.entrances import entrance
from trialsim.analytic.arguments import ANY, POSITIVE, find_problems, raise_problems
from trialsim.analytic.point import DesignPoint
from trialsim.analytic.two_sample import means


@entrance
def non_inferiority(
    *,
    margin: float,
    delta: float = 0.0,
    sd: float,
    n_control: float | None = None,
    power: float | None = None,
    alpha: float = 0.025,
    allocation_ratio: float = 1.0,
    distribution: Literal["t", "z"] = "t",
) -> DesignPoint:
    """Show that a treatment is at most `margin` worse, one-sided.

    Parameters
    ----------
    margin
        How much worse would still do; above 0.
    delta
        True difference, treatment minus control, larger being better.
    sd, n_control, power, alpha, allocation_ratio, distribution
        As in `trialsim.analytic.means`.

    Returns
    -------
    DesignPoint
        Whose delta is the distance from the margin.

    Raises
    ------
    DesignError
        A margin that is not positive, a true difference beyond it.

    Examples
    --------
    >>> from trialsim import analytic
    >>> point = analytic.non_inferiority(margin=0.3, sd=1, power=0.8)
    >>> round(float(point.n_control), 1)
    175.4
    """
    problems = find_problems(margin=(margin, POSITIVE), delta=(delta, ANY))
    if not problems and delta + margin <= 0:
        problems.append(
            f"delta must lie above -margin ({-margin:g}): a treatment that is worse by more is "
            f"inferior, got {delta:g}."
        )
    raise_problems(problems)
    return means(
        delta=delta + margin,
        sd=sd,
        n_control=n_control,
        power=power,
        alpha=alpha,
        sides=1,
        allocation_ratio=allocation_ratio,
        distribution=distribution,
    )
