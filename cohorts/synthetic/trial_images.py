"""A synthetic finished trial whose outcomes are measured in scans."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cohorts.cohort import Cohort
from cohorts.sources.loading import load_cohort
from cohorts.synthetic.folders import refuse_real
from cohorts.synthetic.images import synthesize_images
from cohorts.synthetic.parameters import GeneratorParameters
from cohorts.synthetic.tabular import Course, name_participants
from cohorts.synthetic.trial import (
    COVARIATES,
    TRIAL_FILE,
    TRIAL_VISITS_MONTHS,
    check_trial_settings,
    enroll,
)
from cohorts.synthetic.truth import TRUTH_FOLDER


def synthesize_trial_images(
    folder: Path,
    n_participants: int,
    *,
    seed: int,
    visits_months: Sequence[float] = TRIAL_VISITS_MONTHS,
    slowing: float = 0.3,
    share_treated: float = 0.5,
    dropout: float = 0.2,
    resolution_mm: float = 2.0,
    workers: int = 1,
    label: str = "trial",
    on_person: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """Write scans of a trial's people, treated ones with less decline, and the trial's tables.

    `scans/` is a BIDS dataset of every visit with label maps, `baseline/` the cohort of the first
    visits, for whom twins are made, `trial.csv` the outcomes measured in the label maps,
    `truth/effects.parquet` what treatment adds.

    Parameters
    ----------
    folder
        New, empty, or one that the same arguments began.
    n_participants, slowing, share_treated, dropout
        As in `cohorts.synthetic.trial.synthesize_trial`.
    seed, visits_months, resolution_mm, workers, label, on_person
        As in `cohorts.synthetic.images.synthesize_images`.

    Returns
    -------
    pandas.DataFrame
        `participant_id`, `arm`, `effect_mm3` at the last visit.

    Raises
    ------
    CohortError
        Numbers that cannot be, a folder that holds something else.
    """
    check_trial_settings(n_participants, slowing, share_treated, dropout)
    scans = folder / "scans"
    if not scans.exists():
        refuse_real(folder, TRIAL_FILE)
    rng = np.random.default_rng([seed, 1])
    treated = np.zeros(n_participants, dtype=bool)
    treated[: round(share_treated * n_participants)] = True
    treated = rng.permutation(treated)
    arm = np.where(treated, "treatment", "control")
    told: list[pd.DataFrame] = []

    def treat(course: Course) -> Course:
        volume = course.volumes["hippocampus"]
        prevented = slowing * (volume[:, :1] - volume)
        told.append(
            pd.DataFrame(
                {
                    "participant_id": name_participants(course),
                    "arm": arm,
                    "effect_mm3": prevented[:, -1],
                }
            )
        )
        changed = volume + treated[:, None] * prevented
        return replace(course, volumes={**course.volumes, "hippocampus": changed})

    synthesize_images(
        scans,
        n_participants,
        seed=seed,
        visits_months=visits_months,
        resolution_mm=resolution_mm,
        workers=workers,
        parameters=replace(GeneratorParameters(), cohort=enroll()),
        label=label,
        on_person=on_person,
        treat=treat,
    )
    effects = told[0]
    cohort = load_cohort(scans)
    table = _tabulate(cohort, effects, np.asarray(visits_months, dtype=float))
    gone = pd.Series(rng.exponential(size=n_participants), index=effects["participant_id"])
    hazard = -np.log1p(-dropout) * table["months"] / visits_months[-1]
    stays = hazard.to_numpy() <= gone.loc[table["participant_id"]].to_numpy()
    table[stays].to_csv(folder / TRIAL_FILE, index=False)
    baseline = replace(cohort.until(0), name=f"{cohort.name}, a trial's baseline")
    baseline.write(folder / "baseline")
    (folder / TRUTH_FOLDER).mkdir(exist_ok=True)
    effects.to_parquet(folder / TRUTH_FOLDER / "effects.parquet", index=False)
    return effects


def _tabulate(cohort: Cohort, effects: pd.DataFrame, planned: NDArray[np.float64]) -> pd.DataFrame:
    """Return one row a person and visit, at the planned month."""
    own = cohort.volumes[cohort.volumes["region"] == "hippocampus"]
    rows = own.merge(cohort.visits, on=["participant_id", "session_id"])
    rows = rows.merge(effects, on="participant_id")
    distance = np.abs(rows["months_from_baseline"].to_numpy()[:, None] - planned)
    rows["months"] = planned[distance.argmin(axis=1)]
    rows["hippocampus_mm3"] = rows["volume_mm3"].round(1)
    rows = rows[["participant_id", "arm", "months", "hippocampus_mm3"]]
    first = cohort.visits[cohort.visits["months_from_baseline"] == 0]
    people = cohort.participants.merge(
        first[["participant_id", *(c for c in COVARIATES if c in first)]],
        on="participant_id",
        suffixes=("", "_at_visit"),
    )
    covariates = people[["participant_id", *(c for c in COVARIATES if c in people)]]
    joined: pd.DataFrame = rows.merge(covariates, on="participant_id")
    return joined.sort_values(["participant_id", "months"])
