"""How much of a predicted change should be that of the predicted scan, and how much what is told.

A predicted scan follows what its context is told, and adds to it: what the starting scan tells
beyond that, and error of its own. The weight of the one against the other that comes nearest to
the truth is measured on other people. It says what the diffusion adds: 0 is nothing.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from brlp_models.evaluation.statistics import Array, estimate, number_clusters
from cohorts.counting import tally
from cohorts.schema import join_sides


def estimate_shown_weight(
    predicted: pd.DataFrame,
    *,
    rng: np.random.Generator,
    anatomies: "pd.Series[str] | None" = None,
    n_bootstrap: int = 1000,
) -> pd.DataFrame:
    """Return each region's weight of the predicted scan with its interval.

    The predicted change is w x (shown change) + (1 - w) x (told change), both over the measured
    baseline; the weight w, from 0 to 1, is that of the smallest squared error, with all horizons
    together.

    Parameters
    ----------
    predicted
        `participant_id`, `region`, `predicted_mm3` as shown alone (a weight of 1), `told_mm3`,
        `start_mm3`, `true_mm3`, `baseline_mm3`; a row for each horizon.
    rng, n_bootstrap
        Of the interval, over anatomies, or over people where they share none.
    anatomies
        By participant, the anatomy that a synthetic person was drawn from; without them each
        person is one.

    Returns
    -------
    DataFrame
        `region`, `value`, `lower`, `upper`, `n` (people), of regions that the context tells; one
        side has the weight of both.
    """
    rows = []
    whole = predicted[predicted["region"].map(join_sides) == predicted["region"]]
    for region, own in whole.dropna(subset="told_mm3").groupby("region"):
        beyond, missing = _compare(own)
        names = own["participant_id"].astype(str)
        clusters, _ = number_clusters(names, anatomies)
        found = estimate(
            fit_weight, beyond, missing, rng=rng, n_bootstrap=n_bootstrap, clusters=clusters
        )
        rows.append({"region": region, **vars(found), "n": names.nunique()})
    return pd.DataFrame(rows, columns=["region", "value", "lower", "upper", "n"])


def fit_weight(beyond: Array, missing: Array) -> float:
    """Return the least-squares weight, from 0 to 1, of what is shown beyond what is told.

    Parameters
    ----------
    beyond
        Shown less told change.
    missing
        True less told change.

    Examples
    --------
    >>> fit_weight(np.array([1.0, -1.0]), np.array([0.5, -0.5]))
    0.5
    """
    scale = float(beyond @ beyond)
    # where nothing is shown beyond what is told, either is the other
    return float(np.clip(beyond @ missing / scale, 0.0, 1.0)) if scale > 0 else 1.0


def _compare(own: pd.DataFrame) -> tuple[Array, Array]:
    """Return what is shown beyond what is told, and what is true beyond it, of one region."""
    told = own["told_mm3"] / own["start_mm3"]
    beyond = (own["predicted_mm3"] / own["start_mm3"] - told).to_numpy(float)
    missing = (own["true_mm3"] / own["baseline_mm3"] - told).to_numpy(float)
    return beyond, missing


def weigh_by_others(
    predicted: pd.DataFrame, anatomies: "pd.Series[str] | None" = None
) -> pd.DataFrame:
    """Return predictions, each weighed as those of other people say.

    What is fitted on people errs less in them than in others; so the error of weighed predictions
    is found in these.

    Parameters
    ----------
    predicted, anatomies
        As in `estimate_shown_weight`. Others are people of other anatomies, where there are any.
    """
    groups, _ = number_clusters(predicted["participant_id"].astype(str), anatomies)
    parts = []
    for group in range(groups.max() + 1):
        others = predicted[groups != group].dropna(subset="told_mm3")
        weights = {
            str(region): fit_weight(*_compare(own)) for region, own in others.groupby("region")
        }
        parts.append(weigh_shown(predicted[groups == group], weights))
    return pd.concat(parts).loc[predicted.index]


def weigh_shown(predicted: pd.DataFrame, weights: Mapping[str, float]) -> pd.DataFrame:
    """Return predictions with the weights in them, as `predict_cohort` has them.

    Parameters
    ----------
    predicted
        As in `estimate_shown_weight`, with `sd_mm3` over draws.
    weights
        By region; 1 for a region that is not named.
    """
    weight = predicted["region"].map(join_sides).map(weights).fillna(1.0)
    weight = weight.where(predicted["told_mm3"].notna(), 1.0)
    told = predicted["told_mm3"].fillna(0.0)
    return predicted.assign(
        predicted_mm3=weight * predicted["predicted_mm3"] + (1 - weight) * told,
        sd_mm3=weight * predicted["sd_mm3"],
    )


def describe_shown_weight(found: pd.DataFrame) -> list[str]:
    """Return a sentence for each region."""
    return [
        f"{row.region}: {row.value:.2f} (95 % interval {row.lower:.2f} to {row.upper:.2f}, "
        f"{tally(int(str(row.n)), 'people')}) of a predicted change is the "
        "predicted scan's, the rest what the context tells"
        + ("; the scan may add nothing to it" if float(str(row.lower)) <= 0 else "")
        for row in found.itertuples()
    ]
