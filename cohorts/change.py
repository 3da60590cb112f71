"""Measured change of a region's volume between two visits."""

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.measurements import order_visits, select_volumes
from cohorts.sources.times import MONTHS_PER_YEAR


def compute_measured_change(
    cohort: Cohort,
    *,
    region: str = "hippocampus",
    horizon_months: float,
    window_months: float = 6.0,
    from_session: str = "baseline",
) -> pd.DataFrame:
    """Return each person's change from a visit to the visit nearest the horizon.

    Parameters
    ----------
    cohort
        A validated cohort.
    region
        Which region's volume.
    horizon_months
        The time after the starting visit at which change is wanted.
    window_months
        How far the later visit may be from the horizon. People without a visit in the window are
        absent from the result.
    from_session
        `baseline` for each person's first visit, or the name of a session.

    Returns
    -------
    DataFrame
        `participant_id`, `baseline_volume_mm3`, `followup_volume_mm3`, `months` between the two,
        `change_mm3` (follow-up less baseline: a loss is negative), `change_percent` of the
        baseline volume, and `annual_change_percent`, which is `change_percent` times 12 / `months`.

    Raises
    ------
    CohortError
        For a horizon or window that is not positive, a session that nobody has, a region that
        nobody has.

    See Also
    --------
    cohorts.volumetry : other formulas of annualized change.
    """
    if not 0 <= window_months < horizon_months:
        raise CohortError(
            "horizon_months must be above 0 and window_months from 0 up to the horizon, got "
            f"{horizon_months:g} and {window_months:g}."
        )
    measured = order_visits(cohort)[["participant_id", "session_id", "months_from_baseline"]].merge(
        select_volumes(cohort, region=region)[["participant_id", "session_id", "volume_mm3"]],
        on=["participant_id", "session_id"],
    )
    start = _find_start(cohort, from_session).merge(measured, on=["participant_id", "session_id"])
    pairs = start.merge(measured, on="participant_id", suffixes=("_start", ""))
    pairs["months"] = pairs["months_from_baseline"] - pairs["months_from_baseline_start"]
    pairs["distance"] = (pairs["months"] - horizon_months).abs()
    pairs = pairs[(pairs["distance"] <= window_months) & (pairs["months"] > 0)]
    nearest = pairs.sort_values(["participant_id", "distance", "months"], kind="stable")
    return _compute_change(nearest.drop_duplicates("participant_id"))


def _find_start(cohort: Cohort, from_session: str) -> pd.DataFrame:
    visits = order_visits(cohort)
    if from_session == "baseline":
        visits = visits.drop_duplicates("participant_id")
    else:
        visits = visits[visits["session_id"] == from_session]
    if visits.empty:
        known = sorted(cohort.visits["session_id"].unique())[:8]
        raise CohortError(
            f"Nobody has a session {from_session}: from_session must be baseline or one of "
            f"{', '.join(known)}."
        )
    return visits[["participant_id", "session_id"]]


def _compute_change(pairs: pd.DataFrame) -> pd.DataFrame:
    before, after = pairs["volume_mm3_start"], pairs["volume_mm3"]
    percent = 100.0 * (after - before) / before
    return pd.DataFrame(
        {
            "participant_id": pairs["participant_id"],
            "baseline_volume_mm3": before,
            "followup_volume_mm3": after,
            "months": pairs["months"],
            "change_mm3": after - before,
            "change_percent": percent,
            "annual_change_percent": percent * MONTHS_PER_YEAR / pairs["months"],
        }
    ).reset_index(drop=True)
