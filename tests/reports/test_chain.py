"""Finished runs are sealed one after the other: no change, removal or insertion goes unnoticed."""

import json
import shutil
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from reports.errors import ReportError
from reports.store.bundle import MANIFEST, import_bundle, write_bundle
from reports.store.chain import digest_rows
from reports.store.database import open_for_reading, open_for_writing
from reports.store.pruning import list_prunable, prune_study
from reports.store.study import Study
from reports.store.verification import verify_study
from trialsim.cli.app import app

RUNNER = CliRunner()


def make_people(count: int, **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "participant_id": [f"sub-{number}" for number in range(count)],
            "sex": ["F"] * count,
            "age_years": np.linspace(60, 80, count),
            "diagnosis": ["MCI"] * count,
        }
    )
    return frame.assign(**columns)


def write_run(study: Study, count: int, **columns: object) -> str:
    with study.run(command="trialsim test", config={"count": count}, seed=count) as run:
        run.write("participants", make_people(count, **columns))
    return run.run_id


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    source = folder / "source.csv"
    source.write_text("x")
    study = Study.open(folder / "study.duckdb")
    for count in (3, 4, 5):
        write_run(study, count, site="Köln")
    with study.run(command="trialsim with files", config={}, inputs=[source]):
        pass
    return study.path


@pytest.fixture
def study(template: Path, tmp_path: Path) -> Study:
    # paths in a study are relative to it: the files go with it
    shutil.copy(template, tmp_path / "study.duckdb")
    shutil.copy(template.with_name("source.csv"), tmp_path)
    return Study.open(tmp_path / "study.duckdb")


def list_broken(study: Study, **options: str) -> dict[str, str]:
    found = verify_study(study, **options)
    broken = found[(found["verdict"] != "holds") & found["what"].isin(["run", "table"])]
    return dict(zip(broken["run_id"], broken["verdict"], strict=True))


def test_an_untouched_study_holds(study: Study) -> None:
    assert list_broken(study) == {}
    assert len(study.head() or "") == 64


@pytest.mark.parametrize(
    ("statement", "run_id", "verdict"),
    [
        *(pytest.param(f"UPDATE runs SET {one} WHERE run_id = 'r000002'", "r000002", "changed",
                       marks=pytest.mark.slow)
          for one in ("command = 'x'", "versions = '{}'", "status = 'failed'")),
        ("UPDATE runs SET seed = 9 WHERE run_id = 'r000002'", "r000002", "changed"),
        ("UPDATE runs SET git_commit = 'x' WHERE run_id = 'r000002'", "r000002", "changed"),
        ("UPDATE run_tables SET n_rows = 9 WHERE run_id = 'r000002'", "r000002", "changed"),
        ("UPDATE run_files SET path = 'y'", "r000004", "changed"),
        ("DELETE FROM run_files", "r000004", "changed"),
        ("DELETE FROM runs WHERE run_id = 'r000002'", "r000002", "missing"),
        ("DELETE FROM run_chain WHERE position = 2", "r000003", "changed"),
        ("DELETE FROM run_chain WHERE position = 4", "r000004", "changed"),
        ("UPDATE participants SET age_years = 61 WHERE run_id = 'r000002'", "r000002", "changed"),
        ("DELETE FROM participants WHERE run_id = 'r000002'", "r000002", "changed"),
        ("INSERT INTO participants BY NAME SELECT 'r9' AS run_id, 'sub-1' AS participant_id, "
         "'F' AS sex, 70 AS age_years, 'AD' AS diagnosis", "r9", "changed"),
    ],
)  # fmt: skip
def test_every_change_is_noticed(study: Study, statement: str, run_id: str, verdict: str) -> None:
    with duckdb.connect(study.path) as connection:
        connection.execute(statement)
    assert list_broken(study)[run_id] == verdict


def test_a_run_put_in_later_is_noticed(study: Study) -> None:
    with duckdb.connect(study.path) as connection:
        connection.execute(
            "INSERT INTO runs SELECT * REPLACE ('r000009' AS run_id) FROM runs LIMIT 1"
        )
    assert list_broken(study) == {"r000009": "changed"}


def test_a_chain_sealed_anew_is_noticed_with_the_head_alone(study: Study, tmp_path: Path) -> None:
    head = str(study.head())
    forged = Study.open(tmp_path / "forged.duckdb")
    for count in (3, 4, 5, 6):
        write_run(forged, count)
    assert list_broken(forged) == {}
    assert list_broken(forged, head=head) == {"": "missing"}
    write_run(study, 7)
    assert list_broken(study, head=head) == {}


