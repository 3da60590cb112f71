"""A bank of people of generator 2: resumable, of one generator, with what regressions need."""

from pathlib import Path

import numpy as np
import pytest

from brlp_models.errors import ModelError
from brlp_models.scans.grid import Grid
from brlp_models.training.banks import measured_people
from brlp_models.training.banks.measured_people import (
    read_measured_scans,
    read_measured_table,
    write_measured_people,
)
from cohorts.synthetic.anatomy.mni import load_mni_anatomy
from cohorts.synthetic.generators import choose_generator
from cohorts.synthetic.signs.emulation import MEASURES

GRID = Grid(
    (40, 48, 40), np.array([[4.0, 0, 0, -78], [0, 4, 0, -112], [0, 0, 4, -70], [0, 0, 0, 1]])
)


def write(folder: Path, number: int = 2, signal: str = "strong") -> None:
    parameters = choose_generator(number, signal)
    write_measured_people([load_mni_anatomy()], folder, 1, GRID, seed=1, parameters=parameters)


@pytest.mark.slow
def test_bank_is_made_once_and_of_one_generator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured_people, "PART", 1)
    folder = tmp_path / "bank"
    write(folder)
    written = (folder / "part-00000.npy").stat().st_mtime_ns
    write(folder)
    assert (folder / "part-00000.npy").stat().st_mtime_ns == written
    row = read_measured_table(folder).iloc[0]
    for image in ("ideal", "first", "second"):
        assert np.isfinite(row[[f"{image}_{name}" for name in MEASURES]].astype(float)).all()
    assert row["hippocampus_48"] < row["hippocampus_24"] < row["hippocampus_0"]
    assert row["table_hippocampus"] != row["true_hippocampus"] == row["hippocampus_0"]
    scans = read_measured_scans(folder)
    assert scans.shape == (1, *GRID.shape)
    assert 0.1 < (scans > 0).mean() < 0.6
    with pytest.raises(ModelError, match="holds people of another generator"):
        write(folder, signal="null")


def test_generator_without_signs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="come from generator 2, not from 1"):
        write(tmp_path / "bank", 1)


def test_empty_folder_is_no_bank(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="make its people first"):
        read_measured_table(tmp_path)
