"""What tests of several rooms share."""

import gc
import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.main
import typer.testing
from matplotlib.figure import Figure

Issue = tuple[str, str, str]
"""Severity, code, and what it is about."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among the modules that are imported here, now or later.

    They stay for ever; looking takes a sixth of the time of importing torch, MONAI and pandas.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what mostly waits for other processes, so that it is not waited for at the end."""
    items.sort(key=lambda item: item.path.name != "test_workers.py")


@pytest.fixture(scope="session")
def find_bids_issues() -> Callable[[Path], set[Issue]]:
    """Return what the official BIDS validator says of a dataset and its derivatives."""
    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.is_file():
        pytest.skip("bids-validator-deno is not installed: pip install bids-validator-deno")

    def validate(root: Path) -> set[Issue]:
        options = ["--recursive", "--format", "json", "--no-color"]
        done = subprocess.run(
            [validator, root, *options], capture_output=True, text=True, check=False
        )
        found = json.loads(done.stdout)
        parts = [found, *(found.get("derivativesSummary") or {}).values()]
        return {
            (
                issue["severity"],
                issue["code"],
                issue.get("subCode") or (issue["location"] if issue["severity"] == "error" else ""),
            )
            for part in parts
            for issue in part["issues"]["issues"]
        }

    return validate


@pytest.fixture(scope="session", autouse=True)
def _assembled_commands() -> Iterator[None]:
    """Assemble the command line once: that takes 70 ms, of each of a thousand commands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", cache(typer.main.get_command))
        yield


@pytest.fixture
def _unreported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write no page of a study that nobody reads: other tests write and read one."""
    monkeypatch.setattr("trialsim.study.result.StudyResult.report", lambda *_, **__: [])


def leave_unplotted(patch: pytest.MonkeyPatch) -> None:
    """Let every figure of a page be an empty one; its data and words stay."""
    for place in ("reports.page.compose", "reports.page.trial.compose"):
        importlib.import_module(place)
    for place, module in list(sys.modules.items()):
        for name in list(vars(module)) if place.startswith("reports.page.") else ():
            if name.startswith("plot_"):
                patch.setattr(module, name, lambda *_, **__: Figure())


@pytest.fixture
def _unplotted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the figures of a page empty, where a test looks at its words and tables."""
    leave_unplotted(monkeypatch)


PLOTTED = {
    "test_hostile_inputs",
    "test_interim_study",
    "test_odd_circumstances",
    "test_optimize",
    "test_page_of_an_endpoint",
    "test_single_strategies",
}
"""Tests of studies that figures may fail for, or that have figures of their own."""


@pytest.fixture(scope="module", autouse=True)
def _undrawn_figures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leave figures undrawn in tests of commands, where those of a page take half of the time.

    `tests/reports` draws every figure, `tests/project` whole pages of the documented commands.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.path.parent.name in ("cli", "brlp_models"):
            if request.path.stem not in PLOTTED:
                leave_unplotted(patch)
            for module in ("reports.page.render.html", "reports.figures.export"):
                patch.setattr(f"{module}.render_svg", lambda _figure, *, prefix: f"<p>{prefix}</p>")
        yield
