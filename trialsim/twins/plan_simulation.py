"""Plans with twins whose trials are simulated."""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from trialsim.analysis.result import Floats
from trialsim.errors import DesignError
from trialsim.finished.trial import MIN_PER_ARM
from trialsim.twins.operating import measure_estimators
from trialsim.twins.scenario import TwinScenario
from trialsim.twins.selection import SelectedVisits, restrict_to_selected

_OF_ONE_VISIT: Final = {"mmrm": "ancova", "procova_mmrm": "procova"}
"""What models of several visits are where there is one."""

_FEWEST: Final = 100


class PlannedTrials(NamedTuple):
    """How the trials of a plan are simulated.

    Attributes
    ----------
    scenario
        What is true of outcomes and twins.
    n_simulations
        Trials of each size, at least 100.
    alpha, sides
        Type I error in total.
    seed
        The same for every size.
    """

    scenario: TwinScenario
    n_simulations: int
    alpha: float
    sides: int
    seed: int

    @classmethod
    def build(
        cls,
        visits: SelectedVisits,
        *,
        effect: float,
        retention: npt.ArrayLike | None,
        error_spread: float,
        n_simulations: int,
        alpha: float,
        sides: int,
        seed: int,
    ) -> "PlannedTrials":
        """Return them for an effect in standard deviations of everyone eligible.

        Raises
        ------
        DesignError
            Too few simulations, or a seed that is none.
        """
        problems = []
        if n_simulations < _FEWEST:
            problems.append(f"n_simulations must be at least {_FEWEST}, got {n_simulations}.")
        if not 0 <= seed < 2**64:
            problems.append(f"seed must lie between 0 and 2^64 - 1, got {seed}.")
        if problems:
            raise DesignError(*problems)
        everyone = np.ones(len(visits.sd))
        scenario = TwinScenario(
            visits.correlation,
            visits.twin_correlation,
            everyone if retention is None else np.asarray(retention, dtype=float),
            effect=effect / float(visits.sd[-1]),
            error_spread=error_spread,
        )
        return cls(scenario, n_simulations, alpha, sides, seed)

    def measure(self, estimator: str, n_control: float, n_treatment: float) -> tuple[float, float]:
        """Return how often an estimator shows the effect, and the Monte Carlo error.

        Raises
        ------
        DesignError
            Arms of fewer than 5 people.
        """
        names = _OF_ONE_VISIT if self.scenario.n_visits == 1 else {}
        found = measure_estimators(
            self.scenario,
            n_control=math.ceil(n_control - 1e-9),
            n_treatment=math.ceil(n_treatment - 1e-9),
            n_trials=self.n_simulations,
            estimators=[names.get(estimator, estimator)],
            alpha=self.alpha,
            sides=self.sides,
            seed=self.seed,
            as_told=True,
        ).iloc[0]
        return float(found["rejected"]), float(found["mcse"])

    def find_size(
        self, estimator: str, ratio: float, power: float, solve: Callable[[float], float]
    ) -> tuple[int, float]:
        """Return the fewest people in control with a power, and the power that they have.

        Parameters
        ----------
        estimator
            A name in `trialsim.finished.estimators.ESTIMATORS`.
        ratio
            Treatment to control.
        power
            Asked for.
        solve
            The closed form's size for a power: it says where to look next.
        """
        fewest = math.ceil(MIN_PER_ARM / min(1.0, ratio))
        tried: dict[int, float] = {}
        low, high, n = fewest - 1, math.inf, max(fewest, math.ceil(solve(power) - 1e-9))
        while high - low > 1:
            tried[n] = self.measure(estimator, n, n * ratio)[0]
            low, high = (n, high) if tried[n] < power else (low, n)
            # the closed form errs by a factor that changes little from size to size
            shown = min(max(tried[n], 2 * self.alpha, 0.1), 0.99)
            guess = round(n * solve(power) / solve(shown))
            n = max(guess, low + 1)
            if n >= high:  # it says nothing of where between the two
                n = (low + int(high)) // 2
        return int(high), tried[int(high)]


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

    Trials are analysed as `trialsim analyze` does by default.

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
        Too few simulations, or arms of fewer than 5 people.
    """
    rho: Floats = deflation * np.asarray(twin_correlation, dtype=float)
    visits = restrict_to_selected(np.asarray(correlation, dtype=float), rho, fraction_enrolled)
    asked = {
        "retention": retention,
        "error_spread": error_spread,
        "n_simulations": n_simulations,
        "alpha": alpha,
        "sides": sides,
        "seed": seed,
    }
    shown, nothing = (
        PlannedTrials.build(visits, effect=effect, **asked)  # type: ignore[arg-type]
        for effect in (delta / sd, 0.0)
    )
    rows = []
    for row in plan.to_dict("records"):
        arms = str(row["estimator"]), row["n_control"], row["n_treatment"]
        rows.append((*shown.measure(*arms), nothing.measure(*arms)[0]))
    columns = ["simulated_power", "mcse", "type_one_error"]
    return plan.join(pd.DataFrame(rows, columns=columns, index=plan.index))
