"""Waves in columns: `MMSE_W1`, `MMSE_W2`, or `MMSE_bl`, `MMSE_m12`, of one row a person."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Final, NamedTuple

import pandas as pd

from cohorts.errors import CohortError
from cohorts.sources.columns import (
    SPELLINGS,
    VOLUME_UNITS_MM3,
    get_standard_name,
    split_volume_name,
)
from cohorts.sources.visit_times.times import is_screening, read_months_of_name

_NUMBERED: Final = re.compile(r"(.+)[_-](W|wave|ses|visit|V)[_-]?(\d+)", re.IGNORECASE)
_LAST_WORD: Final = re.compile(r"(.+)[_-]([a-z0-9.]+)", re.IGNORECASE)
_W: Final = re.compile(rf"(?<=[_-])w(?=(\d+)(_({'|'.join(VOLUME_UNITS_MM3)}))?$)", re.IGNORECASE)
_MOST_WAVES: Final = 20
"""Nobody is seen in more; where a `W` counts further, it counts weeks."""
_TIMED: Final = "a time"
_BASELINE: Final = "bl"


class Ending(NamedTuple):
    """What the end of a column's name says of a visit.

    Parameters
    ----------
    stem
        The name without it: what was measured.
    word
        The end itself, `W2` or `m12`.
    spelling
        How visits are told by such an end: `w`, `wave` ..., or a time.
    number
        Of the wave, or the months since baseline.
    """

    stem: str
    word: str
    spelling: str
    number: float

    @property
    def session(self) -> str:
        """The name of the visit."""
        if self.spelling != _TIMED:
            return f"W{self.number:.0f}"
        if not self.number:
            return self.word.lower()
        if self.number.is_integer():
            return f"m{self.number:02.0f}"
        # by one name, however it is spelled
        unit = "week" if "w" in self.word.lower() else "y"
        return f"{unit}{float(re.sub(r'[^0-9.]', '', self.word)):g}"


def split_ending(name: str, *, counts_weeks: bool = False) -> Ending | None:
    """Return what the end of a column's name says of a visit, before its unit if it has one.

    Parameters
    ----------
    name
        The column's.
    counts_weeks
        Whether `W12` is week 12, not the twelfth wave.

    Examples
    --------
    >>> [tuple(split_ending(name))[:2] for name in ("MMSE_W2", "age_bl", "hippocampus_m06_ml")]
    [('MMSE', 'W2'), ('age', 'bl'), ('hippocampus_ml', 'm06')]
    """
    name = _W.sub("week", name) if counts_weeks else name
    if match := _NUMBERED.fullmatch(name):
        return Ending(match[1], name[len(match[1]) + 1 :], match[2].lower(), float(match[3]))
    bare, _, unit = name.rpartition("_")
    unit = f"_{unit}" if unit.lower() in VOLUME_UNITS_MM3 else ""
    if match := _LAST_WORD.fullmatch(bare if unit else name):
        months = read_months_of_name(match[2])
        if months is not None:
            return Ending(match[1] + unit, match[2], _TIMED, months)
    return None


@dataclass(frozen=True)
class Waves:
    """The waves of a table.

    Parameters
    ----------
    columns
        Column -> what it measures, name of its visit; empty where there are no waves.
    sessions
        The names of the visits, in order of time.
    """

    columns: dict[str, tuple[str, str]]
    sessions: list[str]

    def __bool__(self) -> bool:
        return bool(self.columns)

    def get_stem(self, column: str) -> str:
        """Return what `column` measures, whatever its wave."""
        return self.columns[column][0] if column in self.columns else column


def find_waves(
    names: Sequence[str], *, stated: Collection[str] = (), is_wide: bool = True
) -> Waves:
    """Return the waves among the columns of a table.

    A number at the end of a name is a wave where something that visits are known by, an age, a
    time, a volume, a usual covariate, has two numbers of that spelling (`age_W1`, `age_W2`);
    `consent_V2` alone is the second version of a form. What the user names as a wave is one. A time
    is a wave (`age_m06`, `age_m12`) also of a volume alone, whose name without a time is the
    baseline's; names of their own, such as `age_bl`, are none. `W12` is a time where such numbers
    go beyond 20 (`age_W52`).

    Parameters
    ----------
    names
        The columns.
    stated
        Those that the user named.
    is_wide
        Whether nobody has two rows; else rows are visits already, whatever time a name tells.
    """
    found = {name: end for name, end in _list_endings(names) if is_wide or end.spelling != _TIMED}
    numbers = {
        spelling: _find_numbers(found, spelling, names, stated)
        for spelling in {end.spelling for end in found.values()}
    }
    ends = {name: end for name, end in found.items() if end.number in numbers[end.spelling]}
    timed = {end.stem for end in ends.values() if end.spelling == _TIMED}
    ends |= {name: Ending(name, _BASELINE, _TIMED, 0.0) for name in names if name in timed}
    ends = _spell_baseline_alike(ends)
    visits = {end.session: end.number for end in ends.values()}
    if timed and 0 not in visits.values():
        visits[_BASELINE] = 0.0
    columns = {name: (end.stem, end.session) for name, end in ends.items()}
    return Waves(columns, sorted(visits, key=lambda session: visits[session]))


def _spell_baseline_alike(ends: dict[str, Ending]) -> dict[str, Ending]:
    """Return the endings with one name for the baseline, its first; screening keeps its own."""
    baseline = [
        name
        for name, end in ends.items()
        if end.spelling == _TIMED and not end.number and not is_screening(end.word)
    ]
    return ends | {name: ends[name]._replace(word=ends[baseline[0]].word) for name in baseline}


def _list_endings(names: Sequence[str]) -> Iterator[tuple[str, Ending]]:
    counts_weeks = any(map(_is_late_week, names))
    for name in names:
        end = split_ending(name, counts_weeks=counts_weeks)
        if end is not None and (end.spelling != _TIMED or get_standard_name(name) not in SPELLINGS):
            yield name, end


def _is_late_week(name: str) -> bool:
    """Return whether a name ends in a `W` with a number that no wave has."""
    match, end = _W.search(name), split_ending(name, counts_weeks=True)
    if match is None or end is None:
        return False
    return int(match[1]) > _MOST_WAVES and _is_known(end.stem)


def _find_numbers(
    found: dict[str, Ending], spelling: str, names: Collection[str], stated: Collection[str]
) -> set[float]:
    """Return the numbers of a spelling that are waves."""
    known = {
        name: end for name, end in found.items() if end.spelling == spelling and _is_known(end.stem)
    }
    stems: dict[str, set[float]] = {}
    for end in known.values():
        stems.setdefault(end.stem, set()).add(end.number)
    waves = {end.number for name, end in known.items() if name in stated}
    for stem, numbers in stems.items():
        is_volume = spelling == _TIMED and split_volume_name(stem) is not None
        # a volume at baseline beside the same one without a time is what a table of visits repeats
        is_alone = is_volume and not (numbers == {0} and stem in names)
        if len(numbers) > 1 or is_alone:
            waves |= numbers
    return waves


def list_later_waves(names: Sequence[str], waves: Waves, *, kept: Collection[str]) -> list[str]:
    """Return the columns that look like a second or later wave of something, and became none."""
    return [
        name
        for name in names
        if name not in waves.columns
        and name not in kept
        and (end := split_ending(name))
        and end.spelling != _TIMED
        and end.number > 1
    ]


def split_waves(frame: pd.DataFrame, waves: Waves) -> pd.DataFrame:
    """Return one row per person and wave.

    Parameters
    ----------
    frame
        One row a person; columns such as `age_years_W1`, `age_years_W2`, `MMSE_W1`.
    waves
        What `find_waves` found.

    Returns
    -------
    DataFrame
        With `session_id` (`W1`, `m12`) and one column for each measurement; columns without a wave
        are repeated. The input where there are no waves.

    Raises
    ------
    CohortError
        Where two columns hold one measurement of one wave.
    """
    if not waves:
        return frame
    common = frame.drop(columns=list(waves.columns))
    _check_columns(waves, {str(name) for name in common})
    visits = []
    for session in waves.sessions:
        own = {name: stem for name, (stem, of) in waves.columns.items() if of == session}
        measured = frame[list(own)].rename(columns=own)
        visits.append(pd.concat([common, measured], axis=1).assign(session_id=session))
    return pd.concat(visits).sort_index(kind="stable").reset_index(drop=True)


def _check_columns(waves: Waves, others: Collection[str]) -> None:
    claims: dict[tuple[str, str], list[str]] = {}
    for name, part in waves.columns.items():
        claims.setdefault(part, [part[0]] if part[0] in others else []).append(name)
    problems = [
        f"Several columns hold {stem} of visit {session} ({', '.join(names)}): keep one of them "
        f"(an import leaves one out with --ignore {quote(names[0])})."
        for (stem, session), names in claims.items()
        if len(names) > 1
    ]
    if problems:
        raise CohortError(*problems)


def _is_known(stem: str) -> bool:
    return get_standard_name(stem) in SPELLINGS or split_volume_name(stem) is not None
