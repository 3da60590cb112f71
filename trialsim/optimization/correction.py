"""The best of very many designs looks better than it is: sizes corrected for having been chosen.

Designs of one choice share its people and its error; what chance decides is which choice looks
cheapest. In every bootstrap sample the cheapest design of each choice and analysis is priced again,
and the optimism of the least of them is taken off all sizes; each is then raised until its power,
averaged over the error that remains, is the target. The front is that of the corrected sizes, so a
choice whose few people leave its size in doubt does not win by that doubt.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialsim.analysis.result import Floats
from trialsim.comparison.cohort_error.intervals import MIN_SAMPLES, compute_size_interval
from trialsim.comparison.decision import weigh_cheapest
from trialsim.comparison.sizes.chosen import correct_choice
from trialsim.costs import Costs
from trialsim.design import TrialDesign
from trialsim.optimization.aims import compute_aims
from trialsim.optimization.choice_errors import ChoiceErrors
from trialsim.optimization.choices import Choice
from trialsim.optimization.design_grid import Setting, find_settings, round_up


@dataclass(frozen=True)
class Corrections:
    """Factors of sizes as found, by analysis, (n_choices,) each; NaN without enough samples.

    Attributes
    ----------
    optimism
        Takes off what the best owes to chance.
    proposed
        To the size whose expected power is the target.
    lower, upper
        To the ends of the 95 % interval of the size without optimism.
    probability_cheapest
        That the choice has the cheapest design, (n_choices,).
    """

    optimism: dict[str, Floats]
    proposed: dict[str, Floats]
    lower: dict[str, Floats]
    upper: dict[str, Floats]
    probability_cheapest: Floats


def correct_sizes(
    choices: Sequence[Choice],
    settings: Sequence[Setting],
    n_control: Floats,
    errors: ChoiceErrors,
    design: TrialDesign,
    costs: Costs,
) -> Corrections:
    """Return the corrections of every choice and analysis.

    Parameters
    ----------
    choices, settings
        Of the grid.
    n_control
        As found, not rounded, (n_choices, n_settings).
    errors
        Of each choice.
    design
        Target and error rates.
    costs
        What is minimized; people where nothing costs.
    """
    cost = compute_aims(choices, settings, round_up(n_control, settings), costs).cost
    members: list[tuple[int, str]] = []
    log_ratios, log_costs = [], []
    for name, ratios in errors.log_ratios.items():
        places = find_settings(settings, name)
        for row, choice in enumerate(choices):
            if not len(places) or not np.isfinite(ratios[row]).any():
                continue
            best = places[
                int(np.nanargmin(np.where(np.isnan(cost[row]), np.inf, cost[row])[places]))
            ]
            if not np.isfinite(cost[row, best]):
                continue
            drawn = n_control[row, best] * np.exp(ratios[row])
            again = [settings[best]] * len(drawn)
            priced = compute_aims([choice], again, round_up(drawn[None], again), costs).cost[0]
            members.append((row, name))
            log_ratios.append(ratios[row])
            log_costs.append(np.log(priced))
    found = {
        kind: {name: np.full(len(choices), np.nan) for name in errors.log_ratios}
        for kind in ("optimism", "proposed", "lower", "upper")
    }
    cheapest = np.full(len(choices), np.nan)
    n_samples = len(log_ratios[0]) if log_ratios else 0
    if n_samples < MIN_SAMPLES:
        return Corrections(**found, probability_cheapest=cheapest)
    ratios, paid = np.array(log_ratios), np.array(log_costs)
    cheapest[:] = 0.0
    shares = weigh_cheapest(np.nan_to_num(paid, nan=np.inf))
    for place, (row, name) in enumerate(members):
        df = float(errors.degrees_of_freedom[name][row])
        size = correct_choice(place, ratios, paid, df, design)
        low, high = compute_size_interval(ratios[place], df)
        cheapest[row] += shares[place]
        found["optimism"][name][row] = size.optimism
        found["proposed"][name][row] = size.proposed
        found["lower"][name][row] = size.optimism * low
        found["upper"][name][row] = size.optimism * high
    return Corrections(**found, probability_cheapest=cheapest)
