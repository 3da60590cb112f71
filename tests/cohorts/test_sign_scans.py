"""Scans of generator 2: signs can be seen and measured, and change no tabled volume."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import binary_erosion
from typer.testing import CliRunner

from cohorts.synthetic.anatomy.mni import load_mni_anatomy
from cohorts.synthetic.generators import choose_generator
from cohorts.synthetic.person_scans import SyntheticScan, synthesize_scans
from cohorts.synthetic.signs.lesions import paint_lesions
from cohorts.synthetic.signs.lobes import LOBES, weigh_lobes_at
from cohorts.synthetic.signs.measures import measure_signs
from cohorts.synthetic.signs.sampling import PersonSigns
from cohorts.volumes.volumetry import compute_label_volumes
from trialsim.cli.app import app

VOLUMES = {
    "left_hippocampus": 3300.0,
    "right_hippocampus": 3400.0,
    "amygdala": 3000.0,
    "thalamus": 13500.0,
    "lateral_ventricle": 30000.0,
    "cerebral_cortex": 460000.0,
}


def synthesize(**signs: float) -> SyntheticScan:
    bright = signs.pop("bright", 0.0)
    shown = PersonSigns(
        brightening=np.full((1, len(LOBES)), bright),
        lesion_mm3=np.array([signs.pop("lesions", 0.0)]),
        lesion_depth=0.22,
        **{"head_mm": 0.0, "ca1_mm": 0.0, "pattern_mm": 0.0} | signs,
    )
    return synthesize_scans(
        load_mni_anatomy(),
        [VOLUMES],
        rng=np.random.default_rng(5),
        head_size_mm3=1.5e6,
        resolution_mm=2.0,
        parameters=choose_generator(2),
        signs=shown,
        channels=("T1w", "FLAIR"),
    )[0]


@pytest.fixture(scope="module")
def plain() -> SyntheticScan:
    return synthesize()


@pytest.fixture(scope="module")
def marked() -> SyntheticScan:
    return synthesize(bright=0.08, lesions=8000, head_mm=0.6, ca1_mm=0.4, pattern_mm=0.4)


def measure(scan: SyntheticScan) -> dict[str, float]:
    return measure_signs(scan.ideal, scan.labels, 8.0)


def test_signs_change_no_tabled_volume(plain: SyntheticScan, marked: SyntheticScan) -> None:
    for scan in (plain, marked):
        found = compute_label_volumes(scan.labels, 8.0)
        assert {r: found[r] for r in VOLUMES} == pytest.approx(VOLUMES, rel=0.005)


def test_every_sign_is_measured_where_it_was_put(
    plain: SyntheticScan, marked: SyntheticScan
) -> None:
    before, after = measure(plain), measure(marked)
    change = {name: after[name] - before[name] for name in before}
    assert all(0.03 < change[f"contrast_{lobe}"] < 0.09 for lobe in LOBES)
    assert np.exp(after["lesions"]) - 50 == pytest.approx(8000, rel=0.5)
    assert np.exp(before["lesions"]) - 50 < 100
    assert change["head_share"] > 0.05
    assert change["ca1_share"] > 0.02
    assert change["thickness_temporal"] - change["thickness_parietal"] > 0.05


def test_an_acquisition_shows_what_the_ideal_image_shows(marked: SyntheticScan) -> None:
    seen, ideal = measure_signs(marked.t1w, marked.labels, 8.0), measure(marked)
    assert seen["lesions"] == pytest.approx(ideal["lesions"], abs=0.3)
    for lobe in LOBES:
        assert seen[f"contrast_{lobe}"] == pytest.approx(ideal[f"contrast_{lobe}"], abs=0.05)
    # bias field and gain alone change nothing that is measured
    scaled = measure_signs(marked.ideal * np.float32(600), marked.labels, 8.0)
    assert scaled == pytest.approx(ideal, abs=1e-3)


def test_flair_shows_fluid_dark_and_lesions_bright(
    plain: SyntheticScan, marked: SyntheticScan
) -> None:
    flair, labels = marked.others["FLAIR"], marked.labels
    fluid, cortex = (np.median(flair[np.isin(labels, codes)]) for codes in ([4, 43], [3, 42]))
    inside = binary_erosion(np.isin(labels, [2, 41]), iterations=2)
    white = np.median(flair[inside])
    assert fluid < 0.4 * white < white < cortex
    # lesions are what the T1w shows darker than that of the same head without any
    lesions = inside & (marked.ideal < 0.9 * plain.ideal) & np.isin(plain.labels, [2, 41])
    assert lesions.sum() > 200
    assert np.median(flair[lesions]) > 1.3 * white
    assert np.median(plain.others["FLAIR"][lesions]) < 1.1 * white


def test_lobes_lie_where_they_should(plain: SyntheticScan) -> None:
    weights = weigh_lobes_at(plain.labels)
    assert weights.sum(axis=0) == pytest.approx(1.0)
    brain = np.argwhere(plain.labels > 0).mean(axis=0)
    places = [np.average(np.argwhere(w > 0.9), axis=0) - brain for w in weights]
    frontal, parietal, temporal, occipital = places
    assert frontal[1] > 10
    assert occipital[1] < -10
    assert parietal[2] > 5
    assert temporal[2] < -5


def test_lesions_grow_where_they_began() -> None:
    sites = -np.linalg.norm(np.mgrid[-12:12, -12:12, -12:12], axis=0).astype(np.float32)
    small, large = (paint_lesions(sites, volume) for volume in (2000, 8000))
    assert (large >= small - 1e-6).all()
    assert (paint_lesions(sites, 0) == 0).all()
    assert (small > 0.5).sum() == pytest.approx(2000, rel=0.2)
    assert (large > 0.5).sum() == pytest.approx(8000, rel=0.2)


@pytest.mark.slow
def test_dataset_of_generator_2_keeps_the_truth_of_its_signs(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    asked = ["cohort", "synthesize", str(folder), "-n", "1", "--images", "--generator", "2"]
    asked += ["--signal", "null", "--visits", "0", "--workers", "1", "--quiet"]
    assert CliRunner().invoke(app, asked).exit_code == 0
    described = json.loads((folder / "dataset_description.json").read_text())
    plan = described["GeneratedBy"][0]["Plan"]
    assert plan["signs"]["is_independent"]
    assert plan["generator"] == choose_generator(2, "null").digest()
    assert "chosen, not observed" in (folder / "README").read_text()
    signs = pd.read_parquet(folder / "truth" / "signs.parquet")
    assert signs["participant_id"].tolist() == ["sub-synth0001"]
    assert (signs["lesion_mm3"] > 0).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--signal", "null"], "--signal is of --generator 2"),
        (["--trial", "--generator", "2"], "--trial makes people of generator 1"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: list[str], words: str, tmp_path: Path
) -> None:
    asked = ["cohort", "synthesize", str(tmp_path / "x"), *options]
    found = CliRunner().invoke(app, asked)
    assert found.exit_code == 1
    assert words in found.output + str(found.exception)
