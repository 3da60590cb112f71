"""Two tools that measured one visit: every command refuses alike, and one option settles it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cohorts.cohort import Cohort
from cohorts.synthetic.tabular import synthesize_table
from reports.store.study import Study
from trialsim.cli.app import app

REFUSAL = (
    "has volumes of the same visit from several sources (other, synthetic): keep those of one, "
    "with --measured-by"
)


def measure_twice(cohort: Cohort) -> Cohort:
    second = cohort.volumes.assign(source="other", volume_mm3=1.3 * cohort.volumes["volume_mm3"])
    volumes = pd.concat([cohort.volumes, second], ignore_index=True)
    return Cohort(cohort.participants, cohort.visits, volumes, is_synthetic=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("tools")
    cohort, _ = synthesize_table(60, rng=np.random.default_rng(7), visits_months=(0, 12, 24))
    measure_twice(cohort).write(where / "twice")
    other, _ = synthesize_table(
        40, rng=np.random.default_rng(8), visits_months=(0, 12, 24), label="archive"
    )
    other.write(where / "archive")
    (where / "protocol.toml").write_text('[cohort]\npath = "twice"\n')
    return where


def run(command: list[str], study: Path | None = None) -> tuple[int, str]:
    named = [] if study is None else ["--study", str(study)]
    result = CliRunner().invoke(app, [*command, *named])
    return result.exit_code, " ".join(result.stderr.split())


LIKE_OTHERS = [
    ["rank", "twice"],
    ["compare", "twice"],
    ["run", "protocol.toml", "--dry-run"],
    ["predict", "twice"],
]
"""Commands that load the screened people where `power` and `run` do."""


@pytest.mark.parametrize(
    "command",
    [
        *(pytest.param(one, marks=pytest.mark.slow) for one in LIKE_OTHERS),
        ["power", "twice"],
        ["rank", "archive", "--train-on", "twice"],
        ["run", "protocol.toml"],
        ["cohort", "describe", "twice"],
        ["twins", "twice", "--train-on", "archive", "--visits-months", "12,24"],
        ["twins", "archive", "--train-on", "twice", "--visits-months", "12,24"],
    ],
    ids=" ".join,
)
def test_two_tools_are_refused_alike_by_every_command(
    folder: Path, tmp_path: Path, command: list[str]
) -> None:
    places = ("twice", "archive", "protocol.toml")
    words = [str(folder / word) if word in places else word for word in command]
    code, told = run(words, None if "run" in words else tmp_path / "study.duckdb")
    assert code == 1
    assert REFUSAL in told


def test_the_stated_tool_is_the_one_that_counts(folder: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.duckdb"
    twice = str(folder / "twice")
    assert run(["rank", twice, "--measured-by", "other"], study)[0] == 0
    with Study.open(study, read_only=True) as opened:
        assert set(opened.read("volumes")["source"]) == {"other"}
    code, told = run(["rank", twice, "--measured-by", "third"], study)
    assert code == 1
    assert "no volumes from third: it has those from other, synthetic" in told


def test_an_imported_cohort_of_one_tool_asks_nothing_more(folder: Path, tmp_path: Path) -> None:
    study, one = tmp_path / "study.duckdb", str(tmp_path / "one")
    command = ["cohort", "import", str(folder / "twice"), one, "--measured-by", "synthetic"]
    assert run(command, study)[0] == 0
    assert set(Cohort.read(Path(one)).volumes["source"]) == {"synthetic"}
    assert run(["rank"], study)[0] == 0