def test_runs_from_before_the_chain_hold_as_such(tmp_path: Path) -> None:
    study = Study.open(tmp_path / "old.duckdb")
    write_run(study, 3)
    with open_for_writing(study.path) as connection:
        connection.execute("DELETE FROM run_chain")
    write_run(study, 4)
    found = verify_study(study)
    assert (found["verdict"] == "holds").all()
    assert found["detail"].str.contains("before the chain").sum() == 1


def test_the_digest_tells_rows_apart(study: Study) -> None:
    frames = [
        make_people(3, site=pd.Series(sites, dtype="str"))
        for sites in (["a", "bc", None], ["ab", "c", None], ["a", "bc", ""], ["bc", "a", None])
    ]
    runs = []
    for frame in frames:
        with study.run(command="x", config={}) as run:
            run.write("participants", frame)
        runs.append(run.run_id)
    with open_for_reading(study.path) as connection:
        digests = {
            digest_rows(connection, "participants", run_id, list(frames[0])) for run_id in runs
        }
    assert len(digests) == 4


def test_pruning_drops_what_was_replaced_and_keeps_the_chain(study: Study) -> None:
    head = str(study.head())
    going = list_prunable(study)
    assert going[["run_id", "n_rows"]].to_numpy().tolist() == [["r000001", 3], ["r000002", 4]]
    prune_study(study, command="trialsim study prune")
    assert len(study.read("participants")) == 5
    with pytest.raises(ReportError, match="dropped by `trialsim study prune`"):
        study.read("participants", run_id="r000001")
    assert list_broken(study, head=head) == {}
    assert list_prunable(study).empty
    write_run(study, 6)
    assert list_prunable(study)["run_id"].tolist() == ["r000003"]


def test_rows_put_back_after_pruning_are_noticed(study: Study) -> None:
    prune_study(study, command="trialsim study prune")
    with duckdb.connect(study.path) as connection:
        connection.execute(
            "INSERT INTO participants SELECT * REPLACE ('r000001' AS run_id) FROM participants"
        )
    assert list_broken(study) == {"r000001": "changed"}


@pytest.mark.slow
def test_a_pruned_file_is_as_small_as_a_new_one(tmp_path: Path) -> None:
    study, small = (Study.open(tmp_path / f"{name}.duckdb") for name in ("study", "small"))
    rng = np.random.default_rng(1)
    values = {f"x{number}": rng.normal(size=20_000) for number in range(5)}
    for _ in range(8):
        write_run(study, 20_000, **values)
    write_run(small, 20_000, **values)
    before = study.path.stat().st_size
    result = RUNNER.invoke(app, ["study", "prune", str(study.path)])
    assert result.exit_code == 0, result.output
    assert "140,000 rows dropped" in result.stderr
    assert before > 3 * study.path.stat().st_size
    assert study.path.stat().st_size < 2 * small.path.stat().st_size
    assert list_broken(study) == {}
    assert len(study.read("participants")) == 20_000


def test_a_bundle_gives_back_the_study(study: Study, tmp_path: Path) -> None:
    with pytest.raises(KeyError), study.run(command="fails", config={}):
        raise KeyError
    manifest = write_bundle(study, tmp_path / "bundle")
    again = import_bundle(tmp_path / "bundle", tmp_path / "again.duckdb")
    assert again.head() == study.head() == manifest.head
    pd.testing.assert_frame_equal(again.runs(), study.runs())
    for run_id in ("r000001", "r000003"):
        pd.testing.assert_frame_equal(
            again.read("participants", run_id=run_id), study.read("participants", run_id=run_id)
        )
    write_run(again, 8)
    assert list_broken(again) == {}
    assert sorted(path.name for path in tmp_path.glob("again*")) == [
        "again.duckdb",
        "again.duckdb.lock",
    ]


def rewrite_row(folder: Path) -> None:
    """Change a row, and name the changed file in the manifest."""
    path = folder / "participants.parquet"
    table = pq.read_table(path).to_pandas().assign(age_years=66.0)
    table.to_parquet(path, index=False)
    sign_anew(folder, path)


def sign_anew(folder: Path, *paths: Path) -> None:
    from cohorts.files.atomic import compute_sha256

    manifest = json.loads((folder / MANIFEST).read_text())
    for path in paths:
        described = {"sha256": compute_sha256(path), "size_bytes": path.stat().st_size}
        manifest["files"][path.name] = described
    (folder / MANIFEST).write_text(json.dumps(manifest))


