"""`trialsim rank` and `trialsim compare` on a small simulated cohort."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cohorts.cohort import Cohort
from reports.store.study import Study
from trialsim.cli.app import app
from trialsim.enrichment.screening import Screening, build_screening_tables

N = 120


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that is copied, never written."""
    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(20260101)
    ids = [f"sub-{number:03d}" for number in range(N)]
    participants = pd.DataFrame(
        {
            "participant_id": ids,
            "sex": rng.choice(["F", "M"], N),
            "age_years": rng.uniform(60, 85, N),
            "diagnosis": rng.choice(["CN", "MCI", "AD"], N),
        }
    )
    loss = 2 + 3 * (participants["diagnosis"] == "AD").to_numpy() + rng.normal(0, 1, N)
    start, head = rng.normal(7000, 600, N), rng.normal(1.5e6, 1e5, N)
    visits, volumes = [], []
    for months in (0, 12, 24):
        session = {"participant_id": ids, "session_id": f"m{months:02d}"}
        visits.append(pd.DataFrame({**session, "months_from_baseline": months}))
        size = {"hippocampus": start * (1 - loss * months / 2400), "head_size_mm3": head}
        volumes += [
            pd.DataFrame({**session, "region": region, "volume_mm3": values, "source": "test"})
            for region, values in size.items()
        ]
    seen = pd.concat(visits, ignore_index=True)
    ages = participants.set_index("participant_id")["age_years"]
    seen["age_years"] = seen["participant_id"].map(ages) + seen["months_from_baseline"] / 12
    empty = {"diagnosis": None, "image_path": None, "segmentation_path": None}
    tables = participants, seen.assign(**empty), pd.concat(volumes, ignore_index=True)
    Cohort(*tables, name="small", is_synthetic=True).write(folder / "cohort")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def run(folder: Path, command: str, *words: str) -> tuple[int, str, str]:
    study = ["--study", str(folder / "study.duckdb")]
    result = CliRunner().invoke(app, [command, str(folder / "cohort"), *study, *words])
    return result.exit_code, result.stdout, result.stderr


def read(folder: Path, table: str) -> pd.DataFrame:
    with Study.open(folder / "study.duckdb", read_only=True) as study:
        return study.read(table)


NAMES = "random,baseline_volume,regression"


def test_rank_writes_scores_selections_and_who_is_left_out(folder: Path) -> None:
    code, out, _ = run(folder, "rank", "--strategies", NAMES, "--output", str(folder / "out"))
    assert code == 0
    assert "regression" in out
    assert len(read(folder, "scores")) == 3 * N
    selections = read(folder, "selections").query("strategy == 'regression'")
    assert selections.groupby("fraction_enrolled")["is_selected"].sum().tolist() == [
        36,
        60,
        90,
        120,
    ]
    assert not read(folder, "group_differences").empty
    assert (folder / "out" / "scores.csv").exists()
    assert (folder / "out" / "group_differences_30_percent.png").exists()


@pytest.mark.parametrize("is_synthetic", [True, False])
def test_simulated_people_are_called_that_before_any_number(
    folder: Path, is_synthetic: bool
) -> None:
    cohort = Cohort.read(folder / "cohort")
    replace(cohort, is_synthetic=is_synthetic).write(folder / "cohort")
    mark = "SYNTHETIC people: no number here describes real patients."
    for command in ("rank", "compare"):
        code, out, _ = run(folder, command, "--strategies", "random")
        assert code == 0
        assert out.startswith(mark) == is_synthetic
        # JSON is all that stands on stdout
        code, out, told = run(folder, command, "--strategies", "random", "--json")
        json.loads(out)
        assert (mark in told) == is_synthetic


def test_rank_tells_which_volume_no_model_reads(folder: Path) -> None:
    cohort = Cohort.read(folder / "cohort")
    lacking = cohort.volumes["participant_id"] < "sub-020"
    kept = cohort.volumes[~(lacking & (cohort.volumes["region"] == "head_size_mm3"))]
    replace(cohort, volumes=kept).write(folder / "cohort")
    code, _, told = run(folder, "rank", "--strategies", "regression")
    assert code == 0
    assert "reads head_size_mm3, which 100 of the 120 people screened have: 90 % of each" in told


@pytest.mark.slow
def test_same_seed_gives_the_same_ranking(folder: Path) -> None:
    run(folder, "rank", "--strategies", NAMES, "--seed", "7")
    first = read(folder, "selections")
    run(folder, "rank", "--strategies", NAMES, "--seed", "7")
    pd.testing.assert_frame_equal(first, read(folder, "selections"))


def test_compare_judges_the_scores_that_rank_left(folder: Path) -> None:
    (folder / "mine.csv").write_text(
        "participant_id,score\n" + "".join(f"sub-{k:03d},{k}\n" for k in range(N)), "utf-8"
    )
    run(folder, "rank", "--strategies", NAMES, "--scores", str(folder / "mine.csv"))
    code, out, err = run(folder, "compare", "--n-selected", "30,60", "--json")
    rates = pd.DataFrame(json.loads(out))
    assert code == 0
    assert set(rates["strategy"]) == {"random", "baseline_volume", "regression", "mine"}
    assert set(rates["definition"].str.contains("next visit")) == {True, False}
    assert rates["chance_rate"].unique().tolist() == [0.25, 0.5]
    assert "measured decline is known for 120 people; 0 without" in err


