"""Steps that record themselves in a study, and are skipped while nothing they use has changed."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from cohorts.errors import StorageError, TrialsimError
from cohorts.files.atomic import compute_sha256
from reports.errors import ReportError
from reports.store.places import relate
from reports.store.provenance import list_files
from reports.store.run import Run
from reports.store.study import DESCRIPTION, Study
from trialsim import __version__


@dataclass(frozen=True)
class Step:
    """One part of the job.

    Parameters
    ----------
    name
        One word, shown to the user.
    work
        What it does; it writes its tables to the run that it is given.
    config
        Everything of the protocol that its result depends on.
    inputs
        The files that its result depends on.
    weights
        The folder of the model that it uses, which counts by what is in it, wherever it lies.
    stands_on
        Names of the earlier steps whose results it reads.
    estimate
        Tells the seconds that its work takes; asked only for a plan.
    """

    name: str
    work: Callable[[Run], None]
    config: Mapping[str, Any] = field(default_factory=dict)
    inputs: Sequence[Path] = ()
    weights: Sequence[Path] = ()
    stands_on: Sequence[str] = ()
    estimate: Callable[[], float] = lambda: 0.0


@dataclass(frozen=True)
class StepOutcome:
    """What became of a step.

    Attributes
    ----------
    name
        Of the step.
    has_run
        Whether it ran; False where it was current, or could not be done.
    changes
        What had changed since it last ran.
    problems
        Why it could not be done.
    """

    name: str
    has_run: bool
    changes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlannedStep:
    """What a run would make of a step: its name, whether it is current, the seconds it takes."""

    name: str
    is_current: bool
    seconds: float


def plan_steps(
    study: Study | None, steps: Sequence[Step], *, seed: int, folder: Path
) -> list[PlannedStep]:
    """Return what `run_steps` would do; a step that is current takes no time.

    Parameters
    ----------
    study
        Only read; None where there is no study yet.
    steps
        In their order.
    seed
        Of everything random.
    folder
        Where it lies, or will.
    """
    fingerprints: dict[str, str] = {}
    planned = []
    for step in steps:
        fingerprint = compute_step_fingerprint(step, fingerprints, seed=seed, folder=folder)
        fingerprints[step.name] = fingerprint
        is_current = study is not None and study.is_current(fingerprint)
        planned.append(PlannedStep(step.name, is_current, 0.0 if is_current else step.estimate()))
    return planned


def run_steps(
    study: Study,
    steps: Sequence[Step],
    *,
    command: str,
    seed: int,
    announce: Callable[[int, Step, bool], None],
    description: pd.DataFrame | None = None,
) -> Iterator[StepOutcome]:
    """Do every step that is not current; a study that is interrupted goes on where it stopped.

    A step that cannot answer leaves the others alone, but for those that stand on it.

    Parameters
    ----------
    study
        Where the steps are recorded; no other process may write to it meanwhile.
    steps
        In their order.
    command
        The command line that repeats it.
    seed
        Of everything random.
    announce
        Called before each step with its position, the step, whether it will run.
    description
        What was asked of the study, kept with each step that runs as far as steps have answered,
        and where none has to run, so that the next command states only what it asks otherwise.
        Where a step cannot answer, is interrupted or killed, only what the others read is kept: a
        command that is refused or stopped leaves nothing behind.

    Raises
    ------
    ReportError
        Where the study cannot be written.
    """
    with study.as_only_writer():
        before = study.read(DESCRIPTION) if study.has(DESCRIPTION) else None
        answered: set[str] = set()

        def keep(names: set[str]) -> pd.DataFrame | None:
            if description is None or len(names) == len(steps):
                return description
            return _keep_answered(steps, names, description, before)

        try:
            for outcome in _do_steps(study, steps, command, seed, announce, answered, keep):
                if not outcome.problems:
                    answered.add(outcome.name)
                yield outcome
        except (ReportError, StorageError):
            raise  # the study takes nothing more
        except BaseException:
            _remember(study, command, keep(answered))
            raise
        _remember(study, command, keep(answered))


def _do_steps(
    study: Study,
    steps: Sequence[Step],
    command: str,
    seed: int,
    announce: Callable[[int, Step, bool], None],
    answered: set[str],
    keep: Callable[[set[str]], pd.DataFrame | None],
) -> Iterator[StepOutcome]:
    fingerprints: dict[str, str] = {}
    undone: set[str] = set()
    for position, step in enumerate(steps):
        if undone & set(step.stands_on):
            undone.add(step.name)
            continue
        fingerprint = compute_step_fingerprint(step, fingerprints, seed=seed, folder=study.folder)
        fingerprints[step.name] = fingerprint
        is_current = study.is_current(fingerprint)
        announce(position, step, not is_current)
        if is_current:
            yield StepOutcome(step.name, has_run=False)
            continue
        changes = find_changes(study, step)
        try:
            with _record(study, step, command, seed, fingerprint, changes) as run:
                step.work(run)
                if (kept := keep({*answered, step.name})) is not None:
                    run.write(DESCRIPTION, kept)
        except (ReportError, StorageError):
            raise
        except TrialsimError as error:
            undone.add(step.name)
            yield StepOutcome(step.name, False, changes, tuple(error.problems))
        else:
            yield StepOutcome(step.name, True, changes)


def compute_step_fingerprint(
    step: Step, earlier: Mapping[str, str], *, seed: int, folder: Path
) -> str:
    """Return the SHA-256 of everything that the step's result depends on.

    Paths count relative to `folder`, so that a folder that was moved has the same; those of a
    model relative to its own folder, so that a study has the same in another installation.
    """
    parts = {
        "step": step.name,
        "version": __version__,
        "seed": seed,
        "config": step.config,
        "files": _digest_files(step, folder),
        "stands_on": {name: earlier[name] for name in step.stands_on},
    }
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def find_changes(study: Study, step: Step) -> tuple[str, ...]:
    """Say what is different from the last time that the step was finished in this study."""
    mine = _list_finished(study, step)
    if mine.empty:
        return ()
    last = mine.iloc[-1]
    return (
        *_changed_config(json.loads(last["config"]), _plain(step.config)),
        *_changed_files(last, _digest_files(step, study.folder)),
    )


def _list_finished(study: Study, step: Step) -> pd.DataFrame:
    runs = study.runs()
    finished = runs[runs["status"] == "finished"]
    names = [json.loads(config).get("step") for config in finished["config"]]
    return finished[[name == step.name for name in names]]


def _record(
    study: Study,
    step: Step,
    command: str,
    seed: int,
    fingerprint: str,
    changes: tuple[str, ...],
) -> AbstractContextManager[Run]:
    return study.run(
        command=command,
        config={**_plain(step.config), "step": step.name, "changes": list(changes)},
        seed=seed,
        inputs=step.inputs,
        weights=step.weights,
        fingerprint=fingerprint,
    )


def _keep_answered(
    steps: Sequence[Step], names: set[str], asked: pd.DataFrame, before: pd.DataFrame | None
) -> pd.DataFrame:
    """Return what was asked of the steps that answered, and of all else what was asked before.

    Their tables stand in the study, so that what they were made by stays with them; a value that
    was refused is never taken for what the study is about.
    """
    answered = {
        key for one in steps if one.name in names for key in ("study.seed", *_list_keys(one.config))
    }
    mine = asked["key"].str.removeprefix("resolved.").isin(answered)
    if before is None:
        return asked.loc[mine, ["key", "value"]].reset_index(drop=True)
    others = ~before["key"].str.removeprefix("resolved.").isin(answered)
    parts = asked[mine], before[others]
    return pd.concat([part[["key", "value"]] for part in parts], ignore_index=True)


def _list_keys(config: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the dotted keys of nested values, of sections too: a value may be a table itself."""
    for key, value in config.items():
        yield f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _list_keys(value, f"{above}{key}.")


