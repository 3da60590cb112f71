"""Every command has help with an example and a line in the documents; `--help` stays light."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from trialsim.cli.app import app
from trialsim.study import making, shards
from trialsim.study.making import Listener

DOCS = Path(__file__).parents[2] / "docs"
HEAVY = {"torch", "monai", "pandas", "numpy", "scipy", "matplotlib", "duckdb"}


def walk(command: Any, words: tuple[str, ...] = ("trialsim",)) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield " ".join(words), command
        return
    for name, child in children.items():
        yield from walk(child, (*words, name))


COMMANDS = dict(walk(typer.main.get_command(app)))


@pytest.mark.parametrize("words", COMMANDS)
def test_command_has_help_with_an_example(words: str) -> None:
    assert words in COMMANDS[words].help


@pytest.mark.parametrize("words", COMMANDS)
def test_every_option_has_help(words: str) -> None:
    for parameter in COMMANDS[words].params:
        if parameter.param_type_name == "option":
            assert parameter.help, parameter.name


@pytest.mark.parametrize("words", COMMANDS)
def test_where_a_command_writes_has_both_names(words: str) -> None:
    for parameter in COMMANDS[words].params:
        if parameter.param_type_name == "option" and {"--out", "--output"} & {*parameter.opts}:
            assert {"--out", "--output"} <= {*parameter.opts}


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("report --study found.duckdb", "No such option: --study. Give study without an option"),
        ("cohort synthesize --out people", "No such option: --out. Give folder without an option"),
        ("model export-monai mini --output made", "--output. Give out without an option"),
        ("study export study.duckdb made", "Where this command writes is said by --out"),
        ("rank --fraction-enrolled 0.5", "Possible options: --fractions-enrolled"),
    ],
)
def test_what_is_given_in_the_place_of_another_command_is_told_its_place(
    typed: str, told: str
) -> None:
    done = CliRunner().invoke(app, typed.split(), terminal_width=200)
    assert done.exit_code == 2
    assert told in " ".join(done.stderr.replace("\u2502", " ").split())


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom trialsim.cli.app import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        f"found = {HEAVY!r} & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_people_and_shares_are_taken_as_they_were_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    taken: dict[str, Any] = {}
    monkeypatch.setattr(shards, "predict_shard", lambda *_, **given: taken.update(given) or 4)
    # read as TOML, these would be a number, another one, and a truth value
    words = ["predict", str(tmp_path), "--participant-label", "1e3,1.50, 0x10,true", "--shard", "1"]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.output
    assert [*taken["people"]] == ["1e3", "1.50", "0x10", "true"]
    assert taken["shard"] == "1"


def test_init_names_what_is_in_the_way(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    for folder, in_the_way in ((file, file), (tmp_path, tmp_path / "protocol.toml")):
        (tmp_path / "protocol.toml").write_text("mine")
        done = CliRunner().invoke(app, ["init", str(folder)])
        assert done.exit_code == 1
        assert f"{in_the_way} is already there: move it" in done.stderr
        assert in_the_way.read_text() == "mine"


def test_a_command_that_is_told_can_be_pasted_whatever_the_folder_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my study; $(touch it)"
    done = CliRunner().invoke(app, ["init", str(folder)])
    assert f"trialsim run '{folder}/protocol.toml'" in done.stderr
    told: list[str] = []
    # pytest lets others into none of its folders
    monkeypatch.setattr(stat, "S_IXOTH", stat.S_IXUSR)
    folder.chmod(0o755)
    making._warn_of_readers(folder, Listener(tell=told.append))
    assert f"`chmod o-rwx '{folder}'` ends that." in told[0]
