"""A network that reads the change in a scan: what it finds, when it stops, and where it goes on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from brlp_models.baselines.loading import load_baseline
from brlp_models.baselines.network import NetworkConfig, NetworkReader
from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel
from brlp_models.training.baselines import cross_fit_baseline, fit_baseline, render_card
from brlp_models.training.checkpoint import read_checkpoint
from brlp_models.training.network_reader import (
    NetworkTraining,
    hold_back,
    train_network_reader,
)
from tests.brlp_models.test_baselines import make_people, rank

SHAPE = (8, 8, 8)
CONFIG = NetworkConfig(shape=SHAPE, n_outputs=1, channels=(4, 8))
SCANS = np.random.default_rng(1).normal(size=(60, 1, *SHAPE)).astype(np.float32)
BRIGHT = SCANS[:, 0, :4, :4, :4].mean(axis=(1, 2, 3), dtype=float)[:, None]
TARGETS = (BRIGHT - BRIGHT.mean()) / BRIGHT.std()


def train(
    folder: Path | None = None, report: Callable[[], None] = lambda: None, **changes: int
) -> NetworkReader:
    reader, _, _ = train_network_reader(
        lambda row: SCANS[row],
        TARGETS,
        None,
        CONFIG,
        n_judged=1,
        settings=NetworkTraining(epochs=4, shift_voxels=0).model_copy(update=changes),
        folder=folder,
        report=report,
    )
    return reader


def _stop_after(epochs: int) -> Callable[[], None]:
    left = iter(range(1, epochs))

    def report() -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    return report


@pytest.mark.slow
def test_what_the_scan_tells_is_found_in_other_people(
    tiny_model: BrlpModel, tmp_path: Path
) -> None:
    fitted = fit_baseline(
        "cnn_regression", make_people(150, 1), provenance="Test people.", model=tiny_model
    )
    others = make_people(60, 2)
    table, image = rank(fitted, others)
    assert table < 0.75
    assert image > table + 0.1
    folder = fitted.write(tmp_path / "cnn", card=render_card(fitted))
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3e6
    found, kept = (
        own.predict_change(others.table, others.images) for own in (fitted, load_baseline(folder))
    )
    assert kept.equals(found)


def test_an_interrupted_training_ends_at_the_same_weights(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", report=_stop_after(2))
    resumed = train(tmp_path / "cut")
    for name, value in whole.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], value), name


def test_the_best_epoch_is_kept_and_training_ends_after_it(tmp_path: Path) -> None:
    """Learned by heart, more epochs make the reading of others worse: it ends early."""
    epochs: list[int] = []
    chance = np.random.default_rng(2).normal(size=(60, 1))
    _, held, read = train_network_reader(
        lambda row: SCANS[row],
        chance,
        None,
        CONFIG,
        n_judged=1,
        settings=NetworkTraining(epochs=40, patience=2, shift_voxels=0),
        folder=tmp_path,
        report=lambda: epochs.append(1),
    )
    kept = read_checkpoint(tmp_path / "checkpoint.pt")
    assert len(epochs) == kept["step"] == kept["epoch"] + 1 + 2 < 40
    assert ((read - chance[held]) ** 2).mean() == pytest.approx(kept["error"], rel=1e-5)


def test_whole_groups_are_held_back_and_at_least_a_fifth() -> None:
    groups = ["a"] * 10 + ["b"] * 30 + ["c"] * 60
    for seed in range(5):
        held = hold_back(100, groups, seed=seed)
        names = [groups[row] for row in held]
        assert len(held) >= 20
        assert set(names) < {"a", "b", "c"}
        assert all(names.count(name) == groups.count(name) for name in set(names))
    assert len(hold_back(100, None, seed=1)) == 20
    assert len(hold_back(100, ["a"] * 100, seed=1)) == 20


def test_nobody_is_cross_fitted_where_four_fifths_are_too_few(tiny_model: BrlpModel) -> None:
    assert cross_fit_baseline("cnn_regression", make_people(60, 1), model=tiny_model) is None


def test_few_people_and_foreign_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="at least 50 people, got 3"):
        train_network_reader(lambda row: SCANS[row], TARGETS[:3], None, CONFIG, n_judged=1)
    reader = train(epochs=1)
    reader.write(tmp_path / "reader.safetensors")
    with pytest.raises(ModelError, match="cannot be read as that network's safetensors"):
        NetworkReader.load(
            tmp_path / "reader.safetensors", CONFIG.model_copy(update={"channels": (4, 4)})
        )
