"""A synthetic cohort as a BIDS dataset of T1w scans."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from cohorts.errors import CohortError
from cohorts.schema import HEAD_SIZE
from cohorts.synthetic.anatomy.base import BaseAnatomy, read_anatomy
from cohorts.synthetic.anatomy.deformation import TARGET_REGIONS
from cohorts.synthetic.anatomy.mni import load_mni_anatomy
from cohorts.synthetic.bids_writer import finish_dataset, is_finished, start_dataset, write_person
from cohorts.synthetic.contrasts import check_channels
from cohorts.synthetic.parameters import GeneratorParameters
from cohorts.synthetic.person_scans import synthesize_scans
from cohorts.synthetic.resampling import validate_resolution
from cohorts.synthetic.signs.sampling import PersonSigns, Signs, sample_signs
from cohorts.synthetic.tabular import (
    Course,
    build_truth,
    complete_volumes,
    compute_diagnoses,
    name_participants,
    name_sessions,
    simulate_attendance,
    simulate_course,
    tabulate_participants,
)
from cohorts.synthetic.trajectories import SyntheticPeople
from cohorts.synthetic.truth import write_generator, write_true_signs, write_truth
from cohorts.volumes.volumetry import compute_label_volumes
from cohorts.workers import end_with_parent

VISITS_MONTHS: Final = (0.0, 12.0, 24.0, 48.0)
"""Planned visits, when nothing else is asked for."""

_LARGEST_VENTRICLE_SHARE: Final = 0.045
"""Of the head; beyond it no smooth deformation of a common anatomy leads."""

_TRIES: Final = 4

_SIGNS_STREAM: Final = 2


@dataclass(frozen=True)
class PersonJob:
    """What a worker needs to make one person's scans."""

    participant_id: str
    sessions: pd.DataFrame
    volumes: list[dict[str, float]]
    head_size_mm3: float
    rng: np.random.Generator
    signs: PersonSigns | None


@dataclass(frozen=True)
class ScanSettings:
    """What all people share."""

    root: Path
    bases: tuple[BaseAnatomy, ...]
    resolution_mm: float
    parameters: GeneratorParameters
    channels: tuple[str, ...]


def synthesize_images(
    root: Path,
    n_participants: int,
    *,
    seed: int,
    visits_months: Sequence[float] = VISITS_MONTHS,
    resolution_mm: float = 2.0,
    label_maps: Path | None = None,
    whole_head: bool = False,
    workers: int = 1,
    parameters: GeneratorParameters | None = None,
    label: str = "synth",
    on_person: Callable[[], None] = lambda: None,
    treat: Callable[[Course], Course] | None = None,
    channels: Sequence[str] = ("T1w",),
) -> int:
    """Write a BIDS dataset of synthetic T1w scans with label maps; return how many people it has.

    The truth goes to `<root>/truth`. Each person appears at once and whole, so that an interrupted
    dataset is valid, and a second call with the same arguments completes it.

    Parameters
    ----------
    root
        The dataset's folder: new, empty, or one that the same arguments began.
    n_participants
        How many people.
    seed
        Decides everything; a person does not depend on how many workers there are.
    visits_months
        Planned visits, from 0 upwards.
    resolution_mm
        Voxel size: 1, 1.5 or 2.
    label_maps
        A folder of SynthSeg- or FreeSurfer-labelled maps to draw people from; None takes the
        built-in anatomy.
    whole_head
        Keep skull and scalp: those of the label maps, or modelled ones.
    workers
        Processes.
    parameters
        The generator's.
    label
        Begins everyone's name; letters and digits.
    on_person
        Called for each person that is there, also from an earlier call.
    treat
        Changes what is scanned; the truth stays what it would have been without.
    channels
        Contrasts of each visit's scan, the T1w first: `T1w`, `FLAIR`. The T1w does not depend on
        the others.

    Raises
    ------
    CohortError
        For a folder that holds something else, label maps that lack regions, a resolution,
        channels or visits that cannot be.
    """
    parameters = parameters or GeneratorParameters()
    check_channels(channels)
    validate_resolution(resolution_mm)
    bases = load_anatomies(label_maps, whole_head=whole_head)
    rng = np.random.default_rng(seed)
    course = _simulate_reachable_course(n_participants, visits_months, rng, parameters)
    course = replace(course, label=label)
    plan: dict[str, Any] = {
        "participants": n_participants,
        "visits_months": list(course.planned_months),
        "seed": seed,
        "resolution_mm": resolution_mm,
        "anatomies": [base.name for base in bases],
        "whole_head": whole_head,
        "label": label,
        "generator": parameters.digest(),
    }
    if parameters.signs is not None:
        plan["signs"] = {
            name: list(own) if isinstance(own, tuple) else own
            for name, own in asdict(parameters.signs).items()
        }
    if others := channels[1:]:
        plan["other_channels"] = list(others)
    start_dataset(root, plan)
    participants = tabulate_participants(course, rng, parameters.cohort)
    treated = course if treat is None else treat(course)
    signs = sample_signs(
        course.people,
        course.months / 12,
        rng=np.random.default_rng([seed, _SIGNS_STREAM]),
        parameters=parameters,
    )
    jobs = _list_jobs(treated, rng, parameters, signs)
    _write_truth(course, root)
    write_generator(parameters, root)
    if signs is not None:
        write_true_signs(signs.tabulate(name_participants(course)), root)
    settings = ScanSettings(root, bases, resolution_mm, parameters, tuple(channels))
    try:
        _run_jobs(jobs, settings, workers, on_person)
    finally:
        n_finished = finish_dataset(root, participants)
    return n_finished


