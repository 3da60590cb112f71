"""`trialsim study` on a study written by the plumbing that every command shares."""

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from cohorts.cohort import Cohort
from reports.store.study import Study
from trialsim.cli.app import app
from trialsim.study.recording import load_screened, recorded_run

RUNNER = CliRunner()


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    source = tmp_path / "people.csv"
    source.write_text("participant_id\nsub-1\n")
    keys = {"participant_id": ["sub-1"], "session_id": ["baseline"]}
    return Cohort(
        pd.DataFrame(
            {"participant_id": ["sub-1"], "sex": ["F"], "age_years": [71.0], "diagnosis": ["MCI"]}
        ),
        pd.DataFrame(
            {
                **keys,
                "age_years": [71.0],
                "months_from_baseline": [0.0],
                "diagnosis": ["MCI"],
                "image_path": pd.array([None], dtype="str"),
                "segmentation_path": pd.array([None], dtype="str"),
            }
        ),
        pd.DataFrame({**keys, "region": ["hippocampus"], "volume_mm3": [6e3], "source": ["mine"]}),
        name="trial 7",
        is_synthetic=True,
        sources=(source,),
    )


@pytest.fixture
def study(cohort: Cohort, tmp_path: Path) -> Path:
    path = tmp_path / "study.duckdb"
    scores = pd.DataFrame(
        {"participant_id": ["sub-1"], "strategy": ["mine"], "score": [0.5], "fold": [None]}
    )
    with recorded_run(path, config={"strategy": "mine"}, cohort=cohort, seed=3) as run:
        run.write("scores", scores)
    return path


def test_the_cohort_comes_back_with_its_name_and_its_mark(study: Path, cohort: Cohort) -> None:
    found = load_screened(None, study)
    assert (found.name, found.is_synthetic, found.sources) == ("trial 7", True, cohort.sources)
    pd.testing.assert_frame_equal(found.visits, cohort.visits)


def test_the_same_cohort_is_recorded_once(study: Path, cohort: Cohort) -> None:
    with recorded_run(study, config={}, cohort=cohort):
        pass
    assert len(Study.open(study).runs()) == 3


def test_info_lists_what_was_written(study: Path) -> None:
    result = RUNNER.invoke(app, ["study", "info", str(study), "--json"])
    rows = {row["table_name"]: row["n_rows"] for row in json.loads(result.stdout)}
    assert rows == {"participants": 1, "visits": 1, "volumes": 1, "scores": 1}


@pytest.mark.parametrize("words", [["runs"], ["tables", "scores"], ["sql", "SELECT 42 AS answer"]])
def test_what_is_in_the_file_is_printed(study: Path, words: list[str]) -> None:
    result = RUNNER.invoke(app, ["study", *words, str(study)])
    assert result.exit_code == 0, result.output
    assert {"runs": "finished", "tables": "mine", "sql": "42"}[words[0]] in result.stdout


def test_export_writes_a_file_for_each_table(study: Path, tmp_path: Path) -> None:
    words = ["study", "export", str(study), "--format", "csv", "--out", str(tmp_path / "tables")]
    assert RUNNER.invoke(app, words).exit_code == 0
    assert pd.read_csv(tmp_path / "tables/scores.csv")["score"].tolist() == [0.5]


def test_verify_fails_when_an_input_has_changed(study: Path, cohort: Cohort) -> None:
    sound = RUNNER.invoke(app, ["study", "verify", str(study)])
    assert (sound.exit_code, sound.stdout) == (0, "")
    assert "hold. Head of the chain" in sound.stderr
    cohort.sources[0].write_text("participant_id\nsub-2\n")
    result = RUNNER.invoke(app, ["study", "verify", str(study)])
    assert result.exit_code == 1
    assert "changed" in result.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["info", "none.duckdb"], "Error: There is no study file at none.duckdb"),
        (["sql", "DROP TABLE runs"], "Error: There is no study file"),
        (["tables", "scores", "none.duckdb"], "Error: There is no study file"),
    ],
)
def test_a_missing_study_is_one_sentence(words: list[str], sentence: str) -> None:
    result = RUNNER.invoke(app, ["study", *words])
    assert result.exit_code == 1
    assert sentence in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        *([verb, "absent"] for verb in ("predict", "rank", "compare", "power", "optimize")),
        ["rank", "absent", "--study", "deep/deeper/study.duckdb"],
        ["predict", "people.csv", "--model", "absent"],
        ["run", "protocol.toml"],
        ["study", "prune", "absent.duckdb"],
        ["cohort", "import", "people.csv", "out", "--study", "people.csv/study.duckdb"],
    ],
)
def test_a_command_that_is_refused_leaves_nothing_behind(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"p{n},F,70,MCI,3500\n" for n in range(12)]
    Path("people.csv").write_text(
        "participant_id,sex,age,diagnosis,hippocampus_mm3\n" + "".join(rows)
    )
    Path("protocol.toml").write_text('[study]\noutput = "result"\n[cohort]\npath = "absent"\n')
    done = RUNNER.invoke(app, words)
    assert done.exit_code == 1, done.output
    assert done.output.count("Error: ") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["people.csv", "protocol.toml"]


def test_what_is_finished_of_a_refused_command_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"p{n},F,70,MCI,3500\n" for n in range(12)]
    Path("people.csv").write_text(
        "participant_id,sex,age,diagnosis,hippocampus_mm3\n" + "".join(rows)
    )
    done = RUNNER.invoke(app, ["compare", "people.csv"])
    assert done.exit_code == 1
    assert Study.open("study.duckdb", read_only=True).has("participants")
