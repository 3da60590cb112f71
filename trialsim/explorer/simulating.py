"""Trials simulated at the state of the sliders, in a process that can be stopped."""

import multiprocessing
import queue
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Final

import pandas as pd

from cohorts.errors import TrialsimError
from trialsim.events import DropOut
from trialsim.explorer.scenario import Scenario
from trialsim.study.making import Listener, answer
from trialsim.study.result import StudyResult

_SPAWN: Final = multiprocessing.get_context("spawn")


def state_settings(scenario: Scenario) -> dict[str, Any]:
    """Return the protocol's values that the sliders set, by dotted key."""
    design, costs = scenario.design, scenario.costs
    return {
        "design.analyses": list(design.analyses),
        "design.visits_months": list(design.visits_months),
        "design.slowing": design.slowing,
        "design.alpha": design.alpha,
        "design.target_power": design.target_power,
        "design.allocation_ratio": design.allocation_ratio,
        "design.dropout": {"control": design.dropout.control} | _list_further(design.dropout),
        "costs.screening": costs.screening,
        "costs.participant": costs.participant,
    }


def _list_further(dropout: DropOut) -> dict[str, Any]:
    """Return what else is said of people who leave: of the other arm, by decline, unseen."""
    return {
        one.name: getattr(dropout, one.name)
        for one in fields(dropout)
        if getattr(dropout, one.name) != one.default
    }


@dataclass
class Simulating:
    """One simulation in the background.

    It works on a copy of the study beside it, so that the study itself is only ever read and the
    numbers are those that `trialsim power` gives for the same values.

    Attributes
    ----------
    study
        The study file.
    settings
        Values by dotted key, see `state_settings`.
    n_simulations
        Trials at each point.
    """

    study: Path
    settings: Mapping[str, Any]
    n_simulations: int
    share_done: float = 0.0
    found: pd.DataFrame | None = None
    problem: str = ""
    _folder: Path | None = field(default=None, repr=False)
    _process: SpawnProcess | None = field(default=None, repr=False)
    _told: Any = field(default=None, repr=False)

    def start(self) -> None:
        """Start the process."""
        self._folder = Path(tempfile.mkdtemp(prefix="trialsim-explore-"))
        self._told = _SPAWN.Queue()
        arguments = (self.study, self._folder, self.settings, self.n_simulations, self._told)
        self._process = _SPAWN.Process(target=_simulate, args=arguments, daemon=True)
        self._process.start()

    @property
    def is_running(self) -> bool:
        """Whether it works; what it has told since the last look is taken in."""
        if self._process is None:
            return False
        alive = self._process.is_alive()
        while True:
            try:
                kind, value = self._told.get(timeout=0.0 if alive else 0.2)
            except queue.Empty:
                break
            if kind == "share":
                self.share_done = value
            elif kind == "found":
                self.found = value
            else:
                self.problem = value
        if alive and self.found is None and not self.problem:
            return True
        if self.found is None and not self.problem:
            self.problem = "The simulation ended without an answer."
        self.stop()
        return False

    def stop(self) -> None:
        """End the process and take its copy away."""
        if self._process is not None:
            self._process.terminate()
            self._process.join()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _simulate(
    study: Path, folder: Path, settings: Mapping[str, Any], n_simulations: int, told: Any
) -> None:
    copy = folder / study.name
    shutil.copyfile(study, copy)

    def follow(_name: str, done: float, total: float) -> None:
        told.put(("share", done / total if total else 0.0))

    # sources of the copy are asked for by their whole paths
    protocol = StudyResult(study).protocol
    paths = {
        "cohort.path": protocol.cohort.path,
        "cohort.training": protocol.cohort.training,
        "selection.scores": protocol.selection.scores,
        "selection.predictions": protocol.selection.predictions,
    }
    counts = {"simulation.n_simulations": n_simulations, "simulation.n_bootstrap": 0}
    try:
        result = answer(
            "power", copy, {**paths, **settings, **counts}, listener=Listener(on_progress=follow)
        )
        told.put(("found", result.table("sample_sizes")))
    except TrialsimError as error:
        told.put(("problem", " ".join(error.problems)))
