"""Images of a prediction folder as a table."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brlp_models.prediction.person_files import list_prediction_images
from cohorts.cohort import Cohort
from cohorts.files.bids_output import format_label

# a name that looks like a file of another person, and one that leads out of the folder
ODD = "a_desc-predictedMonth6Age70_T1w"
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
    for person, stems in {
        ODD: (
            "desc-predictedMonth24Age72_T1w",
            "stat-sd_desc-predictedMonth24Age72_T1w",
            "desc-reconstructed_T1w",
            "label-hippocampus_desc-reconstructed_probseg",
            "label-hippocampus_desc-predictedMonth24Age72_probseg",
        ),
        OUTSIDE: ("desc-predictedMonth12p5Age71p1_T1w",),
        "stranger": ("desc-predictedMonth24Age72_T1w",),
    }.items():
        label = format_label(person)
        anat = tmp_path / "out" / f"sub-{label}" / "ses-baseline" / "anat"
        anat.mkdir(parents=True)
        for stem in stems:
            image = nib.Nifti1Image(np.zeros((1, 1, 1), np.uint8), np.eye(4))
            image.to_filename(anat / f"sub-{label}_ses-baseline_{stem}.nii.gz")
    return tmp_path / "out"


def kinds(table: pd.DataFrame, name: str) -> dict[str, str]:
    mine = table[table["participant_id"] == name]
    return dict(zip(mine["kind"], mine["path"].map(lambda path: Path(path).name), strict=True))


def test_images_of_a_person_stand_at_their_horizon(cohort: Cohort, folder: Path) -> None:
    table = list_prediction_images(cohort, folder, "mini")
    assert set(table["horizon_months"]) == {24.0, 12.5}
    prefix = f"sub-{format_label(ODD)}_ses-baseline"
    assert kinds(table, ODD) == {
        "baseline": "first.nii.gz",
        "predicted": f"{prefix}_desc-predictedMonth24Age72_T1w.nii.gz",
        "predicted_hippocampus": (
            f"{prefix}_label-hippocampus_desc-predictedMonth24Age72_probseg.nii.gz"
        ),
        "reconstructed": f"{prefix}_desc-reconstructed_T1w.nii.gz",
        "reconstructed_hippocampus": (
            f"{prefix}_label-hippocampus_desc-reconstructed_probseg.nii.gz"
        ),
        "uncertainty": f"{prefix}_stat-sd_desc-predictedMonth24Age72_T1w.nii.gz",
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
