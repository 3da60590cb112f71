"""What a model has of the one that its training started from, and what it has not any more."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from brlp_models.errors import ModelError
from brlp_models.model.config import Calibration, GainMeasurement, RelativeSd
from brlp_models.model.files import find_model_folder, read_config
from brlp_models.model.folder import load_model, write_model_folder
from brlp_models.model.training_people import CALIBRATION_PEOPLE, describe_training_people
from brlp_models.training.kept import KeptParts
from brlp_models.training.pipeline import Training
from brlp_models.training.recipe import MEASURED, Recipe, load_recipe
from brlp_models.training.session import MODEL, TrainingSession
from tests.brlp_models.test_noiseless_refiner import ON, write_noiseless_bank
from tests.brlp_models.test_training import make_recipe
from tests.brlp_models.test_training_on import write_start
from tests.brlp_models.test_training_session import make_cohort

SD = {"hippocampus": RelativeSd(at_baseline=0.02, per_year=0.01)}
MEASUREMENT = GainMeasurement(n_people=60, n_anatomies=2, intervals={"hippocampus": (0.5, 0.9)})
CALIBRATED = {
    "volume_gain": {"hippocampus": 0.5},
    "gain_measurement": MEASUREMENT,
    "shown_weight": {"hippocampus": 0.4},
    "volume_error": SD,
    "draw_sd": SD,
    "calibrations": {"reader-1": Calibration(regions=("hippocampus",), volume_error=SD)},
    "training_ranges": {"age_years": (50.0, 90.0)},
    "measured_by": "FreeSurfer 7",
}


def write_calibrated(folder: Path, *, dtype: torch.dtype | None = None, **changes: object) -> Path:
    """Write a calibrated model with auxiliary models."""
    plain = load_model(write_start(folder.with_name("plain")))
    bundled = find_model_folder("mini")
    files = {"one_visit": "auxiliary/huber.json", "several_visits": "auxiliary/progression.json"}
    config = plain.config.model_copy(update={**CALIBRATED, "auxiliary": files, **changes})
    texts = {name: (bundled / name).read_text() for name in config.auxiliary.values()}
    texts[CALIBRATION_PEOPLE] = describe_training_people(["judge, aged 70.00"])
    return write_model_folder(
        folder, config, plain.networks, card="A start.", auxiliary=texts, dtype=dtype
    )


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_calibrated(tmp_path_factory.mktemp("calibrated") / "start")


def load_refining(folder: Path, start: Path, more: str = "") -> Recipe:
    path = folder / "on.toml"
    path.write_text(ON.replace("[model]\n", f"[model]\n{more}").format(start=start))
    return load_recipe(path)


def test_a_refiner_takes_nothing_from_what_was_measured(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # not rounded to half a precision, as an imported model is stored
    folder = tmp_path / "training"
    write_noiseless_bank(folder)
    monkeypatch.setattr(
        "brlp_models.training.session.fit_auxiliary", lambda *_, **__: pytest.fail("fitted anew")
    )
    # hardly anybody, too few for auxiliary models
    TrainingSession(load_refining(tmp_path, start), folder).run("all")
    before, after = read_config(start), read_config(folder / MODEL)
    new = {"name", "provenance"}
    assert after.model_dump(exclude=new) == before.model_dump(exclude=new)
    for file in (*before.auxiliary.values(), CALIBRATION_PEOPLE):
        assert (folder / MODEL / file).read_bytes() == (start / file).read_bytes()
    for path in start.glob("*.safetensors"):
        own, now = load_file(path), load_file(folder / MODEL / path.name)
        same = all(own[key].dtype == now[key].dtype and own[key].equal(now[key]) for key in own)
        assert same == (path.stem != "refiner"), path.stem
    card = (folder / MODEL / "MODEL_CARD.md").read_text()
    kept = ", ".join(f"`{key}`" for key in MEASURED)
    told = (
        f"- As they are there, since nothing that they hang on learned: auxiliary models, {kept}."
    )
    assert told in card


SEGMENTER = "[[segmenter]]\ncrop = [16, 16, 16]\n[segmenter.loop]\nsteps = 1\n[[refiner]]"


def test_what_a_learning_network_has_a_part_in_is_dropped(start: Path, tmp_path: Path) -> None:
    path = tmp_path / "on.toml"
    path.write_text(ON.replace("[[refiner]]", SEGMENTER).format(start=start))
    kept = KeptParts(load_recipe(path))
    assert kept.measured == {}
    # auxiliary models read tables alone
    assert {*kept.texts} == {*kept.auxiliary.values()}
    phase = make_recipe().model_dump()["controlnet"][0]
    learning = load_recipe(path).model_copy(update={"segmenter": (), "refiner": ()})
    other = Recipe.model_validate({**learning.model_dump(), "controlnet": [phase]})
    assert (KeptParts(other).measured, KeptParts(other).texts) == ({}, {})


@pytest.mark.parametrize(
    "said",
    [
        "sampler = 'dpm-solver++'\n",
        "num_inference_steps = 9\n",
        "regions = ['hippocampus', 'lateral_ventricle']\n",
    ],
)
def test_what_was_measured_is_of_a_sampler_its_steps_and_regions(tmp_path: Path, said: str) -> None:
    start = write_calibrated(tmp_path / "start", regions=("hippocampus",), sampler="ddim")
    assert {*KeptParts(load_refining(tmp_path, start)).measured} == {*MEASURED}
    kept = KeptParts(load_refining(tmp_path, start, said))
    assert kept.measured == {}
    assert kept.auxiliary


def test_how_a_scan_is_shown_changes_no_volume(start: Path, tmp_path: Path) -> None:
    refiner = read_config(start).refiner
    assert refiner is not None
    whole = load_model(start)
    config = whole.config.model_copy(update={"decoding": "latent", "refiner": None})
    networks = {name: own for name, own in whole.networks.items() if name != "refiner"}
    names = [*config.auxiliary.values(), CALIBRATION_PEOPLE]
    texts = {name: (start / name).read_text() for name in names}
    plain = write_model_folder(
        tmp_path / "latent", config, networks, card="", auxiliary=texts, dtype=torch.float16
    )
    args = json.dumps(refiner.args).replace(":", " =")
    said = f"decoding = 'refined'\nrefiner = {{args = {args}}}\n"
    recipe = load_refining(tmp_path, plain, said.replace("{", "{{").replace("}", "}}"))
    assert {*KeptParts(recipe).measured} == {*MEASURED}


def test_without_auxiliary_models_the_gain_alone_is_kept(tmp_path: Path) -> None:
    start = write_calibrated(tmp_path / "start", auxiliary={})
    kept = KeptParts(load_refining(tmp_path, start))
    assert {*kept.measured} == {"volume_gain", "gain_measurement"}


def test_weights_that_calibration_people_chose_are_theirs(tmp_path: Path) -> None:
    start = write_calibrated(tmp_path / "start", guidance=1.5, context_dropout=0.1)
    path = tmp_path / "on.toml"
    path.write_text(ON.replace("[[refiner]]", SEGMENTER).format(start=start))
    assert CALIBRATION_PEOPLE in KeptParts(load_recipe(path)).texts


def test_a_recipe_says_nothing_of_auxiliary_models_that_are_kept(
    start: Path, tmp_path: Path
) -> None:
    path, folder = tmp_path / "on.toml", tmp_path / "training"
    path.write_text("covariates = ['apoe4']\n" + ON.format(start=start))
    with pytest.raises(ModelError, match="covariates are those of the auxiliary models, which"):
        load_recipe(path)
    session = TrainingSession(load_refining(tmp_path, start), folder)
    with pytest.raises(ModelError, match=r"The auxiliary models stay those of .*start, since"):
        session.run("auxiliary")
    with pytest.raises(ModelError, match="has no phase of controlnet: nothing would be"):
        session.run("controlnet")
    assert not folder.exists()


def test_the_tool_of_volumes_is_that_of_what_knows_them(start: Path, tmp_path: Path) -> None:
    cohort = make_cohort(3)
    cohort.write(tmp_path / "people")
    plain = load_refining(tmp_path, start)
    recipe = plain.model_copy(
        update={"refiner": (plain.refiner[0].model_copy(update={"noiseless": False}),)}
    )
    session = TrainingSession(recipe, tmp_path / "training", data=tmp_path / "people")
    assert session._recipe.model.measured_by == "FreeSurfer 7"


def test_a_refiner_learns_from_two_visits(start: Path, tmp_path: Path) -> None:
    folder = tmp_path / "training"
    write_noiseless_bank(folder)
    recipe = load_refining(tmp_path, start)
    index = folder / "scan_bank" / "index.csv"
    rows = index.read_text().splitlines()
    Training(recipe, folder).check_people()
    index.write_text("\n".join(rows[:2]) + "\n")
    with pytest.raises(ModelError, match=r"at different ages, which \[\[refiner\]\] learns from"):
        Training(recipe, folder).check_people()
