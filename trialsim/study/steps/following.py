"""Who of the screened people was followed themselves, and whether others stand for them."""

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from trialsim.errors import DesignError
from trialsim.simulation import build_trajectories
from trialsim.study.job import Job


def find_own_follow_up(job: Job, cohort: Cohort) -> tuple[pd.DataFrame, int]:
    """Return the people's own trajectories, and how many have the first and the last visit.

    Raises
    ------
    CohortError, DesignError
        Nobody has a visit of the design.
    """
    own = build_trajectories(cohort, job.protocol.design, window_months=job.window_months)
    return own, int(own.iloc[:, [0, -1]].notna().all(axis=1).sum())


def are_followed(cohort: Cohort, n_followed: int) -> bool:
    """Return whether outcomes are observed where the design leaves it open: half were followed."""
    return 2 * n_followed >= len(cohort.participants)


def is_archive_scored(job: Job, cohort: Cohort) -> bool:
    """Return whether strategies score an archive too: it stands for people not followed.

    Parameters
    ----------
    job
        The study's work.
    cohort
        The screened people.
    """
    outcomes = job.protocol.design.outcomes
    if job.protocol.cohort.training is None or outcomes == "observed":
        return False
    if outcomes in {"archive", "predicted"}:
        return True
    try:
        _, n_followed = find_own_follow_up(job, cohort)
    except (CohortError, DesignError):
        return True
    return not are_followed(cohort, n_followed)
