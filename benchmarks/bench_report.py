"""Time and size of the page of a study of 10,000 people and 500 design points.

Beside it, in the same process, the page that pandas and matplotlib give without further thought:
every table by `to_html`, every figure as a base64 PNG.

    python benchmarks/bench_report.py
"""

import base64
import runpy
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from reports.figures.export import render_png
from reports.page.compose import compose_page
from reports.page.content import Page, Picture
from reports.page.gather import gather_study
from reports.page.render.html import render_html
from reports.store.study import Study

EXAMPLE = Path(__file__).parents[1] / "tests" / "reports" / "conftest.py"
NOW = datetime.now(UTC)


def write_study(folder: Path) -> Study:
    example = runpy.run_path(str(EXAMPLE))
    # 6 strategies at 7 fractions, random at 1: 37 x 7 x 2 = 518 design points
    tables = example["make_study_tables"](
        n_people=10_000, sizes=(50, 100, 150, 200, 250, 300, 400), analyses=("mmrm", "change")
    )
    points = len(tables["operating_characteristics"])
    print(f"{len(tables['participants']):,} people, {points} design points")
    return example["write_study"](folder / "study.duckdb", tables)


def render_page(study: Study) -> str:
    return render_html(compose_page(gather_study(study), moment=NOW))


def render_naively(study: Study, page: Page) -> str:
    tables = [frame.to_html() for frame in gather_study(study).tables.values()]
    pictures = [
        base64.b64encode(render_png(block.figure)).decode()
        for section in page.sections
        for block in section.blocks
        if isinstance(block, Picture)
    ]
    return "\n".join(tables + pictures)


def measure(render: Callable[[], str]) -> tuple[float, float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    text = render()
    return (
        time.perf_counter() - wall,
        time.process_time() - cpu,
        len(text.encode()) / 1e6,
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        study = write_study(Path(name))
        render_page(study)  # imports and font caches
        ours = measure(lambda: render_page(study))
        page = compose_page(gather_study(study), moment=NOW)
        naive = measure(lambda: render_naively(study, page))
    for label, (wall, cpu, size) in (("page", ours), ("naive", naive)):
        print(f"{label:6} {wall:6.2f} s wall {cpu:6.2f} s CPU {size:8.2f} MB")
    print(f"naive / page: {naive[1] / ours[1]:.1f} in CPU time, {naive[2] / ours[2]:.0f} in size")


if __name__ == "__main__":
    main()
