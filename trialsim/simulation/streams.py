"""Random numbers of simulated trials, one stream for each replicate, arm, purpose.

The stream is Philox with the seed and the replicate as its key, so that any replicate can be drawn
alone, and with arm, purpose and scenario in its counter, so that no two streams meet. Within a
stream people come one after the other: the first 50 of an arm are the same in a trial of 100 as in
one of 600, and the same for every strategy.

References
----------
Salmon et al. 2011 (SC'11), Parallel random numbers: as easy as 1, 2, 3.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from trialsim.analysis.result import Floats

_UNIFORM, _NORMAL, _ENTRY, _FATE, _SITE, _PLACE = range(6)


@dataclass(frozen=True)
class Draws:
    """What chance decides for the people of one arm.

    Attributes
    ----------
    person
        (n_replicates, n_people), uniform: who of the pool it is.
    leave
        (n_replicates, n_people), unit exponential: the cumulative hazard at which one leaves.
    normal
        (n_replicates, n_people, n_normals), standard normal: random effects, then noise.
    """

    person: Floats
    leave: Floats
    normal: Floats


def draw_arm(
    replicates: range, *, seed: int, arm: int, n_people: int, n_normals: int = 0, scenario: int = 0
) -> Draws:
    """Return the draws of one arm in some replicates.

    Parameters
    ----------
    replicates
        Numbers of the replicates, from 0.
    seed
        0 to 2^64 - 1.
    arm
        0 control, 1 treatment.
    n_people
        Of the arm.
    n_normals
        Standard normals a person.
    scenario
        Number of an independent set of streams under the same seed.
    """
    where = {"seed": seed, "arm": arm, "scenario": scenario}
    uniform = _draw(np.random.Generator.random, replicates, _UNIFORM, (n_people, 2), **where)
    normal = _draw(
        np.random.Generator.standard_normal, replicates, _NORMAL, (n_people, n_normals), **where
    )
    return Draws(uniform[:, :, 0], -np.log1p(-uniform[:, :, 1]), normal)


def draw_entries(
    replicates: range, *, seed: int, arm: int, n_people: int, scenario: int = 0
) -> Floats:
    """Return when the people of one arm enter, uniform between the first and the last.

    Parameters are those of `draw_arm`; the result is (n_replicates, n_people).
    """
    where = {"seed": seed, "arm": arm, "scenario": scenario}
    return _draw(np.random.Generator.random, replicates, _ENTRY, (n_people,), **where)


def draw_fates(
    replicates: range, *, seed: int, arm: int, n_people: int, n_fates: int, scenario: int = 0
) -> Floats:
    """Return uniform numbers that decide what happens to people, beside leaving.

    Parameters are those of `draw_arm`; the result is (n_replicates, n_people, n_fates).
    """
    where = {"seed": seed, "arm": arm, "scenario": scenario}
    return _draw(np.random.Generator.random, replicates, _FATE, (n_people, n_fates), **where)


def draw_sites(replicates: range, *, seed: int, n_sites: int, scenario: int = 0) -> Floats:
    """Return how the sites of each replicate differ, in level and in change.

    Standard normals, (n_replicates, n_sites, 2); both arms have the same.
    """
    where = {"seed": seed, "arm": 0, "scenario": scenario}
    return _draw(np.random.Generator.standard_normal, replicates, _SITE, (n_sites, 2), **where)


def draw_places(
    replicates: range, *, seed: int, arm: int, n_people: int, scenario: int = 0
) -> Floats:
    """Return uniform numbers that decide at which site people of one arm are seen.

    Parameters are those of `draw_arm`; the result is (n_replicates, n_people).
    """
    where = {"seed": seed, "arm": arm, "scenario": scenario}
    return _draw(np.random.Generator.random, replicates, _PLACE, (n_people,), **where)


def _draw(
    fill: Callable[..., object],
    replicates: range,
    purpose: int,
    shape: tuple[int, ...],
    *,
    seed: int,
    arm: int,
    scenario: int,
) -> Floats:
    """Return (n_replicates, *shape) numbers, those of each replicate filled from its own stream."""
    drawn = np.empty((len(replicates), *shape))
    if drawn.size:
        streams = _open_streams(replicates, purpose, seed=seed, arm=arm, scenario=scenario)
        for row, rng in enumerate(streams):
            fill(rng, out=drawn[row])
    return drawn


def _open_streams(
    replicates: range, purpose: int, *, seed: int, arm: int, scenario: int
) -> Iterator[np.random.Generator]:
    """Yield the stream of each replicate; one generator, moved to the start of each."""
    bits = np.random.Philox(key=0)
    rng, state = np.random.Generator(bits), bits.state
    for replicate in replicates:
        state["state"]["key"][:] = (seed, replicate)
        state["state"]["counter"][:] = (0, purpose, arm, scenario)
        # 4: nothing of the generator's buffer is left, so the next number starts the stream
        state["buffer_pos"] = 4
        bits.state = state
        yield rng
