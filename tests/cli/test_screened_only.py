"""A trial planned for people who have a baseline visit and no future."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import trialsim as ts
from cohorts.cohort import Cohort
from cohorts.sources.loading import load_cohort
from cohorts.synthetic import synthesize_table
from reports.store.study import Study
from trialsim.cli.app import app

# nobody reads the pages
pytestmark = pytest.mark.usefixtures("_unreported")
FIRST = "SYNTHETIC people: no number here describes real patients.\n\nCaution: "

PROTOCOL = """
[study]
output = "results"
[cohort]
path = "screened"
{training}
[selection]
strategies = ["random", "baseline_volume"{learning}]
fractions_enrolled = [0.5]
[design]
visits_months = [0, 12, 24]
unit = "log_percent"
slowing = 0.3
analyses = ["ancova"]
{outcomes}
[simulation]
sample_sizes = [100, 200]
n_simulations = 100
n_bootstrap = 0
"""


def keep_baseline(cohort: Cohort) -> Cohort:
    visits = cohort.visits[cohort.visits["months_from_baseline"] == 0]
    here = cohort.volumes.merge(visits[["participant_id", "session_id"]])
    return replace(
        cohort, visits=visits.reset_index(drop=True), volumes=here[cohort.volumes.columns]
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that is copied, never written."""
    folder = tmp_path_factory.mktemp("made")
    for name, seed in (("archive", 1), ("screened", 2)):
        cohort, _ = synthesize_table(
            150, rng=np.random.default_rng(seed), visits_months=(0, 12, 24), label=name
        )
        people = cohort if name == "archive" else keep_baseline(cohort)
        people.write(folder / name)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def run(folder: Path, *, training: str = 'training = "archive"', outcomes: str = "") -> tuple:
    path = folder / "protocol.toml"
    learning = ', "regression"' if training else ""
    path.write_text(PROTOCOL.format(training=training, outcomes=outcomes, learning=learning))
    done = CliRunner().invoke(app, ["run", str(path), "--quiet"])
    return done.exit_code, done.stdout, done.stderr


def test_an_archive_gives_power_to_people_who_were_only_screened(folder: Path) -> None:
    code, _, problems = run(folder)
    assert code == 0, problems
    with Study.open(folder / "results" / "study.duckdb", read_only=True) as study:
        sizes, balance = study.read("sample_sizes"), study.read("archive_balance")
        config = json.loads(study.runs().set_index("run_id").loc[
            study.writers()["sample_sizes"], "config"])  # fmt: skip
        rates = study.read("capture_rates")
    assert set(sizes["strategy"]) == {"random", "baseline_volume", "regression"}
    assert sizes["n_control"].gt(1).all()
    assert config["outcomes"] == "archive"
    assert "150 other people" in config["notes"][0]
    assert balance["difference_weighted"].abs().max() < 0.05
    assert {"age_years", "hippocampus_mm3", "score"} <= set(balance["covariate"])
    # whoever was only screened has no fast progressors to be found: the archive has
    assert rates["n_evaluated"].max() <= 150


def test_an_archive_is_judged_by_whom_the_trial_may_enroll_from_every_door(folder: Path) -> None:
    criterion = "age_years >= 72"
    people = load_cohort(folder / "archive").participants
    eligible = set(people.loc[people["age_years"] >= 72, "participant_id"])
    assert 30 < len(eligible) < 120
    strategies = ["random", "baseline_volume", "regression"]
    own = ["--train-on", str(folder / "archive"), "--strategies", ",".join(strategies)]

    def call(*words: str) -> str:
        done = CliRunner().invoke(app, [*words, "--study", str(folder / "b" / "study.duckdb")])
        assert done.exit_code == 0, done.output
        return done.stderr

    asked = ts.protocol(
        folder / "screened",
        training=folder / "archive",
        eligibility=[criterion],
        strategies=strategies,
    )
    by_python = ts.compare(asked, output=folder / "a")
    call("cohort", "import", str(folder / "screened"), str(folder / "narrowed"),
         "--eligibility", criterion)  # fmt: skip
    told = call("compare", str(folder / "narrowed"), *own)
    assert f"Of the 150 people of the archive, {len(eligible)} meet the criteria" in told
    imported = Study.open(folder / "b" / "study.duckdb", read_only=True)
    for study in (by_python.study, imported):
        assert set(study.read("predicted_changes")["participant_id"]) <= eligible
        assert study.read("capture_rates")["n_evaluated"].max() <= len(eligible)
    for table in ("capture_rates", "predictor_performance", "predicted_changes"):
        pd.testing.assert_frame_equal(by_python.study.read(table), imported.read(table))
    # what an archive does not tell of leaves nobody out, and that is told
    archive = load_cohort(folder / "archive")
    without = archive.participants.drop(columns="mmse")
    replace(archive, participants=without).write(folder / "archive")
    told = call("compare", str(folder / "screened"), *own, "--set",
                "cohort.eligibility=['mmse >= 1']")  # fmt: skip
    assert "does not tell of 'mmse >= 1', so people count" in told
    assert len(set(imported.read("predicted_changes")["participant_id"])) > len(eligible)


