"""The command reference is the one that the commands give, and every command shown runs."""

import ast
import html
import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest
import typer.main
from matplotlib.figure import Figure
from typer.cli import get_docs_for_click
from typer.testing import CliRunner

from trialsim.cli.app import app
from trialsim.study.result import StudyResult

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
TUTORIALS = [DOCS / "tutorial.md", DOCS / "tutorial-finished-trial.md"]
OTHERS = sorted(set(DOCS.glob("*.md")) - {*TUTORIALS, DOCS / "cli.md", DOCS / "api.md"})


def test_the_command_reference_is_up_to_date() -> None:
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="trialsim")
    text = get_docs_for_click(obj=command, ctx=context, name="trialsim")
    written = (DOCS / "cli.md").read_text(encoding="utf-8")
    # not compared by pytest, which takes minutes to tell two long texts apart
    is_current = html.unescape(written).strip() == html.unescape(text).strip()
    assert is_current, "run `make docs`"


def test_the_reference_of_functions_is_up_to_date() -> None:
    written = (DOCS / "api.md").read_text(encoding="utf-8")
    is_current = written == load_writer().describe_functions()
    assert is_current, "run `make docs`"


@pytest.mark.slow
@pytest.mark.parametrize("document", [README, *TUTORIALS], ids=lambda path: path.name)
def test_every_command_shown_runs(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text, globals_of_script = document.read_text(encoding="utf-8"), dict[str, object]()
    lines = re.findall(r"^\$ trialsim (.+)$", text, re.MULTILINE)
    assert lines
    for line in lines:
        result = CliRunner().invoke(app, shlex.split(line))
        assert result.exit_code == 0, f"trialsim {line}\n{result.output}"
    for block in re.findall(r"^```python\n(.+?)^```", text, re.MULTILINE | re.DOTALL):
        exec(block, globals_of_script)  # the script that a reader types


def run_cell(source: str, names: dict[str, object]) -> object:
    """Run a cell of a notebook; return what its last line shows."""
    *lines, last = ast.parse(source).body
    is_shown = isinstance(last, ast.Expr)
    exec(compile(ast.Module(lines if is_shown else [*lines, last], []), "cell", "exec"), names)
    return eval(ast.unparse(last), names) if is_shown else None


@pytest.mark.slow
def test_the_notebook_runs_and_its_study_shows_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((DOCS / "first-study.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    shown = [run_cell("".join(cell["source"]), names) for cell in cells]
    assert () in shown  # what the data cannot carry: nothing
    [page] = [thing._repr_html_() for thing in shown if isinstance(thing, StudyResult)]
    assert "<strong>SYNTHETIC people.</strong>" in page
    assert "enrolling" in page
    assert "<li>sample_sizes</li>" in page
    assert any(isinstance(thing, Figure) for thing in shown)


def load_writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_api", DOCS / "write_api.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def list_blocks(document: Path) -> list[str]:
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    return re.findall(r"^(?:\$ | {4})?trialsim (.+)$", text, re.MULTILINE)


def ask_help(line: str) -> int:
    # the options before it are looked up, nothing is done
    return CliRunner().invoke(app, [*shlex.split(line), "--help"]).exit_code


def test_commands_have_the_options_shown() -> None:
    shown = [line for document in (README, *TUTORIALS, *OTHERS) for line in list_blocks(document)]
    assert len(shown) >= 12
    assert [line for line in shown if ask_help(line)] == []


def list_options(document: Path) -> set[str]:
    prose = re.sub(
        r"^```.*?^```|^ {4}.*?$", "", document.read_text(encoding="utf-8"), flags=re.M | re.S
    )
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+(?![\w-])", prose))


def test_options_named_in_sentences_exist() -> None:
    homes = [DOCS / "cli.md", ROOT / "trialsim/cli/bids_options.py"]
    homes += (ROOT / "benchmarks").glob("*.py")
    known = "\n".join(home.read_text(encoding="utf-8") for home in homes)
    # what containers are started with is not ours
    ours = [document for document in (README, *TUTORIALS, *OTHERS) if document.stem != "containers"]
    named = {option for document in ours for option in list_options(document)}
    assert len(named) > 50
    assert [one for one in sorted(named) if not re.search(rf"{one}(?![\w-])", known)] == []


def test_an_option_that_no_command_has_would_be_noticed() -> None:
    assert ask_help("cohort import people.csv cohort --no-such-option") == 2
    assert ask_help("cohort no-such-command") == 2