def _remember(study: Study, command: str, description: pd.DataFrame | None) -> None:
    """Keep what was asked as a run of its own, unless a step has kept it."""
    if description is None:
        return
    asked = dict(zip(description["key"], description["value"], strict=True))
    kept = study.read(DESCRIPTION) if study.has(DESCRIPTION) else description.head(0)
    if dict(zip(kept["key"], kept["value"], strict=True)) == asked:
        return
    with study.run(command=command, config={}) as run:
        run.write(DESCRIPTION, description)


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(config, default=str)))


def _changed_config(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(now):
        old, new = before.get(key), now[key]
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from (f"{key}.{text}" for text in _changed_config(old, new))
        elif key in before and old != new:
            yield f"{key} was {json.dumps(old)}, is {json.dumps(new)}"


def _digest_files(step: Step, folder: Path) -> dict[str, str]:
    """Return SHA-256 of each file that a step uses, by the name under which it counts."""
    inputs = {relate(path, folder): compute_sha256(path) for path in list_files(step.inputs)}
    weights = {os.fspath(path): compute_sha256(path) for path in list_files(step.weights)}
    return inputs | _name_in_model(weights)


def _name_in_model(weights: Mapping[str, str]) -> dict[str, str]:
    """Return the files of a model by their place in its folder, which holds config.json itself."""
    if not weights:
        return {}
    root = os.path.commonpath([os.path.dirname(path) for path in weights])
    return {
        f"the model's {Path(os.path.relpath(path, root)).as_posix()}": digest
        for path, digest in weights.items()
    }


def _changed_files(last: "pd.Series[Any]", now: Mapping[str, str]) -> Iterator[str]:
    inputs, weights = (
        {file["path"]: file["sha256"] for file in json.loads(last[kind])}
        for kind in ("inputs", "weights")
    )
    before = inputs | _name_in_model(weights)
    for path in sorted(before.keys() | now.keys()):
        if before.get(path) != now.get(path):
            word = "new" if path not in before else "gone" if path not in now else "changed"
            yield f"{path} is {word}"
