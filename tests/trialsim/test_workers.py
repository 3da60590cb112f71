"""Blocks done by workers elsewhere: the same numbers, whatever dies."""

import gc
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohorts.errors import StorageError
from trialsim import __version__
from trialsim.comparison.cohort_error.samples import draw_samples
from trialsim.design import DropOut, TrialDesign
from trialsim.errors import ClusterError, DesignError
from trialsim.simulation.outcomes import ResamplingModel
from trialsim.simulation.pool import build_pool
from trialsim.simulation.trials import SimulatedTrials, simulate_trials
from trialsim.study.steps.elsewhere import map_kept
from trialsim.workers import cluster as clusters
from trialsim.workers.cluster import Cluster, open_cluster
from trialsim.workers.digest import compute_digest
from trialsim.workers.parts import PartStore, find_file_system
from trialsim.workers.spread import Workers

MONTHS = (0.0, 12.0, 24.0)
DESIGN = TrialDesign(MONTHS, slowing=0.3, dropout=DropOut(0.2), analyses=("ancova", "mmrm"))


def simulate(workers: Workers, seed: int = 7) -> SimulatedTrials:
    rng = np.random.default_rng(1)
    slope = -14 + 5 * rng.normal(size=(80, 1))
    outcome = 6500 + 700 * rng.normal(size=(80, 1)) + slope * MONTHS
    pool = build_pool(outcome + 70 * rng.normal(size=(80, 3)))
    return simulate_trials(
        ResamplingModel(pool),
        DESIGN,
        [(40, 40), (80, 80)],
        seed=seed,
        replicates=range(180),
        batch_size=2,
        workers=workers,
    )


def assert_same(found: SimulatedTrials, expected: SimulatedTrials) -> None:
    for name, fits in expected.effect.items():
        for field in ("estimate", "se", "df", "converged"):
            own, other = getattr(found.effect[name], field), getattr(fits, field)
            assert np.array_equal(own, other, equal_nan=True)


@pytest.fixture(scope="module")
def serial() -> SimulatedTrials:
    return simulate(1)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with open_cluster("local", tmp_path_factory.mktemp("parts"), n_workers=2) as found:
        yield found


def kill_worker(marker: Path, block: int) -> dict[str, Any]:
    """Kill the process that works on block 3, once."""
    if block == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return {"value": np.full(3, block / 7)}


def wait_and_square(block: int) -> int:
    time.sleep(0.05 * (block % 7 == 0))
    return block**2


def refuse(_block: int) -> dict[str, Any]:
    raise DesignError("It cannot be.")


@pytest.mark.filterwarnings("default")
def test_workers_give_the_numbers_of_one_process(local: Cluster, serial: SimulatedTrials) -> None:
    assert_same(simulate(local), serial)
    kept = len(list(Path(local.parts.folder).iterdir()))
    assert kept == 6  # 90 batches, 16 a block
    # nobody is asked for what is kept
    assert_same(simulate(Cluster(None, local.parts, "nowhere")), serial)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("default")
def test_a_killed_worker_is_replaced(local: Cluster, tmp_path: Path) -> None:
    found = local(partial(kill_worker, tmp_path / "killed"), range(6))
    assert [float(one["value"][0]) for one in found] == [block / 7 for block in range(6)]
    assert (tmp_path / "killed").exists()