@pytest.mark.slow
def test_without_an_archive_the_reason_is_told_and_nothing_is_lost(folder: Path) -> None:
    code, _, problems = run(folder, training="", outcomes='outcomes = "observed"')
    assert code == 1
    assert "No trial was simulated" in problems
    with Study.open(folder / "results" / "study.duckdb", read_only=True) as study:
        assert study.has("participants")


def test_people_without_a_future_are_told_where_one_may_come_from(folder: Path) -> None:
    code, _, problems = run(folder, training="")
    assert code == 1
    assert "nobody in the cohort has one within 3 months of it" in problems
    assert "name others who were followed (--train-on)" in problems


@pytest.mark.slow
def test_outcomes_from_an_archive_need_one(folder: Path) -> None:
    code, _, problems = run(folder, training="", outcomes='outcomes = "archive"')
    assert code == 1
    assert "name them in cohort.training" in problems


def test_an_archive_without_the_visits_of_the_design_is_told(folder: Path) -> None:
    text = PROTOCOL.replace("[0, 12, 24]", "[0, 24, 60]")
    path = folder / "protocol.toml"
    path.write_text(text.format(training='training = "archive"', outcomes="", learning=""))
    done = CliRunner().invoke(app, ["run", str(path), "--quiet"])
    assert done.exit_code == 1
    assert "In the archive: The design has a visit at month 60" in done.stderr


def test_the_old_words_for_trajectories_are_refused_with_the_new_ones(folder: Path) -> None:
    code, _, problems = run(folder, outcomes='outcomes = "parametric"')
    assert code == 1
    assert 'trajectories = "parametric"' in problems


@pytest.mark.slow
def test_people_who_were_followed_keep_their_own_outcomes(folder: Path) -> None:
    followed, _ = synthesize_table(
        150, rng=np.random.default_rng(2), visits_months=(0, 12, 24), label="screened"
    )
    followed.write(folder / "screened")
    assert run(folder)[0] == 0
    with Study.open(folder / "results" / "study.duckdb", read_only=True) as study:
        assert not study.has("archive_balance")
        table: pd.DataFrame = study.read("sample_sizes")
    assert len(table)


ASSUMED = """outcomes = "assumed"
[design.assumed]
decline_mean = 4.0
decline_sd = 3.0
baseline_sd = 13.0
baseline_correlation = 0.0
noise_sd = 1.0
score_correlation = { baseline_volume = 0.3 }
"""


def ask_assumed(folder: Path) -> pd.DataFrame:
    code, answer, problems = run(folder, training="", outcomes=ASSUMED)
    assert code == 0, problems
    assert answer.startswith(f"{FIRST}Outcomes are assumed, from numbers that the protocol states")
    with Study.open(folder / "results" / "study.duckdb", read_only=True) as study:
        return study.read("sample_sizes")


def test_assumed_numbers_give_power(folder: Path) -> None:
    by_protocol = ask_assumed(folder)
    assert by_protocol["n_control"].gt(1).all()
    assert not by_protocol["n_control_lower_cohort"].notna().any()


