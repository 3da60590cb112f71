"""The target as assurance: power averaged over what is believed of the slowing.

With a normal belief in the slowing, mean m and standard deviation s, and a test by z whose estimate
has the standard error se, the average of the power is Phi((m / se - z) / sqrt(1 + (s / se)^2))
(O'Hagan, Stevens & Campbell 2005, Pharm Stat 4:187). Every size then follows from the power at the
mean that gives the assurance, one number for all designs.
"""

import math

from scipy import special

from trialsim.design import TrialDesign
from trialsim.errors import DesignError


def require_assurance(design: TrialDesign, slowing_sd: float) -> TrialDesign:
    """Return the design whose target is the power at the slowing that gives the assurance.

    Parameters
    ----------
    design
        `target_power` is the assurance that is wanted, `slowing` the mean of what is believed.
    slowing_sd
        Standard deviation of what is believed, 0 or more.

    Raises
    ------
    DesignError
        No trial has that assurance: the treatment may be of no benefit too often.

    Examples
    --------
    >>> certain = TrialDesign(slowing=0.3, target_power=0.8)
    >>> round(require_assurance(certain, 0.1).target_power, 3)
    0.89
    """
    share = slowing_sd / design.slowing
    if share == 0:
        return design
    most = float(special.ndtr(1 / share))
    if design.target_power >= most:
        raise DesignError(
            f"optimize.slowing_sd: a slowing believed to be {design.slowing:g} give or take "
            f"{slowing_sd:g} is a benefit with probability {most:.0%}, so that no trial has an "
            f"assurance of {design.target_power:.0%}."
        )
    critical = float(special.ndtri(1 - design.alpha / design.sides))
    wanted = float(special.ndtri(design.target_power))
    # (x - z)^2 = q^2 (1 + r^2 x^2), the root on the side of q
    a = 1 - (wanted * share) ** 2
    middle = critical / a
    off = math.sqrt(max(middle**2 - (critical**2 - wanted**2) / a, 0.0))
    drift = middle + math.copysign(off, wanted)
    return design.change(target_power=float(special.ndtr(drift - critical)))
