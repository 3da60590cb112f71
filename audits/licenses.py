"""Whether every dependency, and all bundled data, has a license that this project may stand on.

Run: python audits/licenses.py

What has no license that can be read counts as not passed.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
ALLOWED = re.compile(
    r"\b(MIT|BSD|0BSD|Apache|ISC|PSF|PSFL|Python[- ]Software[- ]Foundation|Python-2\.0|MPL[- ]2|"
    r"Mozilla Public|HPND|Zlib|CC0|Unlicense|Historical Permission|Public Domain)\b",
    re.IGNORECASE,
)
FORBIDDEN = re.compile(r"\b(AGPL|GPL|Affero|SSPL|Commons Clause)\b", re.IGNORECASE)
LIBRARY = re.compile(r"\b(LGPL|Lesser)\b", re.IGNORECASE)
DATA = {"brlp_models/mini": "license", "brlp_models/official_config.json": "license"}
"""Bundled data, and the key of its configuration that names the license."""


def list_dependencies(name: str, seen: dict[str, Distribution | None]) -> None:
    """Add a distribution and all that it requires here to `seen`; None where it is absent."""
    key = re.sub(r"[-_.]+", "-", name).lower()
    if key in seen:
        return
    try:
        seen[key] = distribution(key)
    except PackageNotFoundError:
        seen[key] = None
        return
    for text in seen[key].requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            list_dependencies(requirement.name, seen)


def read_license(found: Distribution) -> str:
    """Return what a distribution says of its license."""
    data = found.metadata
    classified = [c for c in data.get_all("Classifier") or () if c.startswith("License")]
    stated = [data.get("License-Expression") or "", (data.get("License") or "")[:300], *classified]
    return " ".join(text for text in stated if text)


def find_problems(seen: dict[str, Distribution | None]) -> Iterator[str]:
    """Yield one sentence for each dependency or file whose license is not known to be right."""
    for name, found in sorted(seen.items()):
        if found is None:
            yield f"{name} is required and not installed: not audited."
            continue
        text = read_license(found)
        bad = FORBIDDEN.search(LIBRARY.sub("", text))
        if bad and not ALLOWED.search(text):
            yield f"{name} is under {text[:80]!r}."
        elif not ALLOWED.search(text) and not LIBRARY.search(text):
            yield f"{name} states no license that is known ({text[:80]!r}): not audited."
    for path, key in DATA.items():
        config = ROOT / path / "config.json" if (ROOT / path).is_dir() else ROOT / path
        if f'"{key}"' not in config.read_text(encoding="utf-8"):
            yield f"{config} names no license."


def main() -> None:
    """Print what does not pass; exit 1 if there is any."""
    seen: dict[str, Distribution | None] = {}
    list_dependencies("trialsim", seen)
    problems = list(find_problems(seen))
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    sys.stdout.write(f"{len(seen)} packages looked at, {len(problems)} not passed.\n")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
