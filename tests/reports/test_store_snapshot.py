"""A study read as it is now, in one opening."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.store import database
from reports.store.study import Study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.open(tmp_path / "study.duckdb")


def write_scores(study: Study, score: float) -> None:
    table = pd.DataFrame(
        {"participant_id": ["a"], "strategy": ["mine"], "score": [score], "fold": [None]}
    )
    with study.run(command="trialsim rank", config={}, seed=1) as run:
        run.write("scores", table)


def test_what_is_written_meanwhile_is_not_seen(study: Study) -> None:
    write_scores(study, 1.0)
    with study.snapshot():
        write_scores(Study.open(study.path), 2.0)
        assert list(study.read("scores")["score"]) == [1.0]
    assert list(study.read("scores")["score"]) == [2.0]


def test_the_file_is_opened_once(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    write_scores(study, 1.0)
    opened: list[Path] = []
    connect = database._connect_patiently

    def count(path: Path, **given: Any) -> Any:
        opened.append(path)
        return connect(path, **given)

    monkeypatch.setattr(database, "_connect_patiently", count)
    with study.snapshot():
        study.read("scores")
        study.runs()
        assert study.has("scores")
    assert len(opened) == 1
    study.runs()
    assert len(opened) == 2
