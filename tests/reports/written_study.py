"""Studies that are written a run at a time, and a writer that is killed at work."""

import time
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
import pandas as pd

from reports.store.study import Study
from reports.store.verification import verify_study


def forkserver() -> ForkServerContext:
    """Return a start of processes in which what a study needs is imported already."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["trialsim.study.making", "trialsim.study.steps.order"])
    return context


def make_participants(count: int = 3, **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "participant_id": [f"sub-{number}" for number in range(count)],
            "sex": ["F"] * count,
            "age_years": np.linspace(60, 80, count),
            "diagnosis": ["MCI"] * count,
        }
    )
    return frame.assign(**columns)


def write_once(study: Study, frame: pd.DataFrame, **details: object) -> str:
    with study.run(command="trialsim test", config={}, **details) as run:  # type: ignore[arg-type]
        run.write("participants", frame)
    return run.run_id


def write_growing(path: Path, promises: Connection) -> None:
    study = Study.open(path)
    for count in range(50, 10_000):
        promises.send((write_once(study, make_participants(count)), count))


def receive(promises: Connection) -> dict[str, int]:
    received: dict[str, int] = {}
    while promises.poll():
        try:
            received |= [promises.recv()]
        except EOFError:
            break
    return received


def kill_writers(path: Path, kills: int) -> None:
    """Kill a writer at random moments; assert that what it reported stays, and is whole."""
    Study.open(path)
    context = forkserver()
    promised: dict[str, int] = {}
    for delay in np.random.default_rng(30).uniform(0.0, 0.3, size=kills):
        reader, writer = context.Pipe(duplex=False)
        process = context.Process(target=write_growing, args=(path, writer))
        process.start()
        writer.close()
        promised |= [reader.recv()]
        time.sleep(delay)
        process.kill()
        process.join()
        promised |= receive(reader)
        assert_kept(path, promised)
    assert len(promised) >= kills
    assert (verify_study(Study.open(path, read_only=True))["verdict"] == "holds").all()


def assert_kept(path: Path, promised: dict[str, int]) -> None:
    study = Study.open(path, read_only=True)
    runs = study.runs().set_index("run_id")
    rows = study.query("SELECT run_id, count(*) AS n FROM participants GROUP BY 1").set_index(
        "run_id"
    )
    assert set(promised) <= set(runs.index[runs["status"] == "finished"])
    assert all(rows.loc[run_id, "n"] == count for run_id, count in promised.items())
    unfinished = runs.index[runs["status"] != "finished"]
    assert not set(unfinished) & set(rows.index)
