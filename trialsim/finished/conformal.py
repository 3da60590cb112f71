"""Prediction intervals for the untreated outcome of treated people, by split conformal inference.

The trial's controls have outcomes that are untreated, the treated have not. Where randomization
does not depend on covariates both are draws of one population, so that the error of a twin in a
treated person ranks among its errors in the controls like any of them.

References
----------
Vovk, Gammerman & Shafer 2005 (Algorithmic Learning in a Random World, ch. 4). Lei & Candes 2021 (J
R Stat Soc B 83:911), counterfactuals.
"""

import math

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from trialsim.analysis.result import Floats
from trialsim.errors import DesignError
from trialsim.finished.trial import FinishedTrial


def compute_conformal_reach(errors: ArrayLike, *, coverage: float = 0.95) -> float:
    """Return the reach of an interval around a prediction, from its errors in other people.

    With n errors it is the ceil(coverage (n + 1))-th smallest absolute one, and covers
    ceil(coverage (n + 1)) / (n + 1) of new people, exactly where errors have no ties.

    Parameters
    ----------
    errors
        (n,), of people whom the prediction was not fitted to.
    coverage
        Share of people to cover, between 0 and 1.

    Raises
    ------
    DesignError
        Fewer people than an interval of this coverage needs: 19 for 95 %.

    Examples
    --------
    >>> compute_conformal_reach(range(1, 20), coverage=0.95)
    19.0
    """
    size = np.sort(np.abs(np.asarray(errors, dtype=float)))
    rank = math.ceil(round(coverage * (len(size) + 1), 9))
    if rank > len(size):
        need = math.ceil(round(coverage / (1 - coverage), 9))
        raise DesignError(
            f"An interval that covers {100 * coverage:g} % needs at least {need} observed "
            f"controls, got {len(size)}."
        )
    return float(size[rank - 1])


def estimate_individual_effects(trial: FinishedTrial, *, coverage: float = 0.95) -> pd.DataFrame:
    """Return observed minus twin at the last visit of every treated person seen there.

    Columns: `participant_id`, `observed`, `twin`, `difference` (observed minus twin), `lower`,
    `upper` (of the effect Y(1) - Y(0): observed minus the interval of the untreated outcome), and
    `says_something` (the interval leaves out 0). Where twins have an sd, errors are measured in it,
    so that intervals are wider where the twin is less sure. The coverage is that of all treated
    people together, not of each; it needs a twin that was not tuned on these controls,
    randomization that does not depend on covariates, and the same reasons for leaving in both arms.

    Raises
    ------
    DesignError
        Blinded arms, no twins, or too few observed controls.
    """
    if trial.twins is None:
        raise DesignError("Individual effects need twins (`--twins`).")
    last = trial.outcome[:, -1]
    seen = ~np.isnan(last)
    control, treated = seen & (trial.arms == 0), seen & (trial.arms == 1)
    twin = trial.twins.predicted[:, -1]
    scale = np.ones(trial.size) if trial.twins.sd is None else trial.twins.sd[:, -1]
    reach = scale * compute_conformal_reach(
        (last - twin)[control] / scale[control], coverage=coverage
    )
    difference = last - twin
    table = pd.DataFrame(
        {
            "participant_id": trial.participant_id,
            "observed": last,
            "twin": twin,
            "difference": difference,
            "lower": difference - reach,
            "upper": difference + reach,
        }
    )
    table["says_something"] = _leaves_out_0(table["lower"].to_numpy(), table["upper"].to_numpy())
    people: pd.DataFrame = table[treated].reset_index(drop=True)
    return people


def _leaves_out_0(lower: Floats, upper: Floats) -> np.ndarray:
    return np.asarray((lower > 0) | (upper < 0))
