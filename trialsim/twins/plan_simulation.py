"""A plan with twins, each of its rows simulated."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from trialsim.errors import DesignError
from trialsim.twins.operating import measure_estimators
from trialsim.twins.scenario import TwinScenario
from trialsim.twins.selection import restrict_to_selected


def simulate_plan(
    plan: pd.DataFrame,
    *,
    delta: float,
    sd: float,
    correlation: npt.ArrayLike,
    twin_correlation: npt.ArrayLike,
    retention: npt.ArrayLike | None = None,
    deflation: float = 1.0,
    fraction_enrolled: float = 1.0,
    error_spread: float = 0.0,
    n_simulations: int = 10_000,
    alpha: float = 0.05,
    sides: int = 2,
    seed: int = 1,
) -> pd.DataFrame:
    """Return the plan with `simulated_power`, its `mcse`, and `type_one_error` of each row.

    Parameters
    ----------
    plan
        As `trialsim.twins.plan_with_twins` gives it; people are rounded up in each arm.
    delta, sd, correlation, twin_correlation, retention, deflation, fraction_enrolled, error_spread
        As they were given there.
    n_simulations
        Trials a row, at least 100.
    alpha, sides
        As they were given there.
    seed
        The same for every row.

    Raises
    ------
    DesignError
        Too few simulations, one visit alone, or arms of fewer than 5 people.
    """
    if n_simulations < 100:
        raise DesignError(f"n_simulations must be at least 100, got {n_simulations}.")
    rho = deflation * np.asarray(twin_correlation, dtype=float)
    if rho.size < 2:
        raise DesignError(
            "twin_correlation must be that of at least 2 visits where trials are simulated (their "
            f"analysis is of several visits), got {rho.size}."
        )
    visits = restrict_to_selected(np.asarray(correlation, dtype=float), rho, fraction_enrolled)
    stays = np.ones(len(rho)) if retention is None else np.asarray(retention, dtype=float)
    effect = delta / (sd * float(visits.sd[-1]))
    rows = []
    for row in plan.to_dict("records"):
        measured = [
            measure_estimators(
                TwinScenario(
                    visits.correlation,
                    visits.twin_correlation,
                    stays,
                    effect=size,
                    error_spread=error_spread,
                ),
                n_control=math.ceil(row["n_control"] - 1e-9),
                n_treatment=math.ceil(row["n_treatment"] - 1e-9),
                n_trials=n_simulations,
                estimators=[str(row["estimator"])],
                alpha=alpha,
                sides=sides,
                seed=seed,
            ).iloc[0]
            for size in (effect, 0.0)
        ]
        rows.append((measured[0]["rejected"], measured[0]["mcse"], measured[1]["rejected"]))
    columns = ["simulated_power", "mcse", "type_one_error"]
    return plan.join(pd.DataFrame(rows, columns=columns, index=plan.index))
