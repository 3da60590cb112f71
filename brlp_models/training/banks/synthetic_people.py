"""Synthetic people with a few visits each, on a model's grid, for training the bundled model."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from brlp_models.scans.grid import Grid, find_points, resample, resample_labels, sample_points
from brlp_models.scans.intensity import find_ceiling, scale_intensity
from brlp_models.training.banks.person_tables import tabulate_person
from brlp_models.training.banks.scan_bank import BankWriter
from brlp_models.training.banks.volumes import WITH_NOISELESS
from brlp_models.training.tissues import TISSUES
from cohorts.errors import CohortError
from cohorts.labels import get_codes, get_intracranial_codes
from cohorts.synthetic.anatomy.base import BaseAnatomy
from cohorts.synthetic.parameters import GeneratorParameters
from cohorts.synthetic.person_scans import (
    SyntheticLabels,
    SyntheticScan,
    synthesize_first_scan,
    synthesize_scans,
)
from cohorts.synthetic.signs.sampling import sample_signs
from cohorts.synthetic.trajectories import SyntheticPeople, compute_true_volumes, sample_people
from cohorts.volumes.volumetry import count_labels
from cohorts.workers import end_with_parent

BRAIN_CENTROID_MM = (0.0, -21.57, 9.46)
BRAIN_SD_MM = (33.18, 40.5, 31.33)
"""Centroid and spread of the built-in anatomy's brain, which lies in MNI space (RAS, mm)."""

ALIGNED_ROTATION_SD = np.deg2rad(1.5)
ALIGNED_SCALE_SD = 0.015
ALIGNED_SHIFT_SD_MM = 1.2
"""How far apart registrations of two people's scans come out; training sees as much."""

_CONTROLLED = ("amygdala", "thalamus", "lateral_ventricle", "cerebral_cortex")
_MEASURED = ("hippocampus", *_CONTROLLED, "cerebral_white_matter", "csf")


