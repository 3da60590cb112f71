"""A synthetic person's tables, as those have them whom the bundled regressions learned from."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cohorts.synthetic.parameters import CohortParameters
from cohorts.synthetic.tabular import Course, measure_volumes, tabulate_participants
from cohorts.synthetic.trajectories import SyntheticPeople, compute_true_volumes

COVARIATES = ("education_years", "mmse")
"""What is known of a person beside sex, age, diagnosis and APOE4."""

MEASURED = "measured_"
"""Begins the names of volumes that a segmentation measures, in native mm3."""


def tabulate_person(
    people: SyntheticPeople,
    years: npt.NDArray[np.float64],
    rng: np.random.Generator,
    parameters: CohortParameters,
) -> list[dict[str, Any]]:
    """Return what tables say of one person at each visit: covariates, and measured volumes.

    Volumes are those of the course with a segmentation's error, drawn as in
    `brlp_models.training.banks.measured_people`: `csf` is what the head holds beside the brain. A
    scan shows the same deep structures and cortex; its white matter and outer fluid are what the
    base anatomy leaves for them.

    Parameters
    ----------
    people
        One person.
    years
        Since baseline, (1, n_visits).
    rng
        Draws the covariates and the errors.
    parameters
        The population.
    """
    return tabulate_course(build_course(people, years, parameters), rng, parameters)


def build_course(
    people: SyntheticPeople, years: npt.NDArray[np.float64], parameters: CohortParameters
) -> Course:
    """Return the visits of people whom `sample_people` drew, at `years` (n, visits)."""
    months = 12 * years
    volumes = compute_true_volumes(people, years, parameters=parameters)
    return Course(people, tuple(months[0].tolist()), months, volumes)


def tabulate_course(
    course: Course, rng: np.random.Generator, parameters: CohortParameters
) -> list[dict[str, Any]]:
    """Return what tables say of one person of a course at each visit; see `tabulate_person`."""
    measured = measure_volumes(course, rng, parameters)
    person = tabulate_participants(course, rng, parameters).iloc[0]
    covariates = {name: float(person[name]) for name in COVARIATES}
    return [
        covariates | {f"{MEASURED}{region}": float(own[0, k]) for region, own in measured.items()}
        for k in range(course.months.shape[1])
    ]
