"""From what is stated, what the study recorded and the defaults to one protocol."""

import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from cohorts.restated import find_restated
from reports.store.places import relate
from reports.store.study import DESCRIPTION, Study
from trialsim.enrichment.strategies.registry import list_unattainable
from trialsim.errors import DesignError
from trialsim.study.protocol import (
    RENAMED,
    Protocol,
    SelectionSection,
    build_protocol,
    expand_home,
)
from trialsim.units import RENAMED_UNITS

PATHS: Final = (
    "study.output",
    "cohort.path",
    "cohort.training",
    "cohort.measured_twice",
    "selection.scores",
    "selection.predictions",
    "prediction.segmentations",
)
"""The keys whose values are paths."""

_NAMES_OR_FOLDERS: Final = ("prediction.model", "prediction.context_from")
_NAMES_OR_PATHS: Final = (*_NAMES_OR_FOLDERS, "cohort.profile")
"""The keys whose values are names of what comes with the package, or paths."""

_RESOLVED: Final = "resolved."

_NESTED: Final = (
    "selection.fast_progressor",
    "design.dropout",
    "design.assumed",
    "design.calibration",
    "design.discontinuation",
    "design.adverse_event",
    "design.death",
    "design.sites",
)
_ALTERNATIVES: Final = {
    "selection.fast_progressor.top_fraction": "selection.fast_progressor.rate_below",
    "selection.fast_progressor.rate_below": "selection.fast_progressor.top_fraction",
}

Values = dict[str, Any]
"""A protocol's values by their dotted keys."""


@dataclass(frozen=True)
class Question:
    """A whole protocol, and what of it was not stated.

    Attributes
    ----------
    protocol
        Every path in it is absolute.
    stated
        The dotted keys that were stated.
    recorded
        The values that were taken from the study, by dotted key.
    overruled
        Dotted keys that an option stated, and a setting otherwise.
    """

    protocol: Protocol
    stated: tuple[str, ...]
    recorded: Mapping[str, Any]
    overruled: tuple[str, ...] = ()

    def tell_unstated(self, options: Iterable[str]) -> Iterator[str]:
        """Yield where the values of the options came from that were left out.

        Parameters
        ----------
        options
            The dotted keys that could have been stated.
        """
        for key in self.overruled:
            yield f"{key} is that of --set, not of its option."
        values = describe_values(self.protocol, Path.cwd())
        recorded, usual = [], []
        for key, value in values.items():
            if any(key == one or key.startswith(f"{one}.") for one in options):
                if key in self.recorded:
                    recorded.append(f"{key} = {_show(value)}")
                elif key not in self.stated:
                    usual.append(f"{key} = {_show(value)}")
        if recorded:
            yield f"From the study: {'; '.join(recorded)}."
        if usual:
            yield f"By default: {'; '.join(usual)}."