@dataclass(frozen=True)
class PeopleSettings:
    """Which people are drawn.

    Parameters
    ----------
    n_people
        How many; base anatomies take turns.
    months
        Follow-ups lie uniformly between these two after the baseline.
    seed
        Person k depends on (seed, k) only.
    n_followups
        Visits after the baseline.
    schedule
        Fixed months of the follow-ups, in place of random ones.
    prefix
        Of the people's names.
    same_acquisition
        All visits of a person have the same bias field, noise and contrast, so that what differs
        between them, and is to be learned, is anatomy.
    labels_by_share
        Each voxel of the grid has the tissue with the largest share instead of the nearest one.
    channels
        Contrasts of each scan, the T1w first.
    with_noiseless
        After the channels of each scan comes its T1w without noise, in the bias field, contrast and
        scale of the person's first: what a prediction can be held against.
    with_tables
        Each row of the index has covariates and measured volumes too (`person_tables`), drawn with
        random numbers of their own.
    baseline_scans_only
        Later visits have volumes and no scan.
    """

    n_people: int
    months: tuple[float, float]
    seed: int
    n_followups: int = 1
    schedule: tuple[float, ...] = ()
    prefix: str = "sub-train"
    same_acquisition: bool = False
    labels_by_share: bool = False
    channels: tuple[str, ...] = ("T1w",)
    with_noiseless: bool = False
    with_tables: bool = False
    baseline_scans_only: bool = False

    @property
    def n_visits(self) -> int:
        """Visits a person."""
        return 1 + (len(self.schedule) or self.n_followups)

    def draw_months(self, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Return the months of a person's visits, (1, n_visits)."""
        followups = self.schedule or np.sort(rng.uniform(*self.months, self.n_followups))
        return np.array([[0.0, *followups]])

    def name(self, person: int) -> str:
        """Return a person's identifier."""
        return f"{self.prefix}{person:04d}"


def write_people_bank(
    bases: Sequence[BaseAnatomy],
    folder: Path,
    settings: PeopleSettings,
    grid: Grid,
    *,
    parameters: GeneratorParameters | None = None,
    workers: int = 1,
    report: Callable[[int], None] = lambda _: None,
) -> pd.DataFrame:
    """Write baseline and follow-up scans of synthetic people.

    Parameters
    ----------
    bases
        The anatomies that people are drawn from.
    folder
        The bank.
    settings
        Which people.
    grid
        The model's.
    parameters
        The generator's; their digest is kept in the bank.
    workers
        Processes; a person does not depend on how many there are.
    report
        Called with the number of people finished so far.

    Returns
    -------
    DataFrame
        One row a scan: `row`, `participant_id`, `session_id`, `base_anatomy`, `age_years`,
        `months_from_baseline`, `sex`, `diagnosis`, `apoe4`, `determinant`, and `<region>_mm3` in
        MNI space; `with_tables`, covariates and native `measured_<region>` beside.
    """
    parameters = parameters or GeneratorParameters()
    names = [base.name for base in bases]
    description: dict[str, Any] = {
        "bases": names,
        "n_people": settings.n_people,
        "months": list(settings.schedule or settings.months),
        "n_followups": settings.n_followups,
        "same_acquisition": settings.same_acquisition,
        "seed": settings.seed,
        "generator": parameters.digest(),
    }
    if others := settings.channels[1:]:
        description["other_channels"] = list(others)
    if settings.with_noiseless:
        description[WITH_NOISELESS] = True
    if settings.with_tables:
        description["with_tables"] = True
    if settings.baseline_scans_only:
        description["baseline_scans_only"] = True
    writer = BankWriter(
        folder,
        settings.n_visits * settings.n_people,
        grid.shape,
        description,
        n_channels=len(settings.channels) + settings.with_noiseless,
    )
    finished = {row["participant_id"] for row in writer.read_rows()}
    waiting = [k for k in range(settings.n_people) if settings.name(k) not in finished]
    make = partial(_make_person, tuple(bases), settings, grid, parameters)
    for done, (scans, rows) in enumerate(_make_people(make, waiting, workers), start=1):
        writer.add(scans, rows)
        report(settings.n_people - len(waiting) + done)
    return writer.finish()


def _make_people(
    make: Callable[[int], "Made"], people: Iterable[int], workers: int
) -> Iterator["Made"]:
    """Yield everyone's scans as they are finished; one process makes them in order."""
    if workers <= 1:
        # as in a worker: with more threads the last digits are others
        with threadpool_limits(1):
            yield from map(make, people)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _initialize, (make,))
    try:
        for future in as_completed([pool.submit(_make_in_worker, person) for person in people]):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_make: Callable[[int], "Made"] | None = None


def _initialize(make: Callable[[int], "Made"]) -> None:
    # a process's own copy of the anatomies, sent once instead of with each person
    global _make
    _make = make
    threadpool_limits(1)
    end_with_parent()


def _make_in_worker(person: int) -> "Made":
    if _make is None:
        raise RuntimeError("a worker makes people only after _initialize")
    return _make(person)


Made = tuple[
    list[tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]] | None],
    list[dict[str, Any]],
]
"""A person's scans with their tissues, where there are any, and a row of the index for each."""


