"""A synthetic cohort as tables: people, visits, measured volumes, truth."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.schema import BRAIN, HEAD_SIZE
from cohorts.synthetic.parameters import CohortParameters
from cohorts.synthetic.trajectories import (
    Array,
    SyntheticPeople,
    compute_true_volumes,
    sample_people,
)
from cohorts.synthetic.truth import Truth

SOURCE = "synthetic"
"""The `source` of volumes that the generator measured."""

VISITS_MONTHS = (0.0, 6.0, 12.0, 24.0, 36.0)
"""Planned visits, when nothing else is asked for."""

_DIAGNOSES = np.array(["CN", "MCI", "AD"])


@dataclass(frozen=True)
class Course:
    """Everybody's visits, in arrays of (n, visits).

    Parameters
    ----------
    people
        Who they are.
    planned_months
        The visits' names.
    months
        When they took place.
    volumes
        Region -> mm3 without error.
    label
        Begins the names of the people.
    """

    people: SyntheticPeople
    planned_months: tuple[float, ...]
    months: Array
    volumes: dict[str, Array]
    label: str = "synth"


_LARGEST_VENTRICLE_MM3 = 600_000.0


def synthesize_table(
    n_participants: int,
    *,
    rng: np.random.Generator,
    visits_months: Sequence[float] = VISITS_MONTHS,
    parameters: CohortParameters | None = None,
    label: str = "synth",
) -> tuple[Cohort, Truth]:
    """Return a synthetic cohort with measured volumes, and its truth.

    Parameters
    ----------
    n_participants
        How many people.
    rng
        Decides everything.
    visits_months
        Planned visits, from 0 upwards.
    parameters
        The population.
    label
        Begins everyone's name, so that two cohorts have no name in common.

    Raises
    ------
    CohortError
        For fewer than one participant, or visits that do not rise from 0.
    """
    parameters = parameters or CohortParameters()
    course = simulate_course(
        n_participants, rng=rng, visits_months=visits_months, parameters=parameters
    )
    course = replace(course, label=label)
    attended = simulate_attendance(course, rng, parameters)
    measured = measure_volumes(course, rng, parameters)
    cohort = Cohort(
        participants=tabulate_participants(course, rng, parameters),
        visits=_build_visits(course, attended, parameters),
        volumes=_build_volumes(course, measured, attended).assign(source=SOURCE),
        name=f"synthetic cohort of {n_participants}",
        is_synthetic=True,
    )
    return cohort, build_truth(course, complete_volumes(course, course.volumes))


def simulate_course(
    n_participants: int,
    *,
    rng: np.random.Generator,
    visits_months: Sequence[float],
    parameters: CohortParameters,
) -> Course:
    """Return people and their volumes at every visit; see `synthesize_table`."""
    planned = tuple(float(month) for month in visits_months)
    if n_participants < 1:
        raise CohortError(f"A cohort needs at least 1 participant, got {n_participants}.")
    if not planned or planned[0] != 0 or any(b <= a for a, b in itertools.pairwise(planned)):
        raise CohortError(
            f"Planned visits must rise from 0, got {', '.join(f'{m:g}' for m in planned)}."
        )
    people = sample_people(n_participants, rng=rng, parameters=parameters)
    jitter = rng.normal(0, parameters.visit_jitter_sd_months, (n_participants, len(planned)))
    # a visit never comes before its neighbour, however short the plan's intervals
    limit = min((0.4 * (b - a) for a, b in itertools.pairwise(planned)), default=0.0)
    months = np.array(planned) + np.clip(jitter, -limit, limit) * (np.array(planned) > 0)
    volumes = compute_true_volumes(people, months / 12, parameters=parameters)
    # among 100,000 people a log-normal's tail is more than a head holds
    volumes["lateral_ventricle"] = np.minimum(volumes["lateral_ventricle"], _LARGEST_VENTRICLE_MM3)
    return Course(people, planned, months, volumes)


def complete_volumes(course: Course, volumes: Mapping[str, Array]) -> dict[str, Array]:
    """Return the volumes with the hippocampus's sides, brain, head size and outer fluid."""
    left = course.people.left_share[:, None] * volumes["hippocampus"]
    head = volumes.get(HEAD_SIZE)
    if head is None:
        head = np.broadcast_to(course.people.head_size_mm3[:, None], left.shape)
    brain = sum(volumes[region] for region in volumes if region != HEAD_SIZE)
    named = {region: own for region, own in volumes.items() if region not in ("other", HEAD_SIZE)}
    # a head cannot be smaller than its brain, nor be without fluid
    head = np.maximum(head, 1.02 * brain)
    return {
        "left_hippocampus": left,
        "right_hippocampus": volumes["hippocampus"] - left,
        **named,
        "csf": head - brain,
        BRAIN: np.asarray(brain),
        HEAD_SIZE: head,
    }


def tabulate_participants(
    course: Course, rng: np.random.Generator, parameters: CohortParameters
) -> pd.DataFrame:
    """Return the participants table: baseline information alone."""
    people = course.people
    n = people.group.size
    decline = 29.3 - 0.75 * np.logaddexp(0, people.stage_years + 3) + rng.normal(0, 1.1, n)
    floor = np.array([25, 22, 10])[people.group]
    return pd.DataFrame(
        {
            "participant_id": name_participants(course),
            "sex": np.where(people.is_female, "F", "M"),
            "age_years": people.age_years.round(2),
            "diagnosis": _DIAGNOSES[people.group],
            "apoe4": people.n_alleles,
            "education_years": np.clip(np.rint(rng.normal(15.5, 2.8, n)), 6, 20),
            "mmse": np.clip(np.rint(decline), floor, 30),
            "site": np.array([f"site-{k + 1:02d}" for k in range(parameters.n_sites)])[
                rng.integers(0, parameters.n_sites, n)
            ],
        }
    )