def load_anatomies(label_maps: Path | None, *, whole_head: bool) -> tuple[BaseAnatomy, ...]:
    """Return the base anatomies: those of a folder's label maps, or the built-in one.

    Raises
    ------
    CohortError
        Where the folder has no label map, or a whole head is asked of an anatomy without one.
    """
    if label_maps is None:
        bases: tuple[BaseAnatomy, ...] = (load_mni_anatomy(whole_head=whole_head),)
    else:
        paths = sorted(
            p for ending in ("nii", "nii.gz", "mgz") for p in label_maps.glob(f"*.{ending}")
        )
        if not paths:
            raise CohortError(f"{label_maps} holds no label map (.nii, .nii.gz, .mgz).")
        bases = tuple(read_anatomy(path, whole_head=whole_head) for path in paths)
    bare = [base.name for base in bases if not (base.labels >= 500).any()]
    if whole_head and bare:
        raise CohortError(
            f"A whole head needs label maps with codes above 500; {', '.join(bare)} has none."
        )
    return bases


def _simulate_reachable_course(
    n: int,
    visits_months: Sequence[float],
    rng: np.random.Generator,
    parameters: GeneratorParameters,
) -> Course:
    """Return a course of people whose ventricles a deformation of a common anatomy can reach."""
    course = simulate_course(
        2 * n + 20 if n > 0 else n,
        rng=rng,
        visits_months=visits_months,
        parameters=parameters.cohort,
    )
    share = course.volumes["lateral_ventricle"].max(axis=1) / course.people.head_size_mm3
    kept = np.flatnonzero(share < _LARGEST_VENTRICLE_SHARE)[:n]
    people = SyntheticPeople(
        **{f.name: getattr(course.people, f.name)[kept] for f in fields(SyntheticPeople)}
    )
    volumes = {region: own[kept] for region, own in course.volumes.items()}
    return replace(course, people=people, months=course.months[kept], volumes=volumes)


