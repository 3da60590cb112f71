"""A synthetic finished trial: arms, an effect that is known, people who leave."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.synthetic.parameters import CohortParameters
from cohorts.synthetic.tabular import synthesize_table
from cohorts.synthetic.truth import TRUTH_FOLDER, Truth, write_truth

TRIAL_VISITS_MONTHS: Final = (0.0, 6.0, 12.0, 18.0, 24.0)
"""Planned visits, when nothing else is asked for."""

TRIAL_FILE: Final = "trial.csv"

_SHARES: Final = {"CN": 0.0, "MCI": 0.65, "AD": 0.35}
COVARIATES: Final = ["age_years", "sex", "diagnosis", "apoe4"]


@dataclass(frozen=True)
class SyntheticTrial:
    """A trial and what nobody can observe of it.

    Attributes
    ----------
    table
        `participant_id`, `arm`, `months`, `hippocampus_mm3`, covariates; no row for a visit missed.
    baseline
        Everyone's baseline visit alone, for whom twins are made.
    truth
        Without treatment and error.
    effects
        `participant_id`, `arm`, `effect_mm3`: what treatment adds at the last visit, of control
        people what it would have added.
    """

    table: pd.DataFrame
    baseline: Cohort
    truth: Truth
    effects: pd.DataFrame

    @property
    def last_month(self) -> float:
        """Month of the last planned visit."""
        return float(self.table["months"].max())


def synthesize_trial(
    n_participants: int,
    *,
    rng: np.random.Generator,
    visits_months: Sequence[float] = TRIAL_VISITS_MONTHS,
    slowing: float = 0.3,
    share_treated: float = 0.5,
    dropout: float = 0.2,
    label: str = "trial",
) -> SyntheticTrial:
    """Return a trial in people with MCI or AD whose treatment slows their hippocampal decline.

    Parameters
    ----------
    n_participants
        Randomized people, at least 4.
    rng
        Decides everything.
    visits_months
        Planned visits, from 0 upwards.
    slowing
        Share of each person's decline without error that treatment prevents, at least 0, below 1.
    share_treated
        Share randomized to treatment, between 0 and 1.
    dropout
        Share gone by the last visit under a constant hazard, at least 0, below 1.
    label
        Begins everyone's name.

    Raises
    ------
    CohortError
        Numbers that cannot be.
    """
    check_trial_settings(n_participants, slowing, share_treated, dropout)
    cohort, truth = synthesize_table(
        n_participants,
        rng=rng,
        visits_months=visits_months,
        parameters=enroll(),
        label=label,
    )
    people = cohort.participants["participant_id"].to_numpy()
    treated = np.zeros(n_participants, dtype=bool)
    treated[: round(share_treated * n_participants)] = True
    arm = pd.Series(rng.permutation(treated), index=people)
    region = truth.volumes[truth.volumes["region"] == "hippocampus"]
    latent = region.pivot_table(index="participant_id", columns="session_id", values="volume_mm3")
    latent = latent.loc[people, list(region["session_id"].unique())]
    prevented = slowing * (latent.iloc[:, [0]].to_numpy() - latent.to_numpy())
    error = np.exp(_get_error() * rng.standard_normal(latent.shape))
    volume = latent.to_numpy() * error + arm.to_numpy()[:, None] * prevented
    first = replace(cohort.until(0), name=f"{cohort.name}, a trial's baseline")
    volume[:, 0] = first.volumes_at("hippocampus", 0).loc[people]
    table = _tabulate(cohort, arm, volume, visits_months)
    hazard = -np.log1p(-dropout) * table["months"] / visits_months[-1]
    gone = hazard > np.repeat(rng.exponential(size=n_participants), len(visits_months))
    effects = pd.DataFrame(
        {
            "participant_id": people,
            "arm": np.where(arm, "treatment", "control"),
            "effect_mm3": prevented[:, -1],
        }
    )
    return SyntheticTrial(table[~gone].reset_index(drop=True), first, truth, effects)


def write_trial(trial: SyntheticTrial, folder: Path) -> None:
    """Write `trial.csv`, the baseline cohort beside it, the truth in `truth/`.

    Raises
    ------
    CohortError
        Where the folder cannot be written.
    """
    trial.baseline.write(folder)
    write_truth(trial.truth, folder)
    trial.effects.to_parquet(folder / TRUTH_FOLDER / "effects.parquet", index=False)
    trial.table.to_csv(folder / TRIAL_FILE, index=False)


def check_trial_settings(n: int, slowing: float, share_treated: float, dropout: float) -> None:
    """Refuse numbers that no trial can have.

    Raises
    ------
    CohortError
        One sentence for each.
    """
    problems = [] if n >= 4 else [f"A trial needs at least 4 participants, got {n}."]
    if not 0 < share_treated < 1:
        problems.append(
            f"share_treated must lie between 0 and 1, both excluded, got {share_treated:g}."
        )
    problems += [
        f"{name} must be at least 0 and below 1, got {value:g}."
        for name, value in (("slowing", slowing), ("dropout", dropout))
        if not 0 <= value < 1
    ]
    if problems:
        raise CohortError(*problems)


def enroll() -> CohortParameters:
    """Return the population of a trial: nobody cognitively normal."""
    parameters = CohortParameters()
    groups = tuple(replace(g, share=_SHARES[g.diagnosis]) for g in parameters.groups)
    return replace(parameters, groups=groups)


def _get_error() -> float:
    regions = {region.region: region for region in CohortParameters().regions}
    return regions["hippocampus"].measurement_sd


def _tabulate(
    cohort: Cohort, arm: pd.Series, volume: np.ndarray, visits_months: Sequence[float]
) -> pd.DataFrame:
    n_visits = len(visits_months)
    covariates = cohort.participants[COVARIATES].loc[lambda p: p.index.repeat(n_visits)]
    table = pd.DataFrame(
        {
            "participant_id": np.repeat(arm.index.to_numpy(), n_visits),
            "arm": np.repeat(np.where(arm, "treatment", "control"), n_visits),
            "months": np.tile(np.asarray(visits_months, dtype=float), len(arm)),
            "hippocampus_mm3": volume.ravel().round(1),
        }
    )
    joined: pd.DataFrame = table.join(covariates.reset_index(drop=True))
    return joined
