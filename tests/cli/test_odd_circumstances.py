"""Columns that collide, questions without end, no home: a result or a sentence."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cohorts.cohort import Cohort
from cohorts.synthetic.tabular import synthesize_table
from reports.store.study import Study
from reports.store.verification import verify_study
from trialsim.cli.app import app

RANK = ["--strategies", "random,baseline_volume"]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "screened"
    synthesize_table(60, rng=np.random.default_rng(1), visits_months=(0, 24))[0].write(folder)
    return folder


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def assert_one_sentence(done: Result, words: str) -> None:
    assert done.exit_code == 1, done.output
    assert words in done.stderr
    assert "fault of trialsim" not in done.output
    assert "Traceback" not in done.output


# of tables that are read to the end one is enough each time; level_0 is in test_hostile_inputs, too
COLLIDING = [
    ("value", "run_id"),
    ("SITE2", "site2"),
    ("Strategy", "score"),
    ("index", "level_0"),
    ("volume_mm3", "region"),
    ("_first", "__null_dask_index__"),
    ("select", 'a"b'),
]
READ = (("Strategy", "score"), ("index", "level_0"), ("_first", "__null_dask_index__"))


@pytest.mark.parametrize(
    ("names", "share"),
    [
        *(
            pytest.param(names, 0.5, marks=pytest.mark.slow if names in READ else ())
            for names in COLLIDING
        ),
        (COLLIDING[0], 5.0),
    ],
)
def test_columns_with_the_names_of_others_are_kept_or_told(
    names: tuple[str, str], share: float, people: Path, tmp_path: Path
) -> None:
    cohort = Cohort.read(people)
    table = cohort.participants.assign(**{names[0]: np.arange(60.0), names[1]: "x"})
    wide = cohort.baseline()["hippocampus_mm3"] * share
    table = table.merge(wide.rename("left_hippocampus_mm3"), on="participant_id")
    table.to_csv(tmp_path / "people.csv", index=False)
    study = tmp_path / "study.duckdb"
    done = invoke("cohort", "import", tmp_path / "people.csv", tmp_path / "in", "--study", study)
    if done.exit_code == 0:
        done = invoke("rank", tmp_path / "in", "--study", study, "--strategies", "random")
    assert "fault of trialsim" not in done.output
    assert done.exit_code in (0, 1)
    if done.exit_code == 1:
        assert done.stderr.count("Error: ") >= 1
        return
    found = verify_study(Study.open(study, read_only=True))
    assert (found["verdict"] == "holds").all(), found


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("simulation.n_simulations=1000000000000", "n_simulations"),
        ("simulation.n_bootstrap=1000000000000", "n_bootstrap"),
        ("selection.folds=1000000000", "folds"),
        ("simulation.sample_sizes=[1000000000000]", "sample_sizes"),
        ("study.seed=1e400", "seed"),
        (f"design.visits_months={'[' * 5000}{']' * 5000}", "Error"),
        (f"study.title={'[' * 5000}", "Error"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_questions_that_would_not_end_are_refused_before_they_begin(
    setting: str, words: str, people: Path, tmp_path: Path
) -> None:
    done = invoke("power", people, "--study", tmp_path / "s.duckdb", "--set", setting)
    if "title" in setting:  # text may be a title
        assert "fault of trialsim" not in done.output
        return
    assert_one_sentence(done, words)


@pytest.mark.parametrize("name", ["protocol.toml", "model.json", "cohort.json"])
def test_nesting_without_end_is_a_sentence(name: str, tmp_path: Path) -> None:
    deep = "[" * 5000 + "]" * 5000
    if name == "protocol.toml":
        (tmp_path / name).write_text(f"x = {deep}")
        done = invoke("run", tmp_path / name)
    elif name == "cohort.json":
        (tmp_path / name).write_text(deep)
        done = invoke("cohort", "validate", tmp_path)
    else:
        (tmp_path / "config.json").write_text(deep)
        done = invoke("model", "check-scan", tmp_path / "x.nii", "--model", tmp_path)
    assert_one_sentence(done, "Error: ")


def test_a_private_study_is_its_owner_s_alone(people: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.duckdb"
    old = os.umask(0o022)
    try:
        words = ["rank", people, "--study", study, *RANK, "--output", tmp_path / "ranked.csv"]
        assert invoke(*words).exit_code == 0
        assert study.stat().st_mode & 0o777 == 0o640
        assert invoke(*words, "--set", "study.private=true", "--folds", "4").exit_code == 0
    finally:
        os.umask(old)
    assert study.stat().st_mode & 0o777 == 0o600


ONE = [pytest.param(name, marks=pytest.mark.slow) for name in ("HOME", "TMPDIR", "USER")]


@pytest.mark.parametrize("missing", [*ONE, "all"])
def test_without_a_home_and_a_folder_for_temporary_files_it_works(
    missing: str, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "TMPDIR", "USER", "LOGNAME"):
        if missing in (name, "all"):
            monkeypatch.delenv(name, raising=False)
    done = invoke("rank", people, "--study", tmp_path / "study.duckdb", *RANK)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("option", ["--study=~nobody-here/s.duckdb", "~nobody-here/people"])
def test_a_home_that_nobody_has_is_a_sentence_and_no_folder(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = invoke("rank", option)
    assert done.exit_code == 2
    assert "~nobody-here" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_home_that_nobody_has_in_a_protocol_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "protocol.toml").write_text('[cohort]\npath = "~nobody-here/people"\n')
    done = invoke("run", tmp_path / "protocol.toml")
    assert_one_sentence(done, "there is no home folder ~nobody-here")


def test_a_clock_that_goes_back_changes_nothing(
    people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "study.duckdb"
    assert invoke("rank", people, "--study", study, *RANK).exit_code == 0
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 10 * 365 * 86400)
    monkeypatch.setattr(time, "time_ns", lambda: int((now - 10 * 365 * 86400) * 1e9))
    again = invoke("rank", people, "--study", study, *RANK, "--folds", "4")
    assert again.exit_code == 0, again.output
    opened = Study.open(study, read_only=True)
    found = verify_study(opened)
    assert (found["verdict"] == "holds").all(), found
    # the order of runs is that of the chain, not of the clock
    runs = json.loads(invoke("study", "info", study, "--json").stdout)
    assert runs
