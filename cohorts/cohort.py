"""A validated screening cohort, with the verbs that pick visits and measurements of its people."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from cohorts.cohort_tables import CohortTables
from cohorts.entrances import entrance
from cohorts.errors import CohortError
from cohorts.keys import locate_rows
from cohorts.numbered import NumberedTable
from cohorts.sources.columns import name_volume_column
from cohorts.visits import (
    MONTHS,
    WINDOW_MONTHS,
    is_visit,
    match_places,
    match_visits,
    order_visits,
    take_visit,
)
from cohorts.volumes.measured import compute_change, spread_volumes, take_volumes

_PERSON: Final = "participant_id"
_VISIT: Final = [_PERSON, "session_id"]
_MEASURED: Final = [*_VISIT, "region"]


@entrance
class Cohort(CohortTables):
    """People, their visits, and the volumes measured at each visit.

    Parameters
    ----------
    participants, visits, volumes
        Tables of `cohorts.schema`; checked on construction, and held in order of the people's names
        and the time of their visits, so that no result depends on how a table was sorted. The
        volumes, by far the longest, are
        held with their names numbered, and written out whenever they are asked for.
    name
        Shown in reports.
    is_synthetic
        True when any person is simulated; every table, figure and page made from it says so.
    sources
        The files it was read from, for checksums.
    notes
        What was decided while reading: codings that were detected, columns that were left out.
    rejected
        People who were left out by validation: `participant_id`, `problem`.

    Raises
    ------
    CohortValidationError
        Where a table does not fit its schema.
    """

    def get_volumes(self, region: str | None = None) -> pd.DataFrame:
        """Return the volumes of a region, or of all, each measured once.

        Raises
        ------
        CohortError
            For a region that nobody has, and where several tools measured the same volume;
            `select(source=...)` settles it.
        """
        return self._take_volumes(region).to_frame()

    def require_unambiguous(self) -> None:
        """Refuse volumes of one visit from several tools.

        Raises
        ------
        CohortError
            As `get_volumes`.
        """
        self._take_volumes(None)

    def _take_volumes(self, region: str | None) -> NumberedTable:
        return take_volumes(self._volumes, region, whose=f"The cohort {self.name}")

    def visit(self, number: int) -> pd.DataFrame:
        """Return one visit a person by its number in time, with the columns of `visits`.

        Parameters
        ----------
        number
            0 for the baseline, 1 for the visit after it. Who has no such visit is absent.
        """
        return take_visit(self.visits, number)

    def baseline(self) -> pd.DataFrame:
        """Return what is known of each person at the baseline visit, and nothing later.

        Returns
        -------
        DataFrame
            Index `participant_id`, in the order of names; other columns of `participants`, then
            `<region>_mm3` for each region. NaN where a region was not measured at baseline.

        Raises
        ------
        CohortError
            As `get_volumes`.

        Examples
        --------
        >>> import trialsim as ts
        >>> "hippocampus_mm3" in ts.load_cohort("screened").baseline()
        True
        """
        self.require_unambiguous()  # two tools at a later visit are no less ambiguous
        wide = self.until(0).visit_volumes()
        # whoever has two visits on the first day
        wide = wide[is_visit(wide, 0)].set_index(_PERSON)
        wide = wide.drop(columns=["session_id", MONTHS, "age_years"])
        wide.columns = [name_volume_column(str(region)) for region in wide.columns]
        people = self.participants.set_index(_PERSON)
        if people.index.equals(wide.index):  # nobody has to be looked up
            return pd.concat([people, wide.set_axis(people.index)], axis=1)
        return people.join(wide)

    def visit_volumes(self, regions: Sequence[str] | None = None) -> pd.DataFrame:
        """Return one row a visit with the volumes (mm3) that were measured at it.

        Parameters
        ----------
        regions
            Which, in which order; those that anybody has where left out.

        Returns
        -------
        DataFrame
            `participant_id`, `session_id`, `months_from_baseline`, `age_years` at the visit, a
            column a region; in order of person, then time. NaN where a region was not measured.

        Raises
        ------
        CohortError
            As `get_volumes`.
        """
        wide = spread_volumes(self._take_volumes(None), self._places, len(self.visits))
        if regions is not None:
            wide = wide.reindex(columns=list(regions))
        visits = self.visits[[*_VISIT, MONTHS, "age_years"]].reset_index(drop=True)
        return order_visits(pd.concat([visits, wide], axis=1))

    def volumes_of(self, participant_id: str, session_id: str) -> pd.DataFrame:
        """Return the rows of `volumes` of one visit, one a region.

        Raises
        ------
        CohortError
            As `get_volumes`.
        """
        volumes = self._volumes
        mine = volumes.find(_PERSON, participant_id) & volumes.find("session_id", session_id)
        return self._keep(self.participants, self.visits, volumes.keep(mine)).get_volumes()

    def volumes_near(
        self,
        planned_months: Sequence[float],
        *,
        region: str | None = None,
        window_months: float = WINDOW_MONTHS,
    ) -> pd.DataFrame:
        """Return the volume (mm3) that stands for each planned time; see `cohorts.visits`.

        Parameters
        ----------
        planned_months
            Since the baseline.
        region
            Which; all where left out.
        window_months
            How far a visit after the baseline may be from its time.

        Returns
        -------
        DataFrame
            `participant_id`, `session_id`, `months_from_baseline`, `region`, `volume_mm3`,
            `planned_months`.

        Raises
        ------
        CohortError
            As `get_volumes`; where no time is planned, or a window is negative.
        """
        _check_times(planned_months, window_months)
        columns = [*_VISIT, MONTHS, "region", "volume_mm3"]
        rows = self._measure(region)[columns]
        return match_visits(rows, planned_months, window_months, by=[_PERSON, "region"])

    def spread_over(
        self, region: str, planned_months: Sequence[float], *, window_months: float = WINDOW_MONTHS
    ) -> pd.DataFrame:
        """Return everyone's volume (mm3) of a region at each planned time.

        Parameters
        ----------
        region, planned_months, window_months
            As in `volumes_near`.

        Returns
        -------
        DataFrame
            Index `participant_id` in order of `participants`, one column a planned time; NaN where
            no visit stands for it.

        Raises
        ------
        CohortError
            As `volumes_near`.
        """
        _check_times(planned_months, window_months)
        planned, rows = np.array(sorted(set(planned_months)), dtype=float), self._measure(region)
        people = self.participants[[_PERSON]]
        chosen, times = match_places(rows, planned, window_months, by=[_PERSON])
        volumes = np.full((len(people), len(planned)), np.nan)
        places = locate_rows(rows[[_PERSON]], people, [_PERSON])
        volumes[places[chosen], times] = rows["volume_mm3"].to_numpy()[chosen]
        return pd.DataFrame(volumes, pd.Index(people[_PERSON]), planned)

    def volumes_at(
        self, region: str, months: float, *, window_months: float = WINDOW_MONTHS
    ) -> "pd.Series[float]":
        """Return each person's volume (mm3) at the visit that stands for a time.

        Parameters
        ----------
        region
            Which.
        months
            Since the baseline; only the baseline visit stands for 0.
        window_months
            How far a visit after the baseline may be from it; the nearest counts, the earlier of
            two as near.

        Returns
        -------
        Series
            Index `participant_id`; people without such a visit are absent.

        Raises
        ------
        CohortError
            As `get_volumes`.

        Examples
        --------
        >>> import trialsim as ts
        >>> len(ts.load_cohort("screened").volumes_at("hippocampus", 0))
        80
        """
        rows = self.volumes_near([months], region=region, window_months=window_months)
        return rows.set_index(_PERSON)["volume_mm3"]

    def change(
        self,
        region: str,
        horizon_months: float,
        *,
        window_months: float = WINDOW_MONTHS,
        from_visit: int = 0,
    ) -> pd.DataFrame:
        """Return each person's change of a volume until a horizon.

        Parameters
        ----------
        region
            Whose volume.
        horizon_months
            The time after the starting visit at which the change is wanted, above 0.
        window_months
            How far the later visit may be from the horizon, below it.
        from_visit
            The starting visit: 0 the baseline, 1 the one after it.

        Returns
        -------
        DataFrame
            `participant_id`, `baseline_volume_mm3`, `followup_volume_mm3`, `months` between the
            two, `change_mm3` (follow-up less baseline: a loss is negative), `change_percent` of the
            baseline volume, and `annual_change_percent`, which is `change_percent` times 12 /
            `months`. People without either visit are absent.

        Raises
        ------
        CohortError
            For a horizon or window that cannot be, and as `get_volumes`.

        Examples
        --------
        >>> import trialsim as ts
        >>> bool(ts.load_cohort("screened").change("hippocampus", 24)["change_mm3"].mean() < 0)
        True
        """
        if not 0 <= window_months < horizon_months:
            raise CohortError(
                "horizon_months must be above 0 and window_months from 0 up to the horizon, got "
                f"{horizon_months:g} and {window_months:g}."
            )
        visits = self._spread(region)
        begins = is_visit(visits, from_visit)
        is_measured = visits["volume_mm3"].notna().to_numpy()
        start = visits[begins & is_measured].reset_index(drop=True)
        return compute_change(start, visits[is_measured], horizon_months, window_months)

    def _measure(self, region: str | None) -> pd.DataFrame:
        """Return visits in order with the volumes of a region, or of all, each measured once."""
        if region is not None:
            return self._spread(region).dropna(subset="volume_mm3").reset_index(drop=True)
        return order_visits(self.visits)[[*_VISIT, MONTHS]].merge(
            self.get_volumes(region)[[*_MEASURED, "volume_mm3"]], on=_VISIT
        )

    def _spread(self, region: str) -> pd.DataFrame:
        """Return all visits in order with the volume of a region, NaN where it was not measured."""
        volumes = self._take_volumes(region)
        places = self._places[self._volumes.find("region", region)]
        found = spread_volumes(volumes, places, len(self.visits))[region].to_numpy()
        visits = self.visits[[*_VISIT, MONTHS]].assign(region=region, volume_mm3=found)
        return order_visits(visits)


def _check_times(planned_months: Sequence[float], window_months: float) -> None:
    if not planned_months or not window_months >= 0:
        raise CohortError(
            "planned_months must hold a time and window_months must be 0 or more, got "
            f"{list(planned_months)} and {window_months:g}."
        )
