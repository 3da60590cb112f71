"""A move in the explorer of a study of 10,000 people and 500 choices.

    python benchmarks/bench_explorer.py [study.duckdb]

Without a study one is made first (minutes). A move is timed in Chromium from the press of an arrow
key on a slider to the new sentence on the page, the median of fifteen; wanted: under 200 ms. Server
and browser share the processor with whatever else runs, so the processor time that each takes for a
move stands beside it: their sum is about what an idle machine needs.
"""

import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import uvicorn
from playwright.sync_api import CDPSession, sync_playwright

import trialsim as ts
from trialsim.explorer.contents import Contents
from trialsim.explorer.serving import build_server, take_port

N_PEOPLE, N_FRACTIONS, N_MOVES = 10_000, 250, 15
POLLED = 50
"""Milliseconds; to look at every frame, as Playwright does by itself, makes the page draw each."""
WATCH = """where => {
    window.took = null;
    const watching = new MutationObserver(() => {
        watching.disconnect();
        window.took = performance.now() - window.pressed;
    });
    document.addEventListener("keydown", () => { window.pressed = performance.now(); },
                              {capture: true, once: true});
    watching.observe(document.querySelector(where),
                     {childList: true, subtree: true, characterData: true});
}"""
MOVES = {
    "Design, slowing": ("#design-headline", "#design-slowing"),
    "Design, power": ("#design-headline", "#design-power"),
    "People, threshold": ("#people-counted", "#people-selected"),
}


def make_study(folder: Path) -> Path:
    words = ["cohort", "synthesize", "screened", "-n", str(N_PEOPLE), "--seed", "5"]
    subprocess.run([sys.executable, "-m", "trialsim", *words], cwd=folder, check=True)
    asked = ts.protocol(
        folder / "screened", strategies=["random", "baseline_volume", "regression"],
        fractions_enrolled=[place / N_FRACTIONS for place in range(1, N_FRACTIONS + 1)],
        analyses=["ancova"], sample_sizes=[100, 200], n_simulations=100, n_bootstrap=0,
        screening=1000, participant=20_000,
    )  # fmt: skip
    return ts.power(asked, output=folder).path


def read_server(pid: int) -> float:
    """Return the milliseconds of processor time that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def read_page(session: CDPSession) -> float:
    """Return the milliseconds of processor time that the page's process has used."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return 1000 * next(one["value"] for one in metrics if one["name"] == "ProcessTime")


def serve(study: Path, taken: socket.socket) -> None:
    server = uvicorn.Server(uvicorn.Config(build_server(Contents(study), "t"), log_level="error"))
    server.run(sockets=[taken])


def measure_moves(study: Path) -> None:
    taken = take_port(0)
    taken.listen()
    server = multiprocessing.get_context("fork").Process(target=serve, args=(study, taken))
    server.start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--headless", "--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(f"http://127.0.0.1:{taken.getsockname()[1]}/?token=t")
        page.wait_for_selector(".headline")
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        for title, (where, slider) in MOVES.items():
            page.get_by_role("tab", name=title.split(",")[0]).click()
            page.wait_for_selector(f"{where} .headline")
            page.wait_for_function("!document.querySelector('.shiny-busy')", polling=POLLED)
            page.locator(f".shiny-input-container:has({slider}) .irs-line").focus()
            times, began = [], (read_server(server.pid), read_page(session))
            for _ in range(N_MOVES):
                page.evaluate(WATCH, where)
                page.keyboard.press("ArrowRight")
                page.wait_for_function("window.took !== null", polling=POLLED)
                times.append(page.evaluate("window.took"))
                page.wait_for_function("!document.querySelector('.shiny-busy')", polling=POLLED)
            used = read_server(server.pid) - began[0], read_page(session) - began[1]
            took = f"{statistics.median(times):.0f} ms in the median, {max(times):.0f} ms at most"
            each = [f"{milliseconds / N_MOVES:.0f} ms" for milliseconds in used]
            print(f"{title}: {took}; processor time: server {each[0]}, page {each[1]}", flush=True)
        browser.close()
    server.terminate()


def main() -> None:
    """Make the study where none is given, then measure."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(sys.argv[1]) if len(sys.argv) > 1 else make_study(Path(folder))
        measure_moves(study)


if __name__ == "__main__":
    main()
