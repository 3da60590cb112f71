"""Every example of a docstring runs, and gives what it shows."""

import doctest
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from trialsim.cli.app import app

ROOT = Path(__file__).parents[2]
PACKAGES = ("cohorts", "brlp_models", "trialsim", "reports")


def list_modules() -> Iterator[str]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8"):
                words = path.relative_to(ROOT).with_suffix("").parts
                yield ".".join(words[:-1] if words[-1] == "__init__" else words)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the people whom examples speak of."""
    folder = tmp_path_factory.mktemp("examples")
    for seed, name in enumerate(("archive", "screened"), start=1):
        words = ["cohort", "synthesize", str(folder / name), "--participants", "80"]
        result = CliRunner().invoke(app, [*words, "--label", name, "--seed", str(seed)])
        assert result.exit_code == 0, result.output
    return folder


class Finder(doctest.DocTestFinder):
    """Finds examples of functions behind decorators of other modules, too."""

    def _from_module(self, module: ModuleType, found: object) -> bool:
        return super()._from_module(module, inspect.unwrap(found))  # type: ignore[misc]


SLOW = {"trialsim.study.verbs"}
"""Modules whose examples make whole studies, as other tests do."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in list_modules()],
)
def test_examples_run(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    runner = doctest.DocTestRunner()
    for examples in Finder().find(import_module(name), name):
        runner.run(examples)
    assert not runner.failures
