"""The deformation model: what it learns from pairs of scans, and what it shows of others."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.ndimage import affine_transform
from torch import Tensor
from typer.testing import CliRunner

from brlp_models.baselines.deformation import DeformationConfig, DeformationNetwork
from brlp_models.baselines.follow_up import ImageBaseline, TimedScan
from brlp_models.baselines.loading import load_baseline
from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel
from brlp_models.training.cohort_follow_ups import fit_cohort_follow_up
from brlp_models.training.loop import LoopSettings
from brlp_models.training.stages.deformation import DeformationSettings
from cohorts.cohort import Cohort
from tests.brlp_models.brain_drawing import draw_brain
from trialsim.cli.app import app

YEARLY = 0.03
"""By how much of its width a brain shrinks."""

SETTINGS = DeformationSettings(
    loop=LoopSettings(steps=60, learning_rate=3e-3, warmup_steps=5), smoothness=0.001
)


def draw_shrunken(seed: int, years: float) -> np.ndarray:
    brain, scale = draw_brain(np.random.default_rng(seed)), 1 + YEARLY * years
    center = (np.array(brain.shape) - 1) / 2
    small = affine_transform(brain, np.full(3, scale), center * (1 - scale), order=1)
    return np.clip(small, 0, 1).astype(np.float32)


def as_image(scan: np.ndarray) -> Tensor:
    return torch.from_numpy(scan)[None]


def write_shrinking(folder: Path, affine: object, n: int, first: int = 0) -> Cohort:
    """Return people with scans at months 0 and 24."""
    ids = [f"sub-{first + k}" for k in range(n)]
    people = pd.DataFrame({"participant_id": ids}).assign(sex="F", diagnosis="MCI", age_years=70.0)
    visits = []
    for k, person in enumerate(ids):
        for months in (0.0, 24.0):
            path = folder / f"{person}_{months:g}.nii.gz"
            scan = draw_shrunken(first + k, months / 12)
            nib.save(nib.Nifti1Image(scan, affine), path)
            key = {"participant_id": person, "session_id": f"ses-{months:g}"}
            at = {"months_from_baseline": months, "age_years": 70 + months / 12}
            visits.append({**key, **at, "diagnosis": "MCI", "image_path": str(path)})
    table = pd.DataFrame(visits).assign(segmentation_path=None)
    volumes = table[["participant_id", "session_id"]].assign(
        region="hippocampus", volume_mm3=6500.0, source="test"
    )
    return Cohort(people, table, volumes, is_synthetic=True)


@pytest.fixture(scope="module")
def cohort(tiny_model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("shrinking")
    return write_shrinking(folder, np.asarray(tiny_model.config.affine), 8)


@pytest.fixture(scope="module")
def fitted(
    tiny_model: BrlpModel, cohort: Cohort, tmp_path_factory: pytest.TempPathFactory
) -> ImageBaseline:
    """Return what has hardly learned: its folder, and what it refuses, do not hang on that."""
    out = tmp_path_factory.mktemp("fitted") / "deformation"
    settings, told = DeformationSettings(loop=LoopSettings(steps=2)), list[tuple[object, ...]]()
    found = fit_cohort_follow_up(
        "deformation",
        cohort,
        out,
        model=tiny_model,
        settings=settings,
        report=lambda *how_far: told.append(how_far),
    )
    n = len(cohort.participants)
    assert told[:n] == [("reading scans", k, n) for k in range(1, n + 1)]
    assert told[n:] == [("learning", 1, 2), ("learning", 2, 2)]
    return found


ROW = pd.DataFrame({"age_years": [70.0], "sex": ["F"], "diagnosis": ["MCI"]}, index=["sub-x"])


@pytest.mark.slow
def test_people_who_were_not_learned_from_shrink_too(
    cohort: Cohort, tiny_model: BrlpModel, tmp_path: Path
) -> None:
    out = tmp_path / "deformation"
    fitted = fit_cohort_follow_up("deformation", cohort, out, model=tiny_model, settings=SETTINGS)
    scan, true = as_image(draw_shrunken(99, 0)), as_image(draw_shrunken(99, 2))
    found = fitted.predict(tiny_model, [TimedScan(0, scan)], ROW, 24)
    assert torch.equal(found.reference, scan)
    assert (found.image - true).square().mean() < 0.7 * (scan - true).square().mean()
    # farther along the same course
    inside = [
        float(fitted.predict(tiny_model, [TimedScan(0, scan)], ROW, months).image.sum())
        for months in (12, 24, 36)
    ]
    assert float(scan.sum()) > inside[0] > inside[1] > inside[2]


def test_without_learning_nothing_moves(tiny_model: BrlpModel) -> None:
    network = DeformationNetwork(1, (4, 8))
    field = network(torch.rand(2, 1, 5, 7, 6), torch.rand(2, 1), torch.tensor([1.0, 2.0]))
    assert field.shape == (2, 3, 5, 7, 6)
    assert not field.any()
    scans = torch.rand(2, 1, 5, 7, 6)
    assert torch.allclose(network.deform(scans, field), scans, atol=1e-6)


def test_a_field_of_the_coarse_grid_moves_the_scan_twice_as_many_voxels(
    fitted: ImageBaseline, tiny_model: BrlpModel
) -> None:
    class Shift(DeformationNetwork):
        def forward(self, scans: Tensor, planes: Tensor, years: Tensor) -> Tensor:
            return torch.ones(len(scans), 3, *scans.shape[2:]) * years.view(-1, 1, 1, 1, 1)

    config = fitted.config
    assert isinstance(config, DeformationConfig)
    maker = type(fitted.maker)(config, Shift(config.n_planes, config.channels))  # type: ignore[call-arg]
    scan = as_image(draw_shrunken(1, 0))
    image = ImageBaseline(config, maker).predict(tiny_model, [TimedScan(0, scan)], ROW, 12).image
    assert torch.allclose(image[0, :-2, :-2, :-2], scan[0, 2:, 2:, 2:], atol=1e-5)


def test_the_folder_gives_the_same_image_and_learned_from_nobody_else(
    fitted: ImageBaseline, tiny_model: BrlpModel, tmp_path: Path
) -> None:
    assert fitted.folder is not None
    assert sum(path.stat().st_size for path in fitted.folder.iterdir()) < 3e6
    assert "SYNTHETIC" in (fitted.folder / "MODEL_CARD.md").read_text()
    kept = load_baseline(fitted.folder)
    assert isinstance(kept, ImageBaseline)
    scans = [TimedScan(0, as_image(draw_shrunken(5, 0)))]
    first, second = (own.predict(tiny_model, scans, ROW, 24).image for own in (fitted, kept))
    assert torch.equal(first, second)
    others = write_shrinking(tmp_path, np.asarray(tiny_model.config.affine), 1, first=50)
    others.write(tmp_path / "others")

    def run(cohort: Path) -> str:
        words = ("model", "baseline-scores", fitted.folder, cohort, "--out", tmp_path / "s.csv")
        more = ("--model", tiny_model.folder, "--scan-cache", tmp_path / "k", "--quiet")
        asked = [str(word) for word in (*words, *more)]
        return " ".join(CliRunner().invoke(app, asked).output.split())

    assert "1 of 1 person" in run(tmp_path / "others")
    assert np.isfinite(pd.read_csv(tmp_path / "s.csv")["deformation"]).all()


def test_what_it_cannot_do_is_told(
    fitted: ImageBaseline, cohort: Cohort, tiny_model: BrlpModel, tmp_path: Path
) -> None:
    scans = [TimedScan(0, as_image(draw_shrunken(5, 0)))]
    unknown = ROW.assign(diagnosis=["AD"])
    for table in (unknown, ROW.iloc[:0]):
        with pytest.raises(ModelError, match="needs age_years, sex, diagnosis of everyone"):
            fitted.predict(tiny_model, scans, table, 24)
    with pytest.raises(ModelError, match="scan at baseline and at a later visit"):
        fit_cohort_follow_up("deformation", cohort.until(0), tmp_path / "none", model=tiny_model)
    cohort.write(tmp_path / "cohort")
    words = ["train", "baseline", "deformation", "--archive", str(tmp_path / "cohort")]
    told = CliRunner().invoke(app, [*words, "--data", str(tmp_path / "cohort"), "--out", "no"])
    assert "learns from pairs of scans alone" in " ".join(told.output.split())
