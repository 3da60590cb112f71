"""A validated screening cohort, with the verbs that pick people, visits and measurements."""

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.entrances import entrance
from cohorts.errors import CohortError
from cohorts.folder import read_description, read_tables, write_tables
from cohorts.keys import is_among
from cohorts.measured import compute_change, spread_volumes, take_volumes
from cohorts.numbered import NumberedTable
from cohorts.schema import validate_table
from cohorts.sources.columns import name_volume_column
from cohorts.visits import MONTHS, WINDOW_MONTHS, match_visits, order_visits, take_visit

_PERSON: Final = "participant_id"
_VISIT: Final = [_PERSON, "session_id"]
_MEASURED: Final = [*_VISIT, "region"]
_NAMES: Final = [*_MEASURED, "source"]


@entrance
@dataclass(frozen=True)
class Cohort:
    """People, their visits, and the volumes measured at each visit.

    Parameters
    ----------
    participants, visits, volumes
        Tables of `cohorts.schema`; checked on construction. The volumes, by far the longest, are
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

    participants: pd.DataFrame
    visits: pd.DataFrame
    volumes: pd.DataFrame
    name: str = "cohort"
    is_synthetic: bool = False
    sources: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    rejected: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame({"participant_id": [], "problem": []}, dtype=str)
    )

    def __post_init__(self) -> None:
        for table in ("participants", "visits"):
            object.__setattr__(self, table, validate_table(getattr(self, table), table))
        self._hold(NumberedTable.of(validate_table(self.volumes, "volumes")))

    def with_volumes(self, volumes: NumberedTable) -> Self:
        """Return the cohort with other volumes, whose names are numbered already.

        Parameters
        ----------
        volumes
            Table `volumes` of `cohorts.schema`; checked, without writing its names out.

        Raises
        ------
        CohortValidationError
            Where it does not fit its schema.
        """
        other = copy(self)
        other._hold(volumes.validate("volumes"))
        return other

    @property
    def numbered_volumes(self) -> NumberedTable:
        """The table `volumes` as it is held, with its names numbered."""
        return self._volumes

    def _hold(self, volumes: NumberedTable) -> None:
        self.__dict__.pop("volumes", None)
        self.__dict__.pop("_places", None)
        object.__setattr__(self, "_volumes", volumes)

    if TYPE_CHECKING:

        @property
        def _volumes(self) -> NumberedTable: ...

    else:

        def __getattr__(self, name: str) -> pd.DataFrame:
            """Return the table `volumes`; nothing else is not there."""
            if name != "volumes":
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return self._volumes.to_frame()

    def __repr__(self) -> str:
        """Return one line: who, how many, measured by what."""
        sources = ", ".join(sorted(self.count_sources().index)) or "nothing"
        kind = "synthetic " if self.is_synthetic else ""
        return (
            f"<Cohort {self.name}: {len(self.participants)} {kind}people, {len(self.visits)} "
            f"visits, {len(self._volumes)} volumes from {sources}>"
        )

    def count_sources(self) -> "pd.Series[int]":
        """Return how many volumes are of each `source`, in order of its first."""
        return self._volumes.count_names("source")

    def select(self, ids: Collection[str] | None = None, *, source: str | None = None) -> Self:
        """Return the cohort of some of its people, or with the volumes of one source.

        Parameters
        ----------
        ids
            `participant_id`s; everyone where left out.
        source
            What measured the volumes that are kept: a value of `source` in `volumes`. It settles
            which measurement is meant where several tools measured one visit.

        Raises
        ------
        CohortError
            For a person or a source that the cohort does not have.
        """
        people = self.participants[_PERSON]
        chosen = people if ids is None else pd.Series([*ids], dtype="str").drop_duplicates()
        unknown = sorted(chosen[~is_among(chosen, people)])
        if unknown:
            raise CohortError(f"The cohort {self.name} has no {', '.join(unknown[:8])}.")
        sources = [] if source is None else sorted(self.count_sources().index)
        if source is not None and source not in sources:
            raise CohortError(
                f"The cohort {self.name} has no volumes from {source}: it has those from "
                f"{', '.join(sources) or 'nothing'}."
            )
        volumes = self._volumes
        if source is not None:
            volumes = volumes.keep(volumes.find("source", source))
        if len(chosen) == len(people):
            return self._keep(self.participants, self.visits, volumes)
        return self._keep(
            self.participants[is_among(people, chosen)],
            self.visits[is_among(self.visits[_PERSON], chosen)],
            volumes.keep(volumes.is_among(_PERSON, chosen)),
        )

    def until(self, months: float) -> Self:
        """Return the cohort as it is known at a time: with no visit and volume of later ones.

        Parameters
        ----------
        months
            Since the baseline; 0 leaves the baseline visits.
        """
        is_known = (self.visits[MONTHS] <= months).to_numpy()
        measured = np.append(is_known, False)[self._places]
        known = self._keep(self.participants, self.visits[is_known], self._volumes.keep(measured))
        known.__dict__["_places"] = (np.cumsum(is_known) - 1)[self._places[measured]]
        return known

    @cached_property
    def _places(self) -> npt.NDArray[np.intp]:
        """The place of each volume's visit among the visits; -1 for none."""
        return self._volumes.locate(self.visits, _VISIT)

    def keep(self, participants: pd.DataFrame, visits: pd.DataFrame, volumes: pd.DataFrame) -> Self:
        """Return the cohort with some of its rows, which need no second check.

        Parameters
        ----------
        participants, visits, volumes
            Rows of the cohort's own tables.
        """
        return self._keep(participants, visits, NumberedTable.of(volumes))

    def _keep(
        self, participants: pd.DataFrame, visits: pd.DataFrame, volumes: NumberedTable
    ) -> Self:
        chosen = copy(self)
        for name, table in {"participants": participants, "visits": visits}.items():
            object.__setattr__(chosen, name, table.reset_index(drop=True))
        chosen._hold(replace(volumes, others=volumes.others.reset_index(drop=True)))
        return chosen

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
            Index `participant_id`, in the order of `participants`; its other columns, then
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
        wide = self.until(0).visit_volumes().set_index(_PERSON)
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
        if not planned_months or not window_months >= 0:
            raise CohortError(
                "planned_months must hold a time and window_months must be 0 or more, got "
                f"{list(planned_months)} and {window_months:g}."
            )
        columns = [*_VISIT, MONTHS, "region", "volume_mm3"]
        rows = self._measure(region)[columns]
        return match_visits(rows, planned_months, window_months, by=[_PERSON, "region"])

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
        measured = self._measure(region)[[*_VISIT, MONTHS, "volume_mm3"]]
        start = measured.merge(self.visit(from_visit)[_VISIT], on=_VISIT)
        return compute_change(start, measured, horizon_months, window_months)

    def _measure(self, region: str | None) -> pd.DataFrame:
        """Return visits in order with the volumes of a region, or of all, each measured once."""
        if region is not None:
            volumes = self._take_volumes(region)
            places = self._places[self._volumes.find("region", region)]
            found = spread_volumes(volumes, places, len(self.visits))[region].to_numpy()
            visits = self.visits[[*_VISIT, MONTHS]].assign(region=region, volume_mm3=found)
            return order_visits(visits.dropna(subset="volume_mm3"))
        return order_visits(self.visits)[[*_VISIT, MONTHS]].merge(
            self.get_volumes(region)[[*_MEASURED, "volume_mm3"]], on=_VISIT
        )

    @classmethod
    def read(cls, folder: str | Path, *, quarantine: bool = False) -> Self:
        """Return the cohort that `write` wrote; `load_cohort` reads every other source.

        Parameters
        ----------
        folder
            With its tables and `cohort.json`.
        quarantine
            Let sound people go on and list the others in `rejected`.

        Raises
        ------
        CohortError
            One sentence for each file that is missing, cannot be read, or was changed since.
        CohortValidationError
            With every problem of the data at once.
        """
        from cohorts.sources.checks.imported import check_tables, find_missing_columns
        from cohorts.sources.checks.whole import require_people, separate_rejected

        folder = Path(folder)
        description, tables = read_description(folder), read_tables(folder)
        problems = find_missing_columns(tables)
        own = tables.pop("volumes")
        volumes = NumberedTable.of(own.astype({name: "str" for name in _NAMES if name in own}))
        del own
        problems = problems or check_tables(tables["participants"], tables["visits"], volumes)
        rejected = separate_rejected(problems, quarantine=quarantine)
        if len(rejected):
            gone = rejected[_PERSON].unique()
            tables = {name: rows[~is_among(rows[_PERSON], gone)] for name, rows in tables.items()}
            volumes = volumes.keep(~volumes.is_among(_PERSON, gone))
        require_people(tables["participants"], rejected)
        return cls(
            **tables,
            volumes=volumes.empty(),
            name=str(description.get("name", folder.name)),
            is_synthetic=description["is_synthetic"],
            sources=tuple(Path(source) for source in description.get("sources", ())),
            notes=tuple(description.get("notes", ())),
            rejected=rejected,
        ).with_volumes(volumes)

    def write(
        self, folder: str | Path, *, further: Mapping[str, pd.DataFrame] | None = None
    ) -> None:
        """Write the cohort to a folder, where `read` finds it, whole or not at all.

        Parameters
        ----------
        folder
            Takes the place of an earlier import; other files in it are kept.
        further
            Tables to keep beside them by name, such as those of `EligibilityCheck`.

        Raises
        ------
        StorageError
            Where the folder cannot be written.
        """
        tables = {name: getattr(self, name) for name in ("participants", "visits", "volumes")}
        tables["rejected"] = self.rejected
        tables |= further or {}
        description = {
            "name": self.name,
            "is_synthetic": self.is_synthetic,
            "sources": [str(path) for path in self.sources],
            "notes": list(self.notes),
        }
        write_tables(Path(folder), tables, description)
