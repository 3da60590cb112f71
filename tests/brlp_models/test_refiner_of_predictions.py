"""A refiner that learns from what UNet and ControlNet predict of people they have not seen."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from brlp_models.auxiliary.files import load_auxiliary
from brlp_models.errors import ModelError
from brlp_models.model.files import find_model_folder
from brlp_models.model.folder import load_model
from brlp_models.model.training_people import TRAINING_PEOPLE, describe_training_people
from brlp_models.training.banks.crop_sources import RenderingSource
from brlp_models.training.banks.expected_volumes import CrossFitted, tell_expected
from brlp_models.training.banks.pairs import build_visit_pairs
from brlp_models.training.banks.predicted_visits import (
    N_DRAWS,
    PredictedVisits,
    draw_later_latents,
)
from brlp_models.training.banks.volumes import Bank
from brlp_models.training.pipeline import Training
from brlp_models.training.recipe import load_recipe
from brlp_models.training.session import TrainingSession
from brlp_models.training.stages.auxiliary import FILES
from tests.brlp_models.test_noiseless_refiner import request
from tests.brlp_models.test_training import read_losses, write_banks
from tests.brlp_models.test_training_on import write_start
from tests.brlp_models.test_training_session import make_cohort

ON = """
seed = 4
start_from = '{start}'
[model]
name = "sharper"
[[refiner]]
changes = "predicted"
crop = [16, 16, 16]
batch_size = 1
perceptual_weight = 0
[refiner.loop]
steps = 2
learning_rate = 5e-3
"""


def write_start_with_auxiliary(folder: Path, **changes: object) -> Path:
    """Write a model of random networks that keeps BrLP-mini's auxiliary models."""
    texts = {
        name: (find_model_folder("mini") / name).read_text(encoding="utf-8")
        for name in FILES.values()
    }
    return write_start(folder, texts=texts, **{"auxiliary": FILES, **changes})


def test_predictions_take_the_place_of_later_visits(tmp_path: Path) -> None:
    write_banks(tmp_path)
    bank = Bank.load(tmp_path / "scan_bank")
    rows = np.array([[0, 1], [2, 3]])
    # each pair's prediction tells which it is
    predicted = np.zeros((2, *bank.images.shape[1:]), np.uint8)
    predicted += np.array([200, 201], np.uint8)[:, None, None, None, None]
    source = RenderingSource(bank, bank.images, PredictedVisits(rows, predicted))
    rng, seen = np.random.default_rng(1), set()
    for _ in range(24):
        images, _ = source.draw_crop(rng, request(crop=bank.images.shape[2:]))
        (bright,) = {round(255 * value) for value in images[2].flatten().tolist()}
        earlier, later = rows[bright - 200]
        seen.add(bright)
        for shown, row in ((images[0], earlier), (images[1], earlier), (images[3], later)):
            scan = torch.from_numpy(bank.images[row].astype(np.float32) / 255)
            assert torch.equal(shown, scan) or torch.equal(shown, scan.flip(1))
    assert seen == {200, 201}


def test_the_change_that_is_sharpened_is_the_one_that_is_predicted(tmp_path: Path) -> None:
    start, path = write_start_with_auxiliary(tmp_path / "start"), tmp_path / "on.toml"
    path.write_text(ON.format(start=start))
    folder, recipe = tmp_path / "training", load_recipe(path)
    write_banks(folder)
    training = Training(recipe, folder)
    training.check_people()
    training.train("refiner")
    assert len(read_losses(folder, "refiner/1")) == 2
    # by hand: told by the start's auxiliary model, the mean of its draws decoded
    model, bank = load_model(start), Bank.load(folder / "scan_bank")
    fitted = CrossFitted(((None, load_auxiliary(start / "auxiliary" / "huber.json")),))
    pairs = tell_expected(
        build_visit_pairs(bank.index, model.config),
        bank.index,
        model.config,
        fitted,
        measurement_sd={},
        seed=4,
    )
    predicted = np.load(folder / "predicted.npy")
    assert len(predicted) == len(pairs) == 2
    for pair in range(2):
        earlier = np.load(folder / "latents.npy")[pairs.rows[[pair], 0]]
        drawn = draw_later_latents(
            model, torch.from_numpy(earlier.astype(np.float32)), pairs, pair, seed=4, n_draws=2
        )
        assert N_DRAWS == len(drawn) == 2
        assert not torch.equal(drawn[0], drawn[1])
        wanted = 255 * model.decode(drawn.mean(dim=0, keepdim=True)).clamp(0, 1)[0]
        assert np.abs(predicted[pair] - wanted.numpy()).max() <= 0.51
    # what is told is not what was there
    true = build_visit_pairs(bank.index, model.config)
    contexts = [one.encode_context(np.arange(2), model.config.context) for one in (pairs, true)]
    assert not torch.equal(*contexts)


def test_networks_that_learn_do_not_predict_whom_they_know(tmp_path: Path) -> None:
    start, path = write_start(tmp_path / "start"), tmp_path / "on.toml"
    learning = "[[controlnet]]\nbatch_size = 2\n[controlnet.loop]\nsteps = 2\n"
    path.write_text(ON.format(start=start) + learning)
    with pytest.raises(ModelError, match=r"is for a refiner that is trained on alone"):
        load_recipe(path)


def test_whose_volumes_cannot_be_expected_is_told_first(tmp_path: Path) -> None:
    start, path = write_start_with_auxiliary(tmp_path / "start"), tmp_path / "on.toml"
    path.write_text(ON.format(start=start))
    write_banks(tmp_path)
    index = pd.read_csv(tmp_path / "scan_bank" / "index.csv")
    first = index["age_years"] == index.groupby("participant_id")["age_years"].transform("min")
    index.loc[first, "hippocampus_mm3"] = np.nan
    index.to_csv(tmp_path / "scan_bank" / "index.csv", index=False)
    with pytest.raises(ModelError, match="lacks the volume hippocampus, which the context needs"):
        Training(load_recipe(path), tmp_path).check_people()


def test_an_auxiliary_model_of_one_visit_is_needed(tmp_path: Path) -> None:
    several = {"several_visits": FILES["several_visits"]}
    start = write_start_with_auxiliary(tmp_path / "start", auxiliary=several)
    (tmp_path / "on.toml").write_text(ON.format(start=start))
    write_banks(tmp_path)
    with pytest.raises(ModelError, match="has no auxiliary model of one visit, by which"):
        Training(load_recipe(tmp_path / "on.toml"), tmp_path).train("refiner")


def test_whom_the_start_knows_is_refused(tmp_path: Path) -> None:
    cohort = make_cohort(3)
    cohort.write(tmp_path / "people")
    texts = {TRAINING_PEOPLE: describe_training_people(cohort.participants["participant_id"][1:])}
    start = write_start(tmp_path / "start", texts=texts)
    (tmp_path / "on.toml").write_text(ON.format(start=start))
    recipe = load_recipe(tmp_path / "on.toml")
    with pytest.raises(ModelError, match=r"was trained on 2 of these 3 people \(first: "):
        TrainingSession(recipe, tmp_path / "training", data=tmp_path / "people")