def _list_jobs(
    course: Course,
    rng: np.random.Generator,
    parameters: GeneratorParameters,
    signs: Signs | None,
) -> list[PersonJob]:
    attended = simulate_attendance(course, rng, parameters.cohort)
    diagnoses = compute_diagnoses(course, parameters.cohort)
    full = complete_volumes(course, course.volumes)
    names = name_participants(course)
    sessions = np.array(name_sessions(course.planned_months), dtype=object)
    jobs = []
    for k, (name, own) in enumerate(zip(names, rng.spawn(len(names)), strict=True)):
        visits = np.flatnonzero(attended[k])
        table = pd.DataFrame(
            {
                "session_id": sessions[visits],
                "age_years": (course.people.age_years[k] + course.months[k, visits] / 12).round(3),
                "months_from_baseline": course.months[k, visits].round(2),
                "diagnosis": diagnoses[k, visits],
            }
        )
        volumes = [{region: float(full[region][k, v]) for region in TARGET_REGIONS} for v in visits]
        head = float(course.people.head_size_mm3[k])
        shown = None if signs is None else signs.pick(k, visits)
        jobs.append(PersonJob(name, table, volumes, head, own, shown))
    return jobs


def _write_truth(course: Course, root: Path) -> None:
    full = complete_volumes(course, course.volumes)
    shown = (*TARGET_REGIONS, "hippocampus", HEAD_SIZE)
    write_truth(build_truth(course, {region: full[region] for region in shown}), root)


_settings: ScanSettings | None = None


def _initialize(settings: ScanSettings) -> None:
    # a process's own copy, sent once instead of with each job
    global _settings
    _settings = settings
    threadpool_limits(1)
    end_with_parent()


def _run_job(job: PersonJob) -> None:
    if _settings is None:
        raise RuntimeError("a worker runs jobs only after _initialize")
    make_person(job, _settings)


def _run_jobs(
    jobs: Sequence[PersonJob], settings: ScanSettings, workers: int, on_person: Callable[[], None]
) -> None:
    waiting = [job for job in jobs if not is_finished(settings.root, job.participant_id)]
    for _ in range(len(jobs) - len(waiting)):
        on_person()
    if workers <= 1 or len(waiting) <= 1:
        # as in a worker: with more threads the last digits are others
        with threadpool_limits(1):
            for job in waiting:
                make_person(job, settings)
                on_person()
        return
    pool = ProcessPoolExecutor(
        min(workers, len(waiting)), get_context("spawn"), _initialize, (settings,)
    )
    try:
        for future in as_completed([pool.submit(_run_job, job) for job in waiting]):
            future.result()
            on_person()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def make_person(job: PersonJob, settings: ScanSettings) -> None:
    """Write one person's scans, from the anatomy that is nearest to the person's ventricles.

    Raises
    ------
    CohortError
        Where no anatomy can reach the person's volumes.
    """
    problems: list[str] = []
    for base, rng in zip(
        _order_anatomies(job, settings.bases), job.rng.spawn(_TRIES), strict=False
    ):
        try:
            scans = synthesize_scans(
                base,
                job.volumes,
                rng=rng,
                head_size_mm3=job.head_size_mm3,
                resolution_mm=settings.resolution_mm,
                parameters=settings.parameters,
                signs=job.signs,
                channels=settings.channels,
            )
        except CohortError as error:
            problems += [f"{job.participant_id}: {problem}" for problem in error.problems]
            continue
        write_person(settings.root, job.participant_id, job.sessions, scans)
        return
    raise CohortError(*problems)


def _order_anatomies(job: PersonJob, bases: Sequence[BaseAnatomy]) -> list[BaseAnatomy]:
    """Return anatomies to try: one of the three nearest at random first, then by nearness."""
    wanted = np.log(job.volumes[0]["lateral_ventricle"] / job.head_size_mm3)
    gaps = [abs(wanted - np.log(_measure_ventricle_share(base))) for base in bases]
    order: npt.NDArray[np.intp] = np.argsort(gaps)
    first = int(job.rng.integers(min(3, len(bases))))
    ranked = [bases[order[first]], *(bases[k] for i, k in enumerate(order) if i != first)]
    return (ranked * _TRIES)[:_TRIES]


def _measure_ventricle_share(base: BaseAnatomy) -> float:
    volumes = compute_label_volumes(base.labels, 1.0)
    return volumes["lateral_ventricle"] / volumes[HEAD_SIZE]
