"""Scans of two channels: found, refused by name where one is absent, predicted a file each."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch

from brlp_models.bundle.export import export_monai_bundle
from brlp_models.errors import ModelError, ScanError
from brlp_models.model.folder import describe_model, load_model
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.scans.check import check_scan_with_model
from brlp_models.scans.files import make_scan
from brlp_models.scans.grid import Grid
from brlp_models.scans.placing import add_channels
from brlp_models.scans.preprocessing import VisitScan
from brlp_models.scans.segmentation import NetworkSegmenter
from brlp_models.training.banks.cohort import write_cohort_bank
from brlp_models.training.banks.volumes import Bank
from brlp_models.training.recipe import Recipe, load_recipe
from cohorts.cohort import Cohort
from tests.brlp_models.brain_drawing import READABLE_AFFINE, SHAPE, write_brain
from tests.brlp_models.predicted_people import make_tables
from tests.brlp_models.tiny_model import LONE, TINY

CHANNELS = ("T1w", "FLAIR")
PEOPLE = ("sub-1", "sub-2")


@pytest.fixture(scope="module")
def model(tiny_folder: Callable[..., Path]) -> Path:
    settings: dict[str, Any] = TINY
    autoencoder = {**settings["autoencoder"], "in_channels": 2, "out_channels": 2}
    return tiny_folder(
        **{**LONE, "channels": CHANNELS, "autoencoder": autoencoder, "num_inference_steps": 2}
    )


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    """Return two people with both channels on the model's grid."""
    tables, paths = make_tables(PEOPLE, [0], np.random.default_rng(1)), []
    for seed, person in enumerate(PEOPLE):
        paths.append(write_brain(tmp_path / f"{person}_ses-0_T1w.nii.gz", seed))
        write_brain(tmp_path / f"{person}_ses-0_FLAIR.nii.gz", 10 + seed)
    tables["visits"]["image_path"] = [str(path) for path in paths]
    return Cohort(**tables)


def read(path: Path) -> np.ndarray:
    image: Any = nib.load(path)
    return np.asarray(image.get_fdata())


def test_each_channel_is_predicted_and_who_lacks_one_is_told(
    model: Path, cohort: Cohort, tmp_path: Path
) -> None:
    (tmp_path / "sub-2_ses-0_FLAIR.nii.gz").unlink()
    loaded, out = load_model(model), tmp_path / "out"
    found = predict_cohort(loaded, cohort, [24], 2, out=out, save_images=True)
    assert set(found.predictions["participant_id"]) == {"sub-1"}
    assert found.failures.to_numpy().tolist() == [
        [
            "sub-2",
            "sub-2_ses-0_T1w.nii.gz: one FLAIR image of the same visit is expected beside it, "
            "named alike but for the suffix; got none.",
        ]
    ]
    for kind in ("desc-predictedMonth24*", "stat-sd_desc-*", "desc-reconstructed"):
        first, second = (
            read(path) for c in CHANNELS for path in out.rglob(f"sub-1_ses-0_{kind}_{c}.nii.gz")
        )
        assert first.shape == second.shape == SHAPE
        assert not np.array_equal(first, second)


def test_the_second_channel_counts_in_the_latent_and_not_in_the_segmentation(model: Path) -> None:
    loaded = load_model(model)
    scan = torch.rand(1, 2, *SHAPE, generator=torch.Generator().manual_seed(1))
    other = torch.cat([scan[:, :1], scan[:, 1:] / 2], dim=1)
    assert not torch.allclose(loaded.encode(scan), loaded.encode(other))
    segmenter = NetworkSegmenter(loaded)
    assert segmenter.measure(scan, [""]) == segmenter.measure(other, [""])
    assert segmenter.measure(scan, [""]) != segmenter.measure(scan.flip(1), [""])


def test_check_scan_reads_the_channel_beside_the_scan(
    model: Path, cohort: Cohort, tmp_path: Path
) -> None:
    loaded, scan = load_model(model), Path(cohort.visits["image_path"].iloc[0])
    check, placed = check_scan_with_model(loaded, VisitScan(scan))
    assert check.verdict != "fail"
    assert placed is not None
    assert placed.image.shape == (2, *SHAPE)
    elsewhere = scan.rename(tmp_path / "moved_T1w.nii.gz")
    check, placed = check_scan_with_model(loaded, VisitScan(elsewhere))
    assert (check.verdict, placed) == ("fail", None)
    assert "one FLAIR image of the same visit is expected" in check.reason_text


