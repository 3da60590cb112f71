"""What a cohort's regions truly measured at each visit."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from brlp_models.errors import ModelError
from cohorts.cohort import Cohort
from cohorts.measurements import select_volumes

TRUTH = Path("truth") / "volumes.parquet"
BRAIN_PARTS = (
    "cerebral_cortex",
    "cerebral_white_matter",
)


def load_true_volumes(cohort: Cohort, folder: Path | None) -> tuple[pd.DataFrame, str]:
    """Return the noise-free volumes of a synthetic cohort, or the measured ones.

    Parameters
    ----------
    cohort
        Its volumes are the truth where there is nothing better.
    folder
        The cohort's folder; `truth/volumes.parquet` in it is used where there is one.

    Returns
    -------
    tuple of DataFrame and str
        `participant_id`, `session_id`, `months_from_baseline`, `region`, `volume_mm3`; and
        `latent` or `measured`.
    """
    if folder is not None and (folder / TRUTH).is_file():
        truth = pd.read_parquet(folder / TRUTH)
        # people may have been left out of a cohort since its truth was written
        here = truth["participant_id"].isin(cohort.participants["participant_id"])
        return truth[here].reset_index(drop=True), "latent"
    visits = cohort.visits[["participant_id", "session_id", "months_from_baseline"]]
    return select_volumes(cohort).merge(visits, on=["participant_id", "session_id"]), "measured"


def find_volumes_at(
    truth: pd.DataFrame, horizons_months: Sequence[float], *, window_months: float = 6.0
) -> pd.DataFrame:
    """Return each person's true volumes at baseline and at the visit nearest each horizon.

    Returns
    -------
    DataFrame
        `participant_id`, `horizon_months`, `region`, `true_mm3`, `baseline_mm3`, `session_id`.

    Raises
    ------
    ModelError
        Where nobody has a visit near any of the horizons.
    """
    first = truth[truth["months_from_baseline"] == 0].set_index(["participant_id", "region"])
    parts = []
    for horizon in horizons_months:
        later = truth[truth["months_from_baseline"] > 0].copy()
        later["distance"] = (later["months_from_baseline"] - horizon).abs()
        near = later[later["distance"] <= window_months].sort_values("distance")
        parts.append(
            near.drop_duplicates(["participant_id", "region"]).assign(horizon_months=float(horizon))
        )
    found = pd.concat(parts, ignore_index=True)
    if found.empty:
        months = ", ".join(f"{horizon:g}" for horizon in horizons_months)
        raise ModelError(
            f"Nobody has a visit with volumes within {window_months:g} months of month {months}, "
            "so no prediction can be compared with the truth."
        )
    baseline = first["volume_mm3"].rename("baseline_mm3")
    joined = found.join(baseline, on=["participant_id", "region"], how="inner")
    return joined.rename(columns={"volume_mm3": "true_mm3"})[
        ["participant_id", "horizon_months", "region", "true_mm3", "baseline_mm3", "session_id"]
    ]


def compute_brain_volumes(truth: pd.DataFrame) -> "pd.Series[float]":
    """Return the baseline brain volume by participant, the paper's denominator.

    `brain` where it was measured; otherwise all regions but the fluid around the brain.
    """
    first = truth[truth["months_from_baseline"] == 0]
    whole = first[first["region"] == "brain"].set_index("participant_id")["volume_mm3"]
    if not whole.empty:
        return whole
    parts = first[first["region"].isin(BRAIN_PARTS)]
    return parts.groupby("participant_id")["volume_mm3"].sum()
