"""The explorer in Chromium: by keyboard, by ear, narrow or wide, in two tabs, with simulations."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("shiny", reason="the extra `explore` is not installed")
import uvicorn

from tests.cli.simulations import list_simulations, outlive_simulations
from trialsim.explorer.contents import Contents
from trialsim.explorer.serving import build_server, take_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "a-token"
FIGURE = ".tab-pane.active :is(img, svg.panel)"
PLACE = "$('#{}').data('ionRangeSlider').result.from"
HEADLINE = "document.querySelector('.headline').innerText"


@pytest.fixture(scope="module")
def address(explored_study: Path) -> Iterator[str]:
    taken = take_port(0)
    config = uvicorn.Config(build_server(Contents(explored_study), TOKEN), log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{taken.getsockname()[1]}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def context(browser: Any) -> Any:
    made = browser.new_context(viewport={"width": 375, "height": 900})
    made.set_default_timeout(60_000)
    return made


def open_tab(context: Any, address: str) -> Any:
    opened = context.new_page()
    opened.said, opened.asked = [], []
    opened.on("console", lambda said: said.type == "error" and opened.said.append(said.text))
    opened.on("request", lambda asked: opened.asked.append(asked.url))
    opened.goto(f"{address}?token={TOKEN}")
    opened.wait_for_selector(".headline")
    return opened


@pytest.fixture(scope="module")
def page(context: Any, address: str) -> Any:
    return open_tab(context, address)


@pytest.fixture
def fresh(context: Any, address: str) -> Iterator[Any]:
    """A tab that downloaded nothing: the list of downloads takes the keyboard."""
    opened = open_tab(context, address)
    yield opened
    opened.close()


def read_headline(page: Any) -> str:
    return str(page.evaluate(HEADLINE))


def wait_for_another(page: Any, before: str) -> None:
    page.wait_for_function(f"{HEADLINE} !== {before!r}")


def test_sliders_move_the_answer_in_silence(page: Any) -> None:
    before = read_headline(page)
    assert before.startswith("Enrolling ")
    page.get_by_role("button", name="Pin this scenario").click()
    page.get_by_label("A person screened").fill("9000")
    page.keyboard.press("Tab")
    wait_for_another(page, before)
    page.get_by_text("Scenarios beside each other").wait_for()
    assert not page.said
    # nothing leaves this machine
    assert all(url.startswith(("http://127.0.0.1:", "data:", "blob:")) for url in page.asked)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "begin"),
    [("csv", b"strategy,"), ("html", b"<!doctype html>"), ("rtf", b"{\\rtf1"), ("png", b"\x89PNG")],
)
def test_every_state_is_a_file(page: Any, kind: str, begin: bytes) -> None:
    with page.expect_download() as found:
        page.locator(f"#design-as_{kind}").click()
    content = Path(found.value.path()).read_bytes()
    assert content.lstrip()[: len(begin)].lower() == begin.lower()
    if kind == "csv":
        table = pd.read_csv(found.value.path())
        assert {"strategy", "n_control", "cost"} <= set(table.columns)


@pytest.mark.parametrize("width", [375, pytest.param(1440, marks=pytest.mark.slow)])
@pytest.mark.parametrize("tab", ["Design", "People", "Prediction", "Trial"])
def test_axe_finds_nothing_and_the_page_fits(page: Any, tab: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    page.set_viewport_size({"width": width, "height": 900})
    page.get_by_role("tab", name=tab).click()
    page.wait_for_function("!document.querySelector('.tab-pane.active .recalculating')")
    page.wait_for_selector(FIGURE)
    found = axe.Axe().run(page).response["violations"]
    assert not [(one["id"], one["nodes"][0]["html"][:120]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 375, "height": 900})
    assert not page.said


def list_controls(page: Any) -> set[str]:
    """Return the ids of everything on the open tab that a mouse could change."""
    asked = """[...document.querySelectorAll(
        '.tab-pane.active :is(input, select, button, a.btn)')].map(one => one.id || one.name)"""
    return {name for name in page.evaluate(asked) if name}


def list_reached(page: Any, tab: str) -> set[str]:
    """Return the ids of what the Tab key reaches; a slider's handle stands for its input."""
    asked = """() => {
        const own = document.activeElement;
        const slider = own.classList.contains('irs-line')
            && own.closest('.shiny-input-container').querySelector('input');
        return (slider || own).id || own.name || '';
    }"""
    page.get_by_role("tab", name=tab).focus()
    found = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        found.add(page.evaluate(asked))
    return found


LATER = [pytest.param(tab, marks=pytest.mark.slow) for tab in ("People", "Prediction", "Trial")]


