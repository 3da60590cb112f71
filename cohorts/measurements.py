"""One volume per person, visit and region, from the table of volumes."""

import pandas as pd

from cohorts.cohort import Cohort


def select_volumes(cohort: Cohort, *, region: str | None = None) -> pd.DataFrame:
    """Return the volumes of a region, or of all, each measured once.

    Raises
    ------
    CohortError
        For a region that nobody has, and where several segmentations measured the same volume.
    """
    return cohort.get_volumes(region)


def order_visits(cohort: Cohort) -> pd.DataFrame:
    """Return the visits in order of person, then time."""
    return cohort.visits.sort_values(
        ["participant_id", "months_from_baseline"], kind="stable", ignore_index=True
    )
