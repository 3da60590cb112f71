"""The latent course of each person: stage, speed, ageing, and the volumes that follow from them.

Regions follow logistic curves on a common axis of disease stage, which each person enters at an
individual time and runs at an individual speed (Jedynak et al. 2012, NeuroImage 63:1478; Schiratti
et al. 2017, JMLR 18:1), times an exponential decline with age.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from cohorts.synthetic.parameters import CohortParameters, RegionTrajectory

Array = npt.NDArray[np.float64]

_REFERENCE_AGE_YEARS = 60.0
_RATE_AGE_YEARS = 73.0
_REFERENCE_HEAD_MM3 = 1.5e6


@dataclass(frozen=True)
class SyntheticPeople:
    """What is latent, and what is fixed, about each person; arrays of one value a person.

    Parameters
    ----------
    group
        Index into `CohortParameters.groups`.
    is_female
        Sex.
    age_years
        At baseline.
    n_alleles
        APOE4 alleles.
    stage_years
        Latent disease stage at baseline.
    speed
        Stage years per year.
    ageing_rate
        Relative to the average person.
    head_size_mm3
        Without measurement error.
    left_share
        Of the hippocampus.
    size
        (n, regions + 1): log deviation of each region, and of the rest of the brain.
    """

    group: npt.NDArray[np.intp]
    is_female: npt.NDArray[np.bool_]
    age_years: Array
    n_alleles: npt.NDArray[np.int64]
    stage_years: Array
    speed: Array
    ageing_rate: Array
    head_size_mm3: Array
    left_share: Array
    size: Array

    def compute_stage(self, years: Array) -> Array:
        """Return the stage after `years` (n, visits)."""
        stage: Array = self.stage_years[:, None] + self.speed[:, None] * years
        return stage


def sample_people(
    n_participants: int, *, rng: np.random.Generator, parameters: CohortParameters
) -> SyntheticPeople:
    """Draw the people of a cohort.

    Parameters
    ----------
    n_participants
        How many.
    rng
        Decides everything about them.
    parameters
        The population.
    """
    n = n_participants
    groups = parameters.groups
    group = rng.choice(len(groups), n, p=[g.share for g in groups])
    on_course = rng.random(n) < np.array([g.on_course_share for g in groups])[group]
    frequency = np.where(
        on_course,
        np.array([g.allele_frequency for g in groups])[group],
        parameters.off_course_allele_frequency,
    )
    n_alleles = rng.binomial(2, frequency)
    stage = np.where(
        on_course,
        _pick_normal(rng, group, [(g.stage_mean_years, g.stage_sd_years) for g in groups]),
        rng.normal(parameters.off_course_stage_mean_years, parameters.off_course_stage_sd_years, n),
    )
    is_female = rng.random(n) < 0.5
    women, men = parameters.head_size_mean_mm3
    head = np.where(is_female, women, men) + rng.normal(0, parameters.head_size_sd_mm3, n)
    log_speed = rng.normal(0, parameters.speed_sd, n) - parameters.speed_sd**2 / 2
    return SyntheticPeople(
        group=group,
        is_female=is_female,
        age_years=_sample_ages(rng, group, parameters),
        n_alleles=n_alleles,
        stage_years=stage,
        speed=np.exp(log_speed + parameters.speed_per_allele * (n_alleles - 1)),
        ageing_rate=np.exp(
            rng.normal(0, parameters.ageing_rate_sd, n) - parameters.ageing_rate_sd**2 / 2
        ),
        head_size_mm3=np.clip(head, 1.0e6, 2.1e6),
        left_share=rng.normal(parameters.left_share_mean, parameters.left_share_sd, n),
        size=_sample_sizes(n, rng, parameters),
    )


def compute_true_volumes(
    people: SyntheticPeople, years: Array, *, parameters: CohortParameters
) -> dict[str, Array]:
    """Return region -> (n, visits) volumes in mm3 without measurement error.

    Parameters
    ----------
    people
        From `sample_people`.
    years
        (n, visits): time since baseline.
    parameters
        The population.
    """
    age = people.age_years[:, None] + years
    stage = people.compute_stage(years)
    volumes = {
        trajectory.region: _follow(people, trajectory, people.size[:, k], age, stage, parameters)
        for k, trajectory in enumerate(parameters.regions)
    }
    rest = RegionTrajectory(
        region="other",
        volume_mm3=parameters.other_brain_mm3,
        head_exponent=0.9,
        between_sd=parameters.other_brain_sd,
        ageing_percent_per_year=parameters.other_ageing_percent_per_year,
        loss=0.0,
        midpoint_years=0.0,
        width_years=1.0,
        measurement_sd=0.0,
    )
    volumes["other"] = _follow(people, rest, people.size[:, -1], age, stage, parameters)
    return volumes


def _follow(
    people: SyntheticPeople,
    trajectory: RegionTrajectory,
    size: Array,
    age: Array,
    stage: Array,
    parameters: CohortParameters,
) -> Array:
    head = (people.head_size_mm3 / _REFERENCE_HEAD_MM3) ** trajectory.head_exponent
    start = trajectory.volume_mm3 * head * np.exp(trajectory.between_sd * size)
    rate = trajectory.ageing_percent_per_year / 100 * people.ageing_rate[:, None]
    ageing = rate * _integrate_ageing(age, parameters.ageing_acceleration_per_year)
    disease = expit((stage - trajectory.midpoint_years) / trajectory.width_years)
    volume: Array = start[:, None] * np.exp(-ageing) * (1 - trajectory.loss * disease)
    return volume


def _integrate_ageing(age: Array, acceleration: float) -> Array:
    """Return the years of ageing since 60, at the pace of a 73-year-old."""
    since = age - _REFERENCE_AGE_YEARS
    offset = 1 + acceleration * (_REFERENCE_AGE_YEARS - _RATE_AGE_YEARS)
    total: Array = offset * since + acceleration * since**2 / 2
    return total


def _pick_normal(
    rng: np.random.Generator, group: npt.NDArray[np.intp], moments: list[tuple[float, float]]
) -> Array:
    mean, sd = np.array(moments).T
    drawn: Array = mean[group] + sd[group] * rng.standard_normal(group.size)
    return drawn


def _sample_ages(
    rng: np.random.Generator, group: npt.NDArray[np.intp], parameters: CohortParameters
) -> Array:
    moments = [(g.age_mean_years, g.age_sd_years) for g in parameters.groups]
    return np.clip(_pick_normal(rng, group, moments), *parameters.age_range_years)


def _sample_sizes(n: int, rng: np.random.Generator, parameters: CohortParameters) -> Array:
    """Return standard normal deviations; tissue shares a part, the ventricle is on its own."""
    own = rng.standard_normal((n, len(parameters.regions) + 1))
    shared = rng.standard_normal(n)[:, None]
    mixing = np.full(own.shape[1], parameters.shared_variation)
    for k, trajectory in enumerate(parameters.regions):
        if trajectory.loss < 0:
            mixing[k] = 0
    sizes: Array = np.sqrt(mixing) * shared + np.sqrt(1 - mixing) * own
    return sizes
