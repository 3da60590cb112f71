"""Tables of a study as files that other programs read, and their integrity."""

import json
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from cohorts.errors import TrialsimError
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
