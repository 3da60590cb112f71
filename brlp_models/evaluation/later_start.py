"""What a second visit adds: predictions that start from it, beside those from the baseline."""

from typing import Any

import pandas as pd

from brlp_models.evaluation.comparisons import Compared
from brlp_models.evaluation.methods import CARRY_FORWARD, KEY, MODEL
from brlp_models.evaluation.people_predictions import PeoplePredictions, select_people
from cohorts.cohort import Cohort

ONE, SEVERAL = f"{MODEL}, one visit", f"{MODEL}, several visits"
CARRY_LATER = f"{CARRY_FORWARD}, later visit"


def predict_from_later_visit(
    people: Compared, samples: int, *, until_months: float, seed: int
) -> pd.DataFrame:
    """Return volumes predicted from one visit and from several, for people who have several.

    Parameters
    ----------
    people
        Whom.
    samples, seed
        Of the predictions.
    until_months
        The latest visit that may be the start; after it nothing is read.

    Returns
    -------
    DataFrame
        Columns of `tabulate_errors`; methods: one visit, several visits, and each starting scan
        carried forward. Empty where nobody has an earlier visit with an image.
    """
    names = find_returning(people.cohort, until_months)
    if not names:
        return pd.DataFrame(columns=[*KEY, "method"])
    cohort = select_people(people.cohort, names)
    options: dict[str, Any] = {"cohort": cohort, "seed": seed}
    one = people.predict("visits-one", samples, **options)
    several = people.predict("visits-several", samples, until_months=until_months, **options)
    parts = [*_name(one, ONE, CARRY_FORWARD), *_name(several, SEVERAL, CARRY_LATER)]
    return pd.concat(parts, ignore_index=True).merge(people.truth, on=KEY)


def find_returning(cohort: Cohort, until_months: float) -> list[str]:
    """Return who has a visit with an image after the baseline and up to a month."""
    visits = cohort.visits
    later = visits["months_from_baseline"].between(0, until_months, inclusive="right")
    return sorted(visits.loc[later & visits["image_path"].notna(), "participant_id"].unique())


def _name(found: PeoplePredictions, method: str, carried: str) -> list[pd.DataFrame]:
    table = found.table
    return [
        table.assign(method=method),
        table.assign(method=carried, predicted_mm3=table["start_mm3"]),
    ]
