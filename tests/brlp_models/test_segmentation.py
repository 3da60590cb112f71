"""Regions of scans on a model's grid."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from brlp_models.errors import ModelError
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.batches import BatchSize
from brlp_models.prediction.draws import Drawing
from brlp_models.scans import segmentation
from brlp_models.scans.segmentation import (
    GivenSegmentations,
    NetworkSegmenter,
    SynthSegCommand,
    choose_segmenter,
    compute_label_maps,
    compute_logits,
)

FAKE_SYNTHSEG = f"""#!{sys.executable}
import sys, pathlib, nibabel as nib, numpy as np
values = dict(zip(sys.argv[1::2], sys.argv[2::2]))
out = pathlib.Path(values["--o"]); out.mkdir()
for path in pathlib.Path(values["--i"]).iterdir():
    scan = nib.load(path)
    labels = (scan.get_fdata() > 0.5).astype(np.int16) * 17
    nib.save(nib.Nifti1Image(labels, scan.affine), out / path.name.replace(".nii", "_synthseg.nii"))
"""


def scans(model: BrlpModel, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 1, *model.config.shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("soft", [True, False])
def test_network_volumes_fill_the_grid(tiny_folder: Callable[..., Path], soft: bool) -> None:
    settings = load_model(tiny_folder()).config.segmenter
    assert settings is not None
    changed = {**settings.model_dump(), "soft_volumes": soft}
    model = load_model(tiny_folder(segmenter=changed))
    first, _ = NetworkSegmenter(model).measure(scans(model), ["a", "b"])
    total = sum(first[name] for name in settings.labels)
    assert total == pytest.approx(np.prod(model.config.shape) * 9**3, rel=1e-5)
    both = first["left_hippocampus"] + first["right_hippocampus"]
    assert first["hippocampus"] == pytest.approx(both)


@pytest.mark.parametrize("at_once", [1, 2])
def test_scans_are_segmented_once_for_volumes_and_the_region(
    tiny_folder: Callable[..., Path], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, names = load_model(tiny_folder()), ["a", "b", "c"]
    images, segmenter = scans(model, batch=3), NetworkSegmenter(model)
    sizes = BatchSize(1), BatchSize(at_once)
    drawing = Drawing(model, segmenter, 0, "ddim", 1, True, *sizes)
    expected = segmenter.measure(images, names)
    seen: list[int] = []

    def count(model: BrlpModel, images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return compute_logits(model, images)

    monkeypatch.setattr(segmentation, "compute_logits", count)
    volumes, shares = drawing.measure_and_locate(images, names, "hippocampus")
    assert sum(seen) == len(volumes) == len(shares) == 3
    for found, alone, share in zip(volumes, expected, shares, strict=True):
        assert found == pytest.approx(alone)
        # what the share fills is the region's volume, in voxels of 9 mm
        assert float(share.sum()) * 9**3 == pytest.approx(found["hippocampus"], rel=1e-4)


def test_label_map_uses_the_folders_numbers(tiny_folder: Callable[..., Path]) -> None:
    settings = load_model(tiny_folder()).config.segmenter
    assert settings is not None
    model = load_model(
        tiny_folder(segmenter={**settings.model_dump(), "label_ids": [0, 17, 53, 4]})
    )
    labels = compute_label_maps(model, scans(model))
    assert labels.shape == (2, *model.config.shape)
    assert set(np.unique(labels)) <= {0, 17, 53, 4}


def test_given_label_map_is_measured(tiny_model: BrlpModel, tmp_path: Path) -> None:
    labels = np.zeros((20, 24, 20), dtype=np.int16)
    labels[3:6, 3:6, 3:6] = 17
    nib.save(nib.Nifti1Image(labels, np.diag([2.0, 2.0, 2.0, 1])), tmp_path / "sub-1_T1w.nii.gz")
    (found,) = GivenSegmentations(tmp_path).measure(scans(tiny_model, 1), ["sub-1_T1w"])
    assert found["left_hippocampus"] == pytest.approx(27 * 8)


def test_absent_label_map_is_named(tiny_model: BrlpModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"No segmentation .*sub-1_T1w"):
        GivenSegmentations(tmp_path).measure(scans(tiny_model, 1), ["sub-1_T1w"])


def test_command_on_the_path_measures_files(
    tiny_model: BrlpModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "mri_synthseg"
    command.write_text(FAKE_SYNTHSEG)
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    images = torch.zeros(2, 1, *tiny_model.config.shape)
    images[1, 0, :2, :2, :2] = 1
    command_config = tiny_model.config.model_copy(update={"segmenter": None})
    nothing, found = SynthSegCommand(command_config).measure(images, ["a", "b"])
    assert "left_hippocampus" not in nothing
    assert found["left_hippocampus"] == pytest.approx(8 * 9**3)


def test_failing_command_is_told(
    tiny_model: BrlpModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "mri_synthseg"
    command.write_text("#!/bin/sh\necho 'no licence' >&2\nexit 3\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ModelError, match="exit code 3: no licence"):
        SynthSegCommand(tiny_model.config).measure(scans(tiny_model), ["a", "b"])


def test_no_way_to_segment_is_told(tiny_model: BrlpModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    config = tiny_model.config.model_copy(update={"segmenter": None})
    bare = BrlpModel(config, tiny_model.networks)
    with pytest.raises(ModelError, match="no segmentation network, mri_synthseg is not on"):
        choose_segmenter(bare)
