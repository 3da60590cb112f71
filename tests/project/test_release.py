"""What a release says of itself: one version everywhere, a changelog by release."""

import re
from pathlib import Path

from trialsim import __version__

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
RELEASES = re.findall(r"^## (\S+) - (\d{4}-\d{2}-\d{2})$", CHANGELOG, re.MULTILINE)
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_version_is_the_newest_release_of_the_changelog_and_the_citation() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    citation = dict(re.findall(r"^(\S+): (\S+)$", text, re.MULTILINE))
    assert RELEASES[0] == (__version__, citation["date-released"])
    assert citation["version"] == __version__


def test_the_changelog_is_by_release_and_by_kind_newest_first() -> None:
    headings = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    coming = ["Unreleased"] if headings[0] == "Unreleased" else []
    assert headings == [*coming, *(f"{version} - {date}" for version, date in RELEASES)]
    numbers = [tuple(map(int, version.split("."))) for version, _ in RELEASES]
    assert numbers == sorted(set(numbers), reverse=True)
    for release in CHANGELOG.split("\n## ")[1:]:
        kinds = re.findall(r"^### (.+)$", release, re.MULTILINE)
        assert kinds
        assert len(kinds) == len(set(kinds))
        assert set(kinds) <= KINDS
