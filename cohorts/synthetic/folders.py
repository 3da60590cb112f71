"""Synthetic people made and written in one step, with their truth beside them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.files.folder import is_cohort_folder, read_description
from cohorts.synthetic.parameters import GeneratorParameters
from cohorts.synthetic.tabular import VISITS_MONTHS, synthesize_table
from cohorts.synthetic.trial import (
    TRIAL_FILE,
    TRIAL_VISITS_MONTHS,
    SyntheticTrial,
    synthesize_trial,
    write_trial,
)
from cohorts.synthetic.truth import write_generator, write_truth


def write_people(
    folder: str | Path,
    n_participants: int,
    *,
    seed: int,
    visits_months: Sequence[float] | None = None,
    label: str = "synth",
    parameters: GeneratorParameters | None = None,
) -> Cohort:
    """Write a cohort folder of synthetic people; the truth goes to `truth/`.

    Parameters
    ----------
    folder
        Where the tables go.
    n_participants
        How many people.
    seed
        Of everything random.
    visits_months
        Planned visits, from 0; `VISITS_MONTHS` when None.
    label
        Begins everyone's name.
    parameters
        The generator's; its signs are in scans alone, a table has none.

    Raises
    ------
    CohortError
        Where the visits cannot be, the folder cannot be written, or it holds people who are not
        synthetic.
    """
    refuse_real(Path(folder))
    cohort, truth = synthesize_table(
        n_participants,
        rng=np.random.default_rng(seed),
        visits_months=visits_months or VISITS_MONTHS,
        label=label,
        parameters=None if parameters is None else parameters.cohort,
    )
    cohort.write(Path(folder))
    write_truth(truth, Path(folder))
    write_generator(parameters or GeneratorParameters(), Path(folder))
    return cohort


def write_finished_trial(
    folder: str | Path,
    n_participants: int,
    *,
    seed: int,
    visits_months: Sequence[float] | None = None,
    slowing: float = 0.3,
    share_treated: float = 0.5,
    dropout: float = 0.2,
    label: str = "trial",
) -> SyntheticTrial:
    """Write a finished synthetic trial: `trial.csv`, its people at baseline, the truth.

    Parameters
    ----------
    folder
        Where the files go.
    n_participants, seed, visits_months, label
        As in `write_people`; `TRIAL_VISITS_MONTHS` when None.
    slowing, share_treated, dropout
        As in `synthesize_trial`.

    Raises
    ------
    CohortError
        Where a value cannot be, the folder cannot be written, or it holds people or a trial that
        are not synthetic.
    """
    refuse_real(Path(folder), TRIAL_FILE)
    made = synthesize_trial(
        n_participants,
        rng=np.random.default_rng(seed),
        visits_months=visits_months or TRIAL_VISITS_MONTHS,
        slowing=slowing,
        share_treated=share_treated,
        dropout=dropout,
        label=label,
    )
    write_trial(made, Path(folder))
    return made


def refuse_real(folder: Path, *files: str) -> None:
    """Refuse to write synthetic people over what nothing says is synthetic.

    Parameters
    ----------
    folder
        Where they would go.
    files
        Names that would be written beside the cohort.

    Raises
    ------
    CohortError
        Where its cohort is not synthetic, or it has such a file and no cohort.
    """
    if is_cohort_folder(folder):
        real = [] if read_description(folder)["is_synthetic"] else ["a cohort"]
    else:
        real = [name for name in files if (folder / name).exists()]
    if real:
        raise CohortError(
            f"{folder} holds {real[0]} that nothing says is SYNTHETIC, and that stays as it is: "
            "name another folder."
        )
