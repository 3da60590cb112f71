"""Random effects that people share, such as those of their site, in a restricted likelihood.

With u_c ~ N(0, s_c I) for each variance s_c, V = R + sum_c s_c Z_c Z_c'. R stays block-diagonal by
person: Henderson's equations, in which the u are coefficients that are drawn towards 0, give every
term of the likelihood from sums over people. Let W = [X Z], A = W'R^-1 W, D the diagonal with 1 for
a fixed and sqrt(s_c) for a random coefficient, E the diagonal with 0 and 1. Then
M = D (D A D + E)^-1 D, P = R^-1 - R^-1 W M W'R^-1, and the log determinants of V and X'V^-1 X add
up to those of R and D A D + E. Nothing is divided by s_c, which may be 0.

References
----------
Henderson 1975 (Biometrics 31:423). Harville 1977 (J Am Stat Assoc 72:320).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.covariance import invert_positive_definite
from trialsim.analysis.result import Flags, Floats


def invert(
    information: Floats, component: NDArray[np.intp], deviations: Floats
) -> tuple[Floats, Floats, Flags]:
    """Return M, the log determinant of D A D + E, and whether that is positive definite.

    Parameters
    ----------
    information
        A, (t, n_free, n_free).
    component
        Variance of each coefficient, -1 where it is fixed, (n_free,).
    deviations
        sqrt(s_c), (t, n_components).
    """
    random = component >= 0
    if not random.any():
        return invert_positive_definite(information)
    scale = np.ones(information.shape[:2])
    scale[:, random] = deviations[:, component[random]]
    both = scale[:, :, None] * scale[:, None, :]
    small, log_determinant, fine = invert_positive_definite(
        information * both + np.diag(random.astype(float))
    )
    return small * both, log_determinant, fine


@dataclass(frozen=True)
class SharedDerivatives:
    """What the variances s_c (q of them) add to the derivatives by the terms of R (a of them).

    Attributes
    ----------
    score
        (t, q).
    traces
        tr(P V_a P V_c) / 2 of every term with each s_c, (t, a + q, q).
    squares
        y'P V_a P V_c P y, (t, a + q, q).
    gradient
        Of the reported coefficient's variance, (t, q).
    spanned
        b'V_a P V_c b with b = V^-1 X Phi c, (t, a + q, q): Kenward & Roger's method needs it.
    """

    score: Floats
    traces: Floats
    squares: Floats
    gradient: Floats
    spanned: Floats


def differentiate(
    component: NDArray[np.intp],
    reported: Flags,
    information: Floats,
    spread: Floats,
    pulled: Floats,
    slopes: Floats,
    pull: Floats,
) -> SharedDerivatives:
    """Return the derivatives of the restricted likelihood by the variances of shared effects.

    Parameters
    ----------
    component
        Variance of each coefficient, -1 where it is fixed, (n_free,).
    reported
        True for the coefficient that is reported, (n_free,).
    information, spread
        A and M, (t, n_free, n_free).
    pulled
        Z'P y = Z'R^-1 r with the residual r, (t, n_random).
    slopes, pull
        W'R^-1 R_a R^-1 W and W'R^-1 R_a R^-1 r, (t, a, n_free, n_free) and (t, a, n_free).
    """
    random = np.flatnonzero(component >= 0)
    member = (component[random, None] == np.arange(component.max() + 1)).astype(float)
    # P Z = R^-1 W K
    k = np.eye(len(component))[:, random] - spread @ information[:, :, random]
    within = information[:, random] @ k
    bent = pull @ k
    own = ((slopes @ k[:, None]) * k[:, None]).sum(axis=2) @ member
    shared = np.einsum("zp,tzy,yq->tpq", member, within**2, member)
    traces = np.concatenate([own, shared], axis=1) / 2
    by_component = member * pulled[:, :, None]
    squares = np.concatenate(
        [bent @ by_component, by_component.transpose(0, 2, 1) @ within @ by_component], axis=1
    )
    score = (pulled**2 @ member - np.einsum("tzz,zq->tq", within, member)) / 2
    column = (spread[:, reported] @ information[:, :, random])[:, 0]
    carried = (spread[:, None, reported] @ slopes)[:, :, 0] @ k
    aimed = member * column[:, :, None]
    spanned = np.concatenate([carried @ aimed, aimed.transpose(0, 2, 1) @ within @ aimed], axis=1)
    return SharedDerivatives(score, traces, squares, column**2 @ member, spanned)


def border(matrix: Floats, side: Floats) -> Floats:
    """Return [[matrix, s], [s', t]] of each trial, where `side` is s above t, (t, a + q, q)."""
    n = matrix.shape[1]
    below = side[:, :n].transpose(0, 2, 1)
    return np.concatenate([np.concatenate([matrix, below], axis=1), side], axis=2)