@pytest.mark.slow
def test_assumed_numbers_give_the_same_power_from_every_door(folder: Path) -> None:
    by_protocol = ask_assumed(folder)
    words = (
        "power screened --strategies random,baseline_volume --fractions-enrolled 0.5 "
        "--visits-months 0,12,24 --unit log_percent --slowing 0.3 --analyses ancova --sample-sizes "
        "100,200 --n-simulations 100 --n-bootstrap 0 --outcomes assumed --decline-mean 4 "
        "--decline-sd 3 --baseline-sd 13 --baseline-correlation 0 --noise-sd 1 --quiet"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        command = [*words.split(), "--score-correlation", "{ baseline_volume = 0.3 }"]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.stderr
        with Study.open(folder / "study.duckdb", read_only=True) as study:
            pd.testing.assert_frame_equal(study.read("sample_sizes"), by_protocol)
        asked = ts.protocol(
            "screened", strategies=["random", "baseline_volume"], fractions_enrolled=[0.5],
            visits_months=[0, 12, 24], unit="log_percent", slowing=0.3, analyses=["ancova"],
            sample_sizes=[100, 200], n_simulations=100, n_bootstrap=0, outcomes="assumed",
            decline_mean=4.0, decline_sd=3.0, baseline_sd=13.0, baseline_correlation=0.0,
            noise_sd=1.0, score_correlation={"baseline_volume": 0.3},
        )  # fmt: skip
        by_python = ts.power(asked, output="python").table("sample_sizes")
    pd.testing.assert_frame_equal(by_python, by_protocol)


SEARCHED = """outcomes = "predicted"
[optimize]
fractions_enrolled = [0.5]
n_visits = [2]
n_confirmed = 1
[interim]
looks = [0.5, 1]
accrual_per_month = 10
[costs]
screening = 1500
participant = 25000
"""


@pytest.mark.slow
def test_futures_predicted_from_an_archive_give_power_looks_and_designs(folder: Path) -> None:
    code, answer, problems = run(folder, outcomes=SEARCHED)
    assert code == 0, problems
    assert "measured on the 150 people of an archive beyond each cut-off" in answer
    with Study.open(folder / "results" / "study.duckdb", read_only=True) as study:
        sizes, looks, front = map(study.read, ("sample_sizes", "looks", "design_front"))
        assert study.has("archive_balance")
        notes = [json.loads(text).get("notes", []) for text in study.runs()["config"]]
    assert sizes["n_control"].gt(1).all()
    assert set(looks["strategy"]) == {"random", "baseline_volume", "regression"}
    assert front["n_control"].gt(1).all()
    # each of the three tells where outcomes come from
    assert sum("Outcomes are predicted for the 150" in str(own) for own in notes) == 3


def test_a_plan_tells_what_cannot_be_searched(folder: Path) -> None:
    path = folder / "protocol.toml"
    path.write_text(PROTOCOL.format(
        training='training = "archive"', outcomes=SEARCHED, learning=""))  # fmt: skip
    words = ["run", str(path), "--dry-run", "--set", "optimize.slowing_sd=0.9"]
    # what an archive lacks beyond a cut-off leaves the looks of other strategies alone
    words += ["--set", "selection.fractions_enrolled=[0.05]"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    assert "No design can be searched: optimize.slowing_sd: a slowing believed" in done.stderr
    assert done.stderr.count("Error: ") == 1


def write_predictions(folder: Path, months: tuple[float, ...]) -> None:
    cohort = load_cohort(folder / "screened")
    own = cohort.volumes[cohort.volumes["region"] == "hippocampus"].set_index("participant_id")
    start = own["volume_mm3"]
    rows = [
        pd.DataFrame({
            "participant_id": start.index, "model_id": "mine", "horizon_months": month,
            "region": "hippocampus", "volume_mm3": start * (1 - 0.02 * month / 12),
            "volume_sd_mm3": 0.02 * start, "n_samples": 1, "baseline_volume_mm3": start,
        })
        for month in months
    ]  # fmt: skip
    pd.concat(rows).to_csv(folder / "predictions.csv", index=False)


def ask_predictions(folder: Path, extra: str = "") -> tuple:
    path = folder / "protocol.toml"
    text = PROTOCOL.format(training="", outcomes=f'outcomes = "predicted"\n{extra}', learning="")
    path.write_text(text.replace("[selection]", '[selection]\npredictions = "predictions.csv"'))
    done = CliRunner().invoke(app, ["run", str(path), "--quiet"])
    return done.exit_code, done.stdout, done.stderr


def test_predictions_without_an_archive_are_an_assumption(folder: Path) -> None:
    write_predictions(folder, (12.0, 24.0))
    stated = "[design.calibration]\nslope = 0.5"
    code, answer, problems = ask_predictions(folder, stated)
    assert code == 0, problems
    assert answer.startswith(f"{FIRST}Outcomes are predicted for the people who were only screened")
    assert "how far predictions err was assumed, not measured" in answer
    with Study.open(folder / "results" / "study.duckdb", read_only=True) as study:
        config = json.loads(study.runs().set_index("run_id").loc[
            study.writers()["sample_sizes"], "config"])  # fmt: skip
    assert "is an ASSUMPTION: slope 0.5, intercept 0" in config["notes"][0]
    assert "standard deviations that the model gives" in config["notes"][0]


def test_predictions_for_other_months_than_the_design_are_told(folder: Path) -> None:
    write_predictions(folder, (24.0,))
    code, _, problems = ask_predictions(folder)
    assert code == 1
    assert "visits at month 12 have none" in problems
