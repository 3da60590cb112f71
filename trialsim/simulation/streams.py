"""Random numbers of simulated trials, one stream for each replicate, arm, purpose.

The stream is Philox with the seed and the replicate as its key, so that any replicate can be drawn
alone, and with arm, purpose and scenario in its counter, so that no two streams meet. Within a
stream people come one after the other: the first 50 of an arm are the same in a trial of 100 as in
one of 600, and the same for every strategy.

References
----------
Salmon et al. 2011 (SC'11), Parallel random numbers: as easy as 1, 2, 3.
"""

from dataclasses import dataclass

import numpy as np

from trialsim.analysis.result import Floats

_UNIFORM, _NORMAL = 0, 1


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
    seed
        0 to 2^64 - 1.
    arm
        0 control, 1 treatment.
    n_normals
        Standard normals a person.
    scenario
        Number of an independent set of streams under the same seed.
    """
    bits = np.random.Philox(key=0)
    rng, state = np.random.Generator(bits), bits.state
    uniform = np.empty((len(replicates), n_people, 2))
    normal = np.empty((len(replicates), n_people, n_normals))
    for row, replicate in enumerate(replicates):
        for purpose, target in ((_UNIFORM, uniform), (_NORMAL, normal)):
            if target.shape[2] == 0:
                continue
            state["state"]["key"][:] = (seed, replicate)
            state["state"]["counter"][:] = (0, purpose, arm, scenario)
            # 4: nothing of the generator's buffer is left, so the next number starts the stream
            state["buffer_pos"] = 4
            bits.state = state
            if purpose == _UNIFORM:
                rng.random(out=target[row])
            else:
                rng.standard_normal(out=target[row])
    return Draws(uniform[:, :, 0], -np.log1p(-uniform[:, :, 1]), normal)
