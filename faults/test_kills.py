"""Every command that writes is killed at random moments; nothing is lost, and it goes on."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohorts.files.folder import is_cohort_folder
from cohorts.sources.loading import load_cohort
from cohorts.synthetic.tabular import synthesize_table
from faults.commands import finish, kill, run_command
from reports.store.bundle import read_manifest
from reports.store.study import Study
from reports.store.verification import verify_study
from tests.cli.test_run import kill_and_finish, make_study, run_quietly
from tests.cli.test_run import read_results as read_results_of_job
from tests.reports.written_study import kill_writers
from trialsim.study.question import read_protocol

KILLS = 20
COMMANDS = {
    "synthesize": "cohort synthesize made -n 60 --seed 1",
    "import": "cohort import people.csv screened --age-unit years",
    "rank": "rank screened --strategies random,baseline_volume --output ranked",
    "compare": "compare screened --strategies random,baseline_volume --output compared",
    "power": "power screened --strategies random --n-simulations 100 --output powers",
    "report": "report study.duckdb --out report.html --figures figures",
    "export": "study export study.duckdb --out tables",
    "bundle": "study export study.duckdb --bundle --out bundle",
    "import-bundle": "study import-bundle bundle again.duckdb",
    "prune": "study prune study.duckdb",
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return, for each command, a folder in which all commands before it have been done."""
    base = tmp_path_factory.mktemp("prepared")
    cohort, _ = synthesize_table(60, rng=np.random.default_rng(3))
    wide = cohort.volumes.pivot_table(
        index=["participant_id", "session_id"], columns="region", values="volume_mm3"
    ).add_suffix("_mm3")
    wide = wide.rename(columns={"head_size_mm3_mm3": "head_size_mm3"}).reset_index()
    sex = cohort.participants[["participant_id", "sex"]]
    people = cohort.visits.drop(columns=["image_path", "segmentation_path"]).merge(sex)
    people.merge(wide).to_csv(base / "people.csv", index=False)
    folders = {}
    for name, line in COMMANDS.items():
        folders[name] = base.parent / f"before-{name}"
        shutil.copytree(base, folders[name])
        finish(run_command, base, line.split())
    return folders


def check_whole(folder: Path) -> None:
    """Everything that is there can be read, and is what a finished command has written."""
    for path in folder.glob("*.duckdb"):
        found = verify_study(Study.open(path, read_only=True))
        assert (found["verdict"] == "holds").all(), found
    for path in filter(is_cohort_folder, (folder / "made", folder / "screened")):
        load_cohort(path)
    if (folder / "bundle").exists():
        read_manifest(folder / "bundle")
    for table in folder.glob("tables/*.parquet"):
        pd.read_parquet(table)
    if (folder / "report.html").exists():
        assert (folder / "report.html").read_text().rstrip().endswith("</html>")


def read_results(folder: Path) -> dict[str, pd.DataFrame]:
    if not (folder / "study.duckdb").exists():
        return {}
    study = Study.open(folder / "study.duckdb", read_only=True)
    return {name: study.read(name) for name in study.tables()["table_name"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_killed_command_loses_nothing_and_goes_on(
    name: str,
    prepared: dict[str, Path],
    tmp_path: Path,
    share: float,
    record_property: Callable[[str, object], None],
) -> None:
    words, n_killed = COMMANDS[name].split(), 0
    unkilled, killed = tmp_path / "unkilled", tmp_path / "killed"
    for folder in (unkilled, killed):
        shutil.copytree(prepared[name], folder)
    seconds = finish(run_command, unkilled, words)
    rng = np.random.default_rng(len(name))
    for delay in rng.uniform(0, seconds, size=round(KILLS * share)):
        if name == "import-bundle":
            (killed / "again.duckdb").unlink(missing_ok=True)
        before = read_results(killed)
        n_killed += kill(float(delay), run_command, killed, words)
        check_whole(killed)
        assert set(before) <= set(read_results(killed))
    if name == "import-bundle":
        (killed / "again.duckdb").unlink(missing_ok=True)
    finish(run_command, killed, words)
    record_property("kills", n_killed)
    expected = read_results(unkilled)
    for table, frame in read_results(killed).items():
        pd.testing.assert_frame_equal(frame, expected[table])


def test_a_killed_writer_loses_no_finished_run(
    tmp_path: Path, share: float, record_property: Callable[[str, object], None]
) -> None:
    kill_writers(tmp_path / "study.duckdb", kills=round(30 * share))
    record_property("kills", round(30 * share))


def test_a_killed_job_ends_with_the_same_numbers(
    tmp_path: Path, share: float, record_property: Callable[[str, object], None]
) -> None:
    unkilled, killed = (make_study(tmp_path / name) for name in ("unkilled", "killed"))
    run_quietly(read_protocol(unkilled))
    n_killed = kill_and_finish(read_protocol(killed), kills=round(KILLS * share))
    record_property("kills", n_killed)
    expected = read_results_of_job(unkilled)
    for table, frame in read_results_of_job(killed).items():
        pd.testing.assert_frame_equal(frame, expected[table])
