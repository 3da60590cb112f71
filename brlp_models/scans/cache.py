"""Preprocessed scans on disk, so that no scan is registered twice.

A scan's name follows from all that it was made from, so a changed input or setting finds nothing,
and what is found needs no further check than that the file is whole.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from brlp_models.errors import ModelError, ScanError
from brlp_models.scans.brain_mask import BrainSegmenter
from brlp_models.scans.files import Scan
from brlp_models.scans.grid import Grid
from brlp_models.scans.preprocessing import PREPROCESSING_VERSION, PreprocessedScan, VisitScan
from brlp_models.scans.template import TEMPLATE_NAME
from cohorts.errors import StorageError
from cohorts.files.atomic import compute_sha256
from cohorts.sources.bids.dataset import is_bids_dataset

_COMPUTED_BY: Final = ("SimpleITK", "nilearn", "numpy", "scipy")


@dataclass(frozen=True)
class ScanCache:
    """A folder of preprocessed scans.

    Parameters
    ----------
    folder
        Made when the first scan is kept. Any number of predictions may share it.

    Raises
    ------
    StorageError
        Where the folder is a BIDS dataset, which stays as it is.
    """

    folder: Path

    def __post_init__(self) -> None:
        if is_bids_dataset(self.folder):
            raise StorageError(
                f"{self.folder} holds a BIDS dataset, among whose files no preprocessed scans are "
                "kept: let the study (or this cache) lie in another folder."
            )

    def fetch(self, key: str, make: Callable[[], PreprocessedScan]) -> PreprocessedScan:
        """Return the scan kept under `key`; one that is absent or damaged is made and kept."""
        path = self.folder / f"{key}.npz"
        try:
            return PreprocessedScan.load(path)
        except ModelError:
            made = make()
        made.save(path)
        return made


def compute_key(
    visits: Sequence[VisitScan],
    grid: Grid,
    *,
    segmenter: BrainSegmenter | None = None,
    white_over_gray: float | None = None,
) -> str:
    """Return what the last visit's preprocessed scan is kept under.

    Parameters
    ----------
    visits
        The person's scans, the baseline first: a follow-up depends on it.
    grid
        The model's.
    segmenter
        Counts only where a scan comes without segmentation and mask, since nothing else asks it.
    white_over_gray
        The contrast that scans are brought to.

    Raises
    ------
    ScanError
        Where a file cannot be read.
    """
    asks = any(visit.segmentation is None and visit.mask is None for visit in visits)
    origin = {
        "files": [_digest_visit(visit) for visit in visits],
        "grid": [grid.shape, grid.affine.tolist()],
        "segmenter": segmenter.name if asks and segmenter is not None else None,
        "white_over_gray": white_over_gray,
        "template": TEMPLATE_NAME,
        "preprocessing": PREPROCESSING_VERSION,
        "computed_by": _read_versions(),
    }
    return hashlib.sha256(json.dumps(origin).encode()).hexdigest()


def digest_files(visits: Sequence[VisitScan]) -> str:
    """Return a digest of what the files of visits hold, wherever they lie.

    Raises
    ------
    ScanError
        Where a file cannot be read.
    """
    return hashlib.sha256(json.dumps([*map(_digest_visit, visits)]).encode()).hexdigest()


def _digest_visit(visit: VisitScan) -> list[object]:
    others = [[name, _digest(source)] for name, source in visit.others.items()]
    return [_digest(visit.scan), _digest(visit.segmentation), _digest(visit.mask), *others]


def _digest(source: Scan | Path | str | None) -> str | None:
    if source is None:
        return None
    if isinstance(source, Scan):
        content = source.data.tobytes() + source.grid.affine.tobytes()
        return hashlib.sha256(content).hexdigest()
    try:
        return compute_sha256(Path(source))
    except OSError as error:
        raise ScanError(f"{source} cannot be read: {error.strerror}.") from error


@lru_cache(maxsize=1)
def _read_versions() -> dict[str, str]:
    return {package: version(package) for package in _COMPUTED_BY}
