"""Every command answers with any single strategy, and with nobody, or says one sentence why not."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from cohorts.synthetic import synthesize_table
from trialsim.cli.app import app

SMALL = ["--n-simulations", "100", "--n-bootstrap", "0", "--sample-sizes", "40,80"]
STRATEGIES = ["random", "baseline_volume", "regression", "boosting", "stacked", "brlp", "auxiliary"]
LIKE_OTHERS = [
    *((strategy, "compare") for strategy in ("random", "baseline_volume", "boosting", "mine")),
    ("random", "power"),
]
"""Read to the end, as `regression` is by one command and `mine` by the other."""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    cohort, _ = synthesize_table(60, rng=np.random.default_rng(1), visits_months=(0, 12, 24))
    cohort.write(folder / "screened")
    names = cohort.participants["participant_id"]
    scores = pd.DataFrame({"participant_id": names, "mine": np.arange(len(names))})
    scores.to_csv(folder / "scores.csv", index=False)
    return folder


def invoke(folder: Path, study: Path, command: str, *words: str) -> Result:
    more = ["--visits-months", "0,12,24", "--analyses", "ancova", *SMALL]
    options = ["--study", str(study), *words, *(more if command == "power" else [])]
    return CliRunner().invoke(app, [command, str(folder / "screened"), *options])


def assert_answers(done: Result) -> None:
    """Whatever was asked has an answer, or sentences and exit code 1."""
    problems = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert "fault of trialsim" not in done.stderr
    assert (done.exit_code == 0) == (not problems), done.output
    assert done.exit_code in (0, 1), done.output


@pytest.mark.parametrize(
    ("strategy", "command"),
    [
        pytest.param(*one, marks=pytest.mark.slow if one in LIKE_OTHERS else ())
        for one in [
            *((strategy, "compare") for strategy in [*STRATEGIES, "mine"]),
            *((strategy, "power") for strategy in ("random", "brlp", "mine")),
        ]
    ],
)
def test_a_single_strategy(strategy: str, command: str, people: Path, tmp_path: Path) -> None:
    words = ["--strategies", strategy]
    words += ["--scores", str(people / "scores.csv")] if strategy == "mine" else []
    done = invoke(people, tmp_path / "s.duckdb", command, *words)
    assert_answers(done)
    if strategy in ("random", "baseline_volume", "regression", "boosting", "mine"):
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize("command", ["rank", "compare", "power"])
@pytest.mark.parametrize(
    "words",
    [
        ("--set", 'cohort.eligibility=["age_years >= 119"]'),
        ("--set", "selection.fractions_enrolled=[0.001]"),
        ("--set", "selection.strategies=[]"),
    ],
    ids=["nobody eligible", "hardly anybody enrolled", "no strategy"],
)
def test_an_empty_selection(
    words: tuple[str, ...], command: str, people: Path, tmp_path: Path
) -> None:
    assert_answers(invoke(people, tmp_path / "s.duckdb", command, *words))