def leave_out_a_run(folder: Path) -> None:
    changed = []
    for name in ("runs", "run_chain"):
        path = folder / f"{name}.parquet"
        table = pq.read_table(path).to_pandas()
        table[table["run_id"] != "r000004"].to_parquet(path, index=False)
        changed.append(path)
    sign_anew(folder, *changed)


def name_a_file_elsewhere(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"]["../study.duckdb"] = {"sha256": "0" * 64, "size_bytes": 1}
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "scores.parquet").unlink(), "scores.parquet is missing"),
        (lambda folder: (folder / "runs.parquet").write_bytes(b"x"), "not the file that MANIFEST"),
        (lambda folder: (folder / MANIFEST).write_text("{}"), "not the manifest"),
        (lambda folder: (folder / MANIFEST).write_text("["), "not the manifest"),
        (lambda folder: (folder / MANIFEST).unlink(), "not the manifest"),
        (name_a_file_elsewhere, "not a table of a study"),
        (rewrite_row, "does not fit its own chain"),
        (leave_out_a_run, "does not fit its own chain|not the table of a study"),
        (
            lambda folder: (
                (folder / "runs.parquet").write_bytes(b"PAR1junkPAR1"),
                sign_anew(folder, folder / "runs.parquet"),
            ),
            "runs.parquet is not the table of a study",
        ),
    ],
)
def test_a_changed_bundle_is_refused(
    study: Study, tmp_path: Path, damage: object, words: str
) -> None:
    write_bundle(study, tmp_path / "bundle")
    damage(tmp_path / "bundle")  # type: ignore[operator]
    with pytest.raises(ReportError, match=words):
        import_bundle(tmp_path / "bundle", tmp_path / "again.duckdb")
    assert not list(tmp_path.glob("again*"))


def test_the_commands_tell_the_head(study: Study, tmp_path: Path) -> None:
    path, head = str(study.path), str(study.head())
    for words in (
        ["verify", path, "--head", head],
        ["export", path, "--bundle", "--out", str(tmp_path / "mailed")],
        ["import-bundle", str(tmp_path / "mailed"), str(tmp_path / "again.duckdb")],
    ):
        result = RUNNER.invoke(app, ["study", *words])
        assert result.exit_code == 0, result.output
        assert head in result.stderr
    assert RUNNER.invoke(app, ["study", "verify", path, "--head", "0" * 64]).exit_code == 1


@pytest.mark.parametrize("flips", [10, pytest.param(25, marks=pytest.mark.slow)])
def test_damaged_bytes_are_a_sentence_or_change_nothing(study: Study, flips: int) -> None:
    rng = np.random.default_rng(7)
    expected = study.read("participants")
    whole, copy = study.path.read_bytes(), study.path.with_name("damaged.duckdb")
    for _ in range(flips):
        data = bytearray(whole)
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        copy.write_bytes(bytes(data))
        damaged = Study(copy, read_only=True)
        try:
            sound = (verify_study(damaged)["verdict"] == "holds").all()
            found = damaged.read("participants")
        except ReportError as error:
            sound, problems = False, error.problems
            assert len(problems) == 1
        if sound:
            pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW mine AS SELECT 1",
        "CREATE MACRO sum(x) AS 42",
        "CREATE MACRO t() AS TABLE SELECT 1",
    ],
)
def test_a_file_with_code_of_its_own_is_not_read(study: Study, statement: str) -> None:
    with duckdb.connect(study.path) as connection:
        connection.execute(statement)
    for read_only in (True, False):
        with pytest.raises(ReportError, match="views or functions of its own"):
            Study.open(study.path, read_only=read_only)


def test_a_query_without_end_is_ended(study: Study) -> None:
    endless = "SELECT count(*) FROM range(1000000000) AS a, range(1000000000) AS b"
    result = RUNNER.invoke(app, ["study", "sql", endless, str(study.path), "--timeout", "0.3"])
    assert result.exit_code == 1
    assert "took more than 0.3 seconds" in result.stderr


@pytest.mark.parametrize("statement", ["", "  ", ";", "-- nothing", "SELECT 'a\x00b"])
def test_a_query_that_asks_nothing_is_a_sentence(study: Study, statement: str) -> None:
    with pytest.raises(ReportError, match="The query"):
        study.query(statement)


def test_copies_keep_the_chain(study: Study, tmp_path: Path) -> None:
    shutil.copy(study.path, tmp_path / "copy.duckdb")
    assert Study.open(tmp_path / "copy.duckdb").head() == study.head()
