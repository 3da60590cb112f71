"""The page shows predicted scans of three people, and says where they are gone."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from reports.page.content import Paragraph, Picture
from reports.page.gather import StudyFacts, gather_study
from reports.page.privacy import Privacy
from reports.page.sections.people.scans import describe_scans
from reports.store.study import Study

PEOPLE = [f"sub-{number}" for number in range(5)]
KINDS = ("baseline", "reconstructed", "predicted", "uncertainty")


def write_image(path: Path, rng: np.random.Generator) -> None:
    array = np.zeros((24, 28, 24), np.float32)
    array[4:20, 4:24, 4:20] = rng.uniform(0.2, 1, (16, 20, 16))
    nib.Nifti1Image(array, np.diag([6.0, 6.0, 6.0, 1.0])).to_filename(path)


@pytest.fixture
def facts(tmp_path: Path) -> StudyFacts:
    rng = np.random.default_rng(1)
    rows = [
        (person, kind, tmp_path / f"{person}_{kind}.nii.gz") for person in PEOPLE for kind in KINDS
    ]
    for _, _, path in rows:
        write_image(path, rng)
    images = pd.DataFrame(rows, columns=["participant_id", "kind", "path"]).astype(str)
    predictions = pd.DataFrame(
        {
            "participant_id": PEOPLE,
            "model_id": "tiny",
            "horizon_months": 24.0,
            "region": "hippocampus",
            "volume_mm3": [5900.0, 5700.0, 5800.0, 5600.0, 5950.0],
            "volume_sd_mm3": 30.0,
            "n_samples": 2,
            "baseline_volume_mm3": 6000.0,
        }
    )
    study = Study.open(tmp_path / "study.duckdb")
    with study.run(command="trialsim predict", config={}) as run:
        run.write("predictions", predictions)
        run.write("prediction_images", images.assign(model_id="tiny", horizon_months=24.0))
    return gather_study(study)


def test_the_fastest_the_median_and_the_slowest_are_shown(facts: StudyFacts) -> None:
    blocks = describe_scans(facts, Privacy(identify=True))
    titles = [block.title for block in blocks if isinstance(block, Picture)]
    assert [title.split()[3].rstrip(",") for title in titles] == ["sub-3", "sub-2", "sub-4"]


def test_nobody_is_named_beside_a_scan(facts: StudyFacts) -> None:
    titles = [block.title for block in describe_scans(facts, Privacy())]
    assert [title.split()[4].rstrip(",") for title in titles] == ["A", "B", "C"]


def test_a_scan_that_is_gone_is_told(facts: StudyFacts, tmp_path: Path) -> None:
    (tmp_path / "sub-3_predicted.nii.gz").unlink()
    first = describe_scans(facts, Privacy())[0]
    assert isinstance(first, Paragraph)
    assert "no longer where they were" in first.text
