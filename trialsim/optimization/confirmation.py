"""Power of a few designs by simulation, beside what the closed form says."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.result import Floats
from trialsim.design import TrialDesign
from trialsim.optimization.choices import Choice
from trialsim.optimization.courses import Courses
from trialsim.optimization.design_grid import Setting
from trialsim.simulation.outcomes import (
    Expectations,
    OutcomeModel,
    ResamplingModel,
    SimulatedPeople,
)
from trialsim.simulation.performance import compute_rejections
from trialsim.simulation.pool import Pool
from trialsim.simulation.streams import Draws
from trialsim.simulation.trials import simulate_trials
from trialsim.workers.spread import Workers


def simulate_power(
    choice: Choice,
    setting: Setting,
    arms: tuple[int, int],
    design: TrialDesign,
    *,
    n_simulations: int,
    seed: int,
    workers: Workers,
) -> tuple[float, float]:
    """Return the simulated power of a design, and its Monte Carlo standard error.

    People of the choice are drawn again where they were seen at every visit of the schedule; else
    visits are drawn from the lines that were fitted to them.

    Parameters
    ----------
    choice, setting
        The design: its people; schedule, analysis, allocation.
    arms
        People in control, in treatment.
    design
        Effect, drop-out, error rates.
    n_simulations, seed, workers
        Trials, root of every random stream, threads or workers elsewhere.
    """
    own = setting.apply(design)
    trials = simulate_trials(
        build_choice_model(choice, own),
        own,
        [arms],
        seed=seed,
        replicates=range(n_simulations),
        workers=workers,
    )
    power = float(compute_rejections(trials, setting.analysis, own).effect[0].mean())
    return power, float(np.sqrt(power * (1 - power) / n_simulations))


def build_choice_model(choice: Choice, design: TrialDesign) -> OutcomeModel:
    """Return what draws the people of a choice at the visits of a design."""
    known = choice.courses.times
    places = np.searchsorted(known, design.times)
    if choice.pool is None or not np.isin(design.times, known).all():
        return DrawnVisits.of(choice.courses, design)
    return ResamplingModel(take_visits(choice.pool, places))


def take_visits(pool: Pool, places: NDArray[np.intp]) -> Pool:
    """Return the pool with some of its visits, ordered by change to the last of them."""
    outcome = pool.outcome[:, places]
    order = np.argsort(outcome[:, -1] - outcome[:, 0], kind="stable")
    return replace(
        pool,
        outcome=outcome[order],
        measured=pool.observed[:, places],
        people=order,
        score=pool.score[order],
        true_change=pool.true_change[places],
        weights=pool.weights[order],
    )


class DrawnVisits:
    """Normal visits and score with a given mean change and covariance."""

    def __init__(self, true_change: Floats, covariance: Floats) -> None:
        self.true_change, self.covariance = true_change, covariance
        values, vectors = np.linalg.eigh(covariance)
        self._root = vectors * np.sqrt(np.maximum(values, 0.0))

    @classmethod
    def of(cls, courses: Courses, design: TrialDesign) -> "DrawnVisits":
        """Return those of one choice at the visits of a design."""
        change = [float(courses.expect_change(month)[0]) for month in design.times]
        return cls(np.array(change), courses.build_covariance(design.times)[0])

    @property
    def n_normals(self) -> int:
        """Standard normals a person: one a visit, one for the score."""
        return len(self.covariance)

    def simulate(self, draws: Draws) -> SimulatedPeople:
        """Return one person for each draw."""
        values = draws.normal @ self._root.T
        return SimulatedPeople(values[..., :-1] + self.true_change, values[..., -1], None)

    def compute_expectations(self) -> Expectations:
        """Return the means of untreated people."""
        visits = self.covariance[:-1, :-1]
        variance = np.diag(visits) + visits[0, 0] - 2 * visits[0]
        spread = np.sqrt(np.maximum(variance, 0.0))
        return Expectations(0.0, self.true_change, spread, self.true_change)