def read_protocol(path: Path, overrides: Iterable[str] = ()) -> Protocol:
    """Read the protocol at `path`; relative paths in it are relative to its folder.

    Parameters
    ----------
    path
        A TOML file.
    overrides
        `key=value` with a dotted key, for example `simulation.n_simulations=500`; the value is
        read as TOML, and as text where it is none. `none` takes a key or a section out.

    Raises
    ------
    DesignError
        One sentence for each key that is unknown, missing or out of range.
    """
    try:
        content = tomllib.loads(expand_home(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DesignError(
            f"The protocol {path} cannot be read ({error.strerror}): `trialsim init` writes one."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DesignError(f"The protocol {path} is not valid TOML: {error}.") from error
    for key, value in _parse_settings(overrides).items():
        _put(content, key, value)
    return anchor(build_protocol(content, name=str(path)), path.absolute().parent)


def ask(
    study: Path,
    stated: Mapping[str, Any],
    *,
    settings: Iterable[str] = (),
    predicts: bool = False,
) -> Question:
    """Return the protocol of what is stated, then what the study recorded, then the defaults.

    Parameters
    ----------
    study
        The study file, whether it is there yet or not.
    stated
        Values by dotted key; None counts as not stated. Relative paths are relative to the working
        folder.
    settings
        Further values as `key=value`, see `read_protocol`.
    predicts
        Whether brains are to be predicted, even where nothing is stated of it.

    Raises
    ------
    DesignError
        One sentence for each value that cannot be, or where no cohort is named.
    """
    recorded = read_recorded(study)
    content = _start()
    if predicts:
        content["prediction"] = {}
    for key, value in recorded.items():
        _put(content, key, value)
    options = {key: value for key, value in stated.items() if value is not None}
    further = _parse_settings(settings)
    own = {**options, **further}
    _refuse_both(own)
    for key, value in own.items():
        _put(content, key, _anchor_value(key, value, Path.cwd()))
    if "path" not in content.get("cohort", {}):
        raise DesignError(
            f"The study {study} records no cohort: name a cohort folder, BIDS dataset or table."
        )
    _put(content, "study.output", study.absolute().parent)
    kept = {key: value for key, value in recorded.items() if not _is_covered(key, own)}
    overruled = tuple(key for key in options if own[key] != options[key])
    return Question(build_protocol(content, name="the question"), tuple(own), kept, overruled)


def build_stated(stated: Mapping[str, Any]) -> Protocol:
    """Return the protocol of values by dotted key, the defaults where they are None.

    Relative paths are relative to the working folder.

    Raises
    ------
    DesignError
        One sentence for each value that cannot be.
    """
    content = _start()
    for key, value in stated.items():
        if value is not None:
            _put(content, key, value)
    return anchor(build_protocol(content), Path.cwd())


def _refuse_both(stated: Mapping[str, Any]) -> None:
    known = {key for key, value in stated.items() if value is not None}
    for key in _ALTERNATIVES.keys() & known:
        if (other := _ALTERNATIVES[key]) in known:
            first, second = sorted((key, other), reverse=True)
            raise DesignError(f"{first} and {second} are two definitions: state one of them.")


def _start() -> dict[str, Any]:
    # one of two keys is needed, so that the section of these has no defaults of its own
    fastest = SelectionSection().fast_progressor.top_fraction
    return {"selection": {"fast_progressor": {"top_fraction": fastest}}}


def describe_values(protocol: Protocol, folder: Path) -> Values:
    """Return every value that is set by its dotted key, with paths relative to `folder`.

    Where the study lies is no part of it, nor is on what hardware and with how many workers it is
    made.
    """
    found = dict(_flatten(json.loads(protocol.model_dump_json())))
    found = {key: value for key, value in found.items() if key not in _WAYS and value is not None}
    for key in found.keys() & {*PATHS, *_NAMES_OR_PATHS}:
        found[key] = relate(found[key], folder)
    return found


_WAYS: Final = (
    "study.output",
    "prediction.device",
    "prediction.batch_size",
    "prediction.memory_gb",
    "simulation.workers",
    "compute.cluster",
    "compute.parts",
)


def describe_as_table(protocol: Protocol, folder: Path) -> pd.DataFrame:
    """Return the table `study_description`: `describe_values`, and what follows from them.

    What follows stands under `resolved.`, so that nothing takes it for asked.
    """
    resolved = {
        "design.dropout.treatment": protocol.design.dropout.treated,
        "simulation.workers": protocol.simulation.workers,
        "selection.unattainable": list_unattainable(protocol.selection.strategies),
    }
    return _tabulate(
        {
            **describe_values(protocol, folder),
            **{f"{_RESOLVED}{key}": value for key, value in resolved.items()},
        }
    )


def add_cohort(study: Path, place: Path) -> pd.DataFrame:
    """Return the table `study_description` with the cohort at `place` in place of the one before.

    Parameters
    ----------
    study
        The study file, which may have a description already.
    place
        Where the people are; whatever was stated of how to read another source is left out.
    """
    kept = read_recorded(study).items()
    values = {key: value for key, value in kept if not key.startswith("cohort.")}
    folder = study.absolute().parent
    for key in values.keys() & {*PATHS, *_NAMES_OR_PATHS}:
        values[key] = relate(values[key], folder)
    return _tabulate({**values, "cohort.path": relate(place.absolute(), folder)})


def _tabulate(values: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        {"key": list(values), "value": [json.dumps(value) for value in values.values()]},
        dtype="str",
    )


def read_recorded(study: Path) -> Values:
    """Return what was asked of the study last, by dotted key, with absolute paths."""
    if not study.exists():
        return {}
    opened = Study.open(study, read_only=True)
    with opened.snapshot():
        if not opened.has(DESCRIPTION):
            return {}
        rows = opened.read(DESCRIPTION)
    values = {
        RENAMED.get(key, key): json.loads(text)
        for key, text in zip(rows["key"], rows["value"], strict=True)
        if not key.startswith(_RESOLVED)
    }
    unit = str(values.get("design.unit"))
    if unit in RENAMED_UNITS:
        values["design.unit"] = RENAMED_UNITS[unit]
    return anchor_values(values, study.absolute().parent)


def anchor_values(values: Mapping[str, Any], folder: Path) -> Values:
    """Return values by dotted key with the paths among them, relative to `folder`, absolute."""
    return {key: _anchor_value(key, value, folder) for key, value in values.items()}


def nest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted key, nested as the protocol is."""
    content: dict[str, Any] = {}
    for key, value in values.items():
        _put(content, key, value)
    return content


def _parse_settings(settings: Iterable[str]) -> Values:
    """Return values by dotted key; refuse a key with two of them."""
    stated = [*map(parse_setting, settings)]
    if restated := find_restated(stated):
        raise DesignError(*(f"--set: {one}; one value is expected." for one in restated))
    return dict(stated)


def parse_setting(text: str) -> tuple[str, Any]:
    """Return key and value of `key=value`; None for `none`, text where the value is no TOML.

    Raises
    ------
    DesignError
        For text of another form.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise DesignError(f"--set takes key=value, for example study.seed=7; got {text!r}.")
    return key.strip(), None if value.strip() == "none" else parse_value(value.strip())


def parse_value(text: str) -> Any:
    """Return the value of text as TOML, or the text where it is none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def anchor(protocol: Protocol, folder: Path) -> Protocol:
    """Return the protocol with the paths in it relative to `folder`, made absolute."""
    updates: dict[str, dict[str, Any]] = {}
    for key in (*PATHS, *_NAMES_OR_PATHS):
        name, last = key.split(".")
        section = getattr(protocol, name)
        value = None if section is None else getattr(section, last)
        if value is not None:
            updates.setdefault(name, {})[last] = _anchor_value(key, value, folder)
    sections = {
        name: getattr(protocol, name).model_copy(update=values) for name, values in updates.items()
    }
    return protocol.model_copy(update=sections)


def _anchor_value(key: str, value: Any, folder: Path) -> Any:
    if value == "":
        return value  # refused where the protocol is built
    if key in PATHS and isinstance(value, str | Path):
        return Path(os.path.abspath(folder / expand_home(Path(value))))
    if key in _NAMES_OR_PATHS and value is not None:
        # a name of nothing there is a bundled one's, or an error that names what was written
        there = folder / expand_home(Path(str(value)))
        is_there = there.is_dir() if key in _NAMES_OR_FOLDERS else there.is_file()
        return os.path.abspath(there) if is_there else str(value)
    return value


def _put(content: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    place = content
    for section in sections:
        place = place.setdefault(section, {})
        if not isinstance(place, dict):
            raise DesignError(f"--set {key}: {section} is a value, not a section.")
    if value is None:
        place.pop(last, None)
        return
    place[last] = value
    if key in _ALTERNATIVES:
        place.pop(_ALTERNATIVES[key].rpartition(".")[2], None)


def _is_covered(key: str, stated: Mapping[str, Any]) -> bool:
    taken = {key, _ALTERNATIVES.get(key, key)}
    return any(one == own or one.startswith(f"{own}.") for one in taken for own in stated)


def _show(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _flatten(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for section, values in content.items():
        for name, value in (values or {}).items():
            key = f"{section}.{name}"
            if key in _NESTED:
                yield from ((f"{key}.{inner}", one) for inner, one in value.items())
            else:
                yield key, value
