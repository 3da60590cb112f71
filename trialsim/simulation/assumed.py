"""People whose decline is assumed: drawn from stated means, standard deviations, correlations.

Declines along a line from a latent baseline, a score that knows part of the latent decline, errors
of measurement. The draws fill the space evenly (Sobol's sequence) and are turned until their means
and covariances are those stated exactly, so that the people are a population rather than a sample.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import qmc

from trialsim.analysis.result import Floats
from trialsim.design import TrialDesign
from trialsim.errors import DesignError

N_PEOPLE: Final = 2**13


class AssumedPeople(NamedTuple):
    """Trajectories and scores, as `trialsim.comparison.compare_strategies` takes them."""

    trajectories: pd.DataFrame
    scores: pd.DataFrame


def draw_assumed_people(
    design: TrialDesign,
    strategies: Sequence[str],
    baseline_volume_mm3: float,
    *,
    enrolling_everyone: Sequence[str] = ("random",),
) -> AssumedPeople:
    """Return people as the design assumes them.

    Parameters
    ----------
    design
        With every number of `assumed` stated.
    strategies
        Those that are compared.
    baseline_volume_mm3
        Mean at baseline.
    enrolling_everyone
        Strategies that read no score.

    Raises
    ------
    DesignError
        A number is missing, or volumes would not be above 0.

    Examples
    --------
    >>> import numpy as np
    >>> from trialsim.design import TrialDesign
    >>> from trialsim.stated import AssumedDecline
    >>> assumed = AssumedDecline(5.0, 3.0, 12.0, 0.0, 1.0, 0.5)
    >>> design = TrialDesign(unit="log_percent", outcomes="assumed", assumed=assumed)
    >>> people = draw_assumed_people(design, ["brlp"], 7000.0)
    >>> y = 100 * np.log(people.trajectories)
    >>> round(float((y[0.0] - y[24.0]).mean()), 2), round(float((y[0.0] - y[24.0]).std()), 2)
    (5.0, 3.0)
    """
    stated = design.assumed
    names = [name for name in strategies if name not in enrolling_everyone]
    correlations = {name: stated.get_correlation(name) for name in names}
    lacking = [name for name, value in correlations.items() if value is None]
    if lacking:
        raise DesignError(
            *(
                f"{name}: state assumed.score_correlation.{name}, the correlation of its score "
                "with the loss to the last visit."
                for name in lacking
            )
        )
    mean, sd, baseline_sd, shared, noise = (
        float(value or 0.0)
        for value in (
            stated.decline_mean,
            stated.decline_sd,
            stated.baseline_sd,
            stated.baseline_correlation,
            stated.noise_sd,
        )
    )
    normal = _draw_normals(2 + len(design.times) + len(names))
    decline_sd = np.sqrt(sd**2 - 2 * noise**2)
    # the error at baseline is in the baseline and in the loss; what is left is latent
    covariance = shared * baseline_sd * sd - noise**2
    on_decline = covariance / decline_sd if decline_sd > 0 else 0.0
    own = np.sqrt(max(baseline_sd**2 - noise**2 - on_decline**2, 0.0))
    decline = normal[:, 0]
    baseline = on_decline * decline + own * normal[:, 1]
    share = design.times / design.times[-1]
    errors = noise * normal[:, 2 : 2 + len(share)]
    outcome = baseline[:, None] - (mean + decline_sd * decline)[:, None] * share + errors
    scores = {name: np.zeros(N_PEOPLE) for name in strategies}
    for column, name in enumerate(names, start=2 + len(share)):
        known = float(correlations[name] or 0.0) * sd / decline_sd if decline_sd > 0 else 0.0
        scores[name] = known * decline + np.sqrt(max(1 - known**2, 0.0)) * normal[:, column]
    people = pd.Index([f"assumed-{k}" for k in range(N_PEOPLE)], name="participant_id")
    return AssumedPeople(
        pd.DataFrame(
            _to_volumes(outcome, baseline_volume_mm3, design), people, list(design.visits_months)
        ),
        pd.DataFrame(scores, people),
    )


def _draw_normals(n_columns: int) -> Floats:
    """Return standard normals whose means are 0 and whose covariance is the identity."""
    uniform = qmc.Sobol(n_columns, scramble=True, rng=np.random.default_rng(0)).random(N_PEOPLE)
    drawn = ndtri(np.clip(uniform, 1e-9, 1 - 1e-9))
    drawn = drawn - drawn.mean(axis=0)
    root = np.linalg.cholesky(np.cov(drawn, rowvar=False, ddof=0))
    return np.asarray(np.linalg.solve(root, drawn.T).T)


def _to_volumes(outcome: Floats, baseline_mm3: float, design: TrialDesign) -> Floats:
    if design.unit != "mm3":
        return np.asarray(baseline_mm3 * np.exp(outcome / 100))
    volumes = baseline_mm3 + outcome
    if (volumes <= 0).any():
        raise DesignError(
            f"assumed: with a mean of {baseline_mm3:g} mm3 at baseline some volumes would not be "
            "above 0; are the standard deviations in mm3?"
        )
    return np.asarray(volumes)
