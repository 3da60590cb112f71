"""The tables of a cohort: checked, held, taken in part, written and read again."""

from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.counting import tally
from cohorts.errors import CohortError
from cohorts.files.folder import read_cohort_tables, read_description, write_tables
from cohorts.keys import is_among, is_in_order
from cohorts.numbered import NumberedTable
from cohorts.schema import validate_table
from cohorts.visits import MONTHS, order_visits

_PERSON: Final = "participant_id"
_VISIT: Final = [_PERSON, "session_id"]


@dataclass(frozen=True)
class CohortTables:
    """What a `Cohort` holds; its parameters and errors are told there.

    `select`, `until` and `keep` take some of the rows, and need no second check.
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
        people = validate_table(self.participants, "participants")
        if not is_in_order(people, [_PERSON]):
            people = people.sort_values(_PERSON, ignore_index=True)
        # what is drawn for people goes by their places: in order of names it is theirs in any table
        object.__setattr__(self, "participants", people)
        object.__setattr__(self, "visits", order_visits(validate_table(self.visits, "visits")))
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
            f"<Cohort {self.name}: {tally(len(self.participants), f'{kind}people')}, "
            f"{tally(len(self.visits), 'visits')}, {tally(len(self._volumes), 'volumes')} from "
            f"{sources}>"
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
        description, (tables, volumes) = read_description(folder), read_cohort_tables(folder)
        problems = find_missing_columns({**tables, "volumes": volumes})
        places = None
        if not problems:
            places = volumes.locate(tables["visits"], _VISIT)
            problems = check_tables(tables["participants"], tables["visits"], volumes, places)
        rejected = separate_rejected(problems, quarantine=quarantine)
        if len(rejected):
            gone, places = rejected[_PERSON].unique(), None
            tables = {name: rows[~is_among(rows[_PERSON], gone)] for name, rows in tables.items()}
            volumes = volumes.keep(~volumes.is_among(_PERSON, gone))
        require_people(tables["participants"], rejected)
        cohort = cls(
            **tables,
            volumes=volumes.empty(),
            name=str(description.get("name", folder.name)),
            is_synthetic=description["is_synthetic"],
            sources=tuple(Path(source) for source in description.get("sources", ())),
            notes=tuple(description.get("notes", ())),
            rejected=rejected,
        ).with_volumes(volumes)
        if places is not None:
            cohort.__dict__["_places"] = places
        return cohort

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
