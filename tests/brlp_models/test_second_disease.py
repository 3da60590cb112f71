"""Multiple sclerosis in place of Alzheimer's disease: only configuration and tables differ.

Synthetic people whose thalamus shrinks with their disability (EDSS), each visit with a T1w and a
FLAIR scan: a model is trained on some of them; others are predicted, ranked, and a trial in them is
simulated.
"""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from brlp_models.auxiliary.files import load_auxiliary
from brlp_models.model.files import read_config
from brlp_models.training.tissues import SEGMENTED
from cohorts.sources.loading import load_cohort
from reports.store.study import Study
from tests.brlp_models.brain_drawing import READABLE_AFFINE, SHAPE, draw_brain
from trialsim.cli.app import app

LOOP = "{ steps = 2, learning_rate = 1e-3 }"
LABELS = json.dumps(SEGMENTED)
RECIPE = f"""
seed = 1
covariates = ["edss"]

[model]
name = "brlp-ms"
spacing_mm = [4.0, 4.0, 4.0]
shape = {list(SHAPE)}
affine = {READABLE_AFFINE.tolist()}
channels = ["T1w", "FLAIR"]
regions = ["thalamus", "lateral_ventricle"]
decoding = "refined"
endpoint = "thalamus"
sampler = "dpm-solver++"
num_inference_steps = 2
license = "Apache-2.0"
provenance = "tests"
is_synthetic = true
context = [
  {{ name = "age", range = [20.0, 80.0] }},
  {{ name = "edss", range = [0.0, 10.0] }},
  {{ name = "volume:thalamus", range = [10000.0, 20000.0] }},
  {{ name = "volume:lateral_ventricle", range = [10000.0, 60000.0] }},
]
[model.autoencoder]
in_channels = 2
out_channels = 2
latent_channels = 2
channels = [4, 8, 8]
num_res_blocks = 1
norm_num_groups = 4
attention_levels = [false, false, false]
with_encoder_nonlocal_attn = false
with_decoder_nonlocal_attn = false
[model.unet]
in_channels = 2
out_channels = 2
channels = [8]
num_res_blocks = 1
attention_levels = [true]
norm_num_groups = 4
num_head_channels = [8]
with_conditioning = true
cross_attention_dim = 4
[model.controlnet]
conditioning_embedding_in_channels = 3
conditioning_embedding_num_channels = [8]
[model.segmenter]
network = "UNet"
labels = {LABELS}
args = {{ in_channels = 1, out_channels = {len(SEGMENTED)}, channels = [4, 8], strides = [2] }}
[model.refiner]
network = "UNet"
args = {{ in_channels = 6, out_channels = 4, channels = [4, 8], strides = [2] }}

[[segmenter]]
loop = {LOOP}
crop = [16, 16, 16]
batch_size = 1
medial_temporal_share = 0.0
scan_share = 1.0
[[autoencoder]]
loop = {LOOP}
crop = [16, 16, 16]
batch_size = 1
medial_temporal_share = 0.0
adversarial_weight = 0.0
[diffusion]
loop = {LOOP}
batch_size = 2
[[controlnet]]
loop = {LOOP}
batch_size = 2
[[refiner]]
loop = {LOOP}
crop = [16, 16, 16]
batch_size = 1
medial_temporal_share = 0.0
"""
MONTHS = (0, 24)
N_SCREENED = 20


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.output


def write(path: Path, array: np.ndarray) -> None:
    nib.save(nib.Nifti1Image(array, READABLE_AFFINE), path)  # type: ignore[no-untyped-call]


