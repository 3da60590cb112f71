"""The tables of a page as a Word document (DOCX)."""

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from reports.page.content import Page, Table
from reports.page.render.outputs import (
    join_lines,
    list_answer,
    list_outputs,
    list_texts,
    share_width,
)

if TYPE_CHECKING:
    from docx.document import Document

_SIZE: Final = 8
_SMALL: Final = 7
_MARGIN: Final = 2.0
"""Of A4 paper, cm."""


def render_word(page: Page) -> bytes:
    """Return the answer and every table of `page` as DOCX; heads are repeated on every page."""
    import docx
    from docx.shared import Pt

    document = docx.Document()
    document.core_properties.title = _plain(page.title)
    document.core_properties.author = "trialsim"
    document.core_properties.language = "en"
    # the library's own template is dated 2013
    document.core_properties.created = document.core_properties.modified = page.written
    _set_paper(document)
    document.add_heading(_plain(page.title), level=0)
    for sentence in list_answer(page):
        document.add_paragraph(_plain(sentence))
    for output in list_outputs(page):
        document.add_heading(_plain(output.title), level=1)
        _add_table(document, output.table)
        for place, note in enumerate(output.footnotes):
            paragraph = document.add_paragraph()
            paragraph.paragraph_format.space_before = Pt(0 if place else 4)
            _write(paragraph, note, _SMALL)
    for text in list_texts(page):
        document.add_heading(_plain(text.title), level=1)
        for line in text.lines:
            document.add_paragraph(_plain(line))
    buffer = BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _set_paper(document: "Document") -> None:
    from docx.shared import Cm

    section = document.sections[0]
    section.page_width, section.page_height = Cm(21), Cm(29.7)
    section.left_margin = section.right_margin = Cm(_MARGIN)
    section.top_margin = section.bottom_margin = Cm(_MARGIN)


def _add_table(document: "Document", table: Table) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Cm

    made = document.add_table(rows=1 + len(table.rows), cols=len(table.columns))
    # rules above and below, as tables are printed: no bands, no bold first column
    made.style = "Light Shading"
    look = made._tbl.tblPr.find(qn("w:tblLook"))
    for name, value in (("val", "0620"), ("firstColumn", "0"), ("noHBand", "1")):
        look.set(qn(f"w:{name}"), value)
    made.autofit = False
    widths = [Cm((21 - 2 * _MARGIN) * share) for share in share_width(table)]
    for column, width in zip(made.columns, widths, strict=True):
        column.width = width
    rows = [[column.title for column in table.columns]]
    rows += [[cell.text for cell in row] for row in table.rows]
    # the cells of a row are looked up once: one by one they take a second a hundred
    for row, texts in zip(made.rows, rows, strict=True):
        for cell, text, column, width in zip(row.cells, texts, table.columns, widths, strict=True):
            cell.width = width
            _write(cell.paragraphs[0], text, _SIZE)
            if column.is_number:
                cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
    head = OxmlElement("w:tblHeader")
    made.rows[0]._tr.get_or_add_trPr().append(head)


def _write(paragraph: Any, text: str, size: int) -> None:
    from docx.shared import Pt

    paragraph.paragraph_format.space_after = Pt(2)
    paragraph.add_run(_plain(text)).font.size = Pt(size)


def _plain(text: str) -> str:
    """Return text without the control signs that XML forbids."""
    return "".join(sign for sign in join_lines(text) if sign.isprintable() or sign == "\u00a0")
