"""A trial planned for people who have a baseline visit and no future."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cohorts.cohort import Cohort
from cohorts.synthetic import synthesize_table
from reports.store.study import Study
from trialsim.cli.app import app

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
unit = "percent"
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, seed in (("archive", 1), ("screened", 2)):
        cohort, _ = synthesize_table(
            150, rng=np.random.default_rng(seed), visits_months=(0, 12, 24), label=name
        )
        people = cohort if name == "archive" else keep_baseline(cohort)
        people.write(tmp_path / name)
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


def test_without_an_archive_the_reason_is_told_and_nothing_is_lost(folder: Path) -> None:
    code, _, problems = run(folder, training="", outcomes='outcomes = "observed"')
    assert code == 1
    assert "No trial was simulated" in problems
    with Study.open(folder / "results" / "study.duckdb", read_only=True) as study:
        assert study.has("participants")


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