@pytest.mark.parametrize("tab", ["Design", *LATER])
def test_every_control_is_reached_by_keyboard(fresh: Any, tab: str) -> None:
    fresh.get_by_role("tab", name=tab).click()
    fresh.wait_for_selector(FIGURE)
    controls = list_controls(fresh)
    assert controls or tab == "Prediction"
    assert controls <= list_reached(fresh, tab)


@pytest.mark.slow
def test_sliders_and_lists_are_moved_by_keyboard(fresh: Any) -> None:
    fresh.get_by_role("tab", name="Design").click()
    before = read_headline(fresh)
    fresh.locator(".shiny-input-container:has(#design-slowing) .irs-line").focus()
    fresh.keyboard.press("ArrowRight")
    fresh.wait_for_function("document.querySelector('#design-slowing').value !== '30'")
    wait_for_another(fresh, before)
    fresh.locator("#design-strategy").focus()
    # where the list opens, Enter takes what the arrow points at
    for key in ("ArrowUp", "Enter"):
        fresh.keyboard.press(key)
    fresh.wait_for_function("document.querySelector('#design-strategy').value === 'random'")


@pytest.mark.slow
def test_the_keyboard_passes_a_slider_without_moving_it(fresh: Any) -> None:
    # what each slider will write into its input at its next look at itself
    sliders = "$('.js-range-slider').toArray().map(e => $(e).data('ionRangeSlider').result.from)"
    before = fresh.evaluate(sliders)
    for line in fresh.locator(".tab-pane.active .irs-line").all():
        line.focus()
    assert fresh.evaluate(sliders) == before


@pytest.mark.slow
def test_a_simulation_is_told_and_becomes_points(fresh: Any) -> None:
    # another design than that of the study, whose points are there from the beginning
    fresh.get_by_label("Type I error").fill("0.1")
    fresh.keyboard.press("Tab")
    fresh.wait_for_function(
        "!document.querySelector('#design-choices').innerText.includes('Control, simulated')"
    )
    fresh.get_by_role("button", name="Simulate this").click()
    fresh.get_by_text("Simulated: 500 trials at each point.").wait_for()
    fresh.locator("#design-choices th", has_text="Control, simulated").wait_for()
    assert not list_simulations()


@pytest.mark.slow
def test_people_are_searched_sorted_and_opened_by_keyboard(page: Any) -> None:
    page.get_by_role("tab", name="People").click()
    page.get_by_label("Show only rows with").fill("AD F")
    page.wait_for_function(
        "document.querySelector('#people-people caption')?.innerText.startsWith('60 ') === false"
    )
    first = page.locator("#people-people tbody button").first
    first.focus()
    page.keyboard.press("Enter")
    page.locator(".person h2").wait_for()
    assert "Diagnosis: AD" in page.locator(".person").inner_text()


@pytest.mark.slow
def test_a_threshold_moves_every_figure(fresh: Any) -> None:
    fresh.get_by_role("tab", name="People").click()
    fresh.wait_for_selector("#people-figure svg.panel")
    asked = """[...document.querySelectorAll(
        '#people-figure :is(.threshold, .from-threshold)'
    )].map(one => Number(one.getAttribute(one.tagName === 'line' ? 'x1' : 'x')))"""
    before, counted = fresh.evaluate(asked), fresh.locator("#people-counted").inner_text()
    # a line and the edge of what is colored, in each of two figures
    assert len(before) == 4
    assert len(set(before)) == 1
    figure = fresh.locator("#people-figure svg.panel").first.element_handle()
    press(fresh, "people-selected", "ArrowRight", 30)
    fresh.wait_for_function(
        f"!document.querySelector('#people-counted').innerText.includes({counted!r})"
    )
    after = fresh.evaluate(asked)
    assert len(set(after)) == 1
    # more people are selected from a lower score on, in the figure that was there before
    assert after[0] < before[0]
    assert figure.evaluate("one => one.isConnected")


def press(page: Any, slider: str, key: str, times: int = 1) -> None:
    """Press a key on a slider, some times."""
    page.locator(f".shiny-input-container:has(#{slider}) .irs-line").focus()
    for _ in range(times):
        page.keyboard.press(key)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("slider", "key", "times", "moved"),
    [("design-dropout", "ArrowRight", 12, 12), ("design-power", "ArrowLeft", 9, -9)],
)
def test_an_arrow_key_is_a_step(fresh: Any, slider: str, key: str, times: int, moved: int) -> None:
    before = fresh.evaluate(PLACE.format(slider))
    press(fresh, slider, key, times)
    assert fresh.evaluate(PLACE.format(slider)) == before + moved


