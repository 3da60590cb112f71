"""Waves in columns: `age_W1`, `age_W2`, `MMSE_W1` of one row a person become visits."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import pandas as pd

from cohorts.errors import CohortError
from cohorts.sources.columns import SPELLINGS, WAVE, get_standard_name, split_volume_name
from cohorts.sources.records import AT_BASELINE


@dataclass(frozen=True)
class Waves:
    """The waves of a table.

    Parameters
    ----------
    columns
        Column -> what it measures, number of its wave; empty where there are no waves.
    """

    columns: dict[str, tuple[str, int]]

    def __bool__(self) -> bool:
        return bool(self.columns)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the waves, in order."""
        return sorted({number for _, number in self.columns.values()})

    @property
    def sessions(self) -> list[str]:
        """The names of the waves as visits."""
        return [f"W{number}" for number in self.numbers]

    def get_stem(self, column: str) -> str:
        """Return what `column` measures, whatever its wave."""
        return self.columns[column][0] if column in self.columns else column


def find_waves(names: Sequence[str], *, stated: Collection[str] = ()) -> Waves:
    """Return the waves among the columns of a table.

    A number at the end of a name is a wave where something that visits are known by, an age, a
    time, a volume, a usual covariate, has two numbers of that spelling (`age_W1`, `age_W2`);
    `consent_V2` alone is the second version of a form. What the user names as a wave is one.
    """
    found = [(name, *parts) for name in names if (parts := _split(name))]
    repeated: dict[str, set[int]] = {}
    for spelling in {spelling for _, _, spelling, _ in found}:
        stems: dict[str, set[int]] = {}
        for _, stem, own, number in found:
            if own == spelling and _is_known(stem):
                stems.setdefault(stem, set()).add(number)
        named = {
            number
            for name, stem, own, number in found
            if own == spelling and name in stated and _is_known(stem)
        }
        repeated[spelling] = named.union(*(own for own in stems.values() if len(own) > 1))
    return Waves(
        {
            name: (stem, number)
            for name, stem, spelling, number in found
            if number in repeated[spelling]
        }
    )


def list_later_waves(names: Sequence[str], waves: Waves, *, kept: Collection[str]) -> list[str]:
    """Return the columns that look like a second or later wave of something, and became none."""
    return [
        name
        for name in names
        if name not in waves.columns
        and name not in kept
        and (parts := _split(name))
        and parts[2] > 1
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
        With `session_id` (`W1`) and one column for each measurement; columns without a wave are
        repeated, volumes among them as those at baseline. The input where there are no waves.

    Raises
    ------
    CohortError
        Where two columns hold one measurement of one wave.
    """
    if not waves:
        return frame
    common = frame.drop(columns=list(waves.columns))
    _check_columns(waves, {str(name) for name in common})
    once = {
        str(name): f"{AT_BASELINE}{name}"
        for name in common
        if split_volume_name(str(name)) is not None
    }
    common = common.rename(columns=once)
    visits = []
    for number, session in zip(waves.numbers, waves.sessions, strict=True):
        own = {name: stem for name, (stem, of) in waves.columns.items() if of == number}
        measured = frame[list(own)].rename(columns=own)
        visits.append(pd.concat([common, measured], axis=1).assign(session_id=session))
    return pd.concat(visits).sort_index(kind="stable").reset_index(drop=True)


def _check_columns(waves: Waves, others: Collection[str]) -> None:
    claims: dict[tuple[str, int], list[str]] = {}
    for name, part in waves.columns.items():
        claims.setdefault(part, [part[0]] if part[0] in others else []).append(name)
    problems = [
        f"Several columns hold {stem} of wave {number} ({', '.join(names)}): leave one out with "
        f"--ignore {names[0]}."
        for (stem, number), names in claims.items()
        if len(names) > 1
    ]
    if problems:
        raise CohortError(*problems)


def _split(name: str) -> tuple[str, str, int] | None:
    match = WAVE.match(name)
    if match is None:
        return None
    stem, number = match[1], match[2]
    return stem, name[len(stem) : len(name) - len(number)].lower(), int(number)


def _is_known(stem: str) -> bool:
    return get_standard_name(stem) in SPELLINGS or split_volume_name(stem) is not None
