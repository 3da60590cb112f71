"""The command reference is the one that the commands give."""

import html
from pathlib import Path

import typer.main
from typer.cli import get_docs_for_click

from trialsim.cli.app import app

DOCS = Path(__file__).parents[2] / "docs"


def test_the_command_reference_is_up_to_date() -> None:
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="trialsim")
    text = get_docs_for_click(obj=command, ctx=context, name="trialsim")
    written = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert html.unescape(written).strip() == html.unescape(text).strip(), "run `make docs`"
