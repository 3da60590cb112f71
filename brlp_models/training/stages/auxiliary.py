"""Fitting of the auxiliary models, which predict regional volumes without any image."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from brlp_models.auxiliary.course import ProgressionAuxiliary
from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.model.config import ModelConfig
from cohorts.cohort import Cohort
from cohorts.synthetic.parameters import GeneratorParameters
from cohorts.synthetic.trajectories import compute_true_volumes, sample_people

ONE_VISIT, SEVERAL_VISITS = "auxiliary/huber.json", "auxiliary/progression.json"
FILES = {"one_visit": ONE_VISIT, "several_visits": SEVERAL_VISITS}

_MOST_FOR_PROGRESSION = 90
_VISIT_MONTHS = (0.0, 12.0, 24.0, 36.0, 48.0, 60.0)


def fit_auxiliary(
    cohort: Cohort,
    config: ModelConfig,
    *,
    covariates: Sequence[str] = (),
) -> dict[str, str]:
    """Fit both auxiliary models on a training cohort.

    Parameters
    ----------
    cohort
        Its visits and volumes, in MNI space.
    config
        Its context names the regions; `measured_by` is written down.
    covariates
        Further columns for the one-visit regression.

    Returns
    -------
    dict
        The text of each file of `FILES`.
    """
    regions = tuple(
        dict.fromkeys(entry.name.partition(":")[2] for entry in config.context if ":" in entry.name)
    )
    table = cohort.baseline()
    huber = HuberAuxiliary.fit(
        table,
        cohort.visit_volumes(regions),
        regions=regions,
        covariates=covariates,
        volume_space="mni",
    )
    some = table.index[:_MOST_FOR_PROGRESSION]
    progression = ProgressionAuxiliary.fit(
        table.loc[some],
        cohort.select(some).visit_volumes(regions),
        regions=regions,
        volume_space="mni",
    )
    return {
        name: json.dumps(replace(model, measured_by=config.measured_by).to_dict(), indent=1) + "\n"
        for name, model in ((ONE_VISIT, huber), (SEVERAL_VISITS, progression))
    }


def convert_to_mni(cohort: Cohort, index: pd.DataFrame) -> Cohort:
    """Return a cohort with its volumes in MNI space, where scans are predicted.

    Parameters
    ----------
    cohort
        Volumes in native mm3.
    index
        A bank of its scans, with the `determinant` of every visit's affine to MNI space. Visits
        that it lacks lose their volumes.
    """
    by_visit = index[["participant_id", "session_id", "determinant"]]
    placed = cohort.volumes.merge(by_visit, on=["participant_id", "session_id"])
    placed["volume_mm3"] *= placed.pop("determinant")
    return replace(cohort, volumes=placed)


def estimate_mni_head_size(
    index: pd.DataFrame, *, parameters: GeneratorParameters | None = None
) -> float:
    """Return the head size (mm3) that alignment to MNI space gives everyone.

    Parameters
    ----------
    index
        A synthetic bank's: `cerebral_cortex_mm3` in MNI space at baseline.
    parameters
        The generator's, which say how much of a head is cortex.
    """
    population = (parameters or GeneratorParameters()).cohort
    people = sample_people(2000, rng=np.random.default_rng(0), parameters=population)
    native = compute_true_volumes(people, np.zeros((2000, 1)), parameters=population)
    share = float(np.mean(native["cerebral_cortex"][:, 0] / people.head_size_mm3))
    first = index[index["months_from_baseline"] == 0]
    return float(first["cerebral_cortex_mm3"].mean()) / share


def synthesize_training_table(
    n_people: int,
    *,
    rng: np.random.Generator,
    mni_head_size_mm3: float,
    parameters: GeneratorParameters | None = None,
) -> Cohort:
    """Return people without scans, with yearly visits and measurement error, volumes in MNI space.

    Parameters
    ----------
    n_people
        How many.
    rng
        Draws people and errors.
    mni_head_size_mm3
        The head size that registration to MNI space gives everyone.
    parameters
        The generator's.
    """
    population = (parameters or GeneratorParameters()).cohort
    people = sample_people(n_people, rng=rng, parameters=population)
    years = np.tile(np.array(_VISIT_MONTHS) / 12, (n_people, 1))
    true = compute_true_volumes(people, years, parameters=population)
    determinant = mni_head_size_mm3 / people.head_size_mm3[:, None]
    names = np.array([f"sub-aux{k:05d}" for k in range(n_people)])
    diagnosis = np.array([group.diagnosis for group in population.groups])[people.group]
    participants = pd.DataFrame(
        {
            "participant_id": names,
            "sex": np.where(people.is_female, "F", "M"),
            "age_years": people.age_years,
            "diagnosis": diagnosis,
            "apoe4": people.n_alleles,
        }
    )
    sessions = [f"ses-{int(months):02d}" for months in _VISIT_MONTHS]
    visits = pd.DataFrame(
        {
            "participant_id": np.repeat(names, len(sessions)),
            "session_id": np.tile(sessions, n_people),
            "age_years": (people.age_years[:, None] + years).ravel(),
            "months_from_baseline": np.tile(_VISIT_MONTHS, n_people),
            "diagnosis": np.repeat(diagnosis, len(sessions)),
            "image_path": None,
            "segmentation_path": None,
        }
    )
    volumes = pd.concat(
        visits[["participant_id", "session_id"]].assign(
            region=trajectory.region,
            volume_mm3=(
                true[trajectory.region]
                * determinant
                * np.exp(rng.normal(0, trajectory.measurement_sd, years.shape))
            ).ravel(),
            source="synthetic",
        )
        for trajectory in population.regions
    )
    return Cohort(participants, visits, volumes, name="auxiliary training", is_synthetic=True)
