"""Tables of a study as files that other programs read, and their integrity."""

import json
import weakref
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from cohorts.errors import TrialsimError
from cohorts.files import table_files
from cohorts.files.table_files import neutralize_formulas, write_table
from reports.store.export import write_study_tables
from reports.store.study import Study
from reports.store.verification import verify_study
from tests.reports.written_study import make_participants, write_once


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.open(tmp_path / "study.duckdb")


def test_verify_notices_changed_rows_and_files(study: Study, tmp_path: Path) -> None:
    kept, changed, gone = (tmp_path / name for name in ("kept", "changed", "gone"))
    for path in (kept, changed, gone):
        path.write_text("before")
    write_once(study, make_participants(), inputs=[kept, changed], weights=[gone])
    assert (verify_study(study)["verdict"] == "holds").all()
    changed.write_text("after")
    gone.unlink()
    with duckdb.connect(study.path) as connection:
        connection.execute("UPDATE participants SET age_years = 61 WHERE participant_id = 'sub-1'")
    verdicts = verify_study(study).set_index("name")["verdict"]
    assert verdicts["participants"] == "changed"
    assert [verdicts[str(path)] for path in (kept, changed, gone)] == [
        "holds",
        "changed",
        "missing",
    ]


def test_export_gives_every_table(study: Study, tmp_path: Path) -> None:
    frame = make_participants(site=["=1+1", "plain", None])
    write_once(study, frame)
    write_study_tables(study, tmp_path / "parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "parquet/participants.parquet"), frame)
    *_, as_json, as_markdown = write_study_tables(study, tmp_path / "csv", file_format="csv")
    said = json.loads(as_json.read_text())["participants"]["columns"]
    assert said["age_years"]["unit"] == "years"
    assert "| site |" in as_markdown.read_text()
    assert pd.read_csv(tmp_path / "csv/participants.csv")["site"].tolist()[:2] == ["'=1+1", "plain"]


@pytest.mark.parametrize("n_rows", [0, 1, 7])
def test_a_table_is_written_some_rows_after_the_others(
    n_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"=x": [f"+{i}" for i in range(n_rows)], "y": [0.1] * n_rows})
    whole = neutralize_formulas(frame).to_csv(index=False)
    held: list[int] = []
    neutralize = table_files.neutralize_formulas
    monkeypatch.setattr(
        table_files, "neutralize_formulas", lambda rows: held.append(len(rows)) or neutralize(rows)
    )
    monkeypatch.setattr(table_files, "_ROWS", 3)
    assert write_table(frame, tmp_path / "x.csv").read_text() == whole
    assert max(held) <= 3
    assert sum(held) == n_rows


def test_an_export_holds_one_table_at_a_time(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_once(study, make_participants())
    with study.run(command="x", config={}) as run:
        flow = {"step": [1], "criterion": ["x"], "n_entering": [2], "n_failed": [1]}
        run.write("screening_flow", pd.DataFrame({**flow, "n_remaining": [1]}))
    held: list[weakref.ref[pd.DataFrame]] = []
    read = Study.read

    def watch(self: Study, table: str) -> pd.DataFrame:
        assert [one for one in held if one() is not None] == []
        frame = read(self, table)
        held.append(weakref.ref(frame))
        return frame

    monkeypatch.setattr(Study, "read", watch)
    write_study_tables(study, tmp_path / "tables")
    assert len(held) == 2


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_text_that_starts_like_a_formula_is_neutralized(text: str) -> None:
    assert neutralize_formulas(pd.DataFrame({"x": [text, "a=b"]}))["x"].tolist() == [
        "'" + text,
        "a=b",
    ]


def test_numbers_stay_numbers_in_csv() -> None:
    frame = pd.DataFrame({"x": [-1.5, 2.0]})
    pd.testing.assert_frame_equal(neutralize_formulas(frame), frame)


def test_a_failed_export_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_table(pd.DataFrame({"x": [1]}), tmp_path / "x.csv")
    with pytest.raises(TrialsimError, match="could not be written"):
        write_table(pd.DataFrame({"x": [2]}), path / "inside-a-file.csv")
    assert path.read_text() == "x\n1\n"
