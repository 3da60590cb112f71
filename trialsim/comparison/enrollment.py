"""When the trial of each choice is full, and when its last person is seen last."""

import pandas as pd

from trialsim.accrual.forecast import forecast_enrollment
from trialsim.accrual.plan import AccrualPlan
from trialsim.comparison.candidates import Candidate

_COLUMNS = [
    "strategy", "fraction_enrolled", "analysis", "size", "n_enrolled", "n_to_screen",
    "n_to_screen_lower", "n_to_screen_upper", "months_to_last_person",
    "months_to_last_person_lower", "months_to_last_person_upper", "months_to_last_visit",
    "months_to_last_visit_lower", "months_to_last_visit_upper",
]  # fmt: skip


def tabulate_accrual(
    sample_sizes: pd.DataFrame,
    proposed_sizes: pd.DataFrame,
    plan: AccrualPlan,
    duration_months: float,
) -> pd.DataFrame:
    """Return the table `accrual`: every size as found, then those that are proposed.

    The intervals are those of screening and chance, for a size that is decided.

    Parameters
    ----------
    sample_sizes, proposed_sizes
        Tables of `cohorts.schema`; sizes that reach no target are left out.
    plan
        Sites and their rates.
    duration_months
        From randomization to the last visit.

    Raises
    ------
    DesignError
        A trial that the sites would not fill within 100 years.
    """
    found = sample_sizes.assign(size="found").rename(
        columns={"n_control_whole": "control", "n_treatment_whole": "treatment"}
    )
    proposed = proposed_sizes.assign(size="proposed").rename(
        columns={"n_control_proposed": "control", "n_treatment_proposed": "treatment"}
    )
    rows = []
    for row in [*found.to_dict("records"), *proposed.to_dict("records")]:
        if pd.isna(row["control"]):
            continue
        candidate = Candidate(str(row["strategy"]), float(row["fraction_enrolled"]))
        n_enrolled = int(row["control"] + row["treatment"])
        forecast = forecast_enrollment(
            plan,
            n_enrolled,
            fraction_enrolled=candidate.fraction_enrolled if candidate.is_screened else 1.0,
            duration_months=duration_months,
        )
        named = [row[name] for name in _COLUMNS[:4]]
        rows.append([*named, n_enrolled, *vars(forecast).values()])
    return pd.DataFrame(rows, columns=_COLUMNS)
