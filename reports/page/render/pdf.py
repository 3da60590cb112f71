"""A page as tagged PDF (PDF/UA-1) on A4, set by Typst; no browser and no library of the system."""

import json
import re
import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl

from reports.figures.export import render_svg
from reports.figures.labels import drawable_text
from reports.page.content import Page
from reports.page.render.data import describe_page

_MOST_ROWS: Final = 120
"""A printed table stops here and says so; the HTML page has every row."""

_LONGEST_WORD: Final = 28
_ZERO_WIDTH_SPACE: Final = "\u200b"
_LONG: Final = re.compile(rf"\S{{{_LONGEST_WORD},}}")
_DIGEST: Final = re.compile(r"[0-9a-f]{40,64}")
_STANDARD: Final = "ua-1"


def render_pdf(page: Page) -> bytes:
    """Return `page` as PDF; long tables end after 120 rows with a word on the rest.

    The file is tagged for screen readers, has an outline, and the date of the page.
    """
    import typst

    data = _make_printable(describe_page(page))
    data["date"] = {
        name: getattr(page.written, name)
        for name in ("year", "month", "day", "hour", "minute", "second")
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for picture in page.pictures:
            svg = render_svg(picture.figure, prefix=picture.name)
            (folder / f"{picture.label}.svg").write_text(svg, encoding="utf-8")
        for found in _list_blocks(data):
            if found["kind"] == "picture":
                found["file"] = f"{found['label']}.svg"
            elif found["kind"] == "table":
                _shorten(found)
            elif found["kind"] == "listing":
                found["lines"] = [_keep_indent(line) for line in found["lines"]]
        (folder / "page.json").write_text(json.dumps(data), encoding="utf-8")
        template = files("reports.page").joinpath("templates", "page.typ").read_bytes()
        (folder / "page.typ").write_bytes(template)
        fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
        made = typst.compile(
            str(folder / "page.typ"),
            root=str(folder),
            font_paths=[str(fonts)],
            ignore_system_fonts=True,
            format="pdf",
            pdf_standards=[_STANDARD],
        )
    return bytes(made)


def _list_blocks(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if data["answer"]["picture"] is not None:
        yield data["answer"]["picture"]
    for section in data["sections"]:
        yield from section["blocks"]


def _shorten(table: dict[str, Any]) -> None:
    hidden = len(table["rows"]) - _MOST_ROWS
    if hidden > 0:
        table["rows"] = table["rows"][:_MOST_ROWS]
        more = f"{hidden} further rows: see the HTML page or `trialsim study export`."
        table["note"] = f"{more} {table['note']}".strip()


def _keep_indent(line: str) -> str:
    indent = len(line) - len(line.lstrip())
    return "\u00a0" * indent + line.lstrip()


def _make_printable(value: Any) -> Any:
    """Return the data with signs that the font has, and long words that may be broken."""
    if isinstance(value, dict):
        return {name: _make_printable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_make_printable(inner) for inner in value]
    if not isinstance(value, str):
        return value
    return _LONG.sub(_allow_breaks, drawable_text(value.replace("\t", " ").replace("\n", " ")))


def _allow_breaks(match: re.Match[str]) -> str:
    word = match[0]
    if _DIGEST.fullmatch(word):  # fits, and is copied to be compared: with nothing unseen in it
        return word
    size = _LONGEST_WORD // 2
    return _ZERO_WIDTH_SPACE.join(word[start : start + size] for start in range(0, len(word), size))
