"""What a training's folder was begun by, and what a baseline's checkpoint learned from."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from brlp_models.errors import ModelError
from brlp_models.training import cohort_baselines, recipe_record
from brlp_models.training.cohort_baselines import fit_cohort_baseline
from brlp_models.training.origin import keep_origin
from brlp_models.training.pipeline import LATENTS, Training
from brlp_models.training.recipe import Recipe
from brlp_models.training.recipe_record import RECIPE, keep_recipe
from brlp_models.training.session import TrainingSession
from tests.brlp_models.scanned_people import make_people
from tests.brlp_models.test_training import make_recipe, write_banks
from trialsim.cli.app import app

PEOPLE = {"n_people": 4}


def change(**changes: Any) -> Recipe:
    return Recipe.model_validate({**make_recipe().model_dump(), "people": PEOPLE} | changes)


def lengthen(stage: str, **changes: Any) -> Recipe:
    """Return the recipe with a further phase of a stage."""
    phases = make_recipe().model_dump()[stage]
    return change(**{stage: [*phases, phases[-1]]}, **changes)


def begin(folder: Path, *phases: str) -> None:
    """Keep the recipe in a folder with scans, and checkpoints of phases."""
    for name in ("scan_bank/index.csv", *(f"{phase}/checkpoint.pt" for phase in phases)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    keep_recipe(change(), folder)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (change(seed=4), "seed was 3, is 4"),
        (change(people={"n_people": 5}), "people.n_people was 4, is 5"),
        (change(people=None), "people is left out"),
        (change(held_out_label_maps=["b_"]), "held_out_label_maps is added"),
        (change(generator=2), "generator was 1, is 2"),
        (lengthen("segmenter"), "segmenter.2 is added"),
        (change(segmenter=make_recipe(8).segmenter), "segmenter.1.loop.steps was 6, is 8"),
        (lengthen("autoencoder"), "autoencoder.3 is added"),
    ],
)
def test_another_recipe_does_not_go_on_in_a_folder(
    tmp_path: Path, other: Recipe, told: str
) -> None:
    begin(tmp_path, "segmenter/1", "autoencoder/1", "autoencoder/2")
    (tmp_path / LATENTS).touch()
    with pytest.raises(ModelError, match=f"begun by another recipe.* both make: {told}"):
        keep_recipe(other, tmp_path)
    # the folder stays that of the first
    keep_recipe(change(), tmp_path)


def test_what_nothing_stands_on_may_change(tmp_path: Path) -> None:
    begin(tmp_path, "segmenter/1", "autoencoder/1", "autoencoder/2", "diffusion/1", "controlnet/1")
    loop = {"workers": 2, "log_every": 9, "checkpoint_every": 3}
    content = change().model_dump()
    content["segmenter"][0]["loop"] |= loop
    content["diffusion"]["loop"] |= loop
    content["model"] |= {"name": "other", "num_inference_steps": 7}
    content |= {"evaluation": {"n_people": 3}, "measure_volume_gain": True}
    keep_recipe(change(**content), tmp_path)
    # the refiner has not begun, and nothing learns from the ControlNet
    longer = lengthen("controlnet", refiner=make_recipe(9).refiner)
    keep_recipe(longer, tmp_path)
    with pytest.raises(ModelError, match=r"controlnet\.1\.loop\.steps was 6, is 9"):
        keep_recipe(change(controlnet=make_recipe(9).controlnet), tmp_path)


def test_a_folder_that_holds_nothing_yet_takes_another_recipe(tmp_path: Path) -> None:
    keep_recipe(change(), tmp_path)
    keep_recipe(change(seed=4), tmp_path)
    (tmp_path / "scan_bank").mkdir()
    (tmp_path / "scan_bank" / "index.csv").touch()
    with pytest.raises(ModelError, match="seed was 4, is 3"):
        keep_recipe(change(), tmp_path)


def test_another_model_to_start_from_is_told_by_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scan_bank").mkdir()
    (tmp_path / "scan_bank" / "index.csv").touch()
    # where a start lies does not matter, what it is does
    monkeypatch.setattr(recipe_record, "describe_start", lambda start: start[-1])
    keep_recipe(change(start_from="there/1"), tmp_path)
    keep_recipe(change(start_from="here/1"), tmp_path)
    with pytest.raises(ModelError, match="start_from was 1, is 2"):
        keep_recipe(change(start_from="there/2"), tmp_path)


@pytest.mark.parametrize("text", ["{", '{"recipe": {"seed": "x"}, "start": null}', "[]"])
def test_a_damaged_record_is_told(tmp_path: Path, text: str) -> None:
    begin(tmp_path)
    (tmp_path / RECIPE).write_text(text)
    with pytest.raises(ModelError, match=r"recipe.json, the recipe .* cannot be read"):
        keep_recipe(change(), tmp_path)


def test_a_training_refuses_what_another_recipe_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_banks(tmp_path)
    trained = []
    monkeypatch.setattr(Training, "train", lambda *_: trained.append(1))
    TrainingSession(change(), tmp_path).run("segmenter")
    with pytest.raises(ModelError, match="seed was 3, is 4"):
        TrainingSession(change(seed=4), tmp_path).run("segmenter")
    assert len(trained) == 1


@pytest.mark.parametrize(
    ("changes", "told"), [({"horizons_months": [48.0]}, "horizons"), ({"n": 8}, "people")]
)
def test_a_networks_checkpoint_of_other_people_is_not_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: Mapping[str, Any], told: str
) -> None:
    class Interrupted(Exception):  # noqa: N818
        pass

    def interrupt(*_: object, **__: object) -> None:
        raise Interrupted

    def show(_model: object, _grid: object, cohort: Any, *_: object) -> tuple[Any, Any]:
        people = cohort.participants["participant_id"]
        return {str(name): np.zeros((1, 1, 1), np.uint8) for name in people}, {}

    class Model:
        model_id = "tiny"

    monkeypatch.setattr(cohort_baselines, "read_baseline_scans", show)
    monkeypatch.setattr(cohort_baselines, "fit_baseline", interrupt)

    def fit(n: int = 6, horizons_months: tuple[float, ...] = (24.0,)) -> None:
        cohort = replace(make_people(n, 1, None), name="archive")
        out, model = tmp_path / "cnn", Model()
        fit_cohort_baseline(
            "cnn_regression",
            cohort,
            out,
            horizons_months=horizons_months,
            model=model,  # type: ignore[arg-type]
        )

    for _ in range(2):
        with pytest.raises(Interrupted):
            fit()
    with pytest.raises(ModelError, match=f"cnn.training .* begun with other {told}, volumes;"):
        fit(**changes)


def test_an_origin_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    keep_origin(tmp_path, {"people": "a"})
    (tmp_path / "origin.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        keep_origin(tmp_path, {"people": "a"})


def test_a_process_that_is_left_alone_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_banks(tmp_path)
    text = "[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer"

    def fail(*_: object) -> None:
        raise RuntimeError(text)

    monkeypatch.setattr(Training, "train", fail)
    with pytest.raises(ModelError, match="Another process of this training ended"):
        TrainingSession(change(), tmp_path).run("segmenter")
    text = "shapes differ"
    with pytest.raises(RuntimeError, match="shapes differ"):
        TrainingSession(change(), tmp_path).run("segmenter")


@pytest.mark.parametrize(("rank", "speaks"), [("0", True), ("1", False)])
def test_of_several_processes_the_first_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: str, speaks: bool
) -> None:
    class Session:
        def __init__(self, *_: object, report: Callable[..., None], **__: object) -> None:
            self._report = report

        def run(self, _stage: str) -> Path:
            self._report("segmenter", 0, 2, {"loss": 1.0})
            return tmp_path

    monkeypatch.setattr("brlp_models.training.session.TrainingSession", Session)
    monkeypatch.setenv("RANK", rank)
    done = CliRunner().invoke(app, ["train", "all", "--out", str(tmp_path)])
    assert done.exit_code == 0
    assert bool(done.stdout) is speaks
    assert ("segmenter" in done.stderr) is speaks
