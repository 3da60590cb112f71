"""What every design of a grid takes: people to screen, months, money."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialsim.analysis.result import Floats
from trialsim.costs import Costs
from trialsim.optimization.choices import Choice
from trialsim.optimization.design_grid import DesignGrid, Setting


@dataclass(frozen=True)
class Aims:
    """Amounts of each choice at each setting, (n_choices, n_settings) each.

    Attributes
    ----------
    cost
        In money; people enrolled where nothing costs.
    months_to_enroll
        Until the last person is in; NaN where it is not known how fast people come.
    months_to_last_visit
        Until that person's last visit; where it is not known how fast people come, of one person:
        what screening stages and a run-in wait for, and the trial.
    n_to_screen
        People screened.
    """

    cost: Floats
    months_to_enroll: Floats
    months_to_last_visit: Floats
    n_to_screen: Floats


def compute_aims(
    choices: Sequence[Choice], settings: Sequence[Setting], grid: DesignGrid, costs: Costs
) -> Aims:
    """Return what whole trials take; infinite where the target is not reached."""
    duration = np.array([setting.visits_months[-1] for setting in settings])
    n_visits = np.array([len(setting.visits_months) for setting in settings])
    enroll, screen, cost = (np.full(grid.n_control.shape, np.inf) for _ in range(3))
    for row, choice in enumerate(choices):
        # what is not reached stays unknown, where infinite people would cost 0 x infinity
        people = np.where(np.isfinite(grid.n_enrolled[row]), grid.n_enrolled[row], np.nan)
        entering = choice.path.count_entering(people)
        enroll[row] = choice.path.expect_enrollment(entering, costs)
        screen[row] = entering[0]
        cost[row] = choice.path.price(people, entering, enroll[row] + duration, costs, n_visits)
    if not costs.is_priced:
        cost = grid.n_enrolled
    is_reached = np.isfinite(grid.n_enrolled)
    delay = np.array([[choice.path.delay_months] for choice in choices])
    months = np.where(is_reached, np.where(np.isnan(enroll), delay, enroll) + duration, np.inf)
    cost = np.where(is_reached, cost, np.inf)
    return Aims(cost, enroll, months, np.where(is_reached, screen, np.inf))
