"""Several doses against one control, the best of which goes on after the look."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from trialsim.adaptive.combination import combine_stages
from trialsim.adaptive.intersection import IntersectionTest, intersect
from trialsim.adaptive.stages import draw_sample
from trialsim.analytic import GroupSequentialDesign
from trialsim.analytic.arguments import COUNT, find_problems
from trialsim.analytic.point import FloatArray
from trialsim.errors import DesignError


@dataclass(frozen=True)
class DoseSelection:
    """What simulated trials did; per-dose shares are (n_doses,).

    Attributes
    ----------
    reject_any
        Share that rejects no effect of some dose.
    reject, chosen
        Share that rejects it for each dose, that went on with each.
    stopped_early
        Share that stopped at the look.
    expected_n
        People of all arms, on average.
    n_simulations
        Trials behind it.
    """

    reject_any: float
    reject: FloatArray
    chosen: FloatArray
    stopped_early: float
    expected_n: float
    n_simulations: int

    @property
    def mcse(self) -> float:
        """Monte Carlo standard error of `reject_any`."""
        return float(np.sqrt(self.reject_any * (1 - self.reject_any) / self.n_simulations))


def simulate_dose_selection(
    design: GroupSequentialDesign,
    effects: Sequence[float],
    *,
    sd: float,
    n_per_arm: tuple[int, int],
    test: IntersectionTest = "dunnett",
    stop_below: float = -np.inf,
    n_simulations: int = 20_000,
    seed: int = 1,
) -> DoseSelection:
    """Return what trials do that drop all but the best dose at their look.

    Closed testing of every set of doses, stages combined by the inverse normal (Posch et al. 2005,
    Stat Med 24:3697). A dose may also win at the look.

    Parameters
    ----------
    design
        Two looks, one side.
    effects
        Difference of each of 2-4 doses from control.
    sd
        Within an arm.
    n_per_arm
        People an arm before the look, and after it in control and the chosen dose.
    test
        Of a set of doses together.
    stop_below
        The trial stops where the best dose's z is below this, or the design's futility bound.
    n_simulations, seed
        Trials, and the stream they come from.

    Raises
    ------
    DesignError
        Another number of looks or doses, fewer than 2 people an arm, no simulations.
    """
    m = len(effects)
    problems = find_problems(n_simulations=(n_simulations, COUNT))
    if design.n_looks != 2 or design.sides != 1:
        problems.append(
            f"Dose selection needs a one-sided design of two looks, got {design.n_looks} looks, "
            f"{design.sides} sides."
        )
    if not 2 <= m <= 4:
        problems.append(f"effects must hold 2 to 4 doses, got {m}.")
    if not np.all(np.isfinite(effects)):
        problems.append(f"effects must be finite numbers, got {list(effects)}.")
    if min(n_per_arm) < 2 or not sd > 0:
        problems.append("Each arm needs 2 people or more in a stage, and an sd above 0.")
    if problems:
        raise DesignError(*problems)
    rng, n = np.random.default_rng(seed), n_simulations
    p_first, estimate = _compare_doses(rng, effects, sd, n_per_arm[0], n)
    p_second, _ = _compare_doses(rng, effects, sd, n_per_arm[1], n)
    best = estimate.argmax(axis=0)
    trial = np.arange(n)
    first_wins, both_win = _close(design, p_first, p_second, best, test)
    early = first_wins.any(axis=0)
    futile = max(stop_below, float(design.futility_z[0]))
    stopped = early | (-special.ndtri(p_first.min(axis=0)) < futile)
    rejected = first_wins.copy()
    rejected[best, trial] |= ~stopped & both_win
    chosen = np.array([(~stopped & (best == dose)).mean() for dose in range(m)])
    people = (m + 1) * n_per_arm[0] + np.where(stopped, 0, 2 * n_per_arm[1])
    return DoseSelection(
        float(rejected.any(axis=0).mean()),
        rejected.mean(axis=1),
        chosen,
        float(stopped.mean()),
        float(people.mean()),
        n,
    )


def _compare_doses(
    rng: np.random.Generator, effects: Sequence[float], sd: float, size: int, n: int
) -> tuple[FloatArray, FloatArray]:
    """Return one-sided p values and estimates, (n_doses, n_trials), by one pooled variance."""
    control = draw_sample(rng, n, size, 0.0, sd)
    doses = [draw_sample(rng, n, size, effect, sd) for effect in effects]
    df = (len(doses) + 1) * (size - 1)
    squares = control.squares + sum((dose.squares for dose in doses), np.zeros(n))
    estimate = np.array([dose.mean - control.mean for dose in doses])
    return special.stdtr(df, -estimate / np.sqrt(squares / df * 2 / size)), estimate


def _close(
    design: GroupSequentialDesign,
    p_first: FloatArray,
    p_second: FloatArray,
    best: FloatArray,
    test: IntersectionTest,
) -> tuple[FloatArray, FloatArray]:
    """Return which doses win at the look, (n_doses, n_trials), and whether the best one later."""
    m, trial = len(p_first), np.arange(p_first.shape[1])
    bounds, rates = design.efficacy_z, design.information_rates
    chosen_p = p_second[best, trial]
    first_wins, later = np.ones(p_first.shape, bool), np.ones(p_first.shape[1], bool)
    for members in _list_sets(m):
        together = intersect(p_first[members], test, 0.5)
        # of a set only the dose that went on has data of the second stage
        z = combine_stages(np.array([together, chosen_p]), rates)
        first_wins[members] &= z[0] >= bounds[0]
        later &= ~np.isin(best, members) | (z[1] >= bounds[1])
    return first_wins, later


def _list_sets(m: int) -> list[list[int]]:
    return [[i for i in range(m) if code >> i & 1] for code in range(1, 2**m)]
