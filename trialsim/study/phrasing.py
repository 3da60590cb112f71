"""The command line that asks a question again, as a shell takes it."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reports.store.places import relate
from trialsim.study.protocol import PredictionSection, Protocol
from trialsim.study.question import describe_values, parse_value


def phrase_command(verb: str, protocol: Protocol, path: Path) -> str:
    """Return the command line that gives the tables of `verb` again, in the working folder.

    Parameters
    ----------
    verb
        Such as "rank".
    protocol
        With absolute paths.
    path
        The study file.
    """
    here = Path.cwd()
    words = ["trialsim", verb, relate(protocol.cohort.path, here)]
    words += ["--study", relate(path.absolute(), here)]
    for key, value in list_stated(protocol, here).items():
        words += ["--set", f"{key}={phrase_value(value)}"]
    return shlex.join(words)


def list_stated(protocol: Protocol, folder: Path) -> dict[str, Any]:
    """Return what a protocol states beside the defaults, by section and key, but for the cohort.

    Parameters
    ----------
    protocol
        With absolute paths.
    folder
        Paths are told relative to it.
    """
    # a section that is there has defaults of its own, beside the model that asks for it
    prediction = None if protocol.prediction is None else PredictionSection()
    asked, usual = (
        describe_values(protocol, folder),
        describe_values(Protocol(cohort=protocol.cohort, prediction=prediction), folder),
    )
    return {key: value for key, value in asked.items() if _is_stated(key, value, usual)}


def _is_stated(key: str, value: Any, usual: Mapping[str, Any]) -> bool:
    # a cohort's own keys are its section's defaults only where they say nothing
    if key.startswith("cohort."):
        return key != "cohort.path" and bool(value)
    return key == "prediction.model" or usual.get(key) != value


def phrase_value(value: Any) -> str:
    """Return a value as TOML, or as the text that `--set` takes it for."""
    if isinstance(value, str) and parse_value(value) == value and value != "none":
        return value
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_quote(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_quote(one) for one in value) + "]"
    return json.dumps(value)


def _quote(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else phrase_value(value)