def test_named_channels_come_in_the_models_order() -> None:
    scan = make_scan(np.arange(8000.0).reshape(20, 20, 20), np.diag([5.0, 5, 5, 1]))
    visit = VisitScan(scan, others={"T2w": scan, "FLAIR": scan})
    assert list(add_channels(visit, ("T1w", "FLAIR", "T2w")).others) == ["FLAIR", "T2w"]
    with pytest.raises(ScanError, match="the model reads PDw as well; got none"):
        add_channels(visit, ("T1w", "PDw"))


def test_training_tells_everyone_without_a_channel(cohort: Cohort, tmp_path: Path) -> None:
    maps = []
    for path in cohort.visits["image_path"]:
        maps.append(path.replace("T1w", "dseg"))
        whole: Any = nib.Nifti1Image(np.full(SHAPE, 17, dtype=np.int16), READABLE_AFFINE)  # type: ignore[no-untyped-call]
        nib.save(whole, maps[-1])
    visits = cohort.visits.assign(segmentation_path=maps)
    cohort, grid = replace(cohort, visits=visits), Grid(SHAPE, READABLE_AFFINE)
    write_cohort_bank(cohort, tmp_path / "bank", grid, channels=CHANNELS)
    images = Bank.load(tmp_path / "bank").images
    assert images.shape == (2, 2, *SHAPE)
    for row, path in enumerate(visits["image_path"]):
        for channel, name in enumerate(CHANNELS):
            scan = read(Path(path.replace("T1w", name)))
            assert np.abs(images[row, channel] / 255 - scan).max() <= 0.5 / 255 + 1e-6
    for path in tmp_path.glob("*_FLAIR.nii.gz"):
        path.unlink()
    with pytest.raises(ModelError) as caught:
        write_cohort_bank(cohort, tmp_path / "other", grid, channels=CHANNELS)
    assert [problem[:12] for problem in caught.value.problems] == ["sub-1, ses-0", "sub-2, ses-0"]


def test_scans_of_one_channel_may_be_kept_without_its_axis(tmp_path: Path) -> None:
    pd.DataFrame({"row": [0, 1]}).to_csv(tmp_path / "index.csv")
    scans = np.random.default_rng(1).integers(0, 255, (2, 4, 5, 6)).astype(np.uint8)
    np.save(tmp_path / "images.npy", scans)
    assert np.array_equal(Bank.load(tmp_path).images, scans[:, None])


def test_a_model_and_its_bundle_say_which_channels_it_reads(model: Path, tmp_path: Path) -> None:
    assert describe_model(model)["channels"] == list(CHANNELS)
    bundle = export_monai_bundle(model, tmp_path / "bundle")
    described = json.loads((bundle / "configs/metadata.json").read_text())["network_data_format"]
    for image in (described["inputs"]["image"], described["outputs"]["pred"]):
        assert image["num_channels"] == 2
        assert [text[:5] for text in image["channel_def"].values()] == ["T1w o", "FLAIR"]
    readme = (bundle / "docs/README.md").read_text()
    assert "--scan scan.nii.gz --scan_FLAIR scan_FLAIR.nii.gz --baseline_age" in readme


@pytest.mark.parametrize(
    ("second", "sources", "words"),
    [
        ("FLAIR", ["scans"], None),
        ("FLAIR", ["scans", "labels"], "scans made from label maps are T1w alone"),
        ("PDw", ["scans"], r"\[people\] have scans of T1w, FLAIR, not of PDw"),
    ],
)
def test_a_recipe_asks_for_channels_that_synthetic_scans_have(
    second: str, sources: list[str], words: str | None
) -> None:
    content = load_recipe("mini").model_dump()
    content["model"]["channels"] = ("T1w", second)
    for key in ("in_channels", "out_channels"):
        content["model"]["autoencoder"][key] = 2
    content["model"]["refiner"]["args"]["in_channels"] = 6
    phase = content["autoencoder"][0]
    content["autoencoder"] = [{**phase, "source": source} for source in sources]
    if words is None:
        assert Recipe.model_validate(content).model.channels == ("T1w", second)
        return
    with pytest.raises(ValueError, match=words):
        Recipe.model_validate(content)
