"""FreeSurfer's table of all subjects (`asegstats2table`): its names hold visit and stream."""

import re
from collections.abc import Container
from typing import Final

import numpy as np
import pandas as pd

from cohorts.sources.records import VOLUME_SOURCE, Records, join_names
from cohorts.sources.values import parse_text

LONGITUDINAL: Final = "longitudinal"
CROSS_SECTIONAL: Final = "cross-sectional"

_NAMES: Final = "Measure:volume"
"""The column of names that asegstats2table writes."""

_MARK: Final = ".long."
_LONG: Final = re.compile(r"(?P<visit>.+)\.long\.(?P<base>.+)")
_BIDS_VISIT: Final = re.compile(r"(sub-[0-9A-Za-z]+)_(ses-[0-9A-Za-z]+)")


def settle_streams(records: Records) -> None:
    """Take one processing stream for all visits of a person, and note it in the volumes' source.

    `<visit>.long.<base>` is the longitudinal result of a visit, `<visit>` the cross-sectional one,
    `<base>` a template and no visit. The longitudinal stream is taken where it has every visit of
    the person, else the cross-sectional one where that has; a person of whom neither has is a
    problem. Names such as `sub-01_ses-02` say person and visit where no other column does.
    """
    frame = records.frame
    is_own = records.column_names.get("participant_id") == _NAMES
    column = "participant_id" if is_own or _NAMES not in frame else _NAMES
    if column not in frame:
        return
    if not is_own and not frame[column].astype("str").str.contains(_MARK, regex=False).any():
        return
    names = parse_text(frame[column])
    long = names.str.extract(_LONG.pattern)
    is_long = long["visit"].notna()
    if not is_long.any() and not is_own:
        return
    is_template = names.isin(set(long["base"].dropna())) & ~is_long
    if is_template.any():
        told = ", ".join(join_names(names[is_template]))
        records.notes.append(f"Left out as templates of a longitudinal run, no visits: {told}.")
    visits = long["visit"].where(is_long, names)
    if column == "participant_id":
        _name_visits(records, visits, long["base"])
    frame = records.frame
    if not is_long.any():
        return
    marked = frame[VOLUME_SOURCE].astype("str") + f", {LONGITUDINAL}"
    frame[VOLUME_SOURCE] = frame[VOLUME_SOURCE].where(~is_long, marked)
    dropped = np.array(is_template, dtype=bool)
    people = frame["participant_id"]
    with_both = set(people[is_long]) & set(people[~is_long & ~is_template])
    mixed = people[~is_template & people.isin(with_both)]
    for own in mixed.groupby(mixed, sort=False).groups.values():
        dropped[_list_dropped(records, own, visits, is_long)] = True
    records.frame = frame[~dropped].reset_index(drop=True)


def _name_visits(records: Records, visits: pd.Series, bases: pd.Series) -> None:
    """Give rows the person and the visit that their names say."""
    of_visit = dict(zip(visits[bases.notna()], bases.dropna(), strict=True))
    known = {visit: _split_visit(visit, base) for visit, base in of_visit.items()}
    followed = {person for person, _ in known.values()}
    known |= {
        visit: _split_visit(visit, _find_person(visit, followed))
        for visit in visits.dropna().unique()
        if visit not in known
    }
    people = visits.map({visit: person for visit, (person, _) in known.items()})
    records.frame["participant_id"] = people
    sessions = visits.map({visit: session for visit, (_, session) in known.items()})
    if "session_id" not in records.frame and sessions.notna().any():
        records.frame["session_id"] = sessions


def _find_person(visit: str, people: Container[str]) -> str | None:
    """Return the person whose name begins that of a visit, the longest such name."""
    beginnings = [visit[: mark.start()] for mark in re.finditer("[_.-]", visit)]
    return next((begun for begun in reversed(beginnings) if begun in people), None)


def _split_visit(visit: str, base: str | None) -> tuple[str, str | None]:
    """Return person and visit of a name such as `sub-01_ses-02`, or of one with a template."""
    if match := _BIDS_VISIT.fullmatch(visit):
        return match[1], match[2]
    if base is None:
        return visit, None
    person = base.removesuffix("_base").removeprefix("base_")
    return person, visit.removeprefix(person).lstrip("_-.") or visit


def _list_dropped(
    records: Records, rows: pd.Index, visits: pd.Series, is_long: pd.Series
) -> pd.Index:
    """Return a person's rows that are of the stream not taken; report a person without one."""
    of_long, of_cross = rows[is_long[rows]], rows[~is_long[rows]]
    longed, crossed = set(visits[of_long]), set(visits[of_cross])
    if crossed <= longed:
        return of_cross
    if longed <= crossed:
        return of_long
    lacking = of_cross[~visits[of_cross].isin(longed)]
    mask = pd.Series(records.frame.index.isin(lacking[:1]))
    records.report(
        mask,
        None,
        "has no longitudinal row, other visits of the person have no other; one stream for all "
        "visits is expected",
    )
    return of_cross[visits[of_cross].isin(longed)]
