"""What re-estimating the sample size at the first look does to power, size and type I error."""

import numpy as np
import pandas as pd

from trialsim.adaptive import PromisingZone, simulate_blinded_reestimation
from trialsim.analytic import LookPlan
from trialsim.design import TrialDesign
from trialsim.interim.candidate import EFFECT_NAMES, Enrolled
from trialsim.interim.endpoint import get_sd
from trialsim.interim.plan import InterimPlan

_SD_FACTORS = (1.0, 1.2)
"""True standard deviation over the one found that blinded re-estimation is shown at."""


def tabulate_reestimation(
    people: Enrolled,
    plan: LookPlan,
    design: TrialDesign,
    interim: InterimPlan,
    *,
    seed: int,
    n_simulations: int = 20_000,
) -> pd.DataFrame:
    """Return rows of the table `reestimation`: with no, half and the whole effect.

    Summary-level trials of the plan's information; "none" shows the type I error of one side.

    Raises
    ------
    DesignError
        A promising zone for other than two looks and one side.
    """
    if interim.reestimation == "blinded":
        table = _reestimate_blinded(people, plan, design, interim, seed, n_simulations)
    else:
        table = _follow_promising_zone(plan, interim, seed, n_simulations)
    table["effect"] = table["effect"].map(EFFECT_NAMES)
    table["n_simulations"] = n_simulations
    return table.assign(
        strategy=people.strategy,
        fraction_enrolled=people.fraction_enrolled,
        analysis=design.analyses[0],
        rule=interim.reestimation,
    )


def _reestimate_blinded(
    people: Enrolled,
    plan: LookPlan,
    design: TrialDesign,
    interim: InterimPlan,
    seed: int,
    n_simulations: int,
) -> pd.DataFrame:
    sd, arm = get_sd(people.build_endpoint(design), design), plan.n_total / 2
    first = max(2, round(float(plan.n_completers[0]) / 2))
    tables = [
        simulate_blinded_reestimation(
            sd=factor * sd,
            # the people proposed are those of a standard deviation so much larger
            planned_sd=sd * people.proposed**0.5,
            delta=abs(plan.delta),
            first_stage=first,
            alpha=design.alpha,
            sides=design.sides,
            power=design.target_power,
            maximum=interim.reestimation_maximum * arm,
            effects=tuple(EFFECT_NAMES),
            n_simulations=n_simulations,
            seed=seed,
        ).assign(sd_factor=factor)
        for factor in _SD_FACTORS
    ]
    table = pd.concat(tables, ignore_index=True)
    table["expected_n"] = 2 * table["mean_n_per_arm"]
    table["planned_n"] = 2 * table["planned_n_per_arm"]
    table["maximum_n"] = interim.reestimation_maximum * plan.n_total
    table["share_enlarged"] = np.nan
    return table.drop(columns=["mean_n_per_arm", "planned_n_per_arm"])


def _follow_promising_zone(
    plan: LookPlan, interim: InterimPlan, seed: int, n_simulations: int
) -> pd.DataFrame:
    zone = PromisingZone(
        plan.design,
        target=interim.reestimation_target,
        lowest=interim.reestimation_lowest,
        maximum=interim.reestimation_maximum,
    )
    table = zone.tabulate(tuple(EFFECT_NAMES))
    drawn = [
        zone.simulate(effect, n_simulations=n_simulations, seed=seed) for effect in EFFECT_NAMES
    ]
    stops = plan.design.stop_probabilities(np.array(list(EFFECT_NAMES)))
    stopped = (stops.efficacy + stops.futility)[:, 0]
    # a trial that stops has enrolled whoever came by then, not the share whose information it has
    early = float(plan.n_enrolled[0]) - plan.design.information_rates[0] * plan.n_total
    return pd.DataFrame(
        {
            "effect": table["effect"],
            "power_reestimated": [one["power"] for one in drawn],
            "mcse": [one["mcse"] for one in drawn],
            "power_planned": table["power_planned"],
            "expected_n": table["expected_information"] * plan.n_total + stopped * early,
            "planned_n": plan.n_total,
            "maximum_n": np.ceil(zone.maximum * plan.n_total),
            "share_enlarged": table["share_promising"],
            "sd_factor": 1.0,
        }
    )
