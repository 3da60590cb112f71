"""Whether uncertain predictions are the wrong ones."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf

from brlp_models.evaluation.measures.accuracy import VOLUME_ERROR
from brlp_models.evaluation.measures.ranking import REGION
from brlp_models.evaluation.methods import MODEL

_LATER_SCANS = {
    "": "as it was acquired",
    "_noiseless": "without noise, as acquired at baseline",
    "_own_noise": "with the noise of the baseline scan",
}
_MAPS = {"": "as they are", "_smoothed": "smoothed, in the widened brain"}

_Z = ("global_uncertainty", "mse", "volume_error")


@dataclass(frozen=True)
class Slope:
    """A fixed effect of a mixed model with a random intercept for each person."""

    value: float
    lower: float
    upper: float
    p: float
    n: int
    n_people: int
    converged: bool


def relate_uncertainty(
    images: pd.DataFrame, errors: pd.DataFrame, *, region: str = REGION
) -> pd.DataFrame:
    """Return how global uncertainty goes with the horizon, and errors with uncertainty.

    Parameters
    ----------
    images
        Rows of `measure_images`.
    errors
        Of `tabulate_errors`.
    region
        Whose volume's errors: the model's endpoint.

    Returns
    -------
    DataFrame
        `outcome`, `term`, and the slope of a mixed model (`value`, `lower`, `upper`, `p`, `n`,
        `n_people`, `converged`). Errors and uncertainty are in units of their sd, horizons in
        years.
    """
    own = errors[
        (errors["method"] == MODEL)
        & (errors["region"] == region)
        & (errors["measure"] == VOLUME_ERROR)
    ].rename(columns={"value": "volume_error"})
    keys = ["participant_id", "horizon_months"]
    table = images[images["method"] == MODEL].merge(own[[*keys, "volume_error"]], on=keys)
    table["horizon_years"] = table["horizon_months"] / 12
    models = [("global_uncertainty", "horizon_years")]
    models += [(outcome, "global_uncertainty") for outcome in ("mse", "volume_error")]
    return pd.DataFrame(
        {
            "outcome": outcome,
            "term": term,
            **vars(fit_term_slope(_standardize(table), outcome, term)),
        }
        for outcome, term in models
    )


def fit_term_slope(table: pd.DataFrame, outcome: str, term: str) -> Slope:
    """Return the slope of `outcome` on `term`, beside the horizon, within and between people.

    NaN where a column is constant, or nobody has two rows: nothing tells the person's intercept
    from the residual then.
    """
    n_people = table["participant_id"].nunique()
    nan = float("nan")
    nothing = Slope(nan, nan, nan, nan, len(table), n_people, converged=False)
    if len(table) <= n_people or any(np.ptp(table[name]) == 0 for name in (outcome, term)):
        return nothing
    terms = dict.fromkeys([term, "horizon_years"])
    with warnings.catch_warnings():
        # a variance on its boundary warns; `converged` tells what matters
        warnings.simplefilter("ignore")
        model = smf.mixedlm(
            f"{outcome} ~ {' + '.join(terms)}", table, groups=table["participant_id"]
        )
        try:
            fitted = model.fit(reml=True)
        except np.linalg.LinAlgError:
            return nothing
        low, high = fitted.conf_int().loc[term]
        return Slope(
            float(fitted.params[term]),
            float(low),
            float(high),
            float(fitted.pvalues[term]),
            len(table),
            n_people,
            converged=bool(fitted.converged),
        )


def summarize_voxels(images: pd.DataFrame) -> pd.DataFrame:
    """Return whether the uncertainty of voxels is where their error is, and as large.

    Returns
    -------
    DataFrame
        `later_scan` (`as it was acquired`, `without noise, as acquired at baseline`, or that `with
        the noise of the baseline scan`), `maps` (`as they are`, or `smoothed, in the widened
        brain`), `horizon_months`; of Spearman's correlation of a person's voxels `mean`, `sd` and
        `n` over people; of the maps as they are, where the scan without noise is known, `rms_sd`
        and `rms_error`, roots of the means over people of the squares (of intensities from 0 to
        1): uncertainty of the right size has that of the error.
    """
    own = images[images["method"] == MODEL]
    parts = []
    for scan, later_scan in _LATER_SCANS.items():
        for smoothed, maps in _MAPS.items():
            name, error = f"voxel_spearman{scan}{smoothed}", f"rms_error{scan}"
            if name not in own:
                continue
            by_horizon = own.dropna(subset=[name]).groupby("horizon_months")
            part = by_horizon[name].agg(mean="mean", sd="std", n="count")
            if error in own and not smoothed:
                sizes = by_horizon[["rms_sd", error]].agg(_combine_rms)
                part[["rms_sd", "rms_error"]] = sizes.to_numpy()
            parts.append(part.reset_index().assign(later_scan=later_scan, maps=maps))
    found = pd.concat(parts, ignore_index=True)
    columns = ["later_scan", "maps", "horizon_months", "mean", "sd", "n", "rms_sd", "rms_error"]
    return found.reindex(columns=columns)


def _combine_rms(values: "pd.Series[float]") -> float:
    return float(np.sqrt((values**2).mean()))


def _standardize(table: pd.DataFrame) -> pd.DataFrame:
    values = {name: (table[name] - table[name].mean()) / (table[name].std() or 1.0) for name in _Z}
    return table.assign(**values)
