"""A study with looks and adaptive enrichment, from its protocol to the page."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cohorts.synthetic.tabular import synthesize_table
from reports.store.study import Study
from trialsim.cli.app import app
from trialsim.errors import DesignError
from trialsim.study.question import read_protocol

PROTOCOL = """
[study]
title = "Looks"
seed = 5
[cohort]
path = "screened"
[selection]
strategies = ["random", "regression"]
fractions_enrolled = [0.4, 1.0]
[design]
visits_months = [0, 12, 24]
unit = "log_percent"
slowing = 0.4
alpha = 0.025
sides = 1
analyses = ["ancova"]
[costs]
screening = 1500
participant = 25000
[accrual]
sites = 20
screened_per_site_per_month = 1.0
opening_months = 6
failure_rate = 0.1
[interim]
looks = [0.5, 1]
futility = { z = [0.0] }
enrichment = "adaptive"
[simulation]
sample_sizes = [60, 120, 240]
n_simulations = 200
n_bootstrap = 200
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("looks")
    cohort, _ = synthesize_table(150, rng=np.random.default_rng(3))
    cohort.write(where / "screened")
    (where / "protocol.toml").write_text(PROTOCOL, encoding="utf-8")
    result = CliRunner().invoke(app, ["run", str(where / "protocol.toml")])
    assert result.exit_code == 0, result.output
    return where


def test_the_study_says_when_each_trial_is_full(folder: Path) -> None:
    study = Study.open(folder / "results" / "study.duckdb", read_only=True)
    accrual, sizes = study.read("accrual"), study.read("sample_sizes")
    proposed = accrual[accrual["size"] == "proposed"].iloc[0]
    assert len(accrual) == len(sizes) + 1
    found = accrual[accrual["size"] == "found"].merge(
        sizes, on=["strategy", "fraction_enrolled", "analysis"], suffixes=("", "_costed")
    )
    assert (found["n_to_screen"] == found["n_to_screen_costed"]).all()
    assert np.allclose(found["months_to_last_person"], found["months_to_enroll"])
    page = (folder / "results" / "report.html").read_text()
    assert "When the trial is full" in page
    assert f"The last person is in after {proposed['months_to_last_person']:.3g}"[:36] in page
    # months are told once
    assert "enrollment takes" not in page


def test_the_study_holds_looks_of_every_strategy(folder: Path) -> None:
    study = Study.open(folder / "results" / "study.duckdb", read_only=True)
    looks = study.read("looks")
    assert set(looks["strategy"]) == {"random", "regression"}
    assert (looks.groupby("strategy")["look"].max() == 2).all()
    expected = study.read("look_expectations")
    assert sorted(expected["effect"].unique()) == ["half", "none", "whole"]
    whole = expected[expected["effect"] == "whole"]
    assert whole["power"].between(0.79, 0.84).all()
    # a look takes no fewer people than the one analysis that was simulated
    sizes = study.read("sample_sizes").merge(whole, on=["strategy", "fraction_enrolled"])
    assert (sizes["maximum_n"] >= sizes["n_control_whole"] + sizes["n_treatment_whole"]).all()
    assert len(sizes) == 2
    # nor does the proposed trial, with what having chosen it takes off, take fewer with looks
    proposed = study.read("proposed_sizes").merge(whole, on=["strategy", "fraction_enrolled"])
    people = proposed["n_control_proposed"] + proposed["n_treatment_proposed"]
    assert (proposed["maximum_n"] >= people).tolist() == [True]
    adaptive = study.read("adaptive_enrichment")
    assert set(adaptive["strategy"]) == {"regression"}
    assert len(adaptive) == 2


@pytest.mark.slow
def test_power_takes_the_looks_along(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "moved")
    path = tmp_path / "moved/results/study.duckdb"
    before = Study.open(path, read_only=True).writers()
    words = ["--n-simulations", "100", "--n-bootstrap", "0", "--set", "interim.looks=[0.6, 1]"]
    result = CliRunner().invoke(app, ["power", "--study", str(path), *words])
    assert result.exit_code == 0, result.output
    study = Study.open(path, read_only=True)
    assert study.writers()["looks"] > before["looks"]
    assert 0.6 in study.read("looks")["information_rate"].round(6).to_list()


def test_the_page_tells_of_the_looks(folder: Path) -> None:
    page = (folder / "results" / "report.html").read_text(encoding="utf-8")
    for words in (
        "Looks of the trial",
        "Probability to stop at each look",
        "Choosing the population at the look",
        "The primary endpoint will be analyzed at most 2 times",
        "numerical integration (Jennison &amp; Turnbull 2000, ch. 19)",
        "interim-bounds",
    ):
        assert words in page, words
    # the committee reads p values, not mathematics that was not set
    assert "mathdefault" not in page


def test_a_wrong_section_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "protocol.toml"
    path.write_text(PROTOCOL.replace("looks = [0.5, 1]", "look = [0.5, 1]"), encoding="utf-8")
    with pytest.raises(DesignError, match="look is not known"):
        read_protocol(path)


@pytest.mark.slow
def test_without_prices_looks_are_those_of_the_fewest_people(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "unpriced")
    protocol = tmp_path / "unpriced" / "protocol.toml"
    priced = protocol.read_text(encoding="utf-8")
    unpriced = priced.replace("screening = 1500\nparticipant = 25000\n", "")
    protocol.write_text(unpriced.replace("n_simulations = 200", "n_simulations = 100"))
    result = CliRunner().invoke(app, ["run", str(protocol)])
    assert result.exit_code == 0, result.output
    study = Study.open(protocol.parent / "results" / "study.duckdb", read_only=True)
    sizes = study.read("sample_sizes").dropna(subset="n_control")
    fewest = sizes.loc[sizes.groupby("strategy")["n_control"].idxmin()]
    looks = study.read("looks").drop_duplicates("strategy")
    assert dict(zip(looks["strategy"], looks["fraction_enrolled"], strict=True)) == dict(
        zip(fewest["strategy"], fewest["fraction_enrolled"], strict=True)
    )
    page = (protocol.parent / "results" / "report.html").read_text(encoding="utf-8")
    assert "each strategy at the fraction with the fewest people" in page
    assert "Cost expected" not in page
    assert "Cost expected" in (folder / "results" / "report.html").read_text(encoding="utf-8")
