"""Predicted scans are a BIDS derivative that the official validator accepts, and plain."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK
import torch

from brlp_models.model.model import BrlpModel
from brlp_models.prediction.dataset import PredictedDataset, write_dataset_tables
from brlp_models.prediction.draws import Person, PersonAtHorizon
from brlp_models.prediction.start import StartScan, StartVisit

AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
TO_MNI = np.array([[1.1, 0.1, 0, 3], [0, 0.9, 0, -5], [0, 0.2, 1, 7], [0, 0, 0, 1.0]])
SHAPE = (12, 14, 10)
PEOPLE = ("sub-01", "002_S_0295")

KNOWN_WARNINGS = {("warning", "TOO_FEW_AUTHORS", "")}
"""Who the authors are is for people to say."""


def make_person(name: str, to_mni: Any) -> Person:
    start = StartVisit(name, "bl", 73.25, 0.0, Path(f"/data/{name}_T1w.nii.gz"), None)
    scan = StartScan(
        torch.zeros(1, *SHAPE), to_mni, lambda array: nib.Nifti1Image(array, AFFINE), "", "brain"
    )
    return Person(start, scan, torch.zeros(1), torch.zeros(1, *SHAPE), {}, "test")


@pytest.fixture
def dataset(tiny_model: BrlpModel, tmp_path: Path) -> Path:
    config = tiny_model.config.model_copy(update={"channels": ("T1w", "FLAIR")})
    model = replace(tiny_model, config=config)
    made = PredictedDataset(tmp_path / "out", model, seed=7, is_synthetic=False)
    made.describe()
    scan = np.linspace(0, 1, 2 * np.prod(SHAPE), dtype=np.float32).reshape(2, *SHAPE)
    rows = []
    for name, to_mni in zip(PEOPLE, (TO_MNI, None), strict=True):
        person = make_person(name, to_mni)
        made.write_start(person, scan)
        for months in (24.0, 30.5):
            target = PersonAtHorizon(person, months, 73.25 + months / 12, torch.zeros(1))
            made.write_prediction(target, scan, scan / 10)
            rows += [
                {"participant_id": name, "horizon_months": months, "region": "hippocampus",
                 "volume_mm3": 7000 - months, "volume_sd_mm3": 50.0}
            ]  # fmt: skip
    write_dataset_tables(tmp_path / "out", PEOPLE, pd.DataFrame(rows))
    return tmp_path / "out"


def test_the_official_validator_accepts_it(
    dataset: Path, find_bids_issues: Callable[[Path], set[Any]]
) -> None:
    assert find_bids_issues(dataset) <= KNOWN_WARNINGS


def test_every_image_says_what_it_is(dataset: Path, tiny_model: BrlpModel) -> None:
    images = sorted(dataset.rglob("*.nii.gz"))
    assert len(images) == 2 * 2 * (1 + 2 * 2)
    for path in images:
        assert "_desc-" in path.name
        image: Any = nib.load(path)
        said = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
        text = image.header["descrip"].item().decode()
        assert text.endswith(f"seed 7 model {tiny_model.model_id}")
        assert (said["IsPredicted"], said["Seed"], said["ModelId"]) == (
            True,
            7,
            tiny_model.model_id,
        )
        assert image.header.get_xyzt_units()[0] == "mm"
        assert image.header["qform_code"] == image.header["sform_code"] == 2
        np.testing.assert_allclose(image.get_qform(), image.get_sform(), atol=1e-5)


def test_age_and_horizon_stand_in_name_sidecar_and_header(dataset: Path) -> None:
    stem = "sub-01_ses-bl_desc-predictedMonth24Age75p2_T1w"
    path = dataset / "sub-01" / "ses-bl" / "anat" / f"{stem}.nii.gz"
    said = json.loads((path.parent / f"{stem}.json").read_text())
    assert (said["HorizonMonths"], said["PredictedAge"], said["AgeAtStart"]) == (24, 75.25, 73.25)
    assert nib.load(path).header["descrip"].item().startswith(b"PREDICTED month 24 age 75.2")


def test_maps_of_uncertainty_say_what_is_in_them(dataset: Path) -> None:
    paths = sorted(dataset.rglob("*_stat-sd_*.json"))
    assert len(paths) == 2 * 2 * 2
    for path in paths:
        said = json.loads(path.read_text())["Description"]
        assert "of its draws, and of what these get wrong alike where the model knows it" in said


def test_another_program_can_apply_the_transform(dataset: Path) -> None:
    (path,) = dataset.rglob("*_xfm.txt")  # none for the scan that was in MNI152 before
    transform = SimpleITK.ReadTransform(str(path))
    in_mni = np.array([10.0, -20.0, 30.0])
    lps = np.array([-1.0, -1.0, 1.0])
    in_scan = lps * np.array(transform.TransformPoint((lps * in_mni).tolist()))
    np.testing.assert_allclose(TO_MNI @ [*in_scan, 1.0], [*in_mni, 1.0], atol=1e-9)


def test_volumes_stand_in_a_table_with_their_meaning(dataset: Path) -> None:
    table = pd.read_csv(dataset / "phenotype" / "predicted_volumes.tsv", sep="\t")
    assert table["month30.5_hippocampus_mm3"].tolist() == [6969.5, 6969.5]
    assert table["month24_hippocampus_sd_mm3"].tolist() == [50.0, 50.0]
    said = json.loads((dataset / "phenotype" / "predicted_volumes.json").read_text())
    assert said["month24_hippocampus_mm3"]["Units"] == "mm^3"
    people = pd.read_csv(dataset / "participants.tsv", sep="\t")
    assert people["source_id"].tolist() == list(PEOPLE)
    assert people["participant_id"].tolist()[0] == "sub-01"
