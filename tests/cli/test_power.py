"""`trialsim power` reads a cohort, records its tables, writes figures, refuses in sentences."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cohorts.cohort import Cohort
from reports.store.study import Study
from trialsim.cli.app import app
from trialsim.study.question import read_recorded

MONTHS = (0, 12, 24)
N = 90
COMMON = [
    "--strategies", "random,regression", "--fractions-enrolled", "0.5", "--sample-sizes",
    "80,160", "--n-simulations", "100", "--n-bootstrap", "2", "--seed", "20260101", "--quiet",
]  # fmt: skip


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(20260101)
    people = [f"sub-{i:03d}" for i in range(N)]
    age = rng.uniform(60, 80, N)
    participants = pd.DataFrame(
        {
            "participant_id": people,
            "sex": rng.choice(["F", "M"], N),
            "age_years": age,
            "diagnosis": rng.choice(["CN", "MCI"], N),
        }
    )
    slope = -8 - 6 * (participants["diagnosis"] == "MCI") + 3 * rng.normal(size=N)
    level, head = 6500 + 500 * rng.normal(size=N), 1.5e6 + 1e5 * rng.normal(size=N)
    visits, volumes = [], []
    for i, person in enumerate(people):
        for months in MONTHS:
            session = f"ses-{months:02d}"
            visits.append((person, session, age[i] + months / 12, float(months), None, None, None))
            volume = level[i] + slope[i] * months + 50 * rng.normal()
            volumes.append((person, session, "hippocampus", volume, "synthetic"))
            volumes.append((person, session, "head_size_mm3", head[i], "synthetic"))
    visit_columns = [
        "participant_id", "session_id", "age_years", "months_from_baseline", "diagnosis",
        "image_path", "segmentation_path",
    ]  # fmt: skip
    volume_columns = ["participant_id", "session_id", "region", "volume_mm3", "source"]
    folder = tmp_path_factory.mktemp("power") / "cohort"
    Cohort(
        participants,
        pd.DataFrame(visits, columns=visit_columns),
        pd.DataFrame(volumes, columns=volume_columns),
        name="synthetic people",
        is_synthetic=True,
    ).write(folder)
    return folder


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["power", *words])
    return result.exit_code, result.stdout, result.stderr


def test_power_is_printed_recorded_and_drawn(cohort: Path, tmp_path: Path) -> None:
    study, output = tmp_path / "study.duckdb", tmp_path / "figures"
    code, text, _ = run(
        str(cohort), "--study", str(study), "--visits-months", "0,12,24", "--slowing", "0.4",
        "--participant", "20000", "--output", str(output), *COMMON,
    )  # fmt: skip
    assert code == 0
    assert "closed form power" in text
    assert "difference in mcse" in text
    with Study.open(study, read_only=True) as opened:
        assert set(opened.read("operating_characteristics")["strategy"]) == {"random", "regression"}
        assert len(opened.read("sample_sizes")) == 2
    assert (output / "power_mmrm_50_percent.png").stat().st_size > 10_000
    assert len(pd.read_csv(output / "operating_characteristics.csv")) == 4


@pytest.mark.slow
def test_json_holds_every_table(cohort: Path, tmp_path: Path) -> None:
    code, text, _ = run(
        str(cohort), "--study", str(tmp_path / "s.duckdb"), "--visits-months", "0,24",
        "--analyses", "ancova", "--json", *COMMON,
    )  # fmt: skip
    found = json.loads(text)
    assert code == 0
    assert {"operating_characteristics", "sample_sizes", "sensitivity", "notes"} <= found.keys()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--visits-months", "0,36"], "visit at month 36, but nobody in the cohort has one"),
        (["--visits-months", "0,24", "--slowing", "1.5"], "slowing must lie between 0 and 1"),
        (["--visits-months", "6,12"], "visits_months must start at 0"),
        (["--visits-months", "0,24", "--endpoint", "amygdala"], "no measured change to fit on"),
    ],
)
def test_a_question_that_cannot_be_answered_gives_a_sentence(
    cohort: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    code, _, problems = run(str(cohort), "--study", str(tmp_path / "s.duckdb"), *words, *COMMON)
    assert code == 1
    assert sentence in problems
    assert "Traceback" not in problems


@pytest.mark.parametrize("first", [True, False])
def test_a_refused_call_leaves_none_of_its_settings(
    cohort: Path, tmp_path: Path, first: bool
) -> None:
    study = ["--study", str(tmp_path / "s.duckdb")]
    sound = ["--visits-months", "0,24", "--analyses", "ancova", *COMMON]
    if not first:
        assert run(str(cohort), *study, *sound)[0] == 0
    refused = ["--visits-months", "0,36", "--slowing", "0.11", "--participant", "77"]
    assert run(str(cohort), *study, *refused, "--set", "study.title=wrong", *COMMON)[0] == 1
    recorded = read_recorded(tmp_path / "s.duckdb")
    assert Path(recorded["cohort.path"]) == cohort
    assert recorded.get("design.visits_months") == (None if first else [0, 24])
    assert recorded.get("design.slowing") != 0.11
    assert recorded.get("costs.participant") != 77
    assert recorded.get("study.title") != "wrong"
    assert run(*study, *sound)[0] == 0
