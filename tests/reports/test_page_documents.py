"""Reports for print and for word processors, read back by other programs' parsers."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import docx
import pytest
from docx.oxml.ns import qn
from pypdf import PdfReader
from pypdf.generic import PdfObject
from striprtf.striprtf import rtf_to_text
from typer.testing import CliRunner

from reports.page.content import Answer, Cell, Column, Page, Section, Table
from reports.page.file_formats import ReportFormat
from reports.page.render.outputs import share_width
from reports.page.render.rtf import escape, render_rtf
from reports.page.render.word import render_word
from reports.page.writing import render_page
from reports.store.study import Study
from trialsim.cli.app import app

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTILE = "\x1b[31m{\\rtf1 \\par} <b>&\U0001f9e0\x00 #let x = 1 $x$ \u202e"


@pytest.fixture(scope="module")
def pdf(page: Page) -> PdfReader:
    return PdfReader(BytesIO(render_page(page, ReportFormat.PDF, figures="")))


@pytest.fixture(scope="module")
def short(page: Page) -> Page:
    """Return the page without most of its parts: setting them all takes long."""
    return replace(page, sections=page.sections[:3])


@pytest.fixture(scope="module")
def short_pdf(short: Page) -> PdfReader:
    return PdfReader(BytesIO(render_page(short, ReportFormat.PDF, figures="")))


def render_word_text(page: Page) -> str:
    document = docx.Document(BytesIO(render_word(page)))
    return "\n".join(paragraph.text for paragraph in document.paragraphs)


def render_rtf_text(page: Page) -> str:
    return str(rtf_to_text(render_rtf(page)))


def list_tables(page: Page) -> Iterator[Table]:
    for section in page.sections:
        yield from (block for block in section.blocks if isinstance(block, Table))


def hostile_page() -> Page:
    table = Table("t", HOSTILE, (Column(HOSTILE),), ((Cell(HOSTILE, ""),),), label="Table 1")
    answer = Answer(HOSTILE)
    return Page(HOSTILE, answer, (Section(HOSTILE, (table,), "1"),), (), True, written=MOMENT)


def test_pdf_is_tagged_dated_and_has_an_outline(short_pdf: PdfReader, short: Page) -> None:
    pdf, page = short_pdf, short
    assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert pdf.trailer["/Root"]["/Lang"] == "en"
    assert b"pdfuaid:part" in pdf.trailer["/Root"]["/Metadata"].get_data()
    assert pdf.metadata is not None
    assert pdf.metadata.creation_date == page.written
    # commands are set in the letters of code, without the signs that mark them
    assert "`" not in "".join(leaf.extract_text() for leaf in pdf.pages)
    titles = [entry["/Title"] for entry in pdf.outline]
    assert titles[0] == "Answer"
    assert len(titles) == len(page.sections) + 2


def list_tagged(node: object) -> Iterator[dict[str, object]]:
    """Yield the structure elements of a PDF in reading order."""
    node = node.get_object() if isinstance(node, PdfObject) else node
    if isinstance(node, list):
        for child in node:
            yield from list_tagged(child)
    elif isinstance(node, dict):
        if "/S" in node:
            yield node
        yield from list_tagged(node.get("/K"))


@pytest.mark.slow
def test_pdf_can_be_read_aloud(pdf: PdfReader, page: Page) -> None:
    """PDF/UA-1: what a checker of the structure would ask for."""
    root = pdf.trailer["/Root"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert {leaf["/Tabs"] for leaf in pdf.pages} == {"/S"}
    tagged = list(list_tagged(root["/StructTreeRoot"]["/K"]))
    by_tag = {str(one["/S"]): [o for o in tagged if o["/S"] == one["/S"]] for one in tagged}
    assert all(one.get("/Alt") for one in by_tag["/Figure"])
    assert all("/Scope" in str(one["/A"]) for one in by_tag["/TH"])
    assert len(by_tag["/Table"]) == len(by_tag["/THead"]) == len(list(list_tables(page)))
    levels = [int(str(one["/S"])[2:]) for one in tagged if str(one["/S"])[2:].isdigit()]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_answer_and_a_table_are_on_the_first_page(short_pdf: PdfReader, short: Page) -> None:
    pdf, page = short_pdf, short
    text = " ".join(pdf.pages[0].extract_text().split())
    headline = " ".join(page.answer.headline.split(" (")[0].split())
    assert headline in text
    assert "Figure 1." in text
    assert f"1 of {len(pdf.pages)}" in text


def test_word_holds_every_table_with_title_footnote_and_source(page: Page) -> None:
    document = docx.Document(BytesIO(render_word(page)))
    tables = list(list_tables(page))
    assert len(document.tables) == len(tables)
    first = document.tables[0]
    assert [cell.text for cell in first.rows[0].cells] == [c.title for c in tables[0].columns]
    assert first.rows[1].cells[0].text == tables[0].rows[0][0].text
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert f"{tables[0].label}. {tables[0].title}" in texts
    assert sum(text.startswith("Source: study file study.duckdb") for text in texts) == len(tables)
    assert document.core_properties.created.year == 2026
    # a title, then headings of the first level: no level is left out
    styles = [str(one.style.name) for one in document.paragraphs if one.style is not None]
    assert styles[0] == "Title"
    assert {name for name in styles if name.startswith("Heading")} == {"Heading 1"}


def test_rtf_holds_every_table_with_title_footnote_and_source(page: Page) -> None:
    text = rtf_to_text(render_rtf(page))
    for table in list_tables(page):
        assert f"{table.label}. " in text
        assert table.columns[0].title.split()[0] in text
    assert text.count("Source: study file study.duckdb") == len(list(list_tables(page)))
    assert "A total of" in text


@pytest.mark.parametrize("report_format", list(ReportFormat))
def test_what_is_not_settled_stands_apart_before_the_result(report_format: ReportFormat) -> None:
    answer = Answer("Not known. Enrolling half.", caution="Not known.")
    page = Page("Study", answer, (), (), is_synthetic=False, written=MOMENT)
    content = render_page(page, report_format, figures="")
    match report_format:
        case ReportFormat.JSON:
            told = json.loads(content)["answer"]
            text = f"{told['caution']}\n{told['result']}"
        case ReportFormat.PDF:
            text = PdfReader(BytesIO(content)).pages[0].extract_text()
        case ReportFormat.RTF:
            text = rtf_to_text(content.decode("ascii"))
        case ReportFormat.WORD:
            text = "\n".join(one.text for one in docx.Document(BytesIO(content)).paragraphs)
        case _:
            text = content.decode()
    assert re.search(r"Not known\.[^\n]*\n+[^\n]*Enrolling half\.", text)


def test_json_holds_every_number_of_the_page(page: Page) -> None:
    data = json.loads(render_page(page, ReportFormat.JSON, figures=""))
    assert data["answer"]["headline"] == page.answer.headline
    tables = [b for s in data["sections"] for b in s["blocks"] if b["kind"] == "table"]
    assert [table["label"] for table in tables] == [t.label for t in list_tables(page)]


@pytest.mark.parametrize("report_format", [ReportFormat.PDF, ReportFormat.RTF, ReportFormat.WORD])
def test_hostile_text_is_text_in_every_document(report_format: ReportFormat) -> None:
    content = render_page(hostile_page(), report_format, figures="")
    match report_format:
        case ReportFormat.PDF:
            text = PdfReader(BytesIO(content)).pages[0].extract_text()
        case ReportFormat.RTF:
            text = rtf_to_text(content.decode("ascii"))
        case _:
            text = docx.Document(BytesIO(content)).tables[0].rows[1].cells[0].text
    assert "\\par}" in text.replace(" ", "")
    assert "<b>&" in text
    assert "\x1b" not in text


def test_signs_beyond_16_bits_are_pairs_in_rtf() -> None:
    assert escape("\U0001f9e0") == "\\u-10178?\\u-8736?"
    assert escape("\u2013\x1b\x00") == "\\u8211?"


def test_an_unknown_ending_is_refused(example_study: Study, tmp_path: Path) -> None:
    path = tmp_path / "report.odt"
    done = CliRunner().invoke(app, ["report", str(example_study.path), "--out", str(path)])
    assert (done.exit_code, path.exists()) == (1, False)
    assert "No report is written as .odt" in done.stderr
    assert ".docx" in done.stderr


def test_an_empty_page_is_printed() -> None:
    empty = replace(hostile_page(), sections=())
    assert render_page(empty, ReportFormat.PDF, figures="").startswith(b"%PDF-")


def test_columns_are_as_wide_as_what_stands_in_them() -> None:
    columns = (Column("Strategy"), Column("Size (95 % interval)", is_number=True), Column("n"))
    row = (Cell("BrLP", ""), Cell("118 (68 to 203), and so on", 118.0), Cell("7", 7.0))
    name, size, n = share_width(Table("t", "T", columns, (row,)))
    assert name + size + n == pytest.approx(1)
    assert (size / name, n / name) == pytest.approx((29 / 11, 4 / 11))


def test_no_word_is_broken_where_a_table_is_wide() -> None:
    columns = (Column("People"), *(Column(f"Correlation {place}") for place in range(7)))
    row = (Cell("Women", ""), *(Cell("0.58 (0.50 to 0.65)", 0.58),) * 7)
    first, *others = share_width(Table("t", "T", columns, (row,)))
    # 3 letters of padding; 8 columns of their full width would take 163 letters of 100
    assert first * 107 == pytest.approx(9, abs=0.1)
    assert all(width * 107 == pytest.approx(14, abs=0.1) for width in others)


@pytest.mark.parametrize("render", [render_word_text, render_rtf_text])
def test_a_number_and_its_unit_stay_on_one_line_in_documents(
    render: Callable[[Page], str],
) -> None:
    page = replace(hostile_page(), answer=Answer("a power of 80\u00a0%\tat\n 5\u00a0% level"))
    assert "a power of 80\u00a0% at 5\u00a0% level" in render(page)


def test_word_tables_have_rules_and_no_bands_on_a4() -> None:
    document = docx.Document(BytesIO(render_word(hostile_page())))
    look = document.tables[0]._tbl.tblPr.find(qn("w:tblLook"))
    assert (look.get(qn("w:noHBand")), look.get(qn("w:firstColumn"))) == ("1", "0")
    assert document.sections[0].page_height.cm == pytest.approx(29.7, abs=0.01)
