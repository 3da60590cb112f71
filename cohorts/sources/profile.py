"""Profiles: how the tables of a known study or tool are written, one TOML file each."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from cohorts.counting import tally
from cohorts.errors import CohortError

_FOLDER: Final = files("cohorts.sources").joinpath("profiles")


@dataclass(frozen=True)
class Profile:
    """What is stated about a source before the user states anything; the user wins.

    Parameters
    ----------
    description
        What the profile is for.
    columns
        Name in the file -> standard name, where the file has the column.
    ignore
        Columns to leave out, with `*` for any letters, where the file has them.
    missing, missing_in
        Codes of missing values everywhere, and those of single columns.
    age_unit, sex_coding, diagnosis_coding
        As the options of these names.
    session_time
        A regular expression with a group `days`, `months` or `years`, which tells the time in the
        name of a visit.
    starts_at_first_visit
        Whether times are counted from something before the first visit, such as entry.
    visit_date
        Columns of the year, month and day of a visit, taken where nothing else tells its time.
    age_from_years
        Columns of a visit's date and of birth, whose years tell the age where nothing else does.
    volume_source
        The tool that measured the volumes, where the table does not say it.
    """

    description: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    missing_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    age_unit: str | None = None
    sex_coding: Mapping[str, str] | None = None
    diagnosis_coding: Mapping[str, str] | None = None
    session_time: str | None = None
    starts_at_first_visit: bool = False
    visit_date: tuple[str, ...] = ()
    age_from_years: tuple[str, ...] = ()
    volume_source: str | None = None


def list_profiles() -> list[str]:
    """Return the names of the profiles that come with the package."""
    names = (Path(entry.name) for entry in _FOLDER.iterdir())
    return sorted(name.stem for name in names if name.suffix == ".toml")


def read_profile(name: str | Path | None) -> Profile:
    """Return a profile by its name, or one of the user's by its path.

    Raises
    ------
    CohortError
        For a name that is not known, or a file that is no profile.

    Examples
    --------
    >>> read_profile("adnimerge").columns["AGE"]
    'baseline_age_years'
    """
    if name is None:
        return Profile()
    if str(name) in list_profiles():
        content = tomllib.loads(_FOLDER.joinpath(f"{name}.toml").read_text(encoding="utf-8"))
        return _build(content, str(name))
    path = Path(name).expanduser()
    if not path.is_file():
        raise CohortError(
            f"There is no profile {name}: give the path of a TOML file, or one of "
            f"{', '.join(list_profiles())}."
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CohortError(f"The profile {path} is not valid TOML: {error}.") from error
    return _build(content, str(path))


def _find_unreadable(content: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield what no table could be read by, of values of the right kind."""
    for column, target in content.get("columns", {}).items():
        if not isinstance(target, str):
            yield f"The profile {name}, columns.{column}: a name is expected, got {target!r}."
    text = content.get("session_time", "(?P<days>)")
    try:
        groups = {*re.compile(text).groupindex}
    except re.error as error:
        yield f"The profile {name}, session_time: {text!r} is no regular expression ({error})."
    else:
        if not groups & {"days", "months", "years"}:
            yield (
                f"The profile {name}, session_time: a group days, months or years is expected, "
                f"like (?P<days>[0-9]+), got {text!r}."
            )


def _build(content: Mapping[str, Any], name: str) -> Profile:
    kinds = {
        **dict.fromkeys(("description", "age_unit", "session_time", "volume_source"), str),
        **dict.fromkeys(("columns", "missing_in", "sex_coding", "diagnosis_coding"), dict),
        **dict.fromkeys(("ignore", "missing", "visit_date", "age_from_years"), list),
        "starts_at_first_visit": bool,
    }
    known = [entry.name for entry in fields(Profile)]
    problems = [
        f"The profile {name} has no key {key}: it takes {', '.join(known)}."
        for key in content
        if key not in known
    ]
    problems += [
        f"The profile {name}, {key}: a {kind.__name__} is expected, got {content[key]!r}."
        for key, kind in kinds.items()
        if key in content and not isinstance(content[key], kind)
    ]
    problems += [
        f"The profile {name}, {key}: {tally(n, 'columns are')} expected, got {len(content[key])}."
        for key, n in (("visit_date", 3), ("age_from_years", 2))
        if isinstance(content.get(key), list) and len(content[key]) != n
    ]
    if not problems:
        problems += _find_unreadable(content, name)
    if problems:
        raise CohortError(*problems)
    values = {key: tuple(map(str, v)) if isinstance(v, list) else v for key, v in content.items()}
    by_column = {
        column: tuple(map(str, codes if isinstance(codes, list) else [codes]))
        for column, codes in content.get("missing_in", {}).items()
    }
    return Profile(**values | {"missing_in": by_column})
