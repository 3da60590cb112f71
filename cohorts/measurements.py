"""One volume per person, visit and region, from the table of volumes."""

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.errors import CohortError


def select_volumes(cohort: Cohort, *, region: str | None = None) -> pd.DataFrame:
    """Return the volumes of a region, or of all, each measured once.

    Raises
    ------
    CohortError
        For a region that nobody has, and where several segmentations measured the same volume.
    """
    volumes = cohort.volumes
    if region is not None:
        known = sorted(volumes["region"].unique())
        volumes = volumes[volumes["region"] == region]
        if volumes.empty:
            raise CohortError(
                f"The cohort {cohort.name} has no volumes of {region}: it has "
                f"{', '.join(known) or 'none'}."
            )
    if (
        len(volumes["source"].unique()) > 1
        and volumes.duplicated(["participant_id", "session_id", "region"]).any()
    ):
        raise CohortError(
            f"The cohort {cohort.name} has volumes of the same visit from several sources "
            f"({', '.join(sorted(volumes['source'].unique()))}): keep one."
        )
    return volumes


def order_visits(cohort: Cohort) -> pd.DataFrame:
    """Return the visits in order of person, then time."""
    return cohort.visits.sort_values(
        ["participant_id", "months_from_baseline"], kind="stable", ignore_index=True
    )
