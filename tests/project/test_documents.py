"""The command reference is the one that the commands give, and every command shown runs."""

import html
import re
import shlex
from pathlib import Path

import pytest
import typer.main
from typer.cli import get_docs_for_click
from typer.testing import CliRunner

from trialsim.cli.app import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SHOWN = [ROOT / "README.md", DOCS / "tutorial.md"]


def test_the_command_reference_is_up_to_date() -> None:
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="trialsim")
    text = get_docs_for_click(obj=command, ctx=context, name="trialsim")
    written = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert html.unescape(written).strip() == html.unescape(text).strip(), "run `make docs`"


@pytest.mark.parametrize("document", SHOWN, ids=lambda path: path.name)
def test_every_command_shown_runs(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = re.findall(r"^\$ trialsim (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    assert lines
    for line in lines:
        result = CliRunner().invoke(app, shlex.split(line))
        assert result.exit_code == 0, f"trialsim {line}\n{result.output}"
