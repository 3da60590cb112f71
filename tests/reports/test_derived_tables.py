"""Everybody at every fraction, derived from one ranking a strategy, in new and in older studies."""

from pathlib import Path

import pandas as pd
import pytest

from reports.errors import ReportError
from reports.page.gather import gather_study
from reports.store import queries
from reports.store.bundle import import_bundle, write_bundle
from reports.store.database import open_for_writing, transaction
from reports.store.migrations import MIGRATIONS
from reports.store.pruning import prune_study
from reports.store.study import Study
from reports.store.verification import verify_study

RANKINGS = pd.DataFrame(
    {"participant_id": ["b", "a", "a", "b"], "strategy": ["y", "y", "x", "x"], "rank": [2, 1, 1, 2]}
)
COUNTS = pd.DataFrame(
    {
        "strategy": ["y", "y", "x"],
        "fraction_enrolled": [0.5, 1.0, 0.5],
        "n_ranked": 2,
        "n_selected": [1, 2, 1],
    }
)
SELECTIONS = pd.DataFrame(
    {
        "participant_id": ["b", "a", "b", "a", "a", "b"],
        "strategy": ["y", "y", "y", "y", "x", "x"],
        "fraction_enrolled": [0.5, 0.5, 1.0, 1.0, 0.5, 0.5],
        "rank": [2, 1, 2, 1, 1, 2],
        "is_selected": [False, True, True, True, True, False],
    }
)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.open(tmp_path / "some study.duckdb")


def rank(study: Study) -> str:
    with study.run(command="trialsim rank", config={}) as run:
        run.write("rankings", RANKINGS)
        run.write("selection_counts", COUNTS)
    return run.run_id


def rank_as_before(study: Study) -> str:
    with study.run(command="trialsim rank", config={}) as run:
        run.write("selections", SELECTIONS)
    return run.run_id


def count(study: Study, run_id: str) -> pd.DataFrame:
    return study.query(queries.SELECTED_COUNTS, [run_id])


def test_everybody_at_every_fraction_is_derived_in_order(study: Study) -> None:
    run_id = rank(study)
    pd.testing.assert_frame_equal(study.read("selections"), SELECTIONS)
    assert study.writers() == dict.fromkeys(["rankings", "selection_counts", "selections"], run_id)
    written = study.tables().set_index("table_name")
    assert written.loc["selections", "n_rows"] == len(SELECTIONS)
    assert study.query("SELECT count(*) AS n FROM selections")["n"].tolist() == [6]
    assert (verify_study(study)["verdict"] == "holds").all()


def test_what_older_versions_kept_is_read_and_counted(study: Study) -> None:
    before = rank_as_before(study)
    pd.testing.assert_frame_equal(study.read("selections"), SELECTIONS)
    pd.testing.assert_frame_equal(count(study, before), COUNTS)
    pd.testing.assert_frame_equal(count(study, rank(study)), COUNTS)
    assert len(study.read("selections", run_id=before)) == len(SELECTIONS)
    assert (verify_study(study)["verdict"] == "holds").all()


def test_a_file_of_the_version_before_is_read_without_being_changed(tmp_path: Path) -> None:
    path = tmp_path / "old.duckdb"
    with open_for_writing(path) as connection:
        for number, step in enumerate(MIGRATIONS[:17], start=1):
            with transaction(connection):
                step(connection)
                values = [number, step.__name__]
                connection.execute("INSERT INTO migrations VALUES (?, ?, now()::TIMESTAMP)", values)
        # the file is one of before but for these, which no version before knew
        connection.execute("DROP TABLE rankings")
        connection.execute("DROP TABLE selection_counts")
    before = path.read_bytes()
    study = Study.open(path, read_only=True)
    assert not study.has("selections")
    assert path.read_bytes() == before
    rank_as_before(Study.open(path))
    assert gather_study(Study.open(path, read_only=True)).has("selections")


def test_a_pruned_ranking_is_told(study: Study) -> None:
    first = rank(study)
    rank(study)
    gone = prune_study(study, command="trialsim study prune")
    assert set(gone["table_name"]) == {"rankings", "selection_counts"}
    with pytest.raises(ReportError, match=r"rows of selections .* were dropped"):
        study.read("selections", run_id=first)
    pd.testing.assert_frame_equal(study.read("selections"), SELECTIONS)


def test_a_bundle_takes_rankings_along(study: Study, tmp_path: Path) -> None:
    rank(study)
    write_bundle(study, tmp_path / "bundle")
    import_bundle(tmp_path / "bundle", tmp_path / "copy.duckdb")
    copy = Study.open(tmp_path / "copy.duckdb", read_only=True)
    pd.testing.assert_frame_equal(copy.read("selections"), SELECTIONS)
