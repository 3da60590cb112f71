"""`trialsim run`: one job, resumable at any moment, with the same numbers in the end."""

import json
import multiprocessing
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cohorts.sources.loading import load_cohort
from cohorts.synthetic.tabular import synthesize_table
from reports.errors import ReportError
from reports.store.study import Study
from reports.store.verification import verify_study
from trialsim.cli.app import app
from trialsim.study.making import run_protocol
from trialsim.study.protocol import Protocol
from trialsim.study.question import read_protocol

RUNNER = CliRunner()
RESULTS = ("scores", "selections", "capture_rates", "operating_characteristics", "sample_sizes")
PROTOCOL = """
[study]
title = "A small study"
seed = 5
[cohort]
path = "screened"
training = "archive"
eligibility = ["age_years between 50 and 90"]
[selection]
strategies = ["random", "baseline_volume", "regression"]
fractions_enrolled = [0.5, 1.0]
[design]
visits_months = [0, 12, 24]
unit = "log_percent"
slowing = 0.3
analyses = ["ancova"]
[costs]
screening = 1500
participant = 25000
[simulation]
sample_sizes = [60, 120, 240]
n_simulations = 100
n_bootstrap = 2
"""


def write_people(folder: Path, seed: int, count: int) -> None:
    cohort, _ = synthesize_table(count, rng=np.random.default_rng(seed))
    rename = {name: f"{folder.name}-{name}" for name in cohort.participants["participant_id"]}
    tables = {
        name: getattr(cohort, name).assign(
            participant_id=getattr(cohort, name)["participant_id"].map(rename)
        )
        for name in ("participants", "visits", "volumes")
    }
    renamed = type(cohort)(**tables, name=folder.name, is_synthetic=True)
    renamed.write(folder)


