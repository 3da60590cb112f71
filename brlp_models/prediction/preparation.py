"""What is made of starting scans before anything is predicted: preprocessed scans and volumes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel
from brlp_models.model.threads import limited_threads
from brlp_models.prediction.person_basis import find_basis
from brlp_models.prediction.person_files import PredictionArchive
from brlp_models.prediction.start import (
    People,
    StartVisit,
    find_start_visit,
    list_start_scans,
    load_start_scan,
    measure_start,
    place_start,
)
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.placing import is_placed
from brlp_models.scans.segmentation import Segmenter
from cohorts.cohort import Cohort
from cohorts.errors import StorageError, TrialsimError
from cohorts.schema import validate_table

OnScan = Callable[[], None]
"""Told that one more person is finished."""


@dataclass(frozen=True)
class PreparedScans:
    """What preparing the baseline scans of a cohort came to.

    Parameters
    ----------
    n_on_grid, n_preprocessed
        Scans that were on the model's grid already, and those that were brought there.
    failures
        `participant_id`, `problem` of everyone whose scan cannot be brought there.
    """

    n_on_grid: int
    n_preprocessed: int
    failures: pd.DataFrame


def preprocess_cohort(
    model: BrlpModel, cohort: Cohort, cache: ScanCache, *, on_scan: OnScan
) -> PreparedScans:
    """Bring everyone's baseline scan onto the model's grid; what `cache` holds is not made again.

    Parameters
    ----------
    model
        Its grid, and the segmenter that finds a brain.
    cohort
        Its visits hold the images; people without one at baseline are passed over.
    cache
        Gets the scans, and gives them to `predict_cohort`.
    on_scan
        Called after each person.
    """
    n_on_grid = n_preprocessed = 0
    problems: dict[str, str] = {}
    for own, visit in _iterate_starts(cohort):
        try:
            with limited_threads(1):
                is_there = _is_there(model, own, visit, cache)
            n_on_grid += is_there
            n_preprocessed += not is_there
        except StorageError:
            raise
        except TrialsimError as error:
            problems[visit.participant_id] = " ".join(error.problems)
        on_scan()
    failures = pd.DataFrame(problems.items(), columns=["participant_id", "problem"], dtype=str)
    return PreparedScans(n_on_grid, n_preprocessed, failures)


def _is_there(model: BrlpModel, own: Cohort, visit: StartVisit, cache: ScanCache) -> bool:
    """Say whether a scan was on the grid already; one that was not is there afterwards."""
    # judging a scan that lies there already is left to those who read it
    if visit.segmentation_path is None and is_placed(model, list_start_scans(own, visit)[-1]):
        return True
    return place_start(model, own, visit, cache).is_in_place


def segment_cohort(
    model: BrlpModel,
    segmenter: Segmenter,
    cohort: Cohort,
    cache: ScanCache,
    *,
    out: Path,
    on_scan: OnScan,
) -> pd.DataFrame:
    """Measure the baseline scans that come without volumes, as `predict_cohort` would.

    Parameters
    ----------
    model, cohort, cache, on_scan
        As in `preprocess_cohort`.
    segmenter
        From `choose_segmenter`.
    out
        A folder; people whose volumes it holds already are not segmented again.

    Returns
    -------
    pandas.DataFrame
        The `scan_volumes` table: native mm3. Someone whose scan is refused has no rows;
        `predict_cohort` says why.
    """
    archive = PredictionArchive(out, {"model_id": model.model_id, "segmenter": segmenter.name})
    rows: list[dict[str, Any]] = []
    for own, visit in _iterate_starts(cohort):
        if not _has_volumes(own, visit):
            name = visit.participant_id
            basis = find_basis(model, own, until_months=0.0)
            if not archive.has(name, basis):
                with limited_threads(1):
                    rows_of_one = _measure(model, segmenter, own, visit, cache)
                archive.write(name, {"rows": rows_of_one}, basis)
            rows += archive.read(name)["rows"]
        on_scan()
    columns = ["participant_id", "session_id", "region", "volume_mm3", "source"]
    return validate_table(pd.DataFrame(rows, columns=columns), "scan_volumes")


def _iterate_starts(cohort: Cohort) -> Iterator[tuple[Cohort, StartVisit]]:
    people = People(cohort)
    for name in cohort.participants["participant_id"].astype(str):
        own = people.select(name)
        try:
            visit = find_start_visit(own, name, until_months=0.0)
        except ModelError:
            continue
        yield own, visit


def _has_volumes(own: Cohort, visit: StartVisit) -> bool:
    is_measured = not own.volumes_of(visit.participant_id, visit.session_id).empty
    return visit.segmentation_path is not None or is_measured


def _measure(
    model: BrlpModel, segmenter: Segmenter, own: Cohort, visit: StartVisit, cache: ScanCache
) -> list[dict[str, Any]]:
    try:
        scan = load_start_scan(model, own, visit, cache)
        volumes, source = measure_start(own, visit, scan, segmenter)
    except StorageError:
        raise
    except TrialsimError:
        # the scan checks that `predict_cohort` returns tell of it
        return []
    key = {"participant_id": visit.participant_id, "session_id": visit.session_id}
    return [
        {**key, "region": region, "volume_mm3": volume, "source": source}
        for region, volume in volumes.items()
    ]
