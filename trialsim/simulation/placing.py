"""People placed at the sites of a trial, whose outcomes then differ by site."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.result import Floats
from trialsim.design import TrialDesign
from trialsim.simulation.outcomes import SimulatedPeople
from trialsim.simulation.streams import draw_places, draw_sites


def place_people(
    people: SimulatedPeople,
    design: TrialDesign,
    replicates: range,
    *,
    seed: int,
    arm: int,
    scenario: int,
) -> tuple[SimulatedPeople, NDArray[np.intp]]:
    """Return people with their sites' effects, and the site of each, (n_replicates, n_people).

    A site shifts every outcome of its people, and changes them in proportion to time; both average
    to 0 over sites. Stratified, the people of each arm are spread evenly over the sites.
    """
    sites, times = design.sites, design.times
    n_people = people.outcome.shape[1]
    place = draw_places(replicates, seed=seed, arm=arm, n_people=n_people, scenario=scenario)
    site = (place * sites.n).astype(np.intp)
    if sites.randomization == "stratified":
        site = np.broadcast_to(np.arange(n_people) % sites.n, site.shape)
    drawn = draw_sites(replicates, seed=seed, n_sites=sites.n, scenario=scenario)
    own = np.take_along_axis(drawn, site[..., None], axis=1) * [sites.sd, sites.change_sd]
    course = np.stack([np.ones_like(times), times / times[-1]])
    return replace(people, outcome=people.outcome + own @ course), site


def build_site_columns(design: TrialDesign, site: NDArray[np.intp]) -> Floats | None:
    """Return the columns that the analysis has for sites; None where it has none.

    A fixed effect leaves the first site to the intercept, a random one has every site.
    """
    if not design.sites.n_columns:
        return None
    first = design.sites.n - design.sites.n_columns
    return np.asarray(site[..., None] == np.arange(first, design.sites.n), dtype=float)
