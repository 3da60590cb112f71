"""The synthetic BIDS dataset: readable, resumable, labelled."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from cohorts.synthetic import read_truth, synthesize_images

MAPS = Path(__file__).parents[3] / "shared" / "data" / "synthseg_label_maps"


def synthesize(folder: Path, **changes: object) -> int:
    return synthesize_images(
        folder, **({"n_participants": 1, "seed": 3, "visits_months": (0.0, 24.0)} | changes)
    )


def interrupt(folder: Path, **changes: object) -> Path:
    """Return a dataset that was interrupted when its first person had been written."""

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(folder, on_person=stop, **changes)
    return folder


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the dataset of one person, interrupted before its end."""
    return interrupt(tmp_path_factory.mktemp("synthetic") / "dataset")


@pytest.mark.slow
def test_interrupted_dataset_is_valid_and_a_rerun_completes_it(tmp_path: Path) -> None:
    dataset = interrupt(tmp_path / "dataset", n_participants=2)
    assert load_cohort(dataset).participants["participant_id"].tolist() == ["sub-synth0001"]
    first = next((dataset / "sub-synth0001").rglob("*_T1w.nii.gz"))
    written = first.stat().st_mtime_ns
    assert synthesize(dataset, n_participants=2) == 2
    assert first.stat().st_mtime_ns == written
    assert not (dataset / ".partial").exists()


def test_loaded_volumes_are_the_truth(dataset: Path) -> None:
    synthesize(dataset)
    cohort = load_cohort(dataset)
    assert cohort.is_synthetic
    truth = read_truth(dataset).volumes.set_index(["participant_id", "session_id", "region"])
    measured = cohort.volumes.set_index(["participant_id", "session_id", "region"])
    joined = measured.join(truth.rename(columns={"volume_mm3": "true_mm3"}), how="inner")
    assert len(joined) == 8 * len(cohort.visits)
    error = joined["volume_mm3"] / joined["true_mm3"] - 1
    assert error.abs().max() < 0.03


def test_every_file_says_synthetic(dataset: Path) -> None:
    synthesize(dataset)
    for path in dataset.rglob("*.nii.gz"):
        assert nib.load(path).header["descrip"].item() == b"SYNTHETIC"
    for path in dataset.rglob("*_description.json"):
        described = json.loads(path.read_text())
        assert "SYNTHETIC" in described["Name"]
        assert len(described["GeneratedBy"][0]["Plan"]["generator"]) == 64


UNKNOWN = {"EchoTime", "FlipAngle", "DwellTime", "MagneticFieldStrength", "HEDVersion", ""}
"""What no simulated scan has, that no events were tagged, that authors are for people to name."""


def test_the_official_validator_accepts_it(
    dataset: Path, find_bids_issues: Callable[[Path], set[tuple[str, str, str]]]
) -> None:
    synthesize(dataset)
    issues = find_bids_issues(dataset)
    assert not [issue for issue in issues if issue[0] == "error"]
    assert {about for _, _, about in issues} <= UNKNOWN
    assert {code for _, code, about in issues if not about} == {"TOO_FEW_AUTHORS"}


def test_other_options_do_not_continue_a_dataset(dataset: Path) -> None:
    with pytest.raises(CohortError, match="made with other options"):
        synthesize(dataset, seed=4)


def test_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CohortError, match="holds no synthetic dataset"):
        synthesize(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.slow
def test_the_built_in_anatomy_has_a_whole_head(tmp_path: Path) -> None:
    synthesize(tmp_path / "head", whole_head=True)
    (labels,) = sorted((tmp_path / "head").rglob("*ses-m00*_dseg.nii.gz"))[:1]
    assert (np.asanyarray(nib.load(labels).dataobj) > 500).sum() > 50_000


def test_folder_without_label_maps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="holds no label map"):
        synthesize(tmp_path / "new", label_maps=tmp_path)


@pytest.mark.skipif(not MAPS.exists(), reason="the shared label maps are not here")
def test_whole_head_keeps_what_lies_outside_the_skull(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    (maps / "head.nii.gz").symlink_to(MAPS / "crop_1p5mm" / "training_seg_10_1p5mm.nii.gz")
    folder = tmp_path / "heads"
    synthesize(folder, n_participants=1, visits_months=(0.0,), label_maps=maps, whole_head=True)
    labels = np.asarray(nib.load(next(folder.rglob("*_dseg.nii.gz"))).dataobj)
    t1w = np.asarray(nib.load(next(folder.rglob("*_T1w.nii.gz"))).dataobj)
    assert (t1w[labels >= 500] > 0).mean() > 0.9
