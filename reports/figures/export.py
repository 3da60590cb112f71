"""Figures as files: SVG, PNG, with the data behind them as CSV."""

import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from cohorts.files.atomic import write_file
from cohorts.files.table_files import write_table
from reports.figures.style import shared_style

PNG_DPI: Final = 200

# the style would leak into the page; the page gives its drawings the same one
_DROPPED: Final = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>", re.DOTALL)
_NAMED: Final = re.compile(r'\b(id="|href="#|url\(#)')


def render_svg(figure: Figure, *, prefix: str) -> str:
    """Return the figure as an `<svg>` element that can stand in a page beside others.

    Every id starts with `prefix`, so that two figures of a page never share one; the size is
    left to the page. The same figure always gives the same text.
    """
    buffer = BytesIO()
    with shared_style():
        _lay_out(figure)
        canvas = FigureCanvasSVG(figure)
        canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    text = buffer.getvalue().decode()
    element = _DROPPED.sub("", text[text.index("<svg") :])
    named = _NAMED.sub(rf"\g<1>{html_id(prefix)}-", element)
    return re.sub(r'\b(width|height)="[\d.]+pt" ?', "", named, count=2)


def _lay_out(figure: Figure) -> None:
    """Give every axes its place, once.

    `Figure.savefig` would draw the whole figure twice, the first time for its layout, even where
    it has one: the canvases below draw it once.
    """
    FigureCanvasAgg(figure)
    engine = figure.get_layout_engine()
    if engine is not None:
        if figure.axes:
            engine.execute(figure)
        figure.set_layout_engine("none")


def html_id(text: str) -> str:
    """Return `text` as an identifier: letters, digits and hyphens, starting with a letter."""
    kept = re.sub(r"[^a-z0-9]+", "-", text.lower())[:60].strip("-")
    return kept if kept[:1].isalpha() else f"x-{kept}"


def render_png(figure: Figure, *, dpi: int = PNG_DPI) -> bytes:
    """Return the figure as PNG."""
    buffer = BytesIO()
    with shared_style():
        _lay_out(figure)
        usual = figure.dpi
        figure.set_dpi(dpi)
        FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]
        figure.set_dpi(usual)
    return buffer.getvalue()


def write_figure(
    figure: Figure, folder: Path, name: str, data: Mapping[str, pd.DataFrame]
) -> list[Path]:
    """Write `name.svg`, `name.png`, and one CSV for each table of `data`, into `folder`.

    Raises
    ------
    ReportError
        If the folder cannot be written, or the disk is full.
    """
    svg = write_file(folder / f"{name}.svg", render_svg(figure, prefix=name).encode())
    png = write_file(folder / f"{name}.png", render_png(figure))
    tables = [
        write_table(frame, folder / f"{name}{'' if table == name else f'_{table}'}.csv")
        for table, frame in data.items()
    ]
    return [svg, png, *tables]
