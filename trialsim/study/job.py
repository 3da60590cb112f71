"""What every step of a study works with."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from cohorts.cohort import Cohort
from cohorts.entrances import Names
from cohorts.files.folder import is_cohort_folder
from cohorts.sources.loading import load_cohort
from cohorts.sources.profile import read_profile
from cohorts.sources.reading import Reading
from cohorts.sources.scans.census import Census, take_census
from trialsim.study.memory import hand_back_memory
from trialsim.study.protocol import PredictionSection, Protocol
from trialsim.study.question import describe_values, nest
from trialsim.workers.processes import Processes

if TYPE_CHECKING:
    from brlp_models.baselines.context import ContextBaseline
    from brlp_models.model.config import ModelConfig
    from brlp_models.model.model import BrlpModel
    from trialsim.enrichment.screening import Screening
    from trialsim.workers.cluster import Cluster
    from trialsim.workers.spread import Workers

Progress = Callable[[str, float, float], None]
"""Told the name of the work, how much of it is done, how much there is in all."""

_STARTING: Final = 20.0
"""Seconds of work from which processes are worth starting, each of which imports PyTorch."""

Kept = TypeVar("Kept")

Writers = tuple[str | None, ...]
"""The runs that wrote the tables that something was made of; None for a table that is absent."""

STREAMS: Final = ("scores", "ties", "capture rates")
"""The parts of a study that draw at random, apart from prediction and simulation."""


@dataclass(frozen=True)
class Job:
    """One study's work.

    Attributes
    ----------
    protocol
        The whole question, with absolute paths.
    folder
        Where the study file lies, with everything else that the study writes.
    on_progress
        Called while a step works.
    notes
        What the user must know; `tell` adds to it.
    opened
        What is let go when the work ends.
    """

    protocol: Protocol
    folder: Path
    on_progress: Progress = lambda *_: None
    notes: list[str] = field(default_factory=list)
    opened: ExitStack = field(default_factory=ExitStack)
    _loaded: dict[Path, Cohort] = field(default_factory=dict, repr=False)
    _screened: dict[Writers, Cohort] = field(default_factory=dict, repr=False)
    _screenings: dict[Writers, "Screening"] = field(default_factory=dict, repr=False)

    @property
    def scans(self) -> Path:
        """The folder of preprocessed scans, which steps and later runs share."""
        return self.folder / "scans"

    @property
    def prediction(self) -> PredictionSection:
        """How brains are predicted, by default where the protocol does not say."""
        return self.protocol.prediction or PredictionSection()

    @property
    def model_folder(self) -> Path:
        """The folder of the model that predicts.

        Raises
        ------
        ModelError
            Where there is none.
        """
        from brlp_models.model.files import find_model_folder

        return find_model_folder(self.prediction.model)

    @cached_property
    def model_config(self) -> "ModelConfig":
        """What the model's folder says of it, read without PyTorch."""
        from brlp_models.model.files import read_config

        return read_config(self.model_folder)

    @cached_property
    def cluster(self) -> "Cluster | None":
        """The workers elsewhere, connected when the first step asks for them; None without."""
        where, workers = self.protocol.compute.cluster, self.protocol.simulation.workers
        if where is None:
            return None
        from trialsim.workers.cluster import open_cluster

        own = workers if workers > 1 else None
        stated = self.protocol.compute.parts
        parts = self.folder / "parts" if stated is None else stated
        return self.opened.enter_context(open_cluster(where, parts, n_workers=own))

    def find_workers(self, seconds: float) -> "Cluster | Processes | None":
        """Return who does work with scans that would take this process so many seconds.

        None where this process does it itself: no others are asked for, it is over before they have
        started, or it is done on a GPU, which several would share.
        """
        if self.cluster is not None:
            return self.cluster
        n_workers = self.protocol.simulation.workers
        if n_workers == 1 or seconds < _STARTING or self.prediction.device != "cpu":
            return None
        return Processes(n_workers)

    @property
    def workers(self) -> "Workers":
        """What works on simulations: threads, or the workers elsewhere."""
        return self.cluster or self.protocol.simulation.workers

    @cached_property
    def model(self) -> "BrlpModel":
        """The model that predicts, loaded when the first step asks for it."""
        from brlp_models.model.folder import load_model

        section = self.prediction
        return load_model(section.model, device=section.device, precision=section.precision)

    @cached_property
    def context(self) -> "ContextBaseline | None":
        """What tells the model's context of the endpoint; None: its auxiliary model.

        Raises
        ------
        ModelError
            Where its folder is none, or it expects no change.
        """
        source = self.prediction.context_from
        if source is None:
            return None
        from brlp_models.baselines.context import ContextBaseline

        return ContextBaseline.load(Path(source))

    @cached_property
    def census(self) -> Census:
        """The screened people and their scans, counted before anything is checked."""
        return self.count(self.protocol.cohort.path)

    def count(self, path: Path) -> Census:
        """Count the people and list the scans of the cohort at `path`."""
        section = self.protocol.cohort
        reading = Reading(
            section.map,
            ignored=tuple(section.ignore),
            pipeline=section.pipeline,
            filters=section.bids_filters,
            profile=read_profile(section.profile),
        )
        return take_census(path, reading=reading)

    def config(self, *keys: str, without: Iterable[str] = ()) -> dict[str, Any]:
        """Return the protocol's values under `keys` (or sections), nested as the protocol is.

        Parameters
        ----------
        *keys
            Such as "selection" or "design.endpoint".
        without
            Keys that are left out.
        """
        left_out = tuple(without)
        return nest(
            {
                key: value
                for key, value in self.description.items()
                if _is_among(key, keys) and not _is_among(key, left_out)
            }
        )

    @cached_property
    def description(self) -> Mapping[str, Any]:
        """Everything that was asked, by dotted key, with paths relative to the study."""
        return describe_values(self.protocol, self.folder)

    def rng(self, stream: str) -> np.random.Generator:
        """Return the generator of one part of the study; parts never share one."""
        return np.random.default_rng([self.protocol.study.seed, STREAMS.index(stream)])

    def tell(self, notes: Iterable[str]) -> None:
        """Keep `notes` with the run of the step that works, and show them at the end of the job."""
        self.notes.extend(notes)

    @property
    def window_months(self) -> float:
        """How far a visit may be from the planned time that it stands for."""
        return self.protocol.cohort.window_months

    def load(self, path: Path, *, participants: Names = ()) -> Cohort:
        """Read the cohort at `path`, once, or some of its people, as the protocol states.

        Raises
        ------
        CohortError
            Where several tools measured one visit, and no tool is stated.
        """
        if participants:
            return self._load(path, participants)
        if path not in self._loaded:
            self._loaded[path] = self._load(path)
        return self._loaded[path]

    def forget(self, path: Path) -> None:
        """Let go of the cohort that was read at `path`."""
        self._loaded.pop(path, None)
        hand_back_memory()

    def forget_screened(self) -> None:
        """Let go of the screened people; the next step that asks for them reads them again."""
        self._screened.clear()
        hand_back_memory()

    def let_go(self) -> None:
        """Let go of all people who were read; a later step reads them again."""
        self._loaded.clear()
        self._screenings.clear()
        self.forget_screened()

    def screen(self, written_by: Writers, read: Callable[[], Cohort]) -> Cohort:
        """Return the screened people as some runs have written them, read by the first who asks."""
        return _recall(self._screened, written_by, read)

    def see(self, written_by: Writers, build: Callable[[], "Screening"]) -> "Screening":
        """Return what strategies see of tables of some runs, built by the first who asks."""
        return _recall(self._screenings, written_by, build)

    def _load(self, path: Path, participants: Names = ()) -> Cohort:
        section = self.protocol.cohort
        found = self._read(path, participants)
        # an archive that one other tool measured leaves nothing to choose
        tool, is_screened = section.measured_by, path == section.path
        if tool is not None and (is_screened or len(found.count_sources()) > 1):
            found = found.select(source=tool)
        found.require_unambiguous()
        return found

    def _read(self, path: Path, participants: Names) -> Cohort:
        section = self.protocol.cohort
        cohorts = (section.path, section.training)
        others = [one for one in cohorts if one is not None and not is_cohort_folder(one)]
        # what is stated of columns and codings is of the table, where the other one is imported
        if others and is_cohort_folder(path) and not participants:
            return load_cohort(path, quarantine=section.quarantine)
        return load_cohort(
            path,
            column_map=section.map,
            age_unit=section.age_unit,
            sex_coding=section.sex_coding,
            diagnosis_coding=section.diagnosis_coding,
            diagnosis=section.diagnosis,
            top_coded_age=section.top_coded_age,
            missing=section.missing,
            ignore=section.ignore,
            pipeline=section.pipeline,
            profile=section.profile,
            bids_filters=section.bids_filters,
            participants=participants,
            quarantine=section.quarantine,
            progress=lambda done, total: self.on_progress("Reading scans", done, total),
        )


def _recall(kept: dict[Writers, Kept], written_by: Writers, make: Callable[[], Kept]) -> Kept:
    """Return what was made of tables of these runs, of which only the latest is kept."""
    if written_by not in kept:
        kept.clear()
        kept[written_by] = make()
        hand_back_memory()
    return kept[written_by]


def _is_among(key: str, keys: Iterable[str]) -> bool:
    return any(key == one or key.startswith(f"{one}.") for one in keys)
