"""The front as a table: each design with its sizes, their errors, and in what it is the best."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import special

from trialsim.accrual.forecast import forecast_enrollment
from trialsim.accrual.plan import AccrualPlan
from trialsim.analysis.result import Floats
from trialsim.costs import Costs
from trialsim.design import TrialDesign
from trialsim.optimization.aims import Aims, compute_aims
from trialsim.optimization.choices import Choice
from trialsim.optimization.correction import Corrections
from trialsim.optimization.design_grid import DesignGrid, Setting, round_up

AIMS: Final = ("cost", "months_to_last_visit", "n_to_screen", "share_left_out", "difference")
"""What is made small, as columns of the table."""


@dataclass(frozen=True)
class FoundDesigns:
    """A searched grid.

    Attributes
    ----------
    n_control
        As found, not rounded, (n_choices, n_settings).
    grid, aims
        Of the corrected sizes.
    compared
        Of each choice: the largest difference in the share of a group, the group in words.
    places
        Choice and setting of each design of the front.
    """

    choices: Sequence[Choice]
    settings: Sequence[Setting]
    n_control: Floats
    corrections: Corrections
    grid: DesignGrid
    aims: Aims
    compared: Sequence[tuple[float, str]]
    places: list[tuple[int, int]]

    def measure(self) -> pd.DataFrame:
        """Return the aims of each design of the front, one column each."""
        rows, columns = np.array(self.places).T
        shares = [1 - self.choices[row].fraction_enrolled for row in rows]
        values = {
            "cost": self.aims.cost[rows, columns],
            "months_to_last_visit": self.aims.months_to_last_visit[rows, columns],
            "n_to_screen": self.aims.n_to_screen[rows, columns],
            "share_left_out": shares,
            "difference": [self.compared[row][0] for row in rows],
        }
        return pd.DataFrame(values).round(6)


def find_bests(found: FoundDesigns) -> dict[str, int]:
    """Return the design that is best in each aim, the cheapest of those that are."""
    table = found.measure()
    bests = {}
    for aim in AIMS:
        if table[aim].notna().any():
            least = table[table[aim] == table[aim].min()]
            bests[aim] = int(least["cost"].idxmin())
    return bests


def pick_best(found: FoundDesigns, n_designs: int) -> list[int]:
    """Return the designs to confirm: the best in each aim, then the cheapest of other choices."""
    order = list(dict.fromkeys(find_bests(found).values()))
    cost = found.measure()["cost"]
    taken = {found.places[place][0] for place in order}
    for place in cost.sort_values(kind="stable").index:
        if found.places[place][0] not in taken:
            taken.add(found.places[place][0])
            order.append(int(place))
    return order[:n_designs]


def tabulate_front(
    found: FoundDesigns,
    powers: Mapping[int, tuple[float, float]],
    design: TrialDesign,
    costs: Costs,
    accrual: AccrualPlan | None,
) -> pd.DataFrame:
    """Return the table `design_front`, the cheapest first; the smallest where nothing costs.

    Parameters
    ----------
    found
        The searched grid.
    powers
        Of the designs that were simulated, with their Monte Carlo standard errors.
    design
        Target and error rates.
    costs
        As the grid was priced.
    accrual
        Sites, for the intervals of months; None without.
    """
    bests = find_bests(found)
    names = {} if costs.is_priced else {"cost": "n_enrolled"}
    rows = [
        {
            **_describe(found, row, column, design, costs),
            **_forecast(found, row, column, accrual),
            "best_in": ", ".join(
                names.get(aim, aim) for aim, best in bests.items() if best == place
            ),
            "simulated_power": powers.get(place, (np.nan, np.nan))[0],
            "simulated_power_mcse": powers.get(place, (np.nan, np.nan))[1],
        }
        for place, (row, column) in enumerate(found.places)
    ]
    order = np.argsort([found.aims.cost[place] for place in found.places], kind="stable")
    return pd.DataFrame([rows[place] for place in order])


def _describe(
    found: FoundDesigns, row: int, column: int, design: TrialDesign, costs: Costs
) -> dict[str, Any]:
    choice, setting, own = found.choices[row], found.settings[column], found.corrections
    size, name = float(found.n_control[row, column]), setting.analysis
    ends = np.array([[size * own.lower[name][row], size * own.upper[name][row]]])
    known = np.where(np.isfinite(ends), ends, np.inf)
    again = [setting, setting]
    bounds = compute_aims([choice], again, round_up(known, again), costs).cost[0]
    paid = np.array([found.aims.cost[row, column], *np.where(np.isfinite(bounds), bounds, np.nan)])
    cost, low, high = paid if costs.is_priced else np.full(3, np.nan)
    n_control, n_treatment = found.grid.n_control[row, column], found.grid.n_treatment[row, column]
    critical = special.ndtri(1 - design.alpha / design.sides)
    drift = special.ndtri(design.target_power) + critical
    return {
        "strategy": choice.strategy,
        "fraction_enrolled": choice.fraction_enrolled,
        "rule": choice.rule,
        "analysis": name,
        "visits_months": ", ".join(f"{month:g}" for month in setting.visits_months),
        "duration_months": setting.visits_months[-1],
        "allocation_ratio": setting.allocation_ratio,
        "n_control": int(n_control),
        "n_treatment": int(n_treatment),
        "n_control_found": size,
        "n_control_lower": ends[0, 0],
        "n_control_upper": ends[0, 1],
        "optimism_factor": own.optimism[name][row],
        "n_to_screen": int(found.aims.n_to_screen[row, column]),
        "cost": float(cost),
        "cost_lower": float(low),
        "cost_upper": float(high),
        "months_to_enroll": found.aims.months_to_enroll[row, column],
        "months_to_last_visit": found.aims.months_to_last_visit[row, column],
        "share_left_out": 1 - choice.fraction_enrolled,
        "group_difference": found.compared[row][0],
        "group": found.compared[row][1],
        "probability_cheapest": own.probability_cheapest[row],
        "closed_form_power": float(
            special.ndtr(drift * np.sqrt(float(n_control) / size) - critical)
        ),
    }


def _forecast(
    found: FoundDesigns, row: int, column: int, accrual: AccrualPlan | None
) -> dict[str, float]:
    """Return the interval of the months; NaN without sites, or where a stage makes people wait."""
    choice = found.choices[row]
    names = ("months_to_last_visit_lower", "months_to_last_visit_upper")
    if accrual is None or choice.path.has_queue:
        return dict.fromkeys(names, float("nan"))
    share = float(np.prod([stage.share_passing for stage in choice.path.stages]))
    forecast = forecast_enrollment(
        accrual,
        int(found.grid.n_enrolled[row, column]),
        fraction_enrolled=share / (1 - accrual.failure_rate),
        duration_months=found.settings[column].visits_months[-1] + choice.path.delay_months,
    )
    return dict(zip(names, (forecast.last_visit_lower, forecast.last_visit_upper), strict=True))
