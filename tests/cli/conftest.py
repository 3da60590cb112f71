"""A small study with choices and looks, for the tests of the explorer."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import trialsim as ts
from cohorts.schema import TABLES
from reports.store.study import Study
from trialsim.cli.app import app


@pytest.fixture(scope="session")
def explored_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study of 60 people with two choices, and two planned trials of two looks."""
    folder = tmp_path_factory.mktemp("explored")
    words = ["cohort", "synthesize", str(folder / "screened"), "-n", "60", "--seed", "5"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    asked = ts.protocol(
        folder / "screened", strategies=["random", "baseline_volume"], analyses=["ancova"],
        sample_sizes=[60, 120], n_simulations=100, n_bootstrap=0, fractions_enrolled=[0.5],
        screening=1000, participant=20_000,
    )  # fmt: skip
    ts.power(asked, output=folder)
    with Study.open(folder / "study.duckdb").run(command="trialsim run", config={}) as run:
        run.write("looks", make_looks())
    return folder / "study.duckdb"


def make_looks() -> pd.DataFrame:
    """Return looks of two trials; what is not told apart is 0.5 everywhere."""
    columns = [name for name in TABLES["looks"].columns if name != "run_id"]
    rows = [
        {
            **dict.fromkeys(columns, 0.5),
            "strategy": strategy,
            "fraction_enrolled": fraction,
            "analysis": "ancova",
            "look": look,
            "information_rate": look / 2,
            "efficacy_z": 3.0 - fraction - look / 2,
            "stop_efficacy_whole": 0.25 * look,
        }
        for strategy, fraction in (("random", 1.0), ("baseline_volume", 0.5))
        for look in (1, 2)
    ]
    return pd.DataFrame(rows)
