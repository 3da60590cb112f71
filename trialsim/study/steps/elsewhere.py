"""What other processes do of the steps with scans; their folders are those of the study.

Each prepares or predicts people and keeps them there, where the process that writes the study
finds them. A person that no worker could do, or keep, is tried once more by that process.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.errors import StorageError
from trialsim.study.job import Job

if TYPE_CHECKING:
    from brlp_models.model.model import BrlpModel
    from brlp_models.model.precision import Precision
    from brlp_models.prediction.preparation import PreparedScans
    from brlp_models.prediction.settings import Part
    from trialsim.workers.cluster import Cluster
    from trialsim.workers.processes import Processes

    Workers = Cluster | Processes

_PARTS_A_WORKER = 8
"""So that workers end at about the same time, and few people are lost with one of them."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class ModelOfWorker:
    """The model as a worker loads it, with the precision that was resolved once for all.

    Parameters
    ----------
    source, device
        As `load_model` takes them.
    precision
        Resolved.
    """

    source: str
    device: str
    precision: "Precision"

    @classmethod
    def of(cls, job: Job) -> "ModelOfWorker":
        """Return the job's model."""
        return cls(job.prediction.model, job.prediction.device, job.model.precision)

    def load(self) -> "BrlpModel":
        """Return the model, read once a process.

        Raises
        ------
        ModelError
            Where the worker's processor does not multiply in the precision of the others.
        """
        return _load(self)


@lru_cache(maxsize=1)
def _load(wanted: ModelOfWorker) -> "BrlpModel":
    from brlp_models.errors import ModelError
    from brlp_models.model.folder import load_model
    from brlp_models.model.precision import has_bf16

    model = load_model(wanted.source, device=wanted.device, precision=wanted.precision)
    if wanted.precision == "bf16" and not has_bf16(model.device):
        raise ModelError(
            "A worker's processor does not multiply in bf16, which was chosen for all: ask for "
            "--precision full, or leave that worker out."
        )
    return model


@dataclass(frozen=True)
class _Trying(Generic[Found]):
    """Work of a worker whose disk may be full: what it cannot keep, it does not give."""

    work: Callable[[Any], Found]

    def __call__(self, block: Any) -> Found | None:
        try:
            return self.work(block)
        except StorageError:
            return None


def map_kept(
    workers: "Workers", work: Callable[[Any], Found], blocks: Sequence[Any]
) -> Iterator[Found]:
    """Yield what workers make of each block, and this process of those that they could not keep.

    Parameters
    ----------
    workers
        Elsewhere.
    work
        Of a block; raises `StorageError` where a worker's disk is full.
    blocks
        In the order of what is yielded.
    """
    for block, found in zip(blocks, workers.map(_Trying(work), blocks), strict=True):
        yield work(block) if found is None else found


@dataclass(frozen=True)
class _Preprocessing:
    model: ModelOfWorker
    scans: Path

    def __call__(self, cohort: Cohort) -> "PreparedScans":
        from brlp_models.prediction.preparation import preprocess_cohort
        from brlp_models.scans.cache import ScanCache

        model, cache = self.model.load(), ScanCache(self.scans)
        return preprocess_cohort(model, cohort, cache, on_scan=lambda: None)


@dataclass(frozen=True)
class _Segmenting:
    model: ModelOfWorker
    scans: Path
    out: Path

    def __call__(self, cohort: Cohort) -> pd.DataFrame:
        from brlp_models.prediction.preparation import segment_cohort
        from brlp_models.scans.cache import ScanCache
        from brlp_models.scans.segmentation import choose_segmenter

        model, cache = self.model.load(), ScanCache(self.scans)
        segmenter = choose_segmenter(model)
        return segment_cohort(model, segmenter, cohort, cache, out=self.out, on_scan=lambda: None)


@dataclass(frozen=True)
class Predicting:
    """Work of a worker that predicts a part of a cohort.

    Parameters
    ----------
    model
        As the worker loads it.
    cohort
        Everyone.
    options
        Further ones of `predict_cohort`; its folder keeps who is finished.
    """

    model: ModelOfWorker
    cohort: Cohort
    options: dict[str, Any]

    def __call__(self, part: "Part") -> int:
        """Predict the part, and return how many people were looked at."""
        from brlp_models.prediction.cohort import predict_cohort

        found = predict_cohort(self.model.load(), self.cohort, part=part, **self.options)
        return len(found.scan_checks)


def preprocess_elsewhere(workers: "Workers", job: Job, cohort: Cohort) -> "PreparedScans":
    """Return what preprocessing the cohort came to, done by workers."""
    from brlp_models.prediction.preparation import PreparedScans

    work = _Preprocessing(ModelOfWorker.of(job), job.scans)
    found = list(map_kept(workers, work, _deal(workers, cohort)))
    return PreparedScans(
        sum(one.n_on_grid for one in found),
        sum(one.n_preprocessed for one in found),
        pd.concat([one.failures for one in found], ignore_index=True),
    )


def segment_elsewhere(workers: "Workers", job: Job, cohort: Cohort, out: Path) -> pd.DataFrame:
    """Return the volumes of scans that come without, measured by workers."""
    work = _Segmenting(ModelOfWorker.of(job), job.scans, out)
    return pd.concat(map_kept(workers, work, _deal(workers, cohort)), ignore_index=True)


def predict_elsewhere(
    workers: "Workers",
    job: Job,
    cohort: Cohort,
    options: dict[str, Any],
) -> None:
    """Let workers predict everyone into the folder that `predict_cohort` then collects from."""
    from brlp_models.prediction.settings import Part

    work = Predicting(ModelOfWorker.of(job), cohort, options)
    n_parts = min(len(cohort.participants), _PARTS_A_WORKER * workers.n_workers)
    parts = [Part(number, n_parts) for number in range(n_parts)]
    for done, _ in enumerate(map_kept(workers, work, parts), start=1):
        job.on_progress("Predicting", done, n_parts)


def _deal(workers: "Workers", cohort: Cohort) -> Sequence[Cohort]:
    """Return the cohort in pieces of consecutive people."""
    people = list(cohort.participants["participant_id"])
    size = max(1, -(-len(people) // (_PARTS_A_WORKER * workers.n_workers)))
    return [cohort.select(people[start : start + size]) for start in range(0, len(people), size)]
