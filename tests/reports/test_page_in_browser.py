"""The page in a real browser: nothing loaded, nothing broken, usable by keyboard and by ear."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python", reason="axe-core is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH")

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (375, pytest.param(1440, marks=pytest.mark.slow))


@pytest.fixture(scope="module")
def report(html: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def wide(browser: Any, report: Path) -> Any:
    return open_page(browser, report, 1440)


def open_page(browser: Any, report: Path, width: int) -> Any:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.set_default_timeout(60_000)
    page.goto(report.as_uri())
    return page


@pytest.mark.parametrize("width", WIDTHS)
def test_page_fits_and_is_silent(browser: Any, report: Path, width: int) -> None:
    page = open_page(browser, report, width)
    assert page.said == []
    assert page.asked == [report.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_no_serious_violation(browser: Any, report: Path, width: int) -> None:
    page = open_page(browser, report, width)
    # the page forbids scripts but its own, so axe comes in by the debugger, not as an element
    page.evaluate((Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8"))
    # the rows of a table are alike, and there are thousands
    context = "{include: [['html']], exclude: [['tbody tr:nth-child(n+4)']]}"
    found = page.evaluate(f"axe.run({context}, {{resultTypes: ['violations']}})")
    serious = [
        (violation["id"], [node["html"][:200] for node in violation["nodes"][:3]])
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []
    page.close()


def test_every_figure_is_visible(wide: Any) -> None:
    sizes = wide.evaluate(
        "[...document.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect())"
        ".map(box => [box.width, box.height])"
    )
    assert len(sizes) == 11
    assert all(width > 300 and height > 100 for width, height in sizes)


def read_column(page: Any, table: str, column: int) -> list[float]:
    cells = page.evaluate(
        f"[...document.querySelectorAll('[data-name={table}] tbody tr')]"
        f".map(row => row.cells[{column}].dataset.sort)"
    )
    return [float(cell) for cell in cells]


@pytest.mark.slow
def test_numbers_sort_as_numbers_both_ways(wide: Any) -> None:
    before = read_column(wide, "sample-sizes", 7)
    head = wide.locator("[data-name=sample-sizes] th").nth(7)
    head.locator("button").click()
    assert read_column(wide, "sample-sizes", 7) == sorted(before)
    assert head.get_attribute("aria-sort") == "ascending"
    head.locator("button").press("Enter")
    assert read_column(wide, "sample-sizes", 7) == sorted(before, reverse=True)
    assert "descending" in wide.locator("#status").inner_text()


@pytest.mark.slow
def test_table_is_copied_as_rows_of_tabs(wide: Any) -> None:
    wide.evaluate("navigator.clipboard.writeText = async text => { window.copied = text; }")
    wide.get_by_label("Copy the table ademp").click()
    wide.wait_for_function("window.copied")
    lines = wide.evaluate("window.copied").split("\n")
    assert lines[0] == "What\tValue"
    assert lines[1].startswith("Aims\t")


@pytest.mark.slow
def test_contents_are_reached_by_keyboard(browser: Any, report: Path) -> None:
    page = open_page(browser, report, 1440)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'answer'")
    page.close()


@pytest.mark.slow
def test_contents_are_folded_on_a_phone(browser: Any, report: Path, wide: Any) -> None:
    page = open_page(browser, report, 375)
    assert not page.evaluate("document.querySelector('nav details').open")
    assert wide.evaluate("document.querySelector('nav details').open")
    page.close()


@pytest.mark.slow
def test_printed_tables_repeat_their_heads_and_keep_rows_whole(wide: Any) -> None:
    wide.emulate_media(media="print")
    found = wide.evaluate(
        "[...document.querySelectorAll('main table')].map(table => [table.tHead,"
        " table.tBodies[0].rows[0], table.parentElement].map(part => getComputedStyle(part)))"
        ".map(([head, row, box]) => [head.display, row.breakInside, box.overflow, box.maxHeight])"
    )
    wide.emulate_media(media="screen")
    assert {tuple(table) for table in found} == {("table-header-group", "avoid", "visible", "none")}


@pytest.mark.slow
def test_page_prints_with_every_part(wide: Any) -> None:
    assert wide.pdf(prefer_css_page_size=True).startswith(b"%PDF-")
