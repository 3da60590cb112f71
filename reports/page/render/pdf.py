"""A page as PDF, on A4, without a browser."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from markupsafe import escape
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    Image,
    LongTable,
    SimpleDocTemplate,
    Spacer,
    TableStyle,
)
from reportlab.platypus import Paragraph as Text

from reports.figures.export import render_png
from reports.figures.labels import drawable_text
from reports.page.content import (
    Block,
    Listing,
    Page,
    Paragraph,
    Picture,
    RunReference,
    Section,
    Table,
)

_MARGIN: Final = 15 * mm
_WIDTH: Final = A4[0] - 2 * _MARGIN
_SANS: Final = "DejaVuSans"
_BOLD: Final = "DejaVuSans-Bold"
_MONO: Final = "DejaVuSansMono"
_FIGURE_DPI: Final = 170
_CELL_SIZE: Final = 6.6
_HEADING_ROOM: Final = 45 * mm
_CAPTION_ROOM: Final = 28 * mm
"""What is left of a page below a title must hold the title and a few rows."""

_MOST_ROWS: Final = 120
"""A printed table stops here and says so; the HTML page has every row."""

_BODY: Final = ParagraphStyle("body", fontName=_SANS, fontSize=8.6, leading=12.4, spaceAfter=5)
_STYLES: Final = {
    "title": ParagraphStyle("title", _BODY, fontName=_BOLD, fontSize=17, leading=21, spaceAfter=4),
    "heading": ParagraphStyle(
        "heading", _BODY, fontName=_BOLD, fontSize=12.5, leading=16, spaceBefore=12
    ),
    "caption": ParagraphStyle("caption", _BODY, fontName=_BOLD, spaceBefore=5, spaceAfter=3),
    "headline": ParagraphStyle("headline", _BODY, fontName=_BOLD, fontSize=10.5, leading=15),
    "small": ParagraphStyle(
        "small", _BODY, fontSize=7.4, leading=10, textColor=colors.HexColor("#555b62")
    ),
    "cell": ParagraphStyle("cell", _BODY, fontSize=_CELL_SIZE, leading=8.4, spaceAfter=0),
    "number": ParagraphStyle(
        "number", _BODY, fontSize=_CELL_SIZE, leading=8.4, spaceAfter=0, alignment=2
    ),
    "code": ParagraphStyle(
        "code", _BODY, fontName=_MONO, fontSize=7, leading=9.4, spaceAfter=0, leftIndent=6
    ),
    "banner": ParagraphStyle(
        "banner",
        _BODY,
        fontName=_BOLD,
        textColor=colors.white,
        backColor=colors.HexColor("#7a3d00"),
        borderPadding=4,
        spaceAfter=9,
    ),
    "warning": ParagraphStyle(
        "warning", _BODY, backColor=colors.HexColor("#fdf1e8"), borderPadding=3
    ),
}


def render_pdf(page: Page) -> bytes:
    """Return `page` as PDF; long tables end after 120 rows with a word on the rest."""
    _register_fonts()
    buffer = BytesIO()
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN + 3 * mm,
        title=drawable_text(page.title),
        author="trialsim",
        invariant=1,
    )

    def draw_foot(canvas: Any, _document: Any) -> None:
        canvas.setFont(_SANS, 7)
        canvas.setFillColor("#555b62")
        mark = "SYNTHETIC DATA  ·  " if page.is_synthetic else ""
        canvas.drawString(_MARGIN, 9 * mm, mark + drawable_text(page.title)[:90])
        canvas.drawRightString(A4[0] - _MARGIN, 9 * mm, str(canvas.getPageNumber()))

    document.build(list(_lay_out(page)), onFirstPage=draw_foot, onLaterPages=draw_foot)
    return buffer.getvalue()


def _register_fonts() -> None:
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    for name in (_SANS, _BOLD, _MONO):
        if name not in pdfmetrics.getRegisteredFontNames():
            pdfmetrics.registerFont(TTFont(name, folder / f"{name}.ttf"))
    pdfmetrics.registerFontFamily(_SANS, normal=_SANS, bold=_BOLD, italic=_SANS, boldItalic=_BOLD)


def _lay_out(page: Page) -> Iterator[Flowable]:
    if page.is_synthetic:
        yield _text(
            "SYNTHETIC DATA. Some or all of the people in this study are simulated: no number "
            "here describes real patients.",
            "banner",
        )
    yield _text(page.title, "title")
    yield _text("   ".join(f"{name}: {value}" for name, value in page.facts), "small")
    yield _text(page.answer.headline, "headline", page.answer.sources)
    for sentence in page.answer.details:
        yield _text(sentence)
    for note in page.answer.notes:
        yield _text(f"Note: {note}", "warning")
    if page.answer.picture:
        yield from _lay_out_block(page.answer.picture)
    for section in page.sections:
        yield from _lay_out_heading(section)
        for block in section.blocks:
            yield from _lay_out_block(block)
    yield CondPageBreak(_HEADING_ROOM)
    yield _text("Runs", "heading")
    for run in page.runs:
        yield _text(f"{run.run_id}  {run.command}", "code")


def _lay_out_heading(section: Section) -> Iterator[Flowable]:
    # a heading that is kept with a long table would start that table on a new page
    yield CondPageBreak(_HEADING_ROOM)
    heading = _text(f"{section.number}. {section.title}", "heading")
    heading.keepWithNext = any(isinstance(block, Picture) for block in section.blocks[:1])
    yield heading


def _lay_out_block(block: Block) -> Iterator[Flowable]:
    match block:
        case Paragraph():
            yield _text(block.text, "warning" if block.is_warning else "body", block.sources)
        case Table():
            yield from _lay_out_table(block)
        case Picture():
            image = _image(block)
            image.keepWithNext = 1
            yield image
            yield _text(f"{block.label}. {block.title}", "small", block.sources)
        case Listing():
            yield CondPageBreak(_CAPTION_ROOM)
            yield _text(block.title, "caption")
            for line in block.lines:
                indent = len(line) - len(line.lstrip())
                yield _text("\u00a0" * indent + line.lstrip(), "code")


def _lay_out_table(table: Table) -> Iterator[Flowable]:
    yield CondPageBreak(_CAPTION_ROOM)
    yield _text(f"{table.label}. {table.title}", "caption", table.sources)
    numeric = [column.is_number for column in table.columns]
    head = [
        _text(column.title, "number" if column.is_number else "cell") for column in table.columns
    ]
    rows = [
        [
            drawable_text(cell.text) if is_number else _text(cell.text, "cell")
            for cell, is_number in zip(row, numeric, strict=True)
        ]
        for row in table.rows[:_MOST_ROWS]
    ]
    yield LongTable(
        [head, *rows], colWidths=_column_widths(table), repeatRows=1, style=_TABLE_STYLE
    )
    hidden = len(table.rows) - _MOST_ROWS
    more = f"{hidden} further rows: see the HTML page or `trialsim study export`. "
    note = (more if hidden > 0 else "") + table.note
    yield _text(note, "small") if note else Spacer(0, 5)


def _column_widths(table: Table) -> list[float]:
    """Give each column its longest word, then share what is left by what the texts would like."""
    least, wanted = [], []
    for place, column in enumerate(table.columns):
        texts = [row[place].text for row in table.rows[:_MOST_ROWS]]
        words = [
            word for text in (texts, [column.title]) for line in text for word in line.split(" ")
        ]
        whole = max(map(_width, texts), default=0.0)
        least.append(whole if column.is_number else min(max(map(_width, words)), _WIDTH / 3))
        least[-1] = max(least[-1], max(map(_width, column.title.split())))
        wanted.append(max(min(whole, _WIDTH), least[-1], min(_width(column.title), _WIDTH / 4)))
    padding = 7.0 * len(least)
    spare = _WIDTH - padding - sum(least)
    if spare < 0:
        return [7.0 + (_WIDTH - padding) * width / sum(least) for width in least]
    room = [want - low for want, low in zip(wanted, least, strict=True)]
    total = sum(room)
    extra = [spare * share / total if total else spare / len(room) for share in room]
    return [7.0 + low + more for low, more in zip(least, extra, strict=True)]


def _width(text: str) -> float:
    return float(pdfmetrics.stringWidth(text, _SANS, _CELL_SIZE))


def _image(picture: Picture) -> Image:
    width, height = picture.figure.get_size_inches()
    shown = min(_WIDTH, 160 * mm)
    png = BytesIO(render_png(picture.figure, dpi=_FIGURE_DPI))
    return Image(png, width=shown, height=shown * height / width)


def _text(text: str, style: str = "body", sources: tuple[RunReference, ...] = ()) -> Text:
    runs = ", ".join(run.run_id for run in sources)
    mark = f' <font size="6" color="#0b5c8a">[{escape(runs)}]</font>' if runs else ""
    return Text(f"{escape(drawable_text(text))}{mark}", _STYLES.get(style, _BODY))


_TABLE_STYLE: Final = TableStyle(
    [
        ("BACKGROUND", (0, 0), (-1, 0), "#f3f6f8"),
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, "#9aa0a6"),
        ("LINEBELOW", (0, 1), (-1, -1), 0.3, "#dfe3e7"),
        ("FONT", (0, 1), (-1, -1), _SANS, _CELL_SIZE, 8.4),
        ("ALIGN", (0, 1), (-1, -1), "RIGHT"),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ("TOPPADDING", (0, 0), (-1, -1), 1.6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 1.6),
    ]
)
