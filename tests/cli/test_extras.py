"""What is not installed is named in one sentence; the doctor says what is."""

import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trialsim.cli.answering.extras import describe_missing_extra
from trialsim.cli.app import app
from trialsim.study.installation import examination as installation


@pytest.fixture
def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every module of the models, and PyTorch, be looked for anew and not be found."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("torch", "brlp_models")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.mark.usefixtures("without_torch")
def test_a_command_without_its_extra_names_it(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["model", "verify", "mini"])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: This needs torch")
    assert "'trialsim[imaging]'" in done.stderr


def test_an_absent_package_of_no_extra_is_a_fault_of_ours() -> None:
    assert describe_missing_extra(ModuleNotFoundError("x", name="trialsim.nothing")) is None


def test_the_doctor_finds_this_installation_sound() -> None:
    found = installation.examine_installation().set_index("what")
    assert found.loc["packages", "verdict"] == "fine"
    assert "processors" in found.loc["threads", "found"]


def test_the_doctor_looks_for_every_package_of_every_extra() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    wanted = {
        extra: {
            re.split(r"[><=]", line)[0].lower()
            for line in lines
            if not line.startswith("trialsim[")
        }
        for extra, lines in project["project"]["optional-dependencies"].items()
        if extra not in ("all", "dev")
    }
    ships = packages_distributions()
    assert wanted == {
        extra: {ships.get(package, [package])[0].lower() for package in packages}
        for extra, packages in installation.EXTRAS.items()
    }


def test_our_own_packages_are_none_of_others() -> None:
    found = installation.examine_installation().set_index("what")
    assert not [what for what in found.index if what.startswith("package ")]
    assert found.loc["packages", "verdict"] == "fine"


def test_a_foreign_package_of_our_name_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "reports" / "__init__.py"
    foreign.parent.mkdir()
    foreign.touch()
    for name in [name for name in sys.modules if name.split(".")[0] == "reports"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 1
    assert "Another package is called reports" in done.stdout


def test_more_threads_than_processors_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "100000")
    found = installation.examine_installation().set_index("what")
    assert found.loc["threads", "verdict"] == "problem"
