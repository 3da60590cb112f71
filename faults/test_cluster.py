"""Workers and schedulers are killed while they simulate and predict; the tables are as ever."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from reports.store.study import Study
from trialsim.cli.app import app
from trialsim.errors import ClusterError
from trialsim.study.job import Job
from trialsim.workers import cluster as clusters
from trialsim.workers.cluster import Cluster, open_cluster

pytestmark = pytest.mark.filterwarnings("default")
TABLES = {"power": ["operating_characteristics", "sample_sizes"], "predict": ["predictions"]}


def run(*words: str) -> None:
    result = CliRunner().invoke(app, [*words, "--quiet"])
    assert result.exit_code == 0, result.output


def read(folder: Path, verb: str) -> dict[str, pd.DataFrame]:
    study = Study.open(folder / "study.duckdb", read_only=True)
    return {name: study.read(name) for name in TABLES[verb]}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    run("cohort", "synthesize", str(folder / "tables"), "-n", "80", "--seed", "1")
    words = ["-n", "4", "--images", "--visits", "0,24", "--seed", "2", "--workers", "1"]
    run("cohort", "synthesize", str(folder / "scans"), *words)
    return folder


@contextmanager
def killing(cluster: Cluster, count: int) -> Iterator[None]:
    """Kill workers, one after the other, while the block works."""
    found = cluster.client.run(os.getpid)

    def kill() -> None:
        for pid in random.Random(1).sample(sorted(found.values()), count):
            time.sleep(1.5)
            os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    yield
    thread.join()


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("power", ["--n-simulations", "4000", "--strategies", "random,baseline_volume"]),
        ("predict", ["--samples", "2", "--batch-size", "2", "--no-save-images"]),
    ],
)
def test_two_of_four_workers_killed_change_no_number(
    verb: str,
    options: list[str],
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cohort = str(people / ("scans" if verb == "predict" else "tables"))
    for name in ("serial", "spread"):
        (tmp_path / name).mkdir()
    words = [verb, cohort, *options]
    run(*words, "--study", str(tmp_path / "serial" / "study.duckdb"))
    with open_cluster("local", tmp_path / "spread" / "parts", n_workers=4) as cluster:
        monkeypatch.setattr(Job, "cluster", cluster)
        with killing(cluster, 2):
            run(*words, "--study", str(tmp_path / "spread" / "study.duckdb"))
    expected = read(tmp_path / "serial", verb)
    for name, table in read(tmp_path / "spread", verb).items():
        pd.testing.assert_frame_equal(table, expected[name], check_exact=True)


def start(*words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def slowly(marks: Path, block: int) -> dict[str, Any]:
    import numpy as np

    (marks / f"{block}-{time.monotonic_ns()}").touch()
    time.sleep(0.3)
    return {"value": np.array([float(block)])}


def kill_later(scheduler: "subprocess.Popen[bytes]", cluster: Cluster) -> None:
    """Kill the scheduler once the first block is kept."""
    while not list(Path(cluster.parts.folder).glob("*.parquet")):
        time.sleep(0.05)
    scheduler.kill()


def test_a_killed_scheduler_ends_in_a_sentence_and_the_rest_is_done_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "_PATIENCE_SECONDS", 10.0)
    marks = tmp_path / "marks"
    marks.mkdir()
    work, blocks = partial(slowly, marks), range(20)
    for port, kills in (("18786", True), ("18787", False)):
        address = f"tcp://127.0.0.1:{port}"
        own = [start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")]
        own += [start("worker", address, "--nthreads", "1", "--no-dashboard") for _ in range(2)]
        try:
            with open_cluster(address, tmp_path / "parts") as cluster:
                if kills:
                    threading.Thread(target=kill_later, args=(own[0], cluster)).start()
                    with pytest.raises(ClusterError, match="the same command goes on"):
                        list(cluster(work, blocks))
                    n_kept = len(list((tmp_path / "parts").glob("*.parquet")))
                    n_marks = len(list(marks.iterdir()))
                else:
                    found = [float(one["value"][0]) for one in cluster(work, blocks)]
        finally:
            for process in own:
                process.kill()
                process.wait()
    assert found == [float(block) for block in blocks]
    assert 0 < n_kept < len(blocks)
    # what was kept was not done again
    assert len(list(marks.iterdir())) - n_marks <= len(blocks) - n_kept + 2
