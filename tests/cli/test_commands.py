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
from trialsim.cli.asking.once import OneOfEach, refuse_unclear
from trialsim.cli.samplesize.bounds import read_boundary
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


@pytest.mark.parametrize("words", COMMANDS)
def test_an_option_is_given_once_unless_several_values_make_sense(words: str) -> None:
    command = COMMANDS[words]
    assert isinstance(command, OneOfEach)
    for option in command.params:
        if option.param_type_name != "option" or option.multiple:
            continue
        first = [option.opts[0], *([] if option.is_flag else ["12"] * option.nargs)]
        again = [*option.secondary_opts[:1]] if option.is_flag else first
        if again:
            with pytest.raises(typer.BadParameter, match="given again"):
                refuse_unclear(command, typer.Context(command), ["12", *first, *again])


@pytest.mark.parametrize(
    "typed",
    [
        "samplesize means --sd 1 --sd 2 --delta 1 --power 0.8",
        "analyze trial.csv --covariates age_years --covariates=sex --visits-months 0,12",
        "predict people --save-images --no-save-images",
        "--log-file a.txt --log-file b.txt samplesize means --sd 1 --delta 1 --power 0.8",
    ],
)
def test_an_option_that_came_again_is_refused_in_a_sentence(typed: str) -> None:
    done = CliRunner().invoke(app, typed.split(), terminal_width=300)
    assert done.exit_code == 2
    told = " ".join(done.stderr.replace("\u2502", " ").split())
    assert "given again, and only the last would count" in told


@pytest.mark.parametrize(
    "typed",
    [
        ["cohort", "validate", ""],
        ["cohort", "import", "t.csv", ""],
        ["rank", "people", "--study="],
        ["analyze", "t.csv", "--out", ""],
        ["--log-file", "", "doctor"],
        ["model", "baseline-scores", "image_regression", "people", "", "--out", "scores.csv"],
        ["evaluate", "people", "--baselines", "image_regression", "--baselines", ""],
    ],
)
def test_an_empty_path_is_not_the_working_folder(
    typed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, typed, terminal_width=300)
    assert done.exit_code == 2
    assert "got nothing, a path is expected" in done.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["rank", "--set", "cohort.path="], "cohort.path: give a path"),
        (["rank", "--set", 'cohort.path=""'], "cohort.path: give a path"),
        (["rank", "people", "--set", "selection.scores="], "selection.scores: give a path"),
        (["predict", "people", "--model", ""], "prediction.model: give a bundled one's name"),
        (["predict", "people", "--context-from="], "prediction.context_from: give a bundled"),
        (["model", "info", ""], "No model was named"),
    ],
)
def test_an_empty_path_of_a_setting_is_not_the_working_folder(
    typed: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, typed)
    assert done.exit_code == 1
    assert told in done.stderr
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("--diagnosis-coding 1=CN,1.0=AD", "--diagnosis-coding: 1 is stated as CN and as AD"),
        ("--sex-coding F=F,F=M", "--sex-coding: F is stated as F and as M"),
        ("--map x=mmse --map x=apoe4", "--map: x is stated as mmse and as apoe4"),
    ],
)
def test_what_is_stated_of_a_source_has_one_value(typed: str, told: str, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("subject,age,sex,dx,x\na,70,F,1,2\nb,71,M,1,3\n")
    done = CliRunner().invoke(app, ["cohort", "validate", str(table), *typed.split()])
    assert done.exit_code == 1
    assert told in done.stderr


@pytest.mark.parametrize("command", ["run protocol.toml", "rank people"])
def test_a_setting_has_one_value(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("protocol.toml").write_text('[cohort]\npath = "people"\n')
    settings = ["--set", "selection.folds=2", "--set", "selection.folds=3"]
    done = CliRunner().invoke(app, [*command.split(), *settings])
    assert done.exit_code == 1
    assert "--set: selection.folds is stated as 2 and as 3; one value" in done.stderr


def test_a_bound_has_one_value() -> None:
    with pytest.raises(typer.BadParameter, match="z is stated as 3,2 and as 2,2"):
        read_boundary("z=3,2;z=2,2")


@pytest.mark.parametrize(
    "typed",
    [
        "-v -v samplesize means --sd 1 --delta 1 --power 0.8 --json --json",
        "samplesize means --sd 1 --sd 2 --help",
    ],
)
def test_switches_and_help_may_come_again(typed: str) -> None:
    done = CliRunner().invoke(app, typed.split())
    assert done.exit_code == 0, done.output


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
