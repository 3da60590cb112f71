"""What a scan of a person shows beyond the tabled volumes.

With the stage, the cortex's contrast to white matter falls (Salat et al. 2011, NeuroImage 54:1795;
Jefferson et al. 2015, Brain Imaging Behav 9:141) and white-matter lesions grow (Brickman et al.
2015, Neurobiol Aging 36:27; Lee et al. 2016, Ann Neurol 79:929). With the speed go the shape of
the hippocampus, its head and CA1 side (Csernansky et al. 2005, NeuroImage 25:783; Apostolova et
al. 2006, Arch Neurol 63:693), and a thinning pattern between hippocampal-sparing and
limbic-predominant subtypes (Murray et al. 2011, Lancet Neurol 10:785; Risacher et al. 2017,
Neurology 89:2176).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit

from cohorts.synthetic.parameters import GeneratorParameters
from cohorts.synthetic.signs.lobes import LOBES
from cohorts.synthetic.trajectories import Array, SyntheticPeople, sample_people

_REFERENCE_AGE_YEARS = 73.0


@dataclass(frozen=True)
class PersonSigns:
    """One person's signs; the shapes stay what they are at baseline.

    Parameters
    ----------
    brightening
        (visits, lobes): the share by which the cortex is brighter than its tissue's mean.
    lesion_mm3
        (visits): volume of white-matter lesions.
    lesion_depth
        The share by which a lesion is darker than white matter.
    head_mm, ca1_mm, pattern_mm
        As in `SignParameters`.
    """

    brightening: Array
    lesion_mm3: Array
    lesion_depth: float
    head_mm: float
    ca1_mm: float
    pattern_mm: float


@dataclass(frozen=True)
class Signs:
    """Everybody's signs, arrays of (n, ...); see `PersonSigns`."""

    brightening: Array
    lesion_mm3: Array
    lesion_depth: float
    head_mm: Array
    ca1_mm: Array
    pattern_mm: Array

    def pick(self, person: int, visits: npt.NDArray[np.intp] | slice = slice(None)) -> PersonSigns:
        """Return one person's signs at some visits."""
        return PersonSigns(
            brightening=self.brightening[person, visits],
            lesion_mm3=self.lesion_mm3[person, visits],
            lesion_depth=self.lesion_depth,
            head_mm=float(self.head_mm[person]),
            ca1_mm=float(self.ca1_mm[person]),
            pattern_mm=float(self.pattern_mm[person]),
        )

    def tabulate(self, participants: npt.NDArray[np.object_]) -> pd.DataFrame:
        """Return a row a person with the signs at baseline."""
        return pd.DataFrame(
            {
                "participant_id": participants,
                **{
                    f"brightening_{lobe}": self.brightening[:, 0, k] for k, lobe in enumerate(LOBES)
                },
                "lesion_mm3": self.lesion_mm3[:, 0],
                "head_mm": self.head_mm,
                "ca1_mm": self.ca1_mm,
                "pattern_mm": self.pattern_mm,
            }
        )


def sample_signs(
    people: SyntheticPeople,
    years: Array,
    *,
    rng: np.random.Generator,
    parameters: GeneratorParameters,
) -> Signs | None:
    """Draw what people's scans show beyond their volumes; None with a generator without signs.

    Parameters
    ----------
    people
        From `sample_people`.
    years
        (n, visits): time since baseline.
    rng
        Decides what differs between people of the same course.
    parameters
        The generator's.
    """
    own = parameters.signs
    if own is None:
        return None
    n = people.age_years.size
    course = (
        sample_people(n, rng=rng, parameters=parameters.cohort) if own.is_independent else people
    )
    pathology = expit((course.compute_stage(years) - own.onset_stage_years) / own.onset_width_years)
    lobes = rng.normal(0, own.lobe_contrast_sd, (n, 1, len(LOBES)))
    age = people.age_years[:, None] + years - _REFERENCE_AGE_YEARS
    lesions = own.lesion_per_year * age + own.lesion_gain * pathology
    lesions = lesions + own.lesion_sd * rng.standard_normal(n)[:, None]
    log_speed = np.log(course.speed) + parameters.cohort.speed_sd**2 / 2
    speed = log_speed / parameters.cohort.speed_sd
    head, ca1 = (_correlate(speed, own.shape_correlation, rng) for _ in range(2))
    return Signs(
        brightening=lobes + pathology[:, :, None] * np.array(own.contrast_loss),
        lesion_mm3=own.lesion_mm3 * np.exp(lesions),
        lesion_depth=own.lesion_depth,
        head_mm=own.head_sd_mm * head,
        ca1_mm=own.ca1_sd_mm * ca1,
        pattern_mm=own.pattern_sd_mm * _correlate(speed, own.pattern_correlation, rng),
    )


def _correlate(standard: Array, correlation: float, rng: np.random.Generator) -> Array:
    rest = np.sqrt(1 - correlation**2) * rng.standard_normal(standard.size)
    return np.asarray(correlation * standard + rest)