def test_comparing_loads_nothing_that_draws_or_reads_scans(folder: Path) -> None:
    code = (
        "import sys\nfrom trialsim.cli.app import app\n"
        "try: app(sys.argv[1:])\nexcept SystemExit as end: assert not end.code, end.code\n"
        "found = {'matplotlib', 'nibabel', 'jinja2', 'torch'} & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)"
    )
    words = ["compare", str(folder / "cohort"), "--study", str(folder / "study.duckdb")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_unknown_strategy_beside_scores_is_told_theirs(folder: Path) -> None:
    ids = [f"sub-{number:03d}" for number in range(N)]
    scores = pd.DataFrame({"participant_id": ids, "clock": np.arange(N), "gait": np.arange(N) % 9})
    scores.to_csv(folder / "own.csv", index=False)
    words = ["--strategies", "random,clok", "--scores", str(folder / "own.csv")]
    code, _, err = run(folder, "rank", *words)
    assert code == 1
    assert "There is no strategy 'clok'" in err
    assert "in the score file clock, gait." in err


def test_compare_scores_people_itself_where_nothing_was_ranked(folder: Path) -> None:
    output = folder / "out"
    words = ["--strategies", "regression,boosting,oracle", "--top-fraction", "0.3"]
    code, out, _ = run(folder, "compare", *words, "--output", str(output))
    assert code == 0
    assert "oracle knows the future" in out
    assert {"regression", "boosting", "oracle"} == set(read(folder, "scores")["strategy"])
    assert not read(folder, "predictor_performance").empty
    assert (output / "capture_rates_figure.png").exists()
    assert (output / "predicted_versus_observed.png").exists()


BAD = [
    (("rank", "--strategies", "magic"), "unknown strategies magic; known are random"),
    (("rank", "--strategies", "brlp"), "run `trialsim predict` first"),
    (
        ("rank", "--strategies", "random", "--fractions-enrolled", "1.5"),
        "equal to 1, got 1.5",
    ),
    (("rank", "--predictions", "absent.csv"), "absent.csv does not exist"),
    pytest.param(
        ("compare", "--strategies", "random", "--n-selected", "0"),
        "between 1 and 120",
        marks=pytest.mark.slow,
    ),
    (("compare", "--strategies", "random", "--n-selected", "121"), "between 1 and 120"),
    (("compare", "--strategies", "random", "--horizon-months", "60"), "latest visit is at 24"),
    (("compare", "--truth", "latent"), "only synthetic cohorts have a truth/ folder"),
    (
        ("compare", "--top-fraction", "2"),
        "top_fraction: Input should be less than or equal to 1",
    ),
]


@pytest.mark.parametrize(("words", "sentence"), BAD)
def test_what_cannot_be_done_is_one_sentence(
    folder: Path, words: tuple[str, ...], sentence: str
) -> None:
    code, out, err = run(folder, *words)
    assert code == 1
    assert out == ""
    assert sentence in err
    assert err.count("Error:") == 1


def test_rank_takes_the_people_that_were_imported(folder: Path) -> None:
    study = ["--study", str(folder / "study.duckdb")]
    imported = ["cohort", "import", str(folder / "cohort"), str(folder / "mine"), *study]
    assert CliRunner().invoke(app, imported).exit_code == 0
    result = CliRunner().invoke(app, ["rank", *study, "--strategies", "random"])
    assert result.exit_code == 0, result.output
    assert "From the study: cohort.path = " in result.stderr
    assert len(read(folder, "scores")) == N


@pytest.mark.slow
def test_what_hangs_on_other_scores_is_called_out_of_date(folder: Path) -> None:
    run(folder, "compare", "--strategies", "random,baseline_volume")
    _, _, err = run(folder, "rank", "--strategies", "random")
    assert "capture_rates (run r000003) was made from scores of run r000002" in err
    code, _, err = run(folder, "compare")
    assert code == 0
    assert "selection.strategies = random" in err
    assert "was made from" not in err


@pytest.mark.slow
def test_what_strategies_see_is_put_together_once_for_all_steps(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Cohort] = []

    def build(cohort: Cohort, *given: Any, **named: Any) -> Screening:
        asked.append(cohort)
        return build_screening_tables(cohort, *given, **named)

    monkeypatch.setattr("trialsim.study.steps.screening.build_screening_tables", build)
    assert run(folder, "compare")[0] == 0
    assert len(asked) == 1
    # other people, other tables
    younger = 'cohort.eligibility=["age_years between 60 and 75"]'
    assert run(folder, "compare", "--set", younger)[0] == 0
    assert len(asked[-1].participants) < N


@pytest.mark.parametrize(
    "words",
    [("s3://bucket/people",), ("cohort", "--study", "memory://studies/one.duckdb")],
)
def test_an_address_is_refused(
    folder: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    found = CliRunner().invoke(app, ["compare", *words])
    assert found.exit_code == 1
    assert "//... is an address" in found.stderr
    assert not list(folder.glob("*:"))