def make_study(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    write_people(folder / "screened", seed=1, count=120)
    write_people(folder / "archive", seed=2, count=120)
    (folder / "protocol.toml").write_text(PROTOCOL)
    return folder / "protocol.toml"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that is copied, never written."""
    return make_study(tmp_path_factory.mktemp("made")).parent


@pytest.fixture(scope="module")
def finished(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(made, folder, dirs_exist_ok=True)
    run_protocol(read_protocol(folder / "protocol.toml"), command="trialsim run protocol.toml")
    return folder / "protocol.toml"


@pytest.fixture
def protocol(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "protocol.toml"


@pytest.fixture
def done(finished: Path, tmp_path: Path) -> Path:
    """Return a protocol that was run."""
    shutil.copytree(finished.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "protocol.toml"


def read_results(path: Path) -> dict[str, pd.DataFrame]:
    study = Study.open(path.parent / "results/study.duckdb", read_only=True)
    with study.snapshot():
        return {table: study.read(table) for table in RESULTS}


def run_quietly(protocol: Protocol) -> None:
    run_protocol(protocol, command="trialsim run")


def test_the_job_ends_with_its_answer_and_its_report(finished: Path) -> None:
    result = RUNNER.invoke(app, ["run", str(finished)])
    assert result.exit_code == 0, result.output
    assert "per arm" in result.stdout
    assert result.stdout.startswith("SYNTHETIC people: no number here describes real patients.")
    assert re.search(r"^- ", result.stdout, re.MULTILINE)  # a sentence a line
    page = (finished.parent / "results/report.html").read_text()
    assert "A small study" in page
    assert "synthetic" in page.lower()


@pytest.mark.usefixtures("_unreported")
def test_a_second_run_skips_every_step(finished: Path) -> None:
    before = read_results(finished)
    result = RUNNER.invoke(app, ["run", str(finished)])
    assert result.stderr.count("unchanged") == 4
    for table, frame in read_results(finished).items():
        pd.testing.assert_frame_equal(frame, before[table])


def test_json_gives_the_answer_with_its_paths(finished: Path) -> None:
    found = json.loads(RUNNER.invoke(app, ["run", str(finished), "--json", "--quiet"]).stdout)
    assert set(found) == {"answer", "details", "is_synthetic", "report", "study"}
    assert Path(found["report"]).is_file()


def test_a_dry_run_shows_the_plan_without_doing_it(protocol: Path) -> None:
    result = RUNNER.invoke(app, ["run", str(protocol), "--dry-run", "--set", "study.seed=9"])
    assert result.exit_code == 0, result.output
    assert "study.seed = 9" in result.stdout
    words = re.findall(r"^(\w+) +\d+ s$", result.stdout, re.MULTILINE)
    assert words == ["load", "score", "compare", "simulate", "report"]
    assert not (protocol.parent / "results").exists()


def test_a_dry_run_tells_of_analyses_that_no_strategy_can_have(protocol: Path) -> None:
    words = ["selection.strategies=['random']", "design.analyses=['ancova_score']"]
    asked = [word for setting in words for word in ("--set", setting)]
    result = RUNNER.invoke(app, ["run", str(protocol), "--dry-run", *asked])
    assert result.exit_code == 1
    assert "ancova_score: a prognostic score is needed; the strategy has none." in result.stderr


def dry_run(path: Path, *settings: str) -> list[str]:
    asked = [word for setting in settings for word in ("--set", setting)]
    result = RUNNER.invoke(app, ["run", str(path), "--dry-run", *asked])
    assert result.exit_code == 1
    return result.stderr.splitlines()


@pytest.mark.slow
@pytest.mark.usefixtures("_unreported")
def test_a_dry_run_says_what_simulating_would_refuse(protocol: Path) -> None:
    setting = "design.endpoint='lateral_ventricle'"
    foreseen = [line.partition("simulated: ")[2] for line in dry_run(protocol, setting)]
    refused = RUNNER.invoke(app, ["run", str(protocol), "--set", setting])
    assert refused.exit_code == 1
    assert any(foreseen)
    assert " ".join(foreseen) in refused.stderr


def test_sizes_that_no_trial_can_have_are_refused_before_any_work(protocol: Path) -> None:
    settings = ("simulation.sample_sizes=[6, 16, 100]", "design.allocation_ratio=3")
    asked = [word for setting in settings for word in ("--set", setting)]
    refused = RUNNER.invoke(app, ["run", str(protocol), *asked])
    assert refused.exit_code == 1
    assert [line for line in refused.stderr.splitlines() if line] == dry_run(protocol, *settings)
    for arms in ("2 + 4", "4 + 12"):
        assert (
            "Protocol, simulation.sample_sizes: Each arm needs at least 5 people, got " + arms
        ) in " ".join(refused.stderr.split())
    assert "load" not in refused.stderr


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("optimize.run_in_months=[30]", "a run-in of 30 months leaves no time"),
        ("interim.looks=[0.5, 1]", "how fast people are enrolled"),
    ],
)
def test_a_dry_run_tries_the_search_and_the_looks(protocol: Path, setting: str, words: str) -> None:
    assert any(words in line for line in dry_run(protocol, setting))


def test_looks_that_cannot_be_planned_are_refused_before_any_work(protocol: Path) -> None:
    settings = ("interim.looks=[0.5, 1]", "interim.futility='hwang_shih_decani'", "design.sides=1")
    asked = [word for setting in settings for word in ("--set", setting)]
    refused = RUNNER.invoke(app, ["run", str(protocol), *asked])
    assert refused.exit_code == 1
    assert "how fast people are enrolled" in refused.stderr
    assert "futility_parameter of hwang_shih_decani must be gamma" in refused.stderr
    assert "load" not in refused.stderr


def plan(path: Path, *settings: str) -> dict[str, dict[str, float]]:
    words = [word for setting in settings for word in ("--set", setting)]
    result = RUNNER.invoke(app, ["run", str(path), "--dry-run", "--json", *words])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["seconds"] == pytest.approx(sum(step["seconds"] for step in found["steps"]))
    return {step["name"]: step for step in found["steps"]}


@pytest.mark.slow
def test_more_work_takes_longer(protocol: Path) -> None:
    # a hundredfold, because the machine is measured anew each time
    few = plan(protocol, "simulation.n_simulations=100", "simulation.n_bootstrap=2")
    many = plan(protocol, "simulation.n_simulations=10000", "simulation.n_bootstrap=200")
    assert many["simulate"]["seconds"] > 5 * few["simulate"]["seconds"]
    write_people(protocol.parent / "screened", seed=1, count=1000)
    assert plan(protocol)["compare"]["seconds"] > 1.5 * few["compare"]["seconds"]


def test_a_step_that_is_current_takes_no_time(finished: Path) -> None:
    steps = plan(finished, "costs.screening=100")
    assert [name for name, step in steps.items() if step["is_current"]] == [
        "load",
        "score",
        "compare",
    ]
    assert all(step["seconds"] > 0 or step["is_current"] for step in steps.values())
    assert not any(step["seconds"] for step in steps.values() if step["is_current"])


@pytest.mark.slow
def test_a_tabular_study_never_imports_torch(protocol: Path) -> None:
    people = pd.read_parquet(protocol.parent / "screened/participants.parquet")["participant_id"]
    pd.DataFrame({"participant_id": people, "my_score": range(len(people))}).to_csv(
        protocol.parent / "mine.csv", index=False
    )
    words = ["run", str(protocol), "--quiet", "--set", "selection.scores=mine.csv"]
    words += ["--set", "simulation.sample_sizes=[60, 120]", "--set", "simulation.n_bootstrap=0"]
    # drawing takes half of the time, and tests/reports draws without torch
    code = (
        "import sys\nfrom trialsim.cli.app import app\nfrom reports.page.render import html\n"
        "html.render_svg = lambda _, *, prefix: prefix\n"
        f"try: app({words!r})\nexcept SystemExit as end: assert not end.code\n"
        "sys.exit('torch was imported' if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(read_results(protocol)["sample_sizes"]["strategy"]) > {"my_score"}
    assert "my score" in (protocol.parent / "results/report.html").read_text().lower()


def start(work: Callable[..., None], *arguments: object) -> ForkServerProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["trialsim.study.making", "trialsim.study.steps.order"])
    process = context.Process(target=work, args=arguments)
    process.start()
    return process


def kill_and_finish(question: Protocol, kills: int) -> int:
    """Kill the job at random moments, then let it go on to the end; return how many were killed."""
    n_killed = 0
    for delay in np.random.default_rng(20).uniform(0.0, 2.0, size=kills):
        process = start(run_quietly, question)
        process.join(timeout=float(delay))
        process.kill()
        process.join()
        n_killed += process.exitcode == -signal.SIGKILL
    run_quietly(question)
    return n_killed


@pytest.mark.usefixtures("_unreported")
def test_no_kill_changes_the_numbers(protocol: Path, finished: Path) -> None:
    kill_and_finish(read_protocol(protocol), kills=3)
    expected = read_results(finished)
    for table, frame in read_results(protocol).items():
        pd.testing.assert_frame_equal(frame, expected[table])
    study = Study.open(protocol.parent / "results/study.duckdb", read_only=True)
    assert (verify_study(study)["verdict"] == "holds").all()


@pytest.mark.slow
def test_a_changed_cohort_is_noticed_and_told(done: Path) -> None:
    write_people(done.parent / "screened", seed=3, count=100)
    result = RUNNER.invoke(app, ["run", str(done)])
    assert "participants.parquet is changed" in result.stderr
    assert "unchanged" not in result.stderr
    study = Study.open(done.parent / "results/study.duckdb")
    assert len(study.read("participants")) <= 100
    # a page of nobody's names has no names of files either
    assert ".parquet is changed" in (done.parent / "results/report.html").read_text()


@pytest.mark.usefixtures("_unreported")
def test_another_price_leaves_the_scores_alone(done: Path) -> None:
    result = RUNNER.invoke(app, ["run", str(done), "--set", "costs.screening=100"])
    assert result.stderr.count("unchanged") == 3
    assert "because costs.screening was 1500.0, is 100.0" in result.stderr


def test_two_runs_on_one_study_do_not_mix(protocol: Path) -> None:
    question = read_protocol(protocol)
    question.study.output.mkdir()
    study = Study.open(question.study.output / "study.duckdb")
    with study.as_only_writer(), pytest.raises(ReportError, match="Another process is writing"):
        run_quietly(question)


def test_what_the_protocol_asks_of_absent_data_is_a_sentence(protocol: Path) -> None:
    words = ["run", str(protocol), "--set", "design.endpoint=nucleus"]
    result = RUNNER.invoke(app, words)
    assert result.exit_code == 1
    assert "nucleus" in result.stderr


@pytest.mark.slow
def test_people_without_follow_up_are_ranked_without_a_simulation(protocol: Path) -> None:
    folder = protocol.parent / "screened"
    cohort = load_cohort(folder)
    first = cohort.visits.query("months_from_baseline == 0")
    volumes = cohort.volumes[cohort.volumes["session_id"].isin(first["session_id"])]
    replace(cohort, visits=first, volumes=volumes).write(folder)
    own = ["--set", "design.outcomes=observed"]
    result = RUNNER.invoke(app, ["run", str(protocol), *own])
    assert result.exit_code == 1, result.output
    assert result.stderr.count("Error: No trial was simulated") == 1
    assert "nobody in the cohort has one" in result.stderr.lower()
    study = Study.open(protocol.parent / "results/study.duckdb")
    assert study.has("selections")
    assert (protocol.parent / "results/report.html").is_file()
    assert not study.has("sample_sizes")


def test_a_full_disk_is_a_sentence_and_leaves_the_study_whole(
    done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_results(done)

    def fail(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cohorts.files.atomic.os.fsync", fail)
    result = RUNNER.invoke(app, ["run", str(done)])
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    for table, frame in read_results(done).items():
        pd.testing.assert_frame_equal(frame, before[table])


def run_on_a_small_disk(question: Protocol, largest_file: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    run_quietly(question)


@pytest.mark.slow
@pytest.mark.usefixtures("_unreported")
def test_a_job_stopped_by_a_full_disk_goes_on_with_the_same_numbers(
    protocol: Path, finished: Path
) -> None:
    question = read_protocol(protocol)
    for largest_file in (100_000, 400_000):
        process = start(run_on_a_small_disk, question, largest_file)
        process.join()
        assert process.exitcode
    run_quietly(question)
    expected = read_results(finished)
    for table, frame in read_results(protocol).items():
        pd.testing.assert_frame_equal(frame, expected[table])


def test_an_interrupt_says_how_to_go_on(protocol: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("trialsim.study.steps.selection.score", interrupt)
    result = RUNNER.invoke(app, ["run", str(protocol)])
    assert result.exit_code == 130
    assert "same command" in result.stderr
