"""Observed trajectories of a cohort at the visits of a design."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cohorts.cohort import Cohort
from cohorts.visits import WINDOW_MONTHS
from trialsim.analysis.result import Floats
from trialsim.design import TrialDesign
from trialsim.errors import DesignError


def build_trajectories(
    cohort: Cohort, design: TrialDesign, *, window_months: float = WINDOW_MONTHS
) -> pd.DataFrame:
    """Return the endpoint's volume (mm3) of each participant at each visit of the design.

    Parameters
    ----------
    cohort
        People who were followed.
    design
        Names the region and the months of the visits.
    window_months
        How far a visit may be from the planned one that it stands for; see `cohorts.visits`.

    Returns
    -------
    DataFrame
        Index `participant_id`, one column a planned visit (months), NaN where there is none.

    Raises
    ------
    CohortError
        The region is not in the cohort, or several tools measured one visit.
    DesignError
        Nobody has one of the planned visits.
    """
    table = cohort.spread_over(design.endpoint, design.visits_months, window_months=window_months)[
        list(design.visits_months)
    ]
    _refuse_absent_visits(table, window_months)
    return table


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
