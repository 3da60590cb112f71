"""What a cohort's regions truly measured at each visit."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from brlp_models.errors import ModelError
from cohorts.cohort import Cohort
from cohorts.synthetic.truth import build_latent_cohort, read_true_volumes
from cohorts.visits import WINDOW_MONTHS

BRAIN_PARTS = (
    "cerebral_cortex",
    "cerebral_white_matter",
)


def load_true_cohort(cohort: Cohort, folder: Path | None) -> tuple[Cohort, str]:
    """Return a synthetic cohort without measurement error, or the cohort as it was measured.

    Parameters
    ----------
    cohort
        Its volumes are the truth where there is nothing better.
    folder
        The cohort's folder; the `truth/` in it is used where there is one.

    Returns
    -------
    tuple of Cohort and str
        The people with their true volumes; and `latent` or `measured`.
    """
    volumes = None if folder is None else read_true_volumes(folder)
    return (
        (cohort, "measured")
        if volumes is None
        else (
            build_latent_cohort(cohort, volumes),
            "latent",
        )
    )


def find_volumes_at(truth: Cohort, horizons_months: Sequence[float]) -> pd.DataFrame:
    """Return each person's true volumes at baseline and at the visit that stands for each horizon.

    Returns
    -------
    DataFrame
        `participant_id`, `horizon_months`, `region`, `true_mm3`, `baseline_mm3`, `session_id`.

    Raises
    ------
    ModelError
        Where nobody has a visit near any of the horizons.
    """
    found = truth.volumes_near([0.0, *horizons_months])
    keys = ["participant_id", "region"]
    first = found[found["planned_months"] == 0].set_index(keys)["volume_mm3"]
    later = found[found["planned_months"] > 0]
    if later.empty:
        months = ", ".join(f"{horizon:g}" for horizon in horizons_months)
        raise ModelError(
            f"Nobody has a visit with volumes within {WINDOW_MONTHS:g} months of month {months}, "
            "so no prediction can be compared with the truth: evaluate people who were followed "
            "until then."
        )
    joined = later.join(first.rename("baseline_mm3"), on=keys, how="inner")
    return joined.rename(columns={"volume_mm3": "true_mm3", "planned_months": "horizon_months"})[
        ["participant_id", "horizon_months", "region", "true_mm3", "baseline_mm3", "session_id"]
    ].reset_index(drop=True)


def find_sessions(at_horizon: pd.DataFrame) -> Mapping[tuple[str, float], str]:
    """Return which visit shows what came later, by participant and horizon.

    Parameters
    ----------
    at_horizon
        Rows of `find_volumes_at`.
    """
    return {
        (str(person), float(horizon)): str(session)
        for person, horizon, session in at_horizon[
            ["participant_id", "horizon_months", "session_id"]
        ].itertuples(index=False)
    }


def compute_brain_volumes(truth: Cohort) -> "pd.Series[float]":
    """Return the baseline brain volume by participant, the paper's denominator.

    `brain` where it was measured; otherwise all regions but the fluid around the brain.
    """
    first = truth.baseline()
    if "brain_mm3" in first:
        return first["brain_mm3"]
    parts = first.reindex(columns=[f"{part}_mm3" for part in BRAIN_PARTS])
    return parts.sum(axis=1, min_count=1)