def _make_person(
    bases: Sequence[BaseAnatomy],
    settings: PeopleSettings,
    grid: Grid,
    parameters: GeneratorParameters,
    person: int,
) -> Made:
    base = bases[person % len(bases)]
    for attempt in range(20):
        rng = np.random.default_rng([settings.seed, person, attempt])
        people = sample_people(1, rng=rng, parameters=parameters.cohort)
        months = settings.draw_months(rng)
        targets = find_targets(people, months / 12, parameters)
        signs = sample_signs(people, months / 12, rng=rng, parameters=parameters)
        options: dict[str, Any] = {
            "rng": rng,
            "head_size_mm3": float(people.head_size_mm3[0]),
            "resolution_mm": 2.0,
            "parameters": parameters,
            "same_acquisition": settings.same_acquisition,
            "signs": None if signs is None else signs.pick(0),
            "channels": settings.channels,
            "with_noiseless": settings.with_noiseless,
        }
        later: list[SyntheticLabels] = []
        try:
            if settings.baseline_scans_only:
                first, later = synthesize_first_scan(base, targets, **options)
                scans = [first]
            else:
                scans = synthesize_scans(base, targets, **options)
        except CohortError:
            # the anatomy cannot reach these volumes without folding: another person is drawn
            continue
        to_mni = align_by_moments(scans[0], rng)
        placed = [
            place_on_grid(
                scan, to_mni, grid, labels_by_share=settings.labels_by_share, first=scans[0]
            )
            for scan in scans
        ]
        tables: list[dict[str, Any]] = [{}] * settings.n_visits
        if settings.with_tables:
            own_rng = np.random.default_rng([settings.seed, person, attempt, 1])
            tables = tabulate_person(people, months / 12, own_rng, parameters.cohort)
        unseen = [None for _ in later]
        visits: list[SyntheticScan | SyntheticLabels] = [*scans, *later]
        rows = [
            {
                "row": settings.n_visits * person + k,
                "participant_id": settings.name(person),
                "session_id": f"ses-{k}",
                "base_anatomy": base.name,
                "age_years": float(people.age_years[0] + months[0, k] / 12),
                "months_from_baseline": float(months[0, k]),
                "sex": "F" if people.is_female[0] else "M",
                "diagnosis": parameters.cohort.groups[people.group[0]].diagnosis,
                "apoe4": int(people.n_alleles[0]),
                "determinant": float(np.linalg.det(to_mni[:3, :3])),
                **measure_in_mni(visit, to_mni),
                **tables[k],
            }
            for k, visit in enumerate(visits)
        ]
        return [*placed, *unseen], rows
    raise CohortError(f"No volumes could be drawn that base anatomy {base.name} can reach.")


def find_targets(
    people: SyntheticPeople, years: npt.NDArray[np.float64], parameters: GeneratorParameters
) -> list[dict[str, float]]:
    """Return the volumes (mm3) that one person's scans are to have, a mapping a visit.

    Parameters
    ----------
    people
        One person.
    years
        Since baseline, (1, n_visits).
    parameters
        The generator's.
    """
    volumes = compute_true_volumes(people, years, parameters=parameters.cohort)
    share = float(people.left_share[0])
    return [
        {
            "left_hippocampus": share * float(volumes["hippocampus"][0, k]),
            "right_hippocampus": (1 - share) * float(volumes["hippocampus"][0, k]),
            **{region: float(volumes[region][0, k]) for region in _CONTROLLED},
        }
        for k in range(years.shape[1])
    ]


def align_by_moments(
    scan: SyntheticScan, rng: np.random.Generator | None = None
) -> npt.NDArray[np.float64]:
    """Return an affine from the scan's world to MNI space that fits centroid and spread.

    Parameters
    ----------
    scan
        Its labels say where the brain is.
    rng
        Draws the difference between two registrations; None: none.
    """
    points = np.argwhere(find_brain(scan.labels)) @ scan.affine[:3, :3].T + scan.affine[:3, 3]
    scale = np.asarray(BRAIN_SD_MM) / points.std(axis=0)
    linear, shift = np.diag(scale), np.zeros(3)
    if rng is not None:
        x, y, z = rng.normal(0, ALIGNED_ROTATION_SD, 3)
        rotation = np.array([[1, -z, y], [z, 1, -x], [-y, x, 1]])
        linear = rotation @ linear * np.exp(rng.normal(0, ALIGNED_SCALE_SD))
        shift = rng.normal(0, ALIGNED_SHIFT_SD_MM, 3)
    affine = np.eye(4)
    affine[:3, :3] = linear
    affine[:3, 3] = np.asarray(BRAIN_CENTROID_MM) + shift - linear @ points.mean(axis=0)
    return affine


