"""The truth of a synthetic cohort, kept apart from what can be observed."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.keys import is_among
from cohorts.sources.visit_times.times import MONTHS_PER_YEAR
from cohorts.synthetic.generators import recognize_generator
from cohorts.synthetic.parameters import GeneratorParameters

TRUTH_FOLDER: Final = "truth"
"""The folder inside a cohort's that no loader reads."""

_VOLUMES: Final = "volumes.parquet"
_GENERATOR: Final = "generator.txt"
_ANATOMIES: Final = "base_anatomies.csv"
_NOISELESS: Final = "noiseless"


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
    write_true_volumes(truth.volumes, folder)
    return target


def write_true_volumes(volumes: pd.DataFrame, folder: Path) -> None:
    """Write `Truth.volumes` alone, of people of whom nothing else is kept."""
    target = folder / TRUTH_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    volumes.to_parquet(target / _VOLUMES, index=False)


def write_true_signs(signs: pd.DataFrame, folder: Path) -> None:
    """Write what scans of generator 2 show at baseline beyond the volumes, a row a person."""
    target = folder / TRUTH_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    signs.to_parquet(target / "signs.parquet", index=False)


def write_generator(parameters: GeneratorParameters, folder: Path) -> None:
    """Write which generator made the people: the digest of its parameters."""
    target = folder / TRUTH_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    (target / _GENERATOR).write_text(f"{parameters.digest()}\n", encoding="utf-8")


def write_base_anatomies(people: pd.DataFrame, folder: Path) -> None:
    """Write which anatomy each person was drawn from: `participant_id`, `base_anatomy`."""
    target = folder / TRUTH_FOLDER
    target.mkdir(parents=True, exist_ok=True)
    people[["participant_id", "base_anatomy"]].to_csv(target / _ANATOMIES, index=False)


def read_base_anatomies(folder: Path) -> "pd.Series[str] | None":
    """Return each participant's base anatomy; None where it was not kept."""
    path = folder / TRUTH_FOLDER / _ANATOMIES
    if not path.is_file():
        return None
    table = pd.read_csv(path, dtype=str)
    return table.set_index("participant_id")["base_anatomy"]


def find_noiseless_scan(folder: Path, participant_id: str, session_id: str) -> Path:
    """Return where a visit's T1w lies as the first acquisition would show it without noise."""
    name = f"{participant_id}_{session_id}_desc-noiseless_T1w.nii.gz"
    return folder / TRUTH_FOLDER / _NOISELESS / name


def read_generator(folder: Path) -> GeneratorParameters:
    """Return the parameters of the generator that made a folder's people; of 1 where none is named.

    Raises
    ------
    CohortError
        Where the folder names a generator that is not one of this package.
    """
    path = folder / TRUTH_FOLDER / _GENERATOR
    if not path.is_file():
        return GeneratorParameters()
    digest = path.read_text(encoding="utf-8").strip()
    found = recognize_generator(digest)
    if found is None:
        raise CohortError(
            f"{path} names parameters that are of no generator of this version ({digest[:12]}), so "
            "no people like these can be simulated."
        )
    return found


def read_true_volumes(folder: Path, *, region: str | None = None) -> pd.DataFrame | None:
    """Return `Truth.volumes` of the cohort in `folder`; None where nobody knows any of them.

    Parameters
    ----------
    folder
        Of the cohort.
    region
        Whose volumes; those of all regions when left out.
    """
    path = folder / TRUTH_FOLDER / _VOLUMES
    wanted = None if region is None else [("region", "==", region)]
    found = pd.read_parquet(path, filters=wanted) if path.is_file() else pd.DataFrame()
    return None if found.empty else found


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
            pd.read_parquet(source / _VOLUMES),
        )
    except FileNotFoundError as error:
        raise CohortError(
            f"{folder} holds no truth/participants.parquet and truth/volumes.parquet; "
            "only cohorts made by `trialsim cohort synthesize` do."
        ) from error


def build_latent_cohort(cohort: Cohort, latent_volumes: pd.DataFrame) -> Cohort:
    """Return the cohort as it would be seen without measurement error and without drop-out.

    Parameters
    ----------
    cohort
        The people; who was left out of it since the truth was written stays out.
    latent_volumes
        `Truth.volumes`.
    """
    visits = latent_volumes[
        ["participant_id", "session_id", "months_from_baseline"]
    ].drop_duplicates(["participant_id", "session_id"])
    ages = cohort.participants.set_index("participant_id")["age_years"]
    visits = visits[is_among(visits["participant_id"], ages.index)]
    visits = visits.assign(
        age_years=visits["participant_id"].map(ages)
        + visits["months_from_baseline"] / MONTHS_PER_YEAR,
        diagnosis=None,
        image_path=None,
        segmentation_path=None,
    )
    volumes = latent_volumes[["participant_id", "session_id", "region", "volume_mm3"]]
    volumes = volumes[is_among(volumes["participant_id"], ages.index)].assign(source="latent")
    return replace(cohort, visits=visits, volumes=volumes)
