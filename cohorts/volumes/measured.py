"""Measured volumes of people: which rows are meant, how much changes between two visits."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from cohorts.errors import CohortError
from cohorts.keys import locate_rows
from cohorts.numbered import NumberedTable
from cohorts.sources.visit_times.times import MONTHS_PER_YEAR
from cohorts.visits import MONTHS, match_visits

_PERSON: Final = "participant_id"


def take_volumes(volumes: NumberedTable, region: str | None, *, whose: str) -> NumberedTable:
    """Return the volumes of a region, or of all, each measured once.

    Parameters
    ----------
    volumes
        The table `volumes` of `cohorts.schema`.
    region
        Which; all where None.
    whose
        Begins the sentence of an error, such as "The cohort screened".

    Raises
    ------
    CohortError
        For a region that nobody has, and where several tools measured the same volume.
    """
    if region is not None:
        known = sorted(volumes.count_names("region").index)
        volumes = volumes.keep(volumes.find("region", region))
        if not len(volumes):
            raise CohortError(
                f"{whose} has no volumes of {region}: it has {', '.join(known) or 'none'}."
            )
    sources = sorted(volumes.count_names("source").index)
    if len(sources) > 1 and volumes.has_repeated([_PERSON, "session_id", "region"]):
        raise CohortError(
            f"{whose} has volumes of the same visit from several sources "
            f"({', '.join(sources)}): keep those of one, with --measured-by (in a protocol "
            "cohort.measured_by, in Python Cohort.select(source=...))."
        )
    return volumes


def spread_volumes(
    volumes: NumberedTable, places: npt.NDArray[np.intp], n_visits: int
) -> pd.DataFrame:
    """Return one row a visit with a column a region (mm3), NaN where it was not measured.

    Parameters
    ----------
    volumes
        With `region` and `volume_mm3`, each measured once.
    places
        The row of each volume's visit; volumes of none, -1, are left out, and of no region.
    n_visits
        Rows.
    """
    is_told = volumes.numbers["region"] >= 0
    if not is_told.all():
        return spread_volumes(volumes.keep(is_told), places[is_told], n_visits)
    codes, held = pd.factorize(volumes.numbers["region"])
    regions = volumes.names["region"].take(pa.array(held)).to_pylist()
    spread = np.full((n_visits + 1, len(regions)), np.nan)
    spread[places, codes] = volumes.others["volume_mm3"].to_numpy()
    return pd.DataFrame(spread[:-1], columns=pd.Index(regions, dtype="str"))


def compute_change(
    start: pd.DataFrame, measured: pd.DataFrame, horizon_months: float, window_months: float
) -> pd.DataFrame:
    """Return each person's change of a volume until a horizon, as `Cohort.change` tells it.

    Parameters
    ----------
    start
        A row a person: `participant_id`, `months_from_baseline`, `volume_mm3`.
    measured
        The same of every visit, in order of person, then time.
    horizon_months, window_months
        When after the start the change is wanted, and how far a visit may be from that.
    """
    places = locate_rows(measured[[_PERSON]], start[[_PERSON]], [_PERSON])
    pairs = measured[[_PERSON, MONTHS, "volume_mm3"]].assign(start=places)
    # who has no start is never later than it
    pairs[MONTHS] -= np.append(start[MONTHS].to_numpy(dtype=float), np.inf)[places]
    pairs = match_visits(pairs[pairs[MONTHS] > 0], [horizon_months], window_months, by=[_PERSON])
    before = start["volume_mm3"].take(pairs["start"].to_numpy()).reset_index(drop=True)
    after, months = pairs["volume_mm3"], pairs[MONTHS]
    percent = 100.0 * (after - before) / before
    return pd.DataFrame(
        {
            _PERSON: pairs[_PERSON],
            "baseline_volume_mm3": before,
            "followup_volume_mm3": after,
            "months": months,
            "change_mm3": after - before,
            "change_percent": percent,
            "annual_change_percent": percent * MONTHS_PER_YEAR / months,
        }
    )
