"""Observed trajectories of a cohort at the visits of a design."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from trialsim.analysis.result import Floats
from trialsim.design import TrialDesign
from trialsim.errors import DesignError


def build_trajectories(
    visits: pd.DataFrame,
    volumes: pd.DataFrame,
    design: TrialDesign,
    *,
    window_months: float = 3.0,
) -> pd.DataFrame:
    """Return the endpoint's volume (mm3) of each participant at each visit of the design.

    Parameters
    ----------
    visits, volumes
        Tables of `cohorts.schema`.
    design
        Names the region and the months of the visits.
    window_months
        A visit stands for a planned one that is at most this far away; the nearest does.

    Returns
    -------
    DataFrame
        Index `participant_id`, one column a planned visit (months), NaN where there is none.

    Raises
    ------
    DesignError
        The region is not in the cohort, several tools measured it at one visit, or nobody has one
        of the planned visits.
    """
    region = volumes[volumes["region"] == design.endpoint]
    if region.empty:
        known = ", ".join(sorted(volumes["region"].unique())) or "none"
        raise DesignError(
            f"The endpoint {design.endpoint!r} is not a region of the cohort; there are {known}."
        )
    _refuse_two_measurements(region, design.endpoint)
    rows = region[["participant_id", "session_id", "volume_mm3"]].merge(
        visits[["participant_id", "session_id", "months_from_baseline"]],
        on=["participant_id", "session_id"],
    )
    columns = {
        months: _pick_nearest(rows, months, window_months) for months in design.visits_months
    }
    table = pd.DataFrame(columns, index=pd.Index(visits["participant_id"].unique()))
    _refuse_absent_visits(table, window_months)
    return table.rename_axis("participant_id")


def _refuse_two_measurements(region: pd.DataFrame, endpoint: str) -> None:
    if region.duplicated(["participant_id", "session_id"]).any():
        sources = ", ".join(sorted(region["source"].unique()))
        raise DesignError(
            f"The {endpoint} of one visit was measured by several tools ({sources}): keep one, "
            "with Cohort.select(source=...) or by importing the volumes of one."
        )


def _pick_nearest(rows: pd.DataFrame, months: float, window: float) -> "pd.Series[float]":
    distance = (rows["months_from_baseline"] - months).abs()
    near = rows.assign(distance=distance)[distance <= (window if months else 0.0)]
    nearest = near.sort_values(["distance", "months_from_baseline"], kind="stable")
    return nearest.drop_duplicates("participant_id").set_index("participant_id")["volume_mm3"]


def _refuse_absent_visits(table: pd.DataFrame, window: float) -> None:
    absent = [months for months in table.columns if table[months].isna().all()]
    if absent:
        raise DesignError(
            *(
                f"The design has a visit at month {months:g}, but nobody in the cohort has one "
                f"within {window:g} months of it."
                for months in absent
            )
        )


def convert_unit(trajectories: pd.DataFrame, design: TrialDesign) -> Floats:
    """Return the outcomes in the unit of the design, (n_people, n_visits).

    Raises
    ------
    DesignError
        A visit of the design has no column, or nobody was seen there; a volume is not positive.
    """
    outcome = _take_columns(trajectories, design.visits_months)
    if (outcome <= 0).any():
        raise DesignError(
            "Volumes must be greater than 0 mm3; the trajectories hold a smaller one."
        )
    return outcome if design.unit == "mm3" else np.asarray(100 * np.log(outcome))


def _take_columns(trajectories: pd.DataFrame, months: Sequence[float]) -> Floats:
    known = {float(column): column for column in trajectories.columns}
    missing = [m for m in months if m not in known or trajectories[known[m]].isna().all()]
    if missing:
        raise DesignError(
            *(
                f"The design has a visit at month {m:g}, but nobody in the cohort has one; there "
                f"are visits at {', '.join(f'{k:g}' for k in sorted(known))}."
                for m in missing
            )
        )
    return trajectories[[known[m] for m in months]].to_numpy(dtype=float)
