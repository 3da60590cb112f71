"""A move in the explorer of a study of 10,000 people and 500 choices.

    python benchmarks/bench_explorer.py [study.duckdb]

Without a study one is made first (minutes). A move is timed in Chromium from the press of an arrow
key on a slider to the new sentence on the page, the median of twenty; wanted: under 200 ms. Server
and browser share the processor with whatever else runs.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import uvicorn
from playwright.sync_api import sync_playwright

import trialsim as ts
from trialsim.explorer.contents import Contents
from trialsim.explorer.serving import build_server, take_port

N_PEOPLE, N_FRACTIONS, N_MOVES = 10_000, 250, 20
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


def measure_moves(study: Path) -> None:
    taken = take_port(0)
    taken.listen()
    server = uvicorn.Server(uvicorn.Config(build_server(Contents(study), "t"), log_level="error"))
    threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--headless", "--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        page.goto(f"http://127.0.0.1:{taken.getsockname()[1]}/?token=t")
        page.wait_for_selector(".headline")
        for title, (where, slider) in MOVES.items():
            page.get_by_role("tab", name=title.split(",")[0]).click()
            page.wait_for_selector(f"{where} .headline")
            page.wait_for_function("!document.querySelector('.shiny-busy')")
            page.locator(f".shiny-input-container:has({slider}) .irs-line").focus()
            times, until_idle = [], []
            for _ in range(N_MOVES):
                page.evaluate(WATCH, where)
                page.keyboard.press("ArrowRight")
                page.wait_for_function("window.took !== null")
                times.append(page.evaluate("window.took"))
                page.wait_for_function("!document.querySelector('.shiny-busy')")
                until_idle.append(page.evaluate("performance.now() - window.pressed"))
            print(f"{title}: new sentence after {statistics.median(times):.0f} ms in the median, "
                  f"{max(times):.0f} ms at most; all at rest after "
                  f"{statistics.median(until_idle):.0f} ms in the median")  # fmt: skip
        browser.close()
    server.should_exit = True


def main() -> None:
    """Make the study where none is given, then measure."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(sys.argv[1]) if len(sys.argv) > 1 else make_study(Path(folder))
        measure_moves(study)


if __name__ == "__main__":
    main()
