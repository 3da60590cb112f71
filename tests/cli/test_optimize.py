"""`trialsim optimize` from the command to the page."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cohorts.synthetic.tabular import synthesize_table
from trialsim.cli.app import app
from trialsim.study.result import StudyResult

OPTIONS = [
    "--visits-months", "0,12,24", "--unit", "log_percent", "--analyses", "ancova",
    "--strategies", "random,baseline_volume", "--n-simulations", "100", "--n-bootstrap", "0",
    "--set", "optimize.n_visits=[2]", "--set", "optimize.n_confirmed=1",
    "--set", "optimize.fractions_enrolled=[0.5]",
]  # fmt: skip
STAGES = 'optimize.stages=[{name="blood", correlation=0.4, cost=100, share_passing=[0.5, 1.0]}]'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("optimized")
    cohort, _ = synthesize_table(120, rng=np.random.default_rng(3))
    cohort.write(where / "screened")
    return where


def optimize(folder: Path, *more: str, study: Path | None = None) -> tuple[int, str, str]:
    place = study or folder / "study.duckdb"
    words = ["optimize", str(folder / "screened"), "--study", str(place), *OPTIONS, *more]
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.stdout, result.stderr


def test_the_front_is_told_written_and_shown(folder: Path) -> None:
    output = folder / "files"
    more = ["--set", STAGES, "--screening", "1500", "--participant", "20000", "--json"]
    code, out, err = optimize(folder, *more, "--output", str(output))
    assert code == 0, err
    told = json.loads(out)
    assert {row["strategy"] for row in told["design_front"]} >= {"random", "staged screening"}
    assert any("designs were searched" in note for note in told["notes"])
    assert any("not corrected" in note for note in told["notes"])
    assert (output / "design_front_figure.png").stat().st_size > 10_000
    assert (output / "design_front.csv").read_text().startswith("strategy,")
    study = StudyResult(folder / "study.duckdb")
    page = folder / "page.html"
    study.report(page)
    assert "Designs that nothing beats" in page.read_text()
    assert study.protocol.optimize is not None
    assert study.protocol.optimize.stages[0].share_passing == (0.5, 1.0)


def test_people_are_not_called_a_cost_where_nothing_costs(folder: Path, tmp_path: Path) -> None:
    # another study, since one keeps the prices that it was told
    other = tmp_path / "study.duckdb"
    code, out, err = optimize(folder, "--set", "costs.currency=EUR", study=other)
    assert code == 0, err
    header = next(line for line in out.splitlines() if "strategy" in line).split()
    assert "enrolled" in header
    assert {"mcse", "lower", "upper"} <= {*header}
    assert "cost" not in out
    assert "in the place of a cost stand people enrolled" in err
    study = StudyResult(other)
    front = study.table("design_front")
    assert front[["cost", "cost_lower", "cost_upper"]].isna().to_numpy().all()
    assert (front["n_control"] + front["n_treatment"]).is_monotonic_increasing
    assert "n_enrolled" in front["best_in"].iloc[0].split(", ")
    study.report(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    section = page[page.index("Designs that nothing beats") :]
    assert "are beaten by no other in people enrolled, months to the last visit" in section
    assert "fewest enrolled" in section
    assert "Cost, " not in section[: section.index("</section>")]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--slowing", "1e-6"], "more than 10,000,000 would be needed in control"),
        (["--target-power", "0.05"], "target_power must be above alpha"),
        (["--set", "optimize.visits_months=[36]"], "36 lie beyond month 24, the last"),
        (["--set", "optimize.speed=1"], "speed is not known"),
        (["--set", "optimize.run_in_months=[24]"], "leaves no time for a trial"),
        (["--set", "costs.per_month=5"], "needs costs.screening_rate_per_month"),
    ],
)
def test_what_cannot_be_searched_is_one_sentence(folder: Path, more: list[str], words: str) -> None:
    code, _, err = optimize(folder, *more)
    assert code == 1
    assert words in err
    assert "Traceback" not in err
