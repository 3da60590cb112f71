"""Where simulated trials stop, beside where integration says they do."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trialsim.analysis.result import Flags, Floats
from trialsim.analytic import GroupSequentialDesign
from trialsim.analytic.sequential.bounds import CLOSEST
from trialsim.analytic.sequential.held import find_informed, hold_looks
from trialsim.errors import DesignError
from trialsim.simulation.looks import SimulatedLooks, compute_z
from trialsim.simulation.performance import compute_share_mcse
from trialsim.simulation.trials import Fits

_RESOLUTION = 0.02
"""Step to which observed information is rounded, so that bounds are computed once for many."""


@dataclass(frozen=True)
class Stops:
    """Where each trial stopped, (n_replicates,) each.

    Attributes
    ----------
    look
        From 0; the last one for trials that never stopped.
    efficacy
        Whether an efficacy bound was crossed.
    futility
        Whether a futility bound was; with two sides, the opposite efficacy bound.
    """

    look: NDArray[np.intp]
    efficacy: Flags
    futility: Flags


def find_stops(
    z: Floats, efficacy_z: Floats, futility_z: Floats, last: NDArray[np.intp] | None = None
) -> Stops:
    """Return where trials stop.

    Parameters
    ----------
    z
        (n_looks, n_replicates); a missing one crosses nothing.
    efficacy_z, futility_z
        (n_looks,) or (n_looks, n_replicates).
    last
        The look at which each trial ends in any case, (n_replicates,); that of all when None.
    """
    upper, lower = (
        np.broadcast_to(bound.reshape(len(z), -1), z.shape) for bound in (efficacy_z, futility_z)
    )
    with np.errstate(invalid="ignore"):
        up, down = z >= upper, z < lower
    stopped = up | down
    trial = np.arange(z.shape[1])
    stopped[-1 if last is None else last, trial] = True
    look = stopped.argmax(axis=0)
    return Stops(look, up[look, trial], down[look, trial])


class HeldBounds(NamedTuple):
    """Bounds of each trial at each look, (n_looks, n_replicates), and the look that was its last.

    `last` is (n_replicates,), from 0: a look that reaches the planned information ends a trial.
    """

    upper: Floats
    lower: Floats
    last: NDArray[np.intp]


def adjust_bounds(design: GroupSequentialDesign, information: Floats, maximum: float) -> HeldBounds:
    """Return the bounds of each trial at the information that it really had, as it is monitored.

    Parameters
    ----------
    design
        With the bounds as planned.
    information
        (n_looks, n_replicates), 1 / se^2; a missing one counts as planned. Where it falls from one
        look to the next, bounds are those of `hold_looks`.
    maximum
        The planned information at the end.
    """
    planned = design.information_rates[:, None]
    shares = np.where(np.isfinite(information), information / maximum, planned)
    steps, last = _round_shares(shares)
    kinds, place = np.unique(steps, axis=1, return_inverse=True)
    held = [hold_looks(design, kind * _RESOLUTION, is_final=True) for kind in kinds.T]
    upper = np.array([one.efficacy_z for one in held]).T
    lower = np.array([one.futility_z for one in held]).T
    return HeldBounds(upper[:, place.ravel()], lower[:, place.ravel()], last)


def _round_shares(shares: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Return information in whole steps, and the last look of each trial.

    It rises where it did before it was rounded, and stays where it did not; no look but the last
    one of a trial reaches the planned maximum.
    """
    whole, n_looks = round(1 / _RESOLUTION), len(shares)
    is_informed, is_full = find_informed(shares), shares >= 1 - CLOSEST
    is_full[-1] = True
    last = is_full.argmax(axis=0)
    steps, before = np.empty(shares.shape), np.zeros(shares.shape[1])
    for look, share in enumerate(shares):
        rounded = np.maximum(np.round(share / _RESOLUTION), before + 1)
        below = np.minimum(rounded, whole - n_looks + look + 1)
        full = np.maximum(rounded, whole) if look < n_looks - 1 else rounded
        risen = np.where(look < last, below, full)
        before = steps[look] = np.where(is_informed[look] & (look <= last), risen, before)
    return steps, last


def tabulate_stops(
    simulated: SimulatedLooks,
    design: GroupSequentialDesign,
    analysis: str,
    *,
    bounds: Literal["planned", "observed"] = "planned",
    maximum_information: float | None = None,
    follow_futility: bool = True,
) -> pd.DataFrame:
    """Return where trials stop, one row for each look with the effect and without.

    Parameters
    ----------
    simulated
        Every trial at every look.
    design
        With its bounds.
    analysis
        A name among the simulated ones.
    bounds
        "planned": those of the design. "observed": alpha is spent at each trial's own 1 / se^2 as a
        share of `maximum_information`.
    maximum_information
        Planned information at the end; needed for observed bounds.
    follow_futility
        Whether trials below a futility bound stop; where they go on, the type I error is that of a
        sponsor who ignores the bounds.

    Raises
    ------
    DesignError
        Another number of looks than the design has, observed bounds without a maximum.
    """
    fits = simulated.effect[analysis]
    if len(fits.estimate) != design.n_looks:
        raise DesignError(
            f"The design has {design.n_looks} looks, {len(fits.estimate)} were simulated."
        )
    if bounds == "observed" and maximum_information is None:
        raise DesignError('bounds "observed" need maximum_information, what is planned at the end.')
    parts = []
    for effect, name in ((1.0, "effect"), (0.0, "null")):
        fitted = getattr(simulated, name)[analysis]
        upper, lower, last = design.efficacy_z, design.futility_z, None
        if maximum_information is not None and bounds == "observed":
            upper, lower, last = adjust_bounds(design, fitted.se**-2.0, maximum_information)
        if not follow_futility and design.sides == 1:
            lower = np.full_like(lower, -np.inf)
        stops = find_stops(compute_z(fitted), upper, lower, last)
        parts.append(_tabulate(simulated, fitted, stops, effect))
    return pd.concat(parts, ignore_index=True)


def _tabulate(simulated: SimulatedLooks, fits: Fits, stops: Stops, effect: float) -> pd.DataFrame:
    n_looks, rows = len(fits.estimate), []
    for k in range(n_looks):
        here = stops.look == k
        efficacy, futility = here & stops.efficacy, here & stops.futility
        rows.append(
            {
                "effect": effect,
                "look": k + 1,
                "stop_efficacy": float(efficacy.mean()),
                "stop_efficacy_mcse": compute_share_mcse(efficacy),
                "stop_futility": float(futility.mean()),
                "stop_futility_mcse": compute_share_mcse(futility),
                "reject_by_look": float((stops.efficacy & (stops.look <= k)).mean()),
                "reject_by_look_mcse": compute_share_mcse(stops.efficacy & (stops.look <= k)),
                "stopped_here": float(here.mean()),
                "mean_months": float(simulated.months[k].mean()),
                "mean_enrolled": float(simulated.n_enrolled[k].mean()),
                "mean_completers": float(simulated.n_completers[k].sum(axis=-1).mean()),
                "n_failed_fits": int((~fits.converged[k]).sum()),
            }
        )
    return pd.DataFrame(rows)


def estimate_correlation(fits: Fits) -> Floats:
    """Return the correlation of Z over looks among trials whose fits all succeeded.

    Efficient estimators have sqrt(I_j / I_k); for others this estimate is what there is.
    """
    z = compute_z(fits)
    return np.asarray(np.corrcoef(z[:, np.isfinite(z).all(axis=0)]))