@pytest.mark.filterwarnings("default")
def test_what_a_worker_on_a_full_disk_made_is_kept_by_the_client(
    local: Cluster, serial: SimulatedTrials
) -> None:
    # files of no more than 0 bytes: each write fails as on a full disk
    local.client.run(resource.setrlimit, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    try:
        simulate(local, seed=8)
        assert len(list(Path(local.parts.folder).glob("*.parquet"))) >= 12
    finally:
        both = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        local.client.run(resource.setrlimit, resource.RLIMIT_FSIZE, both)


@pytest.mark.filterwarnings("default")
def test_more_blocks_than_are_taken_at_once_come_in_order_and_are_let_go(local: Cluster) -> None:
    found = local.map(wait_and_square, range(230))
    assert next(found) == 0
    assert list(found) == [block**2 for block in range(1, 230)]
    assert count_kept(local) == 0


def count_kept(cluster: Cluster) -> int:
    """Return how many tasks the scheduler keeps, once it has had the time to let them go."""
    kept = 0
    for _ in range(600):
        kept = cluster.client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
        if kept == 0:
            break
        time.sleep(0.1)
    return kept


@pytest.mark.filterwarnings("default")
def test_blocks_that_are_given_out_again_are_let_go_first(
    local: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Cluster._take
    lost: list[int] = []

    def lose_once(self: Cluster, futures: Any) -> list[Any]:
        if not lost:
            lost.append(len(futures))
            self.client.cancel(futures[:1])
        return take(self, futures)

    monkeypatch.setattr(Cluster, "_take", lose_once)
    # what hangs together in a circle, as a traceback with its own frame, stays where it is
    gc.collect()
    gc.disable()
    try:
        assert list(local.map(wait_and_square, range(30))) == [block**2 for block in range(30)]
        assert lost == [30]
        assert count_kept(local) == 0
    finally:
        gc.enable()


def test_what_no_worker_could_keep_is_done_here() -> None:
    done: list[int] = []

    def work(block: int) -> int:
        done.append(block)
        if done == [1, 2]:
            raise StorageError("The disk is full.")
        return 10 * block

    class Workers:
        def map(self, work: Callable[[int], Any], blocks: Sequence[int]) -> Iterator[Any]:
            return map(work, blocks)

    assert list(map_kept(Workers(), work, [1, 2, 3])) == [10, 20, 30]  # type: ignore[arg-type]
    assert done == [1, 2, 2, 3]


@pytest.mark.filterwarnings("default")
def test_what_a_block_refuses_is_told_as_ever(local: Cluster) -> None:
    with pytest.raises(DesignError, match="It cannot be"):
        list(local(refuse, [1]))


@pytest.mark.filterwarnings("default")
def test_no_scheduler_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_CONNECT_SECONDS", 0.5)
    with (
        pytest.raises(ClusterError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"),
        open_cluster("tcp://127.0.0.1:9", tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "it is local, an address such"),
        ("queue = [", "is not valid TOML"),
        ('queue = "TAXI"', 'must say queue = "SLURM"'),
        ('queue = "SLURM"\njobs = 0', "jobs = a whole number"),
        ('queue = "JobQueue"\njobs = 1', 'must say queue = "SLURM"'),
    ],
)
def test_a_queue_that_cannot_be_asked_is_told(
    text: str | None, problem: str, tmp_path: Path
) -> None:
    path = tmp_path / "queue.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ClusterError, match=problem), open_cluster(str(path), tmp_path):
        pass


def make_queue(folder: Path, monkeypatch: pytest.MonkeyPatch, sbatch: str | None) -> str:
    """Return a file that asks SLURM, where its command is this script, or absent."""
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin" if sbatch else str(folder))
    if sbatch is not None:
        (folder / "sbatch").write_text(f"#!/bin/sh\n{sbatch}\n")
        (folder / "sbatch").chmod(0o755)
    (folder / "queue.toml").write_text('queue = "SLURM"\ncores = 1\nmemory = "1GB"\n')
    return str(folder / "queue.toml")


def test_a_queue_that_this_machine_cannot_ask_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = make_queue(tmp_path, monkeypatch, sbatch=None)
    with (
        pytest.raises(ClusterError, match=r"there is no command sbatch here: run this where"),
        open_cluster(queue, tmp_path),
    ):
        pass


def test_a_queue_that_refuses_its_jobs_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = make_queue(tmp_path, monkeypatch, sbatch="echo no such partition >&2; exit 1")
    # in a process of its own: Dask leaves such a cluster unclosed, and waits for it at the end
    code = (
        "import os\n"
        "from trialsim.workers import cluster as clusters\n"
        "clusters._PATIENCE_SECONDS = 1.0\n"
        "try:\n"
        f"    with clusters.open_cluster({queue!r}, clusters.Path({str(tmp_path)!r})):\n"
        "        pass\n"
        "except clusters.ClusterError as error:\n"
        "    print(error, flush=True)\n"
        "    os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"No worker came to {queue}")


class Answers:
    """A client whose workers say these things of themselves."""

    def __init__(self, *found: object) -> None:
        self.found = dict(enumerate(found))

    def wait_for_workers(self, *_: object, **__: object) -> None:
        pass

    def run(self, _: object, on_error: str = "raise") -> dict[int, object]:
        assert on_error == "return"
        return self.found


def check_workers(*found: object) -> None:
    clusters._check_workers(Answers(*found), "here")  # type: ignore[arg-type]


def test_a_worker_that_does_not_answer_is_passed_over() -> None:
    lost, own = OSError("Timed out trying to connect"), clusters._describe_worker()
    check_workers(lost, own)
    with pytest.raises(ClusterError, match="None of the workers at here answers"):
        check_workers(lost, lost)
    with pytest.raises(ClusterError, match=r"have trialsim 0\.0\.1, .*install the same"):
        check_workers(own, ("0.0.1", "x"))


def test_workers_of_several_processors_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    described = []
    for name in ("One 3000", "Two 9000"):
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nmodel name\t: {name}\nflags\t: sse\n")
        described.append(clusters._name_processor(tmp_path / "cpuinfo"))
    assert clusters._name_processor(tmp_path / "absent")
    check_workers(*((__version__, one) for one in (described[0], described[0])))
    assert not caplog.records
    check_workers(*((__version__, one) for one in described))
    assert "2 types of processors (One 3000; Two 9000)" in caplog.text


def test_a_damaged_part_is_made_again(tmp_path: Path) -> None:
    store, key = PartStore(tmp_path), "a"
    arrays = {"x": np.arange(6.0).reshape(2, 3), "y": np.array([True, False])}
    assert store.read(key) is None
    store.write(key, arrays)
    found = store.read(key)
    assert found is not None
    assert all(np.array_equal(found[name], arrays[name]) for name in arrays)
    whole = (tmp_path / "a.parquet").read_bytes()
    for place in range(0, len(whole), 97):
        (tmp_path / "a.parquet").write_bytes(
            whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        )
        read = store.read(key)
        assert read is None or all(np.array_equal(read[name], arrays[name]) for name in arrays)


def test_a_digest_tells_apart_whatever_a_number_depends_on() -> None:
    table = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None]}, index=["p", "q"])
    values = [
        1, 1.0, "1", None, (1,), (1, 2), {"a": 1}, {"a": 2}, np.zeros(2), np.zeros((2, 1)),
        table, table.rename(index={"p": "r"}), table.rename(columns={"a": "c"}),
        table.assign(b="x"), DESIGN, DESIGN.change(alpha=0.1), draw_samples,
        partial(draw_samples, seed=1), partial(draw_samples, seed=2), range(3), range(4),
        {"a", "b"},
    ]  # fmt: skip
    found = [compute_digest(value) for value in values]
    assert len(set(found)) == len(values)
    assert found == [compute_digest(value) for value in values]
    with pytest.raises(TypeError, match="no attributes"):
        compute_digest(object())


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_parts_at_an_address_are_found_again_and_damage_is_noticed(
    scheme: str, tmp_path: Path
) -> None:
    address = f"{scheme}://{tmp_path}/parts"
    store, arrays = PartStore(address), {"value": np.arange(6.0).reshape(2, 3)}
    assert store.read("a") is None
    store.write("a", arrays)
    found = PartStore(address).read("a")
    assert found is not None
    np.testing.assert_array_equal(found["value"], arrays["value"])
    files, place = find_file_system(address)
    content = bytearray(files.cat_file(f"{place}/a.parquet"))
    content[len(content) // 2] ^= 1
    files.pipe_file(f"{place}/a.parquet", bytes(content[:-9]))
    assert store.read("a") is None


@pytest.fixture
def reach_s3(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what makes s3:// lead to a server; workers inherit it."""
    s3fs = pytest.importorskip("s3fs", reason="pip install s3fs")

    def reach(server: str) -> None:
        for key, value in {
            "AWS_ENDPOINT_URL": server,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
        }.items():
            monkeypatch.setenv(key, value)
        s3fs.S3FileSystem.clear_instance_cache()

    return reach


@pytest.fixture
def bucket(reach_s3: Callable[[str], None]) -> Iterator[str]:
    """Return the address of a bucket of a server on this machine that speaks S3."""
    server = pytest.importorskip("moto.server", reason="pip install 'moto[server]'")
    started = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    reach_s3(f"http://{host}:{port}")
    find_file_system("s3://parts")[0].mkdir("parts")
    yield "s3://parts/study"
    started.stop()


@pytest.mark.filterwarnings("default")
def test_parts_in_a_store_that_speaks_s3_give_the_numbers_of_one_process(
    bucket: str, serial: SimulatedTrials
) -> None:
    with open_cluster("local", bucket, n_workers=2) as cluster:
        assert_same(simulate(cluster), serial)
    files, place = find_file_system(bucket)
    assert len(files.ls(place, refresh=True)) == 6
    # nobody is asked for what is kept
    assert_same(simulate(Cluster(None, PartStore(bucket), "nowhere")), serial)  # type: ignore[arg-type]


def test_a_store_that_does_not_answer_is_a_sentence(reach_s3: Callable[[str], None]) -> None:
    reach_s3("http://127.0.0.1:9")
    store = PartStore("s3://parts/study")
    assert store.read("a") is None
    with pytest.raises(StorageError, match="s3://parts/study cannot be written"):
        store.write("a", {"value": np.zeros(1)})


def test_an_address_that_nobody_knows_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="Parts cannot be kept at nowhere://x"):
        PartStore("nowhere://x").write("a", {"value": np.zeros(1)})
    with (
        pytest.raises(ClusterError, match="Parts cannot be kept at nowhere://x"),
        open_cluster("local", "nowhere://x"),
    ):
        pass
