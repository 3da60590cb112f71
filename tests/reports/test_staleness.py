"""A run remembers what it read; a table whose source was replaced says so."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from reports.page.compose import compose_page
from reports.page.content import Paragraph, Table
from reports.page.gather import StudyFacts, gather_study
from reports.store.database import open_for_writing, transaction
from reports.store.migrations import MIGRATIONS
from reports.store.staleness import find_stale_tables
from reports.store.study import Study
from reports.store.verification import verify_study

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


@pytest.mark.usefixtures("_unplotted")
def test_a_page_warns_where_the_table_stands(facts: StudyFacts) -> None:
    of_sizes = facts.runs["run_id"] == facts.writers["sample_sizes"]
    read = json.dumps({"scores": "r000000"})
    fingerprints = facts.runs["fingerprint"].mask(of_sizes, "other")
    runs = facts.runs.assign(parents=facts.runs["parents"].mask(of_sizes, read))
    gone = runs.iloc[:1].assign(run_id="r000000", fingerprint="gone")
    changed = replace(facts, runs=pd.concat([runs.assign(fingerprint=fingerprints), gone]))
    page = compose_page(changed, moment=datetime(2026, 1, 2, tzinfo=UTC))
    warned = {
        section.number
        for section in page.sections
        for block in section.blocks
        if isinstance(block, Paragraph) and block.is_warning and "was made from" in block.text
    }
    assert {"6", "8"} <= warned


def test_a_file_of_the_version_before_opens_verifies_and_says_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    with open_for_writing(path) as connection:
        for number, step in enumerate(MIGRATIONS[:3], start=1):
            with transaction(connection):
                step(connection)
                values = [number, step.__name__]
                connection.execute("INSERT INTO migrations VALUES (?, ?, now()::TIMESTAMP)", values)
        connection.execute(
            "INSERT INTO runs (run_id, command, config, versions, process_id, started_at, "
            "ended_at, status) VALUES ('r000001', 'trialsim rank', '{}', '{}', 1, now(), now(), "
            "'finished')"
        )
    study = Study.open(path, read_only=True)
    assert (verify_study(study)["verdict"] == "holds").all()
    assert find_stale_tables(study) == {}
    page = compose_page(gather_study(study), moment=datetime(2026, 1, 2, tzinfo=UTC))
    cells = [
        cell.text
        for section in page.sections
        for block in section.blocks
        if isinstance(block, Table)
        for row in block.rows
        for cell in row
    ]
    assert "parents not recorded" in cells
