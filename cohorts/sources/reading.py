"""What the user states about how a source is to be read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Self

from cohorts.errors import CohortError
from cohorts.sources.bids.files import Filter
from cohorts.sources.profile import Profile
from cohorts.sources.records import join_names
from cohorts.sources.tables.waves import split_ending


@dataclass(frozen=True)
class Reading:
    """Statements about a source that hold before its values are understood.

    Parameters
    ----------
    column_map
        Name in the file -> standard name. A stated name wins over a recognized one.
    missing
        Codes that stand for a missing value (`-4`, `-9999`, `unknown`) in every column but those
        that name people and visits. Empty states that there are none; None states nothing.
    ignored
        Columns to leave out, by their names in the file.
    pipeline
        The folder under `derivatives/` of a BIDS dataset whose segmentations and volumes are
        taken; None where there is only one.
    profile
        What holds where the user states nothing.
    filters
        `t1w` and `dseg` -> the entities that such files of a BIDS dataset must have.
    participants
        The people of a BIDS dataset to read, with or without `sub-`; empty reads everyone.
    """

    column_map: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] | None = None
    ignored: tuple[str, ...] = ()
    pipeline: str | None = None
    filters: Mapping[str, Filter] = field(default_factory=dict)
    participants: tuple[str, ...] = ()
    profile: Profile = field(default_factory=Profile)

    def apply_map(self, names: Iterable[str], *, file: str) -> dict[str, str]:
        """Return name in the file -> name as the user states it.

        A stated name without its wave (`MMSE` for `MMSE_W1`, `MMSE_W2`) stands for all of them.

        Parameters
        ----------
        names
            The columns of the file.
        file
            Named in errors.

        Raises
        ------
        CohortError
            For a stated or ignored column that the file lacks, and for two of one name.
        """
        names, renames = list(names), {}
        taken = set(self.column_map.values())
        for name, target in self.profile.columns.items():
            if name in names and name not in self.column_map and target not in taken:
                renames[name] = target
                taken.add(target)
        for stated, target in self.column_map.items():
            if stated in names:
                renames[stated] = target
            else:
                ends = {name: end for name in names if (end := split_ending(name))}
                renames |= {
                    name: f"{target}_{end.word}" for name, end in ends.items() if end.stem == stated
                }
        absent = self.list_absent(names)
        if absent:
            uses = {name: f"to read as {target}" for name, target in self.column_map.items()}
            raise CohortError(
                *(
                    f"{file} has no column {name} {uses.get(name, 'to leave out')}: its columns "
                    f"are {', '.join(join_names(names, limit=30))}."
                    for name in absent
                )
            )
        claims: dict[str, list[str]] = {}
        for name, target in renames.items():
            claims.setdefault(target, []).append(name)
        if problems := [
            f"{file} has several columns stated as {target} ({', '.join(own)}): map one of them."
            for target, own in claims.items()
            if len(own) > 1
        ]:
            raise CohortError(*problems)
        return renames

    def list_ignored(self, names: Iterable[str]) -> list[str]:
        """Return the columns to leave out: the user's, and the profile's that nobody maps."""
        kept = {*self.column_map, *self.profile.columns}
        return [
            name
            for name in names
            if name in self.ignored
            or (name not in kept and any(fnmatchcase(name, one) for one in self.profile.ignore))
        ]

    def list_absent(self, names: Iterable[str]) -> list[str]:
        """Return the stated columns that are not among `names`, with or without a wave."""
        known = set(names)
        known |= {end.stem for name in known if (end := split_ending(name))}
        return [name for name in (*self.column_map, *self.ignored) if name not in known]

    def select_people(self, people: Iterable[str]) -> list[str]:
        """Return the people to read.

        Parameters
        ----------
        people
            Everyone, as `sub-01`.

        Raises
        ------
        CohortError
            For a stated person who is not among them.
        """
        everyone = list(people)
        wanted = [f"sub-{name.removeprefix('sub-')}" for name in self.participants]
        absent = [name for name in wanted if name not in everyone]
        if absent:
            raise CohortError(
                f"participants.tsv has no {', '.join(join_names(absent))}: it has "
                f"{', '.join(join_names(everyone))}."
            )
        return wanted or everyone

    def without(self, columns: Iterable[str]) -> Self:
        """Return the same statements but for those about `columns`."""
        left_out = set(columns)
        kept = {name: to for name, to in self.column_map.items() if name not in left_out}
        ignored = tuple(name for name in self.ignored if name not in left_out)
        return replace(self, column_map=kept, ignored=ignored)
