"""What is known of each person at the baseline visit, and nothing later."""

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.measurements import order_visits, select_volumes
from cohorts.sources.columns import name_volume_column


def build_baseline_table(cohort: Cohort) -> pd.DataFrame:
    """Return one row a person with covariates and volumes at baseline.

    Parameters
    ----------
    cohort
        A validated cohort.

    Returns
    -------
    DataFrame
        Index `participant_id`, in the order of `cohort.participants`; its other columns, then
        `<region>_mm3` for each region, from the first visit alone. NaN where a region was not
        measured at baseline.

    Raises
    ------
    CohortError
        Where several segmentations measured the same volume.
    """
    first = order_visits(cohort).drop_duplicates("participant_id")
    volumes = select_volumes(cohort).merge(
        first[["participant_id", "session_id"]], on=["participant_id", "session_id"]
    )
    wide = volumes.pivot_table(
        index="participant_id", columns="region", values="volume_mm3", aggfunc="first", sort=False
    )
    wide.columns = [name_volume_column(str(region)) for region in wide.columns]
    return cohort.participants.set_index("participant_id").join(wide)
