"""A study is made: the steps of a protocol, from the first to the one that is asked for."""

import os
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cohorts.errors import TrialsimError
from cohorts.files.atomic import refuse_address
from reports.store.run import Run
from reports.store.staleness import find_stale_tables
from reports.store.study import Study
from trialsim.study.engine import Step, plan_steps, run_steps
from trialsim.study.idle import tell_idle_settings
from trialsim.study.job import Job, Progress
from trialsim.study.phrasing import phrase_command
from trialsim.study.protocol import Protocol
from trialsim.study.question import ask, describe_as_table
from trialsim.study.result import StudyResult
from trialsim.study.steps.order import list_steps

STUDY: Final = "study.duckdb"

VERBS: Final = {
    "predict": "predict",
    "rank": "score",
    "compare": "compare",
    "power": "simulate",
    "optimize": "optimize",
}
"""The step that each command ends with."""

_PREDICTING: Final = frozenset({"predict", "archive"})
"""The steps that predict people."""

_LONG_SECONDS: Final = 600.0
"""From here on, what predictions cannot answer is told before they are made."""


@dataclass(frozen=True)
class Listener:
    """Who is told how the work goes.

    Attributes
    ----------
    tell
        Takes a sentence.
    on_progress
        Called while a step works.
    """

    tell: Callable[[str], None] = lambda _: None
    on_progress: Progress = lambda *_: None


def answer(
    verb: str,
    path: Path,
    stated: Mapping[str, Any],
    *,
    settings: Iterable[str] = (),
    listener: Listener | None = None,
) -> StudyResult:
    """Make a study as far as a command goes; what is not stated is the study's, then the default.

    Parameters
    ----------
    verb
        Of `VERBS`.
    path
        The study file.
    stated, settings
        See `trialsim.study.question.ask`.
    listener
        Who is told, also of what was not stated.

    Raises
    ------
    TrialsimError
        One sentence for each thing that cannot be.
    """
    listener = listener or Listener()
    question = ask(path, stated, settings=settings, predicts=verb == "predict")
    for sentence in question.tell_unstated(stated):
        listener.tell(sentence)
    command = phrase_command(verb, question.protocol, path)
    return make_study(
        question.protocol, path, command=command, until=VERBS[verb], listener=listener
    )


def make_study(
    protocol: Protocol,
    path: Path,
    *,
    command: str,
    until: str | None = None,
    listener: Listener | None = None,
) -> StudyResult:
    """Do every step that is not current, then write the report where the whole job is asked for.

    Parameters
    ----------
    protocol
        The whole question, with absolute paths.
    path
        The study file.
    command
        The command line that repeats it.
    until
        The last step, see `list_steps`; the whole job and its report when None.
    listener
        Who is told.

    Raises
    ------
    TrialsimError
        One sentence for each step that cannot answer; whatever is finished is kept.
    """
    if protocol.study.private:
        with _for_owner_alone(path):
            return _make(protocol, path, command, until, listener or Listener())
    return _make(protocol, path, command, until, listener or Listener())


@contextmanager
def _for_owner_alone(path: Path) -> Iterator[None]:
    """Let nobody but the owner read or write what is written in the block, and the study."""
    before = os.umask(0o077)
    try:
        if path.exists():
            path.chmod(0o600)
        yield
    finally:
        os.umask(before)


def _warn_of_readers(folder: Path, listener: Listener) -> None:
    is_reachable = all(one.stat().st_mode & stat.S_IXOTH for one in folder.resolve().parents)
    if is_reachable and folder.stat().st_mode & stat.S_IROTH:
        listener.tell(
            f"Note: everybody on this machine can list {folder}, whose files hold people; "
            f"`chmod o-rwx {shlex.quote(str(folder))}` ends that."
        )


def _make(
    protocol: Protocol, path: Path, command: str, until: str | None, listener: Listener
) -> StudyResult:
    refuse_address(path.absolute())
    with Study.for_a_run(path) as study:
        return _make_in(study, protocol, command, until, listener)


def _make_in(
    study: Study, protocol: Protocol, command: str, until: str | None, listener: Listener
) -> StudyResult:
    path = study.path
    _warn_of_readers(path.absolute().parent, listener)
    for sentence in tell_idle_settings(protocol):
        listener.tell(f"Note: {sentence}")
    job = Job(protocol, path.absolute().parent, listener.on_progress)
    steps = [_note(job, step) for step in list_steps(job, until=until)]
    total = len(steps) + (until is None)
    if until is None:
        for sentence in _foresee_in_vain(protocol, study, steps):
            listener.tell(sentence)

    def announce(position: int, step: Step, will_run: bool) -> None:
        state = "" if will_run else ": unchanged since the last run"
        listener.tell(f"[{position + 1}/{total}] {step.name}{state}")

    problems: list[str] = []
    outcomes = run_steps(
        study,
        steps,
        command=command,
        seed=protocol.study.seed,
        announce=announce,
        description=describe_as_table(protocol, job.folder),
    )
    with job.opened:
        for outcome in outcomes:
            for change in outcome.changes:
                listener.tell(f"      because {change}")
            problems += outcome.problems
    result = StudyResult(path)
    with study.snapshot():  # for the report too, which reads the same file
        if until is None and study.has("selections"):
            listener.tell(f"[{total}/{total}] report")
            result.report(result.report_path, title=protocol.study.title)
        for note in dict.fromkeys(job.notes):
            listener.tell(f"Note: {note}")
        for sentence in find_stale_tables(study).values():
            listener.tell(f"Note: {sentence}")
    if problems:
        raise TrialsimError(*problems)
    return result


def _foresee_in_vain(protocol: Protocol, study: Study, steps: Sequence[Step]) -> Iterator[str]:
    """Yield what hours of predicting could not answer, for whoever would not wait for that."""
    own = [
        step if step.name in _PREDICTING else replace(step, estimate=lambda: 0.0) for step in steps
    ]
    seconds = sum(step.estimate() for step in own)
    if seconds >= _LONG_SECONDS and study.has("predictions"):
        # what is predicted already takes no time, which only digests of all files tell
        planned = plan_steps(study, own, seed=protocol.study.seed, folder=study.folder)
        seconds = sum(step.seconds for step in planned)
    if seconds < _LONG_SECONDS:
        return
    from trialsim.study.steps.carrying import foresee_problems
    from trialsim.study.steps.durations import show_seconds

    # a job that nobody else works with: what it reads is let go
    for problem in foresee_problems(Job(protocol, study.folder)):
        yield f"Note: predicting will take about {show_seconds(seconds)}, and then: {problem}"


def _note(job: Job, step: Step) -> Step:
    """Return the step, which keeps with its run, for the report, what it tells while it works."""

    def work(run: Run) -> None:
        n_told = len(job.notes)
        step.work(run)
        run.note(notes=list(dict.fromkeys(job.notes[n_told:])))

    return replace(step, work=work)


def run_protocol(
    protocol: Protocol, *, command: str, listener: Listener | None = None
) -> StudyResult:
    """Do the whole job of a protocol in its output folder; see `make_study`."""
    return make_study(protocol, protocol.study.output / STUDY, command=command, listener=listener)
