"""Images of a prediction folder as a table."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brlp_models.prediction.archive import PredictionArchive, list_prediction_images
from cohorts.cohort import Cohort

# a name that looks like a file of another person, and one that leads out of the folder
ODD = "a_month-6_T1w"
OUTSIDE = "../b"


@pytest.fixture
def cohort() -> Cohort:
    names = [ODD, OUTSIDE]
    people = pd.DataFrame({"participant_id": names, "sex": "F", "age_years": 70.0})
    visits = pd.DataFrame(
        {
            "participant_id": [ODD, ODD, OUTSIDE],
            "session_id": ["baseline", "later", "baseline"],
            "age_years": [70.0, 71.0, 70.0],
            "months_from_baseline": [0.0, 12.0, 0.0],
            "diagnosis": "MCI",
            "image_path": ["first.nii.gz", "second.nii.gz", None],
            "segmentation_path": None,
        }
    )
    volumes = pd.DataFrame(columns=["participant_id", "session_id", "region", "volume_mm3"])
    return Cohort(
        people.assign(diagnosis="MCI"), visits, volumes.assign(source=""), "people", False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    archive = PredictionArchive(tmp_path / "out", {})
    names = [f"{ODD}_month-24_T1w", f"{ODD}_month-24_uncertainty", f"{ODD}_reconstructed_T1w"]
    names += [f"{OUTSIDE}_month-12.5_T1w", "stranger_month-24_T1w"]
    for name in names:
        archive.write_image(name, nib.Nifti1Image(np.zeros((1, 1, 1), np.uint8), np.eye(4)))
    return archive.folder


def kinds(table: pd.DataFrame, name: str) -> dict[str, str]:
    mine = table[table["participant_id"] == name]
    return dict(zip(mine["kind"], mine["path"].map(lambda path: Path(path).name), strict=True))


def test_images_of_a_person_stand_at_their_horizon(cohort: Cohort, folder: Path) -> None:
    table = list_prediction_images(cohort, folder, "mini")
    assert set(table["horizon_months"]) == {24.0, 12.5}
    assert kinds(table, ODD) == {
        "baseline": "first.nii.gz",
        "predicted": f"{ODD}_month-24_T1w.nii.gz",
        "reconstructed": f"{ODD}_reconstructed_T1w.nii.gz",
        "uncertainty": f"{ODD}_month-24_uncertainty.nii.gz",
    }


def test_images_of_strangers_are_left_out(cohort: Cohort, folder: Path) -> None:
    assert set(list_prediction_images(cohort, folder, "mini")["participant_id"]) == {ODD, OUTSIDE}


def test_person_without_a_scan_in_the_cohort_keeps_the_prediction(
    cohort: Cohort, folder: Path
) -> None:
    assert set(kinds(list_prediction_images(cohort, folder, "mini"), OUTSIDE)) == {"predicted"}


def test_prediction_from_a_later_visit_shows_that_scan(cohort: Cohort, folder: Path) -> None:
    table = list_prediction_images(cohort, folder, "mini", until_months=12.0)
    assert kinds(table, ODD)["baseline"] == "second.nii.gz"


def test_every_path_is_absolute(cohort: Cohort, folder: Path) -> None:
    assert all(
        Path(path).is_absolute() for path in list_prediction_images(cohort, folder, "m")["path"]
    )


def test_folder_without_images_gives_an_empty_table(cohort: Cohort, tmp_path: Path) -> None:
    assert list_prediction_images(cohort, tmp_path, "mini").empty
