"""A move in the explorer of a study of 10,000 people and 500 choices.

    python benchmarks/bench_explorer.py [study.duckdb]

Without a study one is made first (minutes). A move is timed in Chromium from the change of an input
to the new sentence on the page, the median of twenty; wanted: under 200 ms.
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
MOVE = """value => new Promise(done => {
    const line = document.querySelector(WHERE), began = performance.now();
    new MutationObserver((_, watching) => {
        watching.disconnect();
        done(performance.now() - began);
    }).observe(line, {childList: true, subtree: true, characterData: true});
    Shiny.setInputValue(NAME, value);
})"""
MOVES = {
    "design: a slider": ("#design-headline", "design-slowing", range(20, 20 + N_MOVES)),
    "people: the threshold": ("#people-counted", "people-selected", range(30, 30 + N_MOVES)),
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
    server = uvicorn.Server(uvicorn.Config(build_server(Contents(study), "t"), log_level="error"))
    threading.Thread(target=server.run, kwargs={"sockets": [taken]}, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--headless", "--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(300_000)
        page.goto(f"http://127.0.0.1:{taken.getsockname()[1]}/?token=t")
        page.wait_for_selector(".headline")
        for title, (where, name, values) in MOVES.items():
            page.get_by_role("tab", name=title.split(":")[0].capitalize()).click()
            page.wait_for_selector(f"{where} .headline")
            asked = MOVE.replace("WHERE", repr(where)).replace("NAME", repr(name))
            times = []
            for value in values:
                times.append(page.evaluate(asked, value))
                page.wait_for_function("!document.querySelector('.shiny-busy')")
            print(f"{title}: {statistics.median(times):.0f} ms in the median, "
                  f"{max(times):.0f} ms at most")  # fmt: skip
        browser.close()
    server.should_exit = True


def main() -> None:
    """Make the study where none is given, then measure."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(sys.argv[1]) if len(sys.argv) > 1 else make_study(Path(folder))
        measure_moves(study)


if __name__ == "__main__":
    main()
