"""Commands, `trialsim run` and Python give the same tables for the same question, bit for bit."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import trialsim as ts
from reports.store.study import Study
from trialsim.cli.app import app
from trialsim.study.keys import KEYS
from trialsim.study.making import STUDY
from trialsim.study.result import StudyResult

COMMANDS = (
    "cohort synthesize archive --participants 60 --label archive --seed 1",
    "cohort synthesize other --participants 120 --label other --seed 3",
    "cohort synthesize screened --participants 60 --label screened --seed 2",
)
QUESTION = {
    "cohort.path": "screened",
    "cohort.training": "archive",
    "selection.strategies": ["random", "baseline_volume", "regression"],
    "design.visits_months": [0, 12, 24],
    "design.slowing": 0.3,
    "design.analyses": ["ancova"],
    "simulation.sample_sizes": [60, 120],
    "simulation.n_simulations": 100,
    "simulation.n_bootstrap": 2,
}
RANK = "--strategies random,baseline_volume,regression"
POWER = (
    "--visits-months 0,12,24 --slowing 0.3 --analyses ancova --sample-sizes 60,120 "
    "--n-simulations 100 --n-bootstrap 2"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the people, which every door reads."""
    folder = tmp_path_factory.mktemp("doors")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in COMMANDS:
            command(line)
    return folder


def command(line: str) -> str:
    result = CliRunner().invoke(app, shlex.split(line))
    assert result.exit_code == 0, f"trialsim {line}\n{result.output}"
    return result.stderr


def ask_by_commands(
    study: Path, rank: str = "--train-on archive", compare: str = "", power: str = ""
) -> Study:
    where = f"--study {study}"
    command(f"rank screened {where} {RANK} {rank}")
    command(f"compare screened {where} --strategies random,baseline_volume,regression {compare}")
    command(f"power screened {where} {POWER} {power}")
    return Study.open(study, read_only=True)


def ask_by_protocol(folder: Path, changes: dict[str, Any]) -> Study:
    asked = {**QUESTION, **changes}
    lines = [f"{key} = {json.dumps(value)}" for key, value in asked.items() if value is not None]
    Path("protocol.toml").write_text("\n".join([*lines, f'study.output = "{folder}"']))
    command("run protocol.toml --quiet")
    return Study.open(folder / STUDY, read_only=True)


def ask_by_python(folder: Path, changes: dict[str, Any]) -> Study:
    asked = {**QUESTION, **changes}
    stated = {name: asked[key] for name, key in KEYS.items() if key in asked}
    return ts.run(ts.protocol(**stated), output=folder).study


def read_all(study: Study) -> dict[str, pd.DataFrame]:
    with study.snapshot():
        return {name: study.read(name) for name in study.writers()}


def assert_same_tables(studies: Sequence[Study]) -> None:
    first, *others = map(read_all, studies)
    names = {"participants", "scores", "capture_rates", "sample_sizes", "study_description"}
    assert names <= first.keys()
    for other in others:
        assert other.keys() == first.keys()
        for name, table in first.items():
            pd.testing.assert_frame_equal(other[name], table, check_exact=True)


CHANGES = [
    ({}, {}),
    (
        {"design.unit": "log_percent", "cohort.training": "other", "study.seed": 7},
        {"rank": "--train-on other --seed 7", "power": "--unit log_percent"},
    ),
    (
        {
            "design.endpoint": "amygdala",
            "cohort.training": None,
            "selection.folds": 4,
            "selection.fast_progressor.unit": "mm3",
            "selection.fast_progressor.top_fraction": 0.3,
        },
        {
            "rank": "--endpoint amygdala --set cohort.training=none --folds 4 --decline-unit mm3",
            "power": "--endpoint amygdala",
        },
    ),
]


@pytest.mark.parametrize(
    ("changes", "words"),
    [CHANGES[0], *(pytest.param(*one, marks=pytest.mark.slow) for one in CHANGES[1:])],
)
def test_every_door_gives_the_same_tables(
    home: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: dict[str, str]
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setattr(StudyResult, "report", lambda *_, **__: [])
    place = Path(f"change-{CHANGES.index((changes, words))}")
    studies = [
        ask_by_commands(place / "commands" / STUDY, **words),
        ask_by_protocol(place / "run", changes),
        ask_by_python(place / "python", changes),
    ]
    assert_same_tables(studies)