def find_brain(labels: npt.NDArray[np.uint16]) -> npt.NDArray[np.bool_]:
    """Return the brain with its ventricles, without the fluid around it."""
    wanted = np.setdiff1d(get_intracranial_codes(), get_codes("csf"))
    return np.isin(labels, wanted)


def place_on_grid(
    scan: SyntheticScan,
    to_mni: npt.NDArray[np.float64],
    grid: Grid,
    *,
    labels_by_share: bool = False,
    first: SyntheticScan | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Return the stripped, scaled scan (channels, *shape) and its tissues on a model's grid.

    The scan without noise follows the channels where there is one; it is as bright as `first`, the
    person's first scan, has it.
    """
    brain = _Brain.of(scan, to_mni, grid)
    tissues = TISSUES.encode(scan.labels.astype(np.int32))
    if labels_by_share:
        source = Grid(scan.t1w.shape, scan.affine)
        placed = resample_labels(tissues, source, grid, source_to_target=to_mni, inside=brain.mask)
    else:
        placed = brain.carry(tissues, order=0)
    return _show(scan, brain, to_mni, grid, first or scan), placed


def place_scan(
    scan: SyntheticScan, to_mni: npt.NDArray[np.float64], grid: Grid
) -> npt.NDArray[np.float32]:
    """Return the stripped, scaled scan of `place_on_grid` alone."""
    return _show(scan, _Brain.of(scan, to_mni, grid), to_mni, grid, scan)


def _show(
    scan: SyntheticScan,
    brain: "_Brain",
    to_mni: npt.NDArray[np.float64],
    grid: Grid,
    first: SyntheticScan,
) -> npt.NDArray[np.float32]:
    carried = [brain.carry(own) for own in scan.channels.values()]
    layers = [scale_intensity(own, brain.mask)[0] for own in carried]
    if scan.noiseless is not None:
        own = brain if first is scan else _Brain.of(first, to_mni, grid)
        shown = carried[0] if first is scan else own.carry(first.t1w)
        ceiling = np.float32(find_ceiling(shown, own.mask))
        layers.append(np.clip(brain.carry(scan.noiseless) / ceiling, 0, 1))
    return np.stack(layers)


@dataclass(frozen=True)
class _Brain:
    """Where a scan's brain is on a grid, and its points in the scan."""

    mask: npt.NDArray[np.bool_]
    points: npt.NDArray[np.float64]

    @classmethod
    def of(cls, scan: SyntheticScan, to_mni: npt.NDArray[np.float64], grid: Grid) -> "_Brain":
        brain, source = find_brain(scan.labels), Grid(scan.t1w.shape, scan.affine)
        share = resample(brain.astype(np.float32), source, grid, source_to_target=to_mni)
        mask = np.asarray(share >= 0.5)
        return cls(mask, find_points(source, grid, mask, source_to_target=to_mni))

    def carry(self, image: npt.NDArray[Any], *, order: int = 1) -> npt.NDArray[Any]:
        """Return an image on the grid; 0 outside of the brain."""
        carried = np.zeros(self.mask.shape, dtype=image.dtype)
        carried[self.mask] = sample_points(image, self.points, order=order)
        return carried


def measure_in_mni(
    scan: SyntheticScan | SyntheticLabels, to_mni: npt.NDArray[np.float64]
) -> dict[str, float]:
    """Return the true volumes of a visit in MNI space, `<region>_mm3`."""
    voxel = abs(np.linalg.det(scan.affine[:3, :3]) * np.linalg.det(to_mni[:3, :3]))
    counts = count_labels(scan.labels, name="synthetic scan")
    return {
        f"{region}_mm3": float(counts[list(get_codes(region))].sum() * voxel)
        for region in _MEASURED
    }
