"""Sizes that were simulated: which of them are those of the sliders' state, and why not."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from reports.figures.labels import analysis_label
from trialsim.comparison.candidates import Candidate
from trialsim.comparison.sizes.whole import enroll_whole_trials
from trialsim.design import TrialDesign
from trialsim.explorer.contents import Contents
from trialsim.explorer.scenario import COLUMNS, Scenario


@dataclass(frozen=True)
class Simulated:
    """Sizes of one design.

    Attributes
    ----------
    whose
        "the study's" or "your".
    scenario
        What was simulated, at its prices.
    sizes
        Rows of `sample_sizes`.
    """

    whose: str
    scenario: Scenario
    sizes: pd.DataFrame


def list_stored(contents: Contents | None) -> list[Simulated]:
    """Return the sizes that the study holds, of each of its analyses."""
    if contents is None or not contents.has("sample_sizes"):
        return []
    design, costs = contents.protocol.design, contents.protocol.trial_costs
    found = []
    for analysis in contents.sizes["analysis"].unique():
        asked = Scenario(design.change(analyses=(str(analysis),)), costs, "random", 1.0)
        rows = contents.sizes[contents.sizes["analysis"] == analysis]
        found.append(Simulated("the study's", asked, rows))
    return found


def find_simulated(known: Sequence[Simulated], asked: Scenario) -> pd.DataFrame | None:
    """Return the sizes simulated for what is asked, at its prices; None where there are none."""
    for one in known:
        if _list_unlike(one.scenario.design, asked.design):
            continue
        sizes = one.sizes[one.sizes["analysis"] == asked.analysis]
        return sizes if one.scenario.costs == asked.costs else _price(sizes, asked)
    return None


def _price(sizes: pd.DataFrame, asked: Scenario) -> pd.DataFrame:
    choices = zip(sizes["strategy"], sizes["fraction_enrolled"], strict=True)
    candidates = [Candidate(strategy, fraction) for strategy, fraction in choices]
    n_control = sizes["n_control"].to_numpy(dtype=float)
    whole = enroll_whole_trials(candidates, asked.design, n_control, asked.costs)
    return sizes.assign(cost=pd.DataFrame(whole, columns=list(COLUMNS[2:]))["cost"].to_numpy())


def describe_unlike(known: Sequence[Simulated], asked: Scenario) -> list[str]:
    """Return why no size that was simulated is shown, told of the nearest of each."""
    told = []
    for whose in dict.fromkeys(one.whose for one in known):
        own = [
            _list_unlike(one.scenario.design, asked.design) for one in known if one.whose == whose
        ]
        was, now = zip(*min(own, key=len), strict=True)
        told.append(
            f"{whose[0].upper()}{whose[1:]} simulated sizes are not shown: they were simulated for "
            f"{', '.join(was)}, not for what is set ({', '.join(now)})."
        )
    return told


def _list_unlike(was: TrialDesign, now: TrialDesign) -> list[tuple[str, str]]:
    """Return what two designs that the sliders can tell apart differ in, each in its words."""
    pairs = zip(_state(was), _state(now), strict=True)
    return [pair for pair in pairs if pair[0] != pair[1]]


def _state(design: TrialDesign) -> list[str]:
    months = ", ".join(f"{month:g}" for month in design.visits_months)
    left = [f"{100 * design.compute_share_left(arm):.6g}" for arm in (0, 1)]
    apart = "" if left[0] == left[1] else f" ({left[1]}\u00a0% under treatment)"
    return [
        f"slowing {100 * design.slowing:.6g}\u00a0%",
        f"power {100 * design.target_power:.6g}\u00a0%",
        f"type I error {design.alpha:g}",
        f"drop-out {left[0]}\u00a0%{apart}",
        f"treatment : control {design.allocation_ratio:g}",
        f"visits at {months} months",
        analysis_label(design.analyses[0]),
    ]
