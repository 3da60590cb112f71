"""Trials with more than one comparison: doses, endpoints, planned and simulated."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import pandas as pd

from trialsim.analytic import dunnett, several_endpoints
from trialsim.analytic.point import count_whole
from trialsim.errors import DesignError
from trialsim.simulation.multiple_tests import simulate_doses, simulate_endpoints

_MOST_SIMULATIONS: Final = 10_000_000


def plan_doses(
    deltas: Sequence[float],
    *,
    n_control: float | None,
    power: float | None,
    n_simulations: int,
    seed: int,
    **rules: Any,
) -> pd.DataFrame:
    """Return the size of doses against one control, or their power at a size, one row.

    Each arm is rounded up beside what was computed; it is the treatment arm of each dose.

    Parameters
    ----------
    deltas
        Difference of each dose from control.
    n_control, power
        One of them.
    n_simulations
        Trials simulated beside the closed form; none for 0.
    seed
        Of the simulation.
    **rules
        As `trialsim.analytic.dunnett` takes them.

    Raises
    ------
    DesignError
        Where it cannot be computed.
    """
    _refuse_number(n_simulations)
    found = dunnett(list(deltas), n_control=n_control, power=power, **rules)
    return _add_whole(
        found,
        rules["allocation_ratio"],
        len(deltas),
        n_simulations,
        lambda n: simulate_doses(
            list(deltas), n_control=n, n_simulations=n_simulations, seed=seed, **rules
        ),
    )


def plan_endpoints(
    deltas: Sequence[float],
    sds: Sequence[float],
    correlation: float,
    *,
    n_control: float | None,
    power: float | None,
    n_simulations: int,
    seed: int,
    **rules: Any,
) -> pd.DataFrame:
    """Return the size of a trial with several endpoints, or its power at a size, one row.

    Parameters
    ----------
    deltas, sds
        Difference between the arms and standard deviation, one of each an endpoint.
    correlation
        Of any two endpoints within a person.
    n_control, power, n_simulations, seed
        As in `plan_doses`.
    **rules
        As `trialsim.analytic.several_endpoints` takes them.

    Raises
    ------
    DesignError
        Where it cannot be computed.
    """
    _refuse_number(n_simulations)
    laws = list(deltas), list(sds), correlation
    found = several_endpoints(*laws, n_control=n_control, power=power, **rules)
    return _add_whole(
        found,
        rules["allocation_ratio"],
        1,
        n_simulations,
        lambda n: simulate_endpoints(
            *laws, n_control=n, n_simulations=n_simulations, seed=seed, **rules
        ),
    )


def _refuse_number(n_simulations: int) -> None:
    if not 0 <= n_simulations <= _MOST_SIMULATIONS:
        raise DesignError(
            f"n_simulations must be between 0 and {_MOST_SIMULATIONS:,}, got {n_simulations}."
        )


def _add_whole(
    found: pd.DataFrame,
    allocation_ratio: float,
    n_treatments: int,
    n_simulations: int,
    simulate: Callable[[int], pd.DataFrame],
) -> pd.DataFrame:
    """Return what was found, the whole people of it, and what trials of these give."""
    control = float(found["n_control"].iloc[0])
    n = count_whole(control), count_whole(control * allocation_ratio)
    n_total = n[0] + n_treatments * n[1]
    whole = found.assign(n_control_rounded=n[0], n_treatment_rounded=n[1], n_total_rounded=n_total)
    if not n_simulations:
        return whole
    joined: pd.DataFrame = pd.concat([whole, simulate(n[0]).add_prefix("simulated_")], axis=1)
    return joined