def draw_flair(brain: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the other contrast of a brain: cortex brighter than white matter, fluid dark."""
    flair = np.where(brain > 0, 1 - 0.5 * brain, 0)
    return np.where(np.isin(labels, [4, 43]), 0.1 * flair, flair).astype(np.float32)


def write_people(folder: Path, n: int, seed: int) -> Path:
    """Write people with scans on the model's grid and two visits, and import them."""
    rng, rows = np.random.default_rng(seed), []
    labels = np.full(SHAPE, 2, dtype=np.int16)
    # left on the left: the first axis runs from right to left
    for code, (other, place) in {10: (49, 10), 4: (43, 13), 17: (53, 7)}.items():
        labels[12:15, 10:14, place : place + 2] = code
        labels[5:8, 10:14, place : place + 2] = other
    (folder / "scans").mkdir(parents=True)
    for k in range(n):
        age, edss = rng.uniform(25, 60), float(rng.integers(0, 14)) / 2
        thalamus, ventricle = rng.normal(15000, 700), rng.normal(30000, 4000)
        for month in MONTHS:
            name = f"scans/sub-{seed}x{k:02d}_{month}_T1w.nii.gz"
            brain = draw_brain(rng, READABLE_AFFINE)
            write(folder / name, brain)
            write(folder / name.replace("T1w", "FLAIR"), draw_flair(brain, labels))
            segmentation = name.replace("T1w", "dseg")
            write(folder / segmentation, labels)
            loss = month / 24 * (100 + 150 * edss) + rng.normal(0, 40)
            rows.append(
                {
                    "participant_id": f"sub-{seed}x{k:02d}",
                    "session_id": f"ses-{month:02d}",
                    "months_from_baseline": month,
                    "age_years": age + month / 12,
                    "sex": "FM"[k % 2],
                    "edss": edss,
                    "thalamus_mm3": thalamus - loss,
                    "lateral_ventricle_mm3": ventricle + 3 * loss,
                    "image_path": name,
                    "segmentation_path": segmentation,
                }
            )
    pd.DataFrame(rows).to_csv(folder / "people.csv", index=False)
    stated = ("--diagnosis", "MS", "--study", folder / "study.duckdb", "--quiet")
    run("cohort", "import", folder / "people.csv", folder / "cohort", *stated)
    return folder / "cohort"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ms")
    (folder / "ms.toml").write_text(RECIPE)
    archive = write_people(folder / "archive", 20, seed=1)
    words = ("--config", folder / "ms.toml", "--data", archive, "--out", folder / "training")
    run("train", "all", *words, "--quiet")
    write_people(folder / "screened", N_SCREENED, seed=2)
    return folder


def test_the_model_is_of_its_disease(folder: Path) -> None:
    config = read_config(folder / "training/model")
    assert (config.name, config.endpoint) == ("brlp-ms", "thalamus")
    several = json.loads((folder / "training/model/auxiliary/progression.json").read_text())
    assert list(several["groups"]) == ["MS"]


def test_disability_stands_in_place_of_the_diagnosis(folder: Path) -> None:
    auxiliary = load_auxiliary(folder / "training/model/auxiliary/huber.json")
    others = load_cohort(folder / "screened/cohort")
    found = auxiliary.predict_volumes(others.baseline(), horizons_months=[24.0])
    thalamus = found[found["region"] == "thalamus"].set_index("participant_id")["volume_mm3"]
    expected = thalamus / others.baseline()["thalamus_mm3"]
    true = others.change("thalamus", 24).set_index("participant_id")["change_percent"]
    assert true.corr(expected, method="spearman") > 0.8


@pytest.mark.slow
def test_train_predict_rank_power(folder: Path) -> None:
    study, cohort = folder / "study.duckdb", folder / "screened/cohort"
    shared = ("--study", study, "--quiet")
    words = ("--model", folder / "training/model", "--horizons-months", "24", "--samples", "2")
    run("predict", cohort, *words, *shared)
    words = ("--endpoint", "thalamus", "--horizon-months", "24", "--fractions-enrolled", "0.5")
    few = ("--n-bootstrap", "10")
    run("rank", cohort, "--strategies", "random,brlp", *words, *shared)
    words = ("--endpoint", "thalamus", "--visits-months", "0,24", "--slowing", "0.5")
    run("power", cohort, *words, "--sample-sizes", "20,40", "--n-simulations", "100", *few, *shared)
    found = Study.open(study, read_only=True)
    assert set(found.read("participants")["diagnosis"]) == {"MS"}
    predictions = found.read("predictions")
    assert set(predictions["region"]) == {"thalamus", "lateral_ventricle"}
    thalamus = predictions[predictions["region"] == "thalamus"].set_index("participant_id")
    change = thalamus["volume_mm3"] / thalamus["baseline_volume_mm3"]
    scores = found.read("scores")
    brlp = scores[scores["strategy"] == "brlp"].set_index("participant_id")["score"]
    # whom the strategy takes is who loses most of the thalamus
    assert len(brlp) == N_SCREENED
    assert change.corr(brlp, method="spearman") == pytest.approx(-1)
    power = found.read("operating_characteristics")
    assert {"random", "brlp"} <= set(power["strategy"])
    described = found.read("study_description").set_index("key")["value"]
    assert described["design.endpoint"] == '"thalamus"'
