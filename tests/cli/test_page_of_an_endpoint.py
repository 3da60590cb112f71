"""The page says what was asked: another endpoint and unit, resolved values, no default's words."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cohorts.synthetic.tabular import synthesize_table
from reports.page.description import KEYS
from reports.page.gather import gather_study
from reports.store.study import Study
from trialsim.cli.app import app
from trialsim.study.question import build_stated, describe_as_table
from trialsim.study.stating import protocol


def run(*command: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(command))
    return result.exit_code, " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("endpoint")
    cohort, _ = synthesize_table(80, rng=np.random.default_rng(7), visits_months=(0, 12, 24))
    cohort.write(where / "people")
    return where / "people"


@pytest.fixture(scope="module")
def folder(people: Path) -> Path:
    where = people.parent
    few = [
        *("--sample-sizes", "60,200,600", "--n-simulations", "100", "--n-bootstrap", "0"),
        *("--strategies", "random,baseline_volume", "--fractions-enrolled", "0.5,1"),
    ]
    asked = ["--endpoint", "amygdala", "--unit", "log_percent", "--dropout", "0.1"]
    asked += ["--participant", "1000"]
    study = ["--study", str(where / "study.duckdb")]
    command = ["power", str(people), *asked, *few, "--analyses", "ancova", *study]
    code, told = run(*command)
    assert code == 0, told
    code, told = run("compare", *study)
    assert code == 0, told
    with pytest.MonkeyPatch.context() as patch:
        # words are read alone
        patch.setattr("reports.figures.export.render_png", lambda _figure: b"")
        code, told = run("report", str(where / "study.duckdb"), "--out", str(where / "page.md"))
    assert code == 0, told
    return where


@pytest.mark.slow
def test_the_page_of_another_endpoint_never_speaks_of_the_default(folder: Path) -> None:
    page = (folder / "page.md").read_text(encoding="utf-8")
    assert "mygdala" in page
    assert "hippocamp" not in page.lower()


@pytest.mark.slow
def test_what_is_resolved_is_recorded(folder: Path) -> None:
    page = (folder / "page.md").read_text(encoding="utf-8")
    assert "not recorded" not in page
    facts = gather_study(Study.open(folder / "study.duckdb", read_only=True))
    asked = facts.describe("sample_sizes")
    assert (asked.endpoint, asked.unit) == ("amygdala", "log_percent")
    assert (asked.dropout_control, asked.dropout_treatment) == (0.1, 0.1)
    assert (asked.workers, asked.outcomes) == (1, "observed")


@pytest.mark.slow
def test_percent_of_baseline_and_log_percent_are_two_units(folder: Path) -> None:
    page = (folder / "page.md").read_text(encoding="utf-8")
    assert "Change of 100 × the natural logarithm of the volume, amygdala" in page
    assert "amygdala by month 24, % of the volume at baseline" in page


def test_every_key_that_the_page_reads_is_written(people: Path) -> None:
    asked = protocol(
        people,
        rate_below=-3.0,
        normal_change_per_year=-1.0,
        relative_to="decline above normal ageing",
        screening_rate_per_month=10,
    )
    event = {"control": 0.1, "treatment": 0.1}
    rest = build_stated(
        {
            "cohort.path": people,
            "cohort.training": people,
            "design.discontinuation": event,
            "design.adverse_event": event,
            "design.death": event,
            "design.unreadable": 0.1,
            "accrual.sites": 10,
            "accrual.screened_per_site_per_month": 1.0,
        }
    )
    written = {key for one in (asked, rest) for key in describe_as_table(one, people.parent)["key"]}
    written.add("selection.fast_progressor.top_fraction")
    of_runs = {"cohort_name", "n_designs", "context_from"}
    unwritten = {name for name, keys in KEYS.items() if not {*keys} & (written | of_runs)}
    assert not unwritten


SLOWER = [pytest.param(name, marks=pytest.mark.slow) for name in ("baseline_volume", "oracle")]


@pytest.mark.parametrize("strategy", ["regression", *SLOWER])
def test_an_endpoint_that_the_cohort_lacks_is_named(
    people: Path, tmp_path: Path, strategy: str
) -> None:
    asked = ["--endpoint", "pallidum", "--strategies", strategy]
    study = ["--study", str(tmp_path / "study.duckdb")]
    code, told = run("rank", str(people), *asked, *study)
    assert code == 1
    assert "pallidum" in told.split("score", 1)[1]
