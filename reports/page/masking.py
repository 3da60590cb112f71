"""Names of people, sites, visits and places, taken out of text before a page is made of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import pandas as pd

from reports.page.gather import StudyFacts
from reports.store import queries
from reports.store.study import Study

_PATH: Final = "<path>"
_LONGEST_NAME: Final = 12
"""Words and numbers in the longest name that is looked for, `011 S 0002` has three."""

_PIECE: Final = re.compile(r"[^\W_]+")
# from where a word begins alone: a long one would be gone through from each of its letters
_SCAN: Final = re.compile(
    r"(?<![^\s'\",;:()])[^\s'\",;:()]+\.(?:nii(?:\.gz)?|mgz|mgh|hdr|dcm)\b", re.IGNORECASE
)
# an absolute path, or a relative one that ends in a file's ending; `mm3/year` is neither
_ABSOLUTE: Final = re.compile(
    r"(?<![\w<./])(?:~[\w.-]*|[A-Za-z]:|\\)?[/\\](?=[^\s/\\])[^\s'\",;()<>]*(?<![.:])"
)
_RELATIVE: Final = re.compile(
    r"(?<![\w<])(?:[\w.@+-]+[/\\])+[\w@+-]*\.(?P<ending>[A-Za-z]\w{0,7})\b"
)
_QUOTED: Final = re.compile(r"(['\"])[^'\"]*[/\\][^'\"]*\1")
_NUMBERS: Final = r"-?\d[\d.,e+-]*(?: to -?\d[\d.,e+-]*)?"
"""A number, or from the least to the most of several people: both ends are single people's."""

_MEASURED: Final = (
    (re.compile(rf" is {_NUMBERS}, outside "), " is outside "),
    (re.compile(rf"\bto the power {_NUMBERS}"), "to another power"),
)
"""What checks say of people's scans, and what is said in place of the numbers measured."""

_WHOLE: Final = re.compile(r"(?:~|[A-Za-z]:)?[/\\]")
_DATED: Final = re.compile(r"\d{6}|\d{4}-\d\d")
_ENDING: Final = re.compile(r"\.[A-Za-z]\w{0,7}$")
_COUNTED_KEYS: Final = ("notes", "changes")
_SEVERAL: Final = re.compile(r"a person(?:, a person)+")
_FREE_TEXT: Final = ("criterion", "subgroup", "covariate", "parameter", "definition", "reasons")
_NAMELESS_NOTE: Final = "A note that may name people stays in the study: `trialsim study runs`."


@dataclass(frozen=True)
class Mask:
    """What may not be read on a page, and what stands there instead.

    Besides names and places, that is what was measured in one person's scan.

    Parameters
    ----------
    names
        Each person's, site's and visit's name, with the words in its place.
    numbers
        Names that are nothing but a number: a page is full of numbers, so these are only taken
        for names where a word before them says so.
    paths
        Paths with spaces, which no pattern finds.
    levels
        Levels of a covariate that are sites, with what stands there: a site may be but a number.

    Examples
    --------
    >>> mask = Mask({"sub-07": "a person", "Bonn": "site 1"}, frozenset({"12"}), ())
    >>> mask.text("sub-07_ses-1 at Bonn has no scan in /home/jane/archive")
    'a person_ses-1 at site 1 has no scan in <path>'
    >>> mask.text("participant 12 of 12 people")
    'participant <id> of 12 people'
    """

    names: Mapping[str, str]
    numbers: frozenset[str]
    paths: tuple[str, ...]
    levels: Mapping[str, str] = field(default_factory=dict)

    def text(self, text: str) -> str:
        """Return `text` without names and without paths."""
        for path in self.paths:
            text = text.replace(path, _PATH)
        text = _QUOTED.sub(_describe_path, text)
        text = _SCAN.sub("<scan>", text)
        text = _ABSOLUTE.sub(_describe_path, text)
        text = _RELATIVE.sub(_describe_path, text)
        for measured, words in _MEASURED:
            text = measured.sub(words, text)
        return _SEVERAL.sub("several people", self._numbered(self._named(text)))

    def note(self, text: str) -> str:
        """Return a note, which may list people by bare numbers, or a word in its place."""
        if self.numbers.intersection(_PIECE.findall(text)):
            return _NAMELESS_NOTE
        return self.text(text)

    def value(self, value: Any, key: str = "") -> Any:
        """Return a value of a configuration, whatever it holds."""
        if isinstance(value, dict):
            return {self.text(str(name)): self.value(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner, key) for inner in value]
        if not isinstance(value, str):
            return value
        if value in self.numbers:
            return "<id>"
        if _WHOLE.match(value) and key not in _COUNTED_KEYS:
            return _PATH
        return self.note(value) if key in _COUNTED_KEYS else self.text(value)

    def _named(self, text: str) -> str:
        pieces = [match.span() for match in _PIECE.finditer(text)]
        found, place, written = [], 0, 0
        while place < len(pieces):
            start = pieces[place][0]
            for last in range(min(place + _LONGEST_NAME, len(pieces)) - 1, place - 1, -1):
                words = self.names.get(text[start : pieces[last][1]])
                if words is not None:
                    found += [text[written:start], words]
                    written, place = pieces[last][1], last
                    break
            place += 1
        return "".join([*found, text[written:]])

    def _numbered(self, text: str) -> str:
        if not self.numbers:
            return text

        def replaced(match: re.Match[str]) -> str:
            return f"{match[1]}<id>" if match[2] in self.numbers else match[0]

        return _NUMBERED.sub(replaced, text)