@pytest.mark.slow
def test_a_button_acts_on_the_place_that_is_seen(fresh: Any) -> None:
    place = PLACE.format("design-slowing")
    press(fresh, "design-slowing", "ArrowRight", 3)
    slowing = fresh.evaluate(f"(document.querySelector('#design-pin').click(), {place})")
    fresh.get_by_text("Scenarios beside each other").wait_for()
    first = fresh.locator("#design-pinned tbody tr").first
    assert first.locator("td").nth(1).inner_text() == f"{slowing}\u00a0%"
    press(fresh, "design-slowing", "ArrowRight", 3)
    with fresh.expect_download() as found:
        fresh.evaluate("document.querySelector('#design-as_rtf').click()")
    assert fresh.evaluate(place) == slowing + 3
    content = Path(found.value.path()).read_text(encoding="ascii")
    assert f"slowing = {(slowing + 3) / 100:g}" in content


@pytest.mark.slow
def test_simulated_sizes_that_are_not_shown_say_why(fresh: Any) -> None:
    fresh.locator("#design-choices th", has_text="Control, simulated").wait_for()
    assert fresh.locator("#design-unlike").inner_text() == ""
    own = fresh.evaluate(PLACE.format("design-slowing"))
    press(fresh, "design-slowing", "ArrowRight")
    fresh.get_by_text(
        "The study's simulated sizes are not shown: they were simulated for slowing "
        f"{own}\u00a0%, not for what is set (slowing {own + 1}\u00a0%)."
    ).wait_for()
    press(fresh, "design-slowing", "ArrowLeft")
    fresh.locator("#design-choices th", has_text="Control, simulated").wait_for()


@pytest.mark.slow
def test_each_trial_shows_its_own_looks(page: Any) -> None:
    page.get_by_role("tab", name="Trial").click()
    page.wait_for_selector("#trial-looks tbody tr")
    table = page.locator("#trial-looks table")
    assert table.locator("tbody tr").count() == 2  # of four rows of two trials
    before = page.locator("#trial-looks img").get_attribute("src")
    page.get_by_label("Trial that enrolls").select_option(index=1)
    page.wait_for_function(f"document.querySelector('#trial-looks img')?.src !== {before!r}")
    assert table.locator("tbody tr").count() == 2


@pytest.mark.slow
def test_two_tabs_do_not_disturb_each_other(page: Any, context: Any, address: str) -> None:
    page.get_by_role("tab", name="Design").click()
    before, pins = read_headline(page), page.locator("#design-pinned").inner_text()
    other = open_tab(context, address)
    own = read_headline(other)
    other.get_by_label("A person enrolled").fill("90000")
    other.keyboard.press("Tab")
    wait_for_another(other, own)
    other.get_by_role("button", name="Remove the pins").click()
    other.close()
    assert read_headline(page) == before
    assert page.locator("#design-pinned").inner_text() == pins


@pytest.mark.slow
def test_a_simulation_is_stopped_and_ends_with_its_tab(
    page: Any, context: Any, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # so many that it would not end by itself within the test
    monkeypatch.setattr("trialsim.explorer.simulation_view.N_SIMULATIONS", 1_000_000)
    page.get_by_role("tab", name="Design").click()
    page.get_by_role("button", name="Simulate this").click()
    page.get_by_text("% done").wait_for()
    page.get_by_role("button", name="Stop the simulation").click()
    page.get_by_text("The simulation was stopped.").wait_for()
    assert not list_simulations()
    other = open_tab(context, address)
    other.get_by_role("button", name="Simulate this").click()
    other.get_by_text("% done").wait_for()
    assert len(list_simulations()) == 1
    other.close()
    assert outlive_simulations(60)
    assert not page.said


@pytest.mark.slow
def test_a_slider_moves_a_number_and_a_list_and_follows_them(fresh: Any) -> None:
    number, place = fresh.locator("#design-screening"), PLACE.format("design-screening_slider")
    before, step = read_headline(fresh), fresh.evaluate(place)
    press(fresh, "design-screening_slider", "ArrowRight")
    assert fresh.evaluate(place) > step
    assert float(number.input_value()) == fresh.evaluate(place)
    wait_for_another(fresh, before)
    # what is typed goes beyond the slider's end, and stays
    before = read_headline(fresh)
    number.fill("123456")
    fresh.keyboard.press("Tab")
    wait_for_another(fresh, before)
    assert number.input_value() == "123456"
    assert fresh.evaluate(place) == fresh.evaluate(
        "$('#design-screening_slider').data('ionRangeSlider').result.max"
    )
    before, chosen = read_headline(fresh), fresh.locator("#design-fraction")
    first = chosen.input_value()
    press(fresh, "design-fraction_slider", "ArrowRight" if first != "1" else "ArrowLeft")
    wait_for_another(fresh, before)
    assert chosen.input_value() != first
    assert not fresh.said