def name_participants(course: Course) -> npt.NDArray[np.object_]:
    """Return `sub-synth0001` and so on, with as many digits as the number of people needs."""
    n = course.people.group.size
    digits = max(4, len(str(n)))
    return np.array([f"sub-{course.label}{k + 1:0{digits}d}" for k in range(n)], dtype=object)


def name_sessions(planned_months: Sequence[float]) -> list[str]:
    """Return `ses-m00`, `ses-m12` and so on."""
    return [f"ses-m{month:02g}".replace(".", "p") for month in planned_months]


def compute_diagnoses(course: Course, parameters: CohortParameters) -> npt.NDArray[np.str_]:
    """Return the diagnosis at each visit: it follows the stage and never improves."""
    stage = course.people.compute_stage(course.months / 12)
    start = stage[:, :1] + 0.8
    level = np.broadcast_to(course.people.group[:, None], stage.shape).copy()
    level[(level == 0) & (stage >= np.maximum(parameters.mci_threshold_years, start))] = 1
    level[(level == 1) & (stage >= np.maximum(parameters.dementia_threshold_years, start))] = 2
    level[:, 0] = course.people.group
    return _DIAGNOSES[level]


def build_truth(course: Course, volumes: Mapping[str, Array]) -> Truth:
    """Return the truth tables of a course."""
    people = course.people
    everything = np.ones(course.months.shape, dtype=bool)
    long = _build_volumes(course, volumes, everything)
    months = np.tile(course.months.ravel(), len(volumes))
    long.insert(2, "months_from_baseline", months)
    hippocampus = course.volumes["hippocampus"]
    years = np.maximum(course.months[:, -1:], 1e-9) / 12
    last = np.abs(course.months - 24).argmin(axis=1)
    rows = np.arange(last.size)
    years = np.maximum(course.months[rows, last], 1e-9) / 12
    change = (hippocampus[rows, last] / hippocampus[:, 0] - 1) * 100 / years
    participants = pd.DataFrame(
        {
            "participant_id": name_participants(course),
            "stage_years": people.stage_years,
            "speed": people.speed,
            "ageing_rate": people.ageing_rate,
            "annual_change_percent": change,
        }
    )
    return Truth(participants, long)


def simulate_attendance(
    course: Course, rng: np.random.Generator, parameters: CohortParameters
) -> npt.NDArray[np.bool_]:
    """Return who attends which visit: drop-out is monotone and follows diagnosis and stage."""
    people = course.people
    base = np.array([g.annual_dropout for g in parameters.groups])[people.group]
    stage = np.array([g.stage_mean_years for g in parameters.groups])[people.group]
    hazard = base * np.exp(parameters.dropout_per_stage_year * (people.stage_years - stage))
    survival = np.exp(-hazard[:, None] * course.months / 12)
    attended: npt.NDArray[np.bool_] = rng.random(people.group.size)[:, None] <= survival
    return attended


def measure_volumes(
    course: Course, rng: np.random.Generator, parameters: CohortParameters
) -> dict[str, Array]:
    """Return volumes with the segmentation's error; the hippocampus's sides err on their own."""
    errors = {region.region: region.measurement_sd for region in parameters.regions}
    noisy = {
        region: volume * np.exp(errors.get(region, 0.0) * rng.standard_normal(volume.shape))
        for region, volume in course.volumes.items()
    }
    shape = course.months.shape
    head = course.people.head_size_mm3[:, None] * np.exp(
        parameters.head_size_measurement_sd * rng.standard_normal(shape)
    )
    full = complete_volumes(course, noisy | {HEAD_SIZE: head})
    # exchanging a share between the sides leaves their sum, hence the region's error, as it is
    swap = errors["hippocampus"] * full["hippocampus"] / 2 * rng.standard_normal(shape)
    full["left_hippocampus"] = full["left_hippocampus"] + swap
    full["right_hippocampus"] = full["right_hippocampus"] - swap
    return full


def _build_visits(
    course: Course, attended: npt.NDArray[np.bool_], parameters: CohortParameters
) -> pd.DataFrame:
    keep = attended.ravel()
    age = course.people.age_years.round(2)[:, None] + course.months / 12
    frame = pd.DataFrame(_name_rows(course, keep))
    frame["age_years"] = age.ravel()[keep]
    frame["months_from_baseline"] = course.months.ravel()[keep]
    frame["diagnosis"] = compute_diagnoses(course, parameters).ravel()[keep]
    frame["image_path"] = None
    frame["segmentation_path"] = None
    return frame


def _build_volumes(
    course: Course, volumes: Mapping[str, Array], attended: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    keep = attended.ravel()
    names = _name_rows(course, keep)
    n_rows = int(keep.sum())
    regions = pd.array(list(volumes), dtype="str")
    repeated = np.tile(np.arange(n_rows), len(volumes))
    return pd.DataFrame(
        {
            **{column: own.take(repeated) for column, own in names.items()},
            "region": regions.take(np.repeat(np.arange(len(volumes)), n_rows)),
            "volume_mm3": np.concatenate([own.ravel()[keep] for own in volumes.values()]),
        }
    )


def _name_rows(
    course: Course, keep: npt.NDArray[np.bool_]
) -> dict[str, pd.api.extensions.ExtensionArray]:
    n_visits = course.months.shape[1]
    person, visit = np.divmod(np.flatnonzero(keep), n_visits)
    return {
        "participant_id": pd.array(name_participants(course), dtype="str").take(person),
        "session_id": pd.array(name_sessions(course.planned_months), dtype="str").take(visit),
    }
