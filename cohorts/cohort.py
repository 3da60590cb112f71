"""A validated screening cohort."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self

import pandas as pd

from cohorts.errors import CohortError
from cohorts.schema import validate_table

WINDOW_MONTHS: Final = 3.0
"""How far a visit may be from the time that it stands for, where nothing else is stated."""

_VISIT: Final = ["participant_id", "session_id"]
_MEASURED: Final = [*_VISIT, "region"]


@dataclass(frozen=True)
class Cohort:
    """People, their visits, and the volumes measured at each visit.

    Parameters
    ----------
    participants, visits, volumes
        Tables of `cohorts.schema`; checked on construction.
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
        for table in ("participants", "visits", "volumes"):
            object.__setattr__(self, table, validate_table(getattr(self, table), table))

    def __repr__(self) -> str:
        """Return one line: who, how many, measured by what."""
        sources = ", ".join(sorted(self.volumes["source"].unique())) or "nothing"
        kind = "synthetic " if self.is_synthetic else ""
        return (
            f"<Cohort {self.name}: {len(self.participants)} {kind}people, {len(self.visits)} "
            f"visits, {len(self.volumes)} volumes from {sources}>"
        )

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
        people = self.participants["participant_id"]
        kept = list(people if ids is None else ids)
        unknown = sorted(set(kept) - set(people))
        if unknown:
            raise CohortError(f"The cohort {self.name} has no {', '.join(unknown[:8])}.")
        sources = sorted(self.volumes["source"].unique())
        if source is not None and source not in sources:
            raise CohortError(
                f"The cohort {self.name} has no volumes from {source}: it has those from "
                f"{', '.join(sources) or 'nothing'}."
            )
        of_source = self.volumes["source"] == source if source is not None else slice(None)
        tables = {
            name: table[table["participant_id"].isin(kept)].reset_index(drop=True)
            for name, table in (
                ("participants", self.participants),
                ("visits", self.visits),
                ("volumes", self.volumes.loc[of_source]),
            )
        }
        return replace(
            self,
            participants=tables["participants"],
            visits=tables["visits"],
            volumes=tables["volumes"],
        )

    def get_volumes(self, region: str | None = None) -> pd.DataFrame:
        """Return the volumes of a region, or of all, each measured once.

        Raises
        ------
        CohortError
            For a region that nobody has, and where several tools measured the same volume;
            `select(source=...)` settles it.
        """
        volumes = self.volumes
        if region is not None:
            known = sorted(volumes["region"].unique())
            volumes = volumes[volumes["region"] == region]
            if volumes.empty:
                raise CohortError(
                    f"The cohort {self.name} has no volumes of {region}: it has "
                    f"{', '.join(known) or 'none'}."
                )
        sources = sorted(volumes["source"].unique())
        if len(sources) > 1 and volumes.duplicated(_MEASURED).any():
            raise CohortError(
                f"The cohort {self.name} has volumes of the same visit from several sources "
                f"({', '.join(sources)}): keep one, with Cohort.select(source=...)."
            )
        return volumes

    def volumes_at(
        self, region: str, months: float, *, window_months: float = WINDOW_MONTHS
    ) -> "pd.Series[float]":
        """Return each person's volume (mm3) at the visit nearest to a time.

        Parameters
        ----------
        region
            Which.
        months
            Since the baseline; at 0 only the baseline visit itself stands for it.
        window_months
            A visit counts that is at most this far from it; the earlier one of two as near.

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
        times = self.visits[[*_VISIT, "months_from_baseline"]]
        rows = self.get_volumes(region)[[*_VISIT, "volume_mm3"]].merge(times, on=_VISIT)
        distance = (rows["months_from_baseline"] - months).abs()
        near = rows.assign(distance=distance)[distance <= (window_months if months else 0.0)]
        nearest = near.sort_values(["distance", "months_from_baseline"], kind="stable")
        return nearest.drop_duplicates("participant_id").set_index("participant_id")["volume_mm3"]
