"""A run remembers what it read; a table whose source was replaced says so."""

from pathlib import Path

import pandas as pd
import pytest

from reports.store.staleness import find_stale_tables
from reports.store.study import Study

SCORES = {"participant_id": ["sub-1"], "strategy": ["mine"], "fold": [None]}
SELECTIONS = {"participant_id": ["sub-1"], "strategy": ["mine"], "fraction_enrolled": [0.5]}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.open(tmp_path / "study.duckdb")


def score(study: Study, value: float) -> None:
    with study.run(command="trialsim rank", config={}, fingerprint=str(value)) as run:
        run.write("scores", pd.DataFrame({**SCORES, "score": [value]}))


def select(study: Study) -> None:
    with study.run(command="trialsim rank", config={}) as run:
        rows = {**SELECTIONS, "rank": run.read("scores")["score"].astype(int)}
        run.write("selections", pd.DataFrame({**rows, "is_selected": [True]}))


def test_a_run_records_the_runs_that_it_read(study: Study) -> None:
    score(study, 1.0)
    select(study)
    assert study.runs()["parents"].tolist() == ["{}", '{"scores": "r000001"}']
    assert find_stale_tables(study) == {}


def test_a_table_made_from_replaced_rows_is_stale_until_it_is_made_again(study: Study) -> None:
    score(study, 1.0)
    select(study)
    score(study, 2.0)
    found = find_stale_tables(study)
    assert list(found) == ["selections"]
    assert "made from scores of run r000001, which run r000003 has replaced" in found["selections"]
    select(study)
    assert find_stale_tables(study) == {}


def test_the_same_work_done_again_leaves_nothing_stale(study: Study) -> None:
    score(study, 1.0)
    select(study)
    score(study, 2.0)
    score(study, 1.0)
    assert find_stale_tables(study) == {}
