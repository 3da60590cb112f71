"""Who is evaluated, with the truth, and on whom a regression is fitted beside."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brlp_models.errors import ModelError
from brlp_models.evaluation.methods import REFERENCE
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.evaluation.statistics import number_clusters
from brlp_models.evaluation.truth import load_true_cohort
from brlp_models.model.model import BrlpModel
from brlp_models.model.training_people import refuse_people_known
from brlp_models.scans.files import read_scan
from brlp_models.scans.grid import Grid
from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.synthetic import synthesize_table
from cohorts.synthetic.parameters import GeneratorParameters
from cohorts.synthetic.truth import find_noiseless_scan, read_base_anatomies, read_generator

N_ARCHIVE = 4000
"""Simulated people that the tabular reference learns from, as many as a large archive has."""

FEWEST_CROSS_FITTED = 150
"""Cross-fitted on fewer people, the tabular reference is weaker than a user's archive makes it."""


@dataclass(frozen=True)
class EvaluatedCohort:
    """A cohort with what is truly known of it.

    Parameters
    ----------
    cohort
        People with scans at baseline, and volumes at later visits.
    folder
        Where it lies; a synthetic cohort's truth is read from there.
    """

    cohort: Cohort
    folder: Path | None = None

    @property
    def has_later_scans(self) -> bool:
        """Whether anybody was scanned after the baseline visit."""
        visits = self.cohort.visits
        return bool(visits.loc[visits["months_from_baseline"] > 0, "image_path"].notna().any())

    def load_truth(self) -> tuple[Cohort, str]:
        """Return the people with their true volumes, and `latent` or `measured`."""
        return load_true_cohort(self.cohort, self.folder)

    def list_scanned(self) -> list[str]:
        """Return who has a scan at baseline."""
        visits = self.cohort.until(0).visits
        has_scan = visits["image_path"].notna()
        return [str(name) for name in visits.loc[has_scan, "participant_id"].unique()]

    def find_anatomies(self) -> "pd.Series[str] | None":
        """Return synthetic people's base anatomies; None where nobody knows them."""
        return None if self.folder is None else read_base_anatomies(self.folder)

    def find_noiseless(
        self, participant_id: str, session_id: str, grid: Grid
    ) -> torch.Tensor | None:
        """Return a visit's T1w (1, *shape) without noise, where it lies on a model's grid."""
        if self.folder is None:
            return None
        path = find_noiseless_scan(self.folder, participant_id, session_id)
        if not path.is_file():
            return None
        scan = read_scan(path)
        return torch.from_numpy(scan.data)[None] if scan.grid == grid else None

    def find_generator(self) -> GeneratorParameters:
        """Return the parameters of the generator that made synthetic people."""
        return GeneratorParameters() if self.folder is None else read_generator(self.folder)


def simulate_archive(
    settings: EvaluationSettings, generator: GeneratorParameters
) -> EvaluatedCohort:
    """Return people of a generator, as many as an archive has, with visits at the horizons."""
    cohort, _ = synthesize_table(
        N_ARCHIVE,
        rng=np.random.default_rng([settings.seed, 2]),
        visits_months=sorted({0.0, *settings.horizons_months}),
        parameters=generator.cohort,
        label="archive",
    )
    return EvaluatedCohort(cohort)


def describe_reference(people: EvaluatedCohort, training: EvaluatedCohort | None) -> pd.DataFrame:
    """Return what the regression on the baseline table was fitted on, in one row."""
    fitted = people if training is None else training
    n_people = len(fitted.cohort.participants)
    how = "cross-fitted on the evaluated people" if training is None else "fitted on other people"
    weak = training is None and n_people < FEWEST_CROSS_FITTED
    note = f"fewer than {FEWEST_CROSS_FITTED}: weaker than an archive would make it" if weak else ""
    return pd.DataFrame([{"method": REFERENCE, "n_people": n_people, "how": how, "note": note}])


def describe_anatomies(people: EvaluatedCohort) -> str | None:
    """Return that people share anatomies, which intervals over people do not know; None if not."""
    names = people.cohort.participants["participant_id"].astype(str)
    _, n_anatomies = number_clusters(names, people.find_anatomies())
    if n_anatomies == len(names):
        return None
    plural = "y" if n_anatomies == 1 else "ies"
    return (
        f"These {tally(len(names), 'people were')} drawn from {n_anatomies} anatom{plural}: "
        "intervals are "
        "over people, and tell nothing of how other anatomies would differ."
    )


def refuse_shared_people(people: Cohort, others: Cohort, purpose: str) -> None:
    """Refuse people who are among those that something is fitted on.

    One id alone does not make two people one: simulated cohorts share ids. Age, and every number
    of the baseline table, must agree as well.

    Parameters
    ----------
    people, others
        Those who are judged or predicted, and those that are fitted on.
    purpose
        What is fitted on the others, with its verb.

    Raises
    ------
    ModelError
        Where somebody is in both.
    """
    mine, theirs = people.baseline(), others.baseline()
    ids = mine.index.intersection(theirs.index)
    columns = [name for name in mine.select_dtypes("number") if name in theirs]
    here, there = (table.loc[ids, columns].to_numpy(float) for table in (mine, theirs))
    same = np.isclose(here, there, rtol=1e-6, equal_nan=True).all(axis=1)
    if same.any():
        raise ModelError(
            f"{purpose} other people: {int(same.sum())} of the {len(mine)} are in both cohorts "
            f"(first: {ids[same][0]})."
        )


def refuse_known_people(
    model: BrlpModel,
    people: EvaluatedCohort,
    training: EvaluatedCohort | None,
    calibration: EvaluatedCohort | None,
) -> None:
    """Refuse people whom the model, its calibration or the tabular reference knows.

    Parameters
    ----------
    model, people, training, calibration
        As in `evaluate_model`.

    Raises
    ------
    ModelError
        Where somebody is among those.
    """
    own = people.cohort
    refuse_people_known(model, own)
    if calibration is not None:
        refuse_shared_people(own, calibration.cohort, "Intervals must be calibrated on")
    if training is not None:
        refuse_shared_people(own, training.cohort, "The tabular reference must be fitted on")
