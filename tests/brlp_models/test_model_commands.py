"""`trialsim model` on a tiny model folder."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from trialsim.cli.app import app


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def folder(tiny_folder: Callable[..., Path]) -> Path:
    return tiny_folder()


def test_info_tells_what_the_model_is(folder: Path) -> None:
    found = run("model", "info", folder)
    assert found.exit_code == 0
    for words in ("tiny", "20 x 24 x 20 voxels of 9 x 9 x 9 mm", "volume:hippocampus", "synthetic"):
        assert words in found.stdout
    assert "age_years 40 to 95" in found.stdout


def test_info_is_json_for_a_script(folder: Path) -> None:
    facts = json.loads(run("model", "info", folder, "--json").stdout)
    assert facts["name"] == "tiny"
    assert facts["training_ranges"]["age_years"] == [40, 95]


def test_verify_accepts_what_was_written(folder: Path) -> None:
    found = run("model", "verify", folder)
    assert found.exit_code == 0
    assert "6 files are as they were written" in found.stdout


def test_verify_refuses_what_was_altered(folder: Path) -> None:
    (folder / "MODEL_CARD.md").write_text("something else")
    found = run("model", "verify", folder)
    assert found.exit_code == 1
    assert "MODEL_CARD.md was altered" in found.stderr


def test_import_of_files_that_are_absent_is_a_sentence(tmp_path: Path) -> None:
    parts = ("autoencoder", "unet", "controlnet")
    words = [word for part in parts for word in (f"--{part}", tmp_path / f"{part}.pth")]
    found = run("model", "import-official", *words, "--out", tmp_path / "out")
    assert found.exit_code == 1
    assert "autoencoder.pth cannot be read as a checkpoint" in found.stderr
    assert not (tmp_path / "out").exists()
