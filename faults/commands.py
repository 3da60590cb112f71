"""Commands in processes of their own, which tests kill."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

_PRELOADED = ["trialsim.cli.app", "reports.page.writing", "trialsim.study"]


def run_command(folder: Path, words: list[str]) -> None:
    """Run a command in a folder, what it prints in `output.txt`."""
    from trialsim.cli.app import app

    enter(folder)
    app(words)


def enter(folder: Path) -> None:
    """Work in a folder, and print into its `output.txt`."""
    os.chdir(folder)
    with (folder / "output.txt").open("w") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)


def start(
    work: Callable[..., None], *given: Any, further: tuple[str, ...] = ()
) -> ForkServerProcess:
    """Start work in a process of its own, in which the program is loaded already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_PRELOADED, *further])
    process = context.Process(target=work, args=given)
    process.start()
    return process


def finish(work: Callable[..., None], folder: Path, *given: Any, **options: Any) -> float:
    """Do work in a folder to its end, and return the seconds that it took."""
    began = time.monotonic()
    process = start(work, folder, *given, **options)
    process.join()
    assert process.exitcode == 0, (given, (folder / "output.txt").read_text()[-2000:])
    return time.monotonic() - began


def kill(delay: float, work: Callable[..., None], *given: Any, **options: Any) -> bool:
    """Start work and kill it after so many seconds; return False where it ended before."""
    process = start(work, *given, **options)
    process.join(timeout=delay)
    process.kill()
    process.join()
    return process.exitcode == -signal.SIGKILL