_NUMBERED: Final = re.compile(
    r"(\b(?:sub|participant|person|patient|subject|site|center|centre)\w*\W{0,3})(\d+)\b",
    re.IGNORECASE,
)


def mask_facts(facts: StudyFacts) -> StudyFacts:
    """Return `facts` with every free text and every recorded command and configuration masked.

    Columns that tables are joined by keep their ids; no section of a page shows those.
    """
    mask = make_mask(facts.study, facts.tables.get("participants", pd.DataFrame()))
    runs = facts.runs.assign(
        command=facts.runs["command"].map(mask.text),
        config=[json.dumps(mask.value(json.loads(str(c)))) for c in facts.runs["config"]],
        problem=facts.runs["problem"].map(lambda v: mask.text(v) if isinstance(v, str) else v),
    )
    tables = {name: mask_table(frame, mask) for name, frame in facts.tables.items()}
    described = {run: mask.value(values) for run, values in facts.descriptions.items()}
    return replace(facts, runs=runs, tables=tables, descriptions=described)


def mask_table(frame: pd.DataFrame, mask: Mask) -> pd.DataFrame:
    """Return a table of a study without names in its free texts; ids by which it is joined stay."""
    texts = [name for name in _FREE_TEXT if name in frame]
    # one text stands in many rows
    masked = {
        name: frame[name].map(
            {text: mask.levels.get(text) or mask.text(str(text)) for text in frame[name].unique()}
        )
        for name in texts
    }
    return frame.assign(**masked)


def make_mask(study: Study, known: pd.DataFrame) -> Mask:
    """Return what may not be read of a study.

    Parameters
    ----------
    study
        Whose people, visits and places have names.
    known
        Its participants, of whom the sites are known; no rows where it holds none.
    """
    people, visits, paths = (
        study.query(query)["name"] for query in (queries.PEOPLE, queries.SESSIONS, queries.PATHS)
    )
    sites = sorted({str(site) for site in known["site"].dropna()}) if "site" in known else []
    numbered = {site: f"site {place}" for place, site in enumerate(sites, start=1)}
    names = {
        # `baseline` and `m12` say nothing of anyone, a date does
        **dict.fromkeys(filter(_DATED.search, visits), "a visit"),
        **dict.fromkeys(people, "a person"),
        **numbered,
    }
    telling = {_core(name): words for name, words in names.items() if not name.isdigit()}
    numbers = frozenset(name for name in [*people, *sites] if name.isdigit())
    spaced = tuple(sorted((path for path in paths if " " in path), key=len, reverse=True))
    levels = {f"site {site}": words for site, words in numbered.items()}
    return Mask(telling, numbers, spaced, levels)


def _core(name: str) -> str:
    """Return `name` from its first to its last letter or digit, as it is looked for."""
    pieces = list(_PIECE.finditer(name))
    return name[pieces[0].start() : pieces[-1].end()] if pieces else name


def _describe_path(match: re.Match[str]) -> str:
    ending = _ENDING.search(match[0].strip("'\""))
    return _PATH + (ending[0] if ending else "")
