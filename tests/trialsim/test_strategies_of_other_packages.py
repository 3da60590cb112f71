"""A strategy of another package is found by its metadata, used like any other, refused in words."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import trialsim as ts
from cohorts.synthetic.tabular import synthesize_table
from trialsim.enrichment import STRATEGIES, ScreeningTables, build_strategies
from trialsim.enrichment.strategies import registry
from trialsim.errors import DesignError
from trialsim.study.making import Listener

YOUNGEST = '''
from dataclasses import dataclass

from trialsim.enrichment.strategies.strategy import make_scores


@dataclass(frozen=True)
class Youngest:
    """Enroll the youngest."""

    name: str = "youngest"
    needs: frozenset = frozenset()
    predicts_decline: bool = False
    is_attainable: bool = True
    enrolls_everyone: bool = False

    def score(self, tables, rng):
        return make_scores(-tables.baseline["age_years"])
'''

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return what lays a package with one strategy where Python finds it."""

    def forget() -> None:
        for name in ("early_trials", "late_trials"):
            sys.modules.pop(name, None)
        registry._find_entry_points.cache_clear()
        registry._load.cache_clear()

    def lay(
        package: str = "early-trials",
        *,
        version: str = "1.0",
        code: str = YOUNGEST,
        name: str = "youngest",
    ) -> None:
        folder, module = tmp_path / package, package.replace("-", "_")
        metadata = folder / f"{module}.dist-info"
        metadata.mkdir(parents=True, exist_ok=True)
        (folder / f"{module}.py").write_text(code)
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n"
        )
        (metadata / "entry_points.txt").write_text(
            f"[{registry.ENTRY_POINTS}]\n{name} = {module}:Youngest\n"
        )
        monkeypatch.syspath_prepend(str(folder))
        forget()

    yield lay
    monkeypatch.undo()
    forget()


def test_it_is_known_by_name_and_scores(install: Install, people: ScreeningTables) -> None:
    assert "youngest" not in STRATEGIES
    install()
    assert list(STRATEGIES)[-1] == "youngest"
    assert len(STRATEGIES) == len(list(STRATEGIES))
    [strategy] = build_strategies(["youngest"])
    scores = strategy.score(people, None)["score"]  # type: ignore[arg-type]
    assert scores.idxmax() == people.baseline["age_years"].idxmin()


def test_a_study_uses_it_and_another_version_scores_again(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    synthesize_table(40, rng=np.random.default_rng(1))[0].write(tmp_path / "screened")
    install()
    asked = ts.protocol(
        "screened",
        strategies=["random", "youngest"],
    )
    study = ts.rank(asked, output="study")
    assert "youngest" in set(study.table("scores")["strategy"])
    told: list[str] = []
    ts.rank(asked, output="study", listener=Listener(told.append))
    assert told == [
        "[1/2] load: unchanged since the last run",
        "[2/2] score: unchanged since the last run",
    ]
    install(version="1.1")
    told.clear()
    ts.rank(asked, output="study", listener=Listener(told.append))
    assert 'because packages.youngest was "early-trials 1.0", is "early-trials 1.1"' in told[2]


@pytest.mark.parametrize(
    ("told", "how"),
    [
        ("cannot be imported from early_trials:Youngest: division", {"code": "1 / 0"}),
        ("has no needs, predicts_decline, .* score", {"code": "class Youngest:\n    name = 'y'"}),
        ("calls itself 'youngest'", {"name": "oldest"}),
    ],
)
def test_one_that_cannot_be_used_is_told_in_one_sentence(
    install: Install, told: str, how: dict[str, str]
) -> None:
    install(**how)
    with pytest.raises(DesignError, match=f"of early-trials 1.0 {told}") as error:
        build_strategies([how.get("name", "youngest")])
    assert len(error.value.problems) == 1
    assert build_strategies(["random"])


def test_two_packages_may_not_bring_the_same(install: Install) -> None:
    install()
    install("late-trials")
    with pytest.raises(DesignError, match="both bring a strategy 'youngest'"):
        build_strategies(["youngest"])


def test_the_names_of_this_package_stay_its_own(install: Install) -> None:
    install(name="random")
    assert type(STRATEGIES["random"]).__name__ == "RandomEnrollment"
    assert list(STRATEGIES).count("random") == 1
