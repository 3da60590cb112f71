"""The truth of a synthetic cohort, kept apart from what can be observed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from cohorts.errors import CohortError

TRUTH_FOLDER: Final = "truth"
"""The folder inside a cohort's that no loader reads."""


@dataclass(frozen=True)
class Truth:
    """What nobody can observe about the people of a synthetic cohort.

    Parameters
    ----------
    participants
        `participant_id`, `stage_years` (latent disease stage at baseline), `speed` (stage years a
        year), `ageing_rate` (relative), `annual_change_percent` (latent hippocampal change over
        the first two years).
    volumes
        `participant_id`, `session_id`, `months_from_baseline`, `region`, `volume_mm3`: without
        measurement error, also for visits after drop-out.
    """

    participants: pd.DataFrame
    volumes: pd.DataFrame


def write_truth(truth: Truth, folder: Path) -> Path:
    """Write the truth into `<folder>/truth` and return that folder."""
    target = folder / TRUTH_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    truth.participants.to_parquet(target / "participants.parquet", index=False)
    truth.volumes.to_parquet(target / "volumes.parquet", index=False)
    return target


def read_true_volumes(folder: Path) -> pd.DataFrame | None:
    """Return `Truth.volumes` of the cohort in `folder`; None where nobody knows the truth."""
    path = folder / TRUTH_FOLDER / "volumes.parquet"
    return pd.read_parquet(path) if path.is_file() else None


def read_truth(folder: Path) -> Truth:
    """Return the truth of a synthetic cohort.

    Raises
    ------
    CohortError
        Where the folder has none.
    """
    source = folder / TRUTH_FOLDER
    try:
        return Truth(
            pd.read_parquet(source / "participants.parquet"),
            pd.read_parquet(source / "volumes.parquet"),
        )
    except FileNotFoundError as error:
        raise CohortError(
            f"{folder} holds no truth/participants.parquet and truth/volumes.parquet; "
            "only cohorts made by `trialsim cohort synthesize` do."
        ) from error
