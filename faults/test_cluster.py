"""Workers and schedulers are killed while they simulate and predict; the tables are as ever."""

import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from faults.scanned import write_people_and_model
from reports.store.study import Study
from trialsim.cli.app import app
from trialsim.errors import ClusterError
from trialsim.study.job import Job
from trialsim.workers import cluster as clusters
from trialsim.workers.cluster import Cluster, open_cluster

pytestmark = pytest.mark.filterwarnings("default")
TABLES = {"power": ["operating_characteristics", "sample_sizes"], "predict": ["predictions"]}
ASKED = {
    "power": "tables --n-simulations 4000 --strategies random,baseline_volume",
    "predict": "screened --samples 4 --batch-size 2",
}
KEPT = {
    "power": ("parts/*.parquet", ["parts"]),
    "predict": ("predictions/*/people/*.json", ["predictions", "scans"]),
}
"""What is kept of finished work, and the folders in which workers write."""

WORKER = ("worker", "--no-nanny", "--nthreads", "1", "--no-dashboard")
# a few bytes more than there is room for
FILL = "head -c 8192 /dev/zero >"
CAN_MOUNT = shutil.which("unshare") is not None and os.geteuid() == 0


def run(*words: str) -> None:
    result = CliRunner().invoke(app, [*words, "--quiet"])
    assert result.exit_code == 0, result.output


def read(folder: Path, verb: str) -> dict[str, pd.DataFrame]:
    study = Study.open(folder / "study.duckdb", read_only=True)
    return {name: study.read(name) for name in TABLES[verb]}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people") / "people"
    write_people_and_model(folder, 16)
    run("cohort", "synthesize", str(folder / "tables"), "-n", "80", "--seed", "1")
    return folder


@contextmanager
def killing(cluster: Cluster, count: int, done: Callable[[], int]) -> Iterator[list[int]]:
    """Kill workers, each once more is done; yield how much was done at each kill."""
    pids = random.Random(1).sample(sorted(cluster.client.run(os.getpid).values()), count)
    found: list[int] = []

    def kill() -> None:
        before = 0
        for pid in pids:
            while (now := done()) <= before:
                time.sleep(0.01)
            os.kill(pid, signal.SIGKILL)
            found.append(now)
            before = now

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    yield found
    thread.join(timeout=1)


@pytest.mark.parametrize("verb", ASKED)
def test_two_of_four_workers_killed_change_no_number(
    verb: str,
    people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    words, study = list_words(verb, people), tmp_path / "spread" / "study.duckdb"
    pattern, _ = KEPT[verb]
    study.parent.mkdir()
    with open_cluster("local", study.parent / "parts", n_workers=4) as cluster:
        monkeypatch.setattr(Job, "cluster", cluster)
        done = lambda: len(list(study.parent.glob(pattern)))  # noqa: E731
        with killing(cluster, 2, done) as killed_at:
            run(*words, "--study", str(study))
    monkeypatch.undo()
    # both died while there was work left
    assert len(killed_at) == 2
    assert killed_at[-1] < done()
    record_property("workers killed", len(killed_at))
    assert_as_serial(verb, people, tmp_path)


def list_words(verb: str, people: Path) -> list[str]:
    cohort, *options = ASKED[verb].split()
    model = ["--model", str(people / "model")] if verb == "predict" else []
    return [verb, str(people / cohort), *options, *model]


def assert_as_serial(verb: str, people: Path, folder: Path) -> None:
    """Assert that the study in `spread` has the tables of one process."""
    (folder / "serial").mkdir()
    run(*list_words(verb, people), "--study", str(folder / "serial" / "study.duckdb"))
    expected = read(folder / "serial", verb)
    for name, table in read(folder / "spread", verb).items():
        pd.testing.assert_frame_equal(table, expected[name], check_exact=True)


@pytest.mark.skipif(not CAN_MOUNT, reason="only root mounts a small disk")
@pytest.mark.parametrize("verb", ASKED)
def test_a_worker_on_a_full_disk_changes_no_number(verb: str, people: Path, tmp_path: Path) -> None:
    study, address = tmp_path / "spread" / "study.duckdb", "tcp://127.0.0.1:18788"
    folders = [study.parent / name for name in KEPT[verb][1]]
    for folder in folders:
        folder.mkdir(parents=True)
    # where the others see the folders of the study, this worker sees full disks of its own
    full = "; ".join(f"mount -t tmpfs -o size=4k none {one} && {FILL} {one}/f" for one in folders)
    own = [start("scheduler", "--host", "127.0.0.1", "--port", "18788", "--no-dashboard")]
    own += [start(*WORKER, address), start(*WORKER, address, before=full)]
    try:
        with open_cluster(address, study.parent / "parts") as cluster:
            cluster.client.wait_for_workers(2, timeout=120)
            seen = cluster.client.run(lambda: all((one / "f").exists() for one in folders))
            assert sorted(seen.values()) == [False, True]
            run(*list_words(verb, people), "--cluster", address, "--study", str(study))
    finally:
        stop(own)
    assert not any((one / "f").exists() for one in folders)
    assert_as_serial(verb, people, tmp_path)


def start(*words: str, before: str | None = None) -> "subprocess.Popen[bytes]":
    """Start a program of Dask, or one that sees what is mounted `before` by it alone."""
    line = [sys.executable, "-m", "dask", *words]
    if before is not None:
        line = ["unshare", "--mount", "sh", "-c", f"{before}; exec {shlex.join(line)}"]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def stop(processes: "list[subprocess.Popen[bytes]]") -> None:
    for process in processes:
        process.kill()
        process.wait()


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
        own += [start(*WORKER, address) for _ in range(2)]
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
            stop(own)
    assert found == [float(block) for block in blocks]
    assert 0 < n_kept < len(blocks)
    # what was kept was not done again
    assert len(list(marks.iterdir())) - n_marks <= len(blocks) - n_kept + 2
