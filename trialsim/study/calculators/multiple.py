"""Trials with more than one comparison: doses, endpoints, planned and simulated."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import pandas as pd

from trialsim.analytic import dunnett, several_endpoints
from trialsim.simulation.multiple_tests import simulate_doses, simulate_endpoints


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
    found = dunnett(list(deltas), n_per_arm=n_control, power=power, **rules)
    found = found.rename(columns={"n_per_arm": "n_control"})
    return _add_simulated(
        found,
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
    laws = list(deltas), list(sds), correlation
    found = several_endpoints(*laws, n_control=n_control, power=power, **rules)
    return _add_simulated(
        found,
        n_simulations,
        lambda n: simulate_endpoints(
            *laws, n_control=n, n_simulations=n_simulations, seed=seed, **rules
        ),
    )


def _add_simulated(
    found: pd.DataFrame, n_simulations: int, simulate: Callable[[int], pd.DataFrame]
) -> pd.DataFrame:
    if not n_simulations:
        return found
    simulated = simulate(ceil(found["n_control"].iloc[0] - 1e-9))
    joined: pd.DataFrame = pd.concat([found, simulated.add_prefix("simulated_")], axis=1)
    return joined
