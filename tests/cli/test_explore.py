"""`trialsim explore`: on this machine alone, behind a token; usable by keyboard and by ear."""

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

pytest.importorskip("shiny", reason="the extra `explore` is not installed")
import uvicorn
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

import trialsim as ts
from trialsim.errors import DesignError
from trialsim.explorer.contents import Contents
from trialsim.explorer.serving import build_server, serve, take_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "a-token"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explored")
    words = ["cohort", "synthesize", "screened", "-n", "60", "--seed", "5"]
    subprocess.run([sys.executable, "-m", "trialsim", *words], cwd=folder, check=True)
    asked = ts.protocol(
        folder / "screened", strategies=["random", "baseline_volume"], analyses=["ancova"],
        sample_sizes=[60, 120], n_simulations=100, n_bootstrap=0, fractions_enrolled=[0.5],
        screening=1000, participant=20_000,
    )  # fmt: skip
    ts.power(asked, output=folder)
    return folder / "study.duckdb"


@pytest.fixture(scope="module")
def contents(study: Path) -> Contents:
    return Contents(study)


def test_nothing_is_answered_without_the_token(contents: Contents) -> None:
    with TestClient(build_server(contents, TOKEN), base_url="http://127.0.0.1") as client:
        assert client.get("/").status_code == 403
        assert client.get("/?token=wrong").status_code == 403
        with pytest.raises(WebSocketDisconnect), client.websocket_connect("/websocket/"):
            pass
        opened = client.get(f"/?token={TOKEN}", follow_redirects=False)
        assert opened.status_code == 303
        # the token does not stay in the address, where histories keep it
        assert TOKEN not in opened.headers["location"]
        assert client.get("/").status_code == 200


def test_a_name_that_points_here_is_not_enough(contents: Contents) -> None:
    with TestClient(build_server(contents, TOKEN), base_url="http://evil.example") as client:
        assert client.get(f"/?token={TOKEN}").status_code == 400


def test_another_page_cannot_open_a_socket(contents: Contents) -> None:
    with TestClient(build_server(contents, TOKEN), base_url="http://127.0.0.1") as client:
        client.get(f"/?token={TOKEN}")
        foreign = {"origin": "http://evil.example"}
        assert client.get("/", headers=foreign).status_code == 403


def test_people_have_numbers_unless_they_are_identified(study: Path) -> None:
    assert set(Contents(study).people["person"].str.split().str[0]) == {"person"}
    named = Contents(study, is_identified=True).people
    assert list(named["person"]) == list(named.index)


def test_a_port_in_use_is_a_sentence() -> None:
    with take_port(0) as taken:
        taken.listen()
        with pytest.raises(DesignError, match="cannot be used"):
            take_port(taken.getsockname()[1])


def test_a_study_without_power_says_what_makes_it(tmp_path: Path, study: Path) -> None:
    asked = ts.protocol(study.parent / "screened", strategies=["random"])
    ranked = ts.rank(asked, output=tmp_path)
    with pytest.raises(DesignError, match=r"no pool_moments: `trialsim power`"):
        Contents(ranked.path)


@pytest.fixture(scope="module")
def page(contents: Contents) -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    taken = take_port(0)
    config = uvicorn.Config(build_server(contents, TOKEN), log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        opened = browser.new_page(viewport={"width": 375, "height": 900})
        opened.said, opened.asked = [], []
        opened.on("console", lambda said: said.type == "error" and opened.said.append(said.text))
        opened.on("request", lambda asked: opened.asked.append(asked.url))
        opened.set_default_timeout(60_000)
        opened.goto(f"http://127.0.0.1:{taken.getsockname()[1]}/?token={TOKEN}")
        opened.wait_for_selector(".headline")
        yield opened
        browser.close()
    server.should_exit = True
    thread.join()


def test_sliders_move_the_answer_in_silence(page: Any) -> None:
    before = page.locator(".headline").first.inner_text()
    assert before.startswith("Enrolling ")
    page.get_by_role("button", name="Pin this scenario").click()
    page.get_by_label("A person screened").fill("9000")
    page.keyboard.press("Tab")
    page.wait_for_function(f"document.querySelector('.headline').innerText !== {before!r}")
    page.get_by_text("Scenarios beside each other").wait_for()
    with page.expect_download() as found:
        page.locator("#design-as_csv").click()
    table = pd.read_csv(found.value.path())
    assert {"strategy", "n_control", "cost"} <= set(table.columns)
    assert not page.said
    # nothing leaves this machine
    assert all(url.startswith(("http://127.0.0.1:", "data:", "blob:")) for url in page.asked)


@pytest.mark.parametrize("tab", ["Design", "People", "Prediction"])
def test_axe_finds_nothing_and_the_page_fits(page: Any, tab: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    page.get_by_role("tab", name=tab).click()
    page.wait_for_function("!document.querySelector('.tab-pane.active .recalculating')")
    found = axe.Axe().run(page).response["violations"]
    assert not [(one["id"], one["nodes"][0]["html"][:120]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


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


def test_a_closed_server_leaves_the_study_whole(study: Path) -> None:
    before = study.read_bytes()
    taken = take_port(0)
    port = taken.getsockname()[1]
    thread = threading.Thread(target=lambda: serve(Contents(study), taken, TOKEN), daemon=True)
    thread.start()
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    assert study.read_bytes() == before
    assert not list(study.parent.glob("*.wal"))
