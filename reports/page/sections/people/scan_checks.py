"""The checks of scans: how many the model could read, and why not the rest."""

from typing import Final

import pandas as pd

from reports.page.columns import build_table, number, words
from reports.page.content import Block, Paragraph, Table
from reports.page.formats import show_count, show_text
from reports.page.gather import StudyFacts
from reports.page.privacy import Privacy

_MOST_FLAGGED: Final = 200
_LONGEST_REASONS: Final = 2000


def describe_scan_checks(facts: StudyFacts, privacy: Privacy) -> list[Block]:
    """Return the counts of verdicts, then the flagged scans: each one, or counted by reason."""
    checks = facts.tables["scan_checks"]
    counts = checks["verdict"].value_counts()
    passed = show_count(counts.get("pass", 0))
    # together with the total, the one would give the other away where it is small
    flags = [counts.get(verdict, 0) for verdict in ("warn", "fail")]
    if any(map(privacy.hides, flags)):
        told = f"with a warning or refused: {privacy.show_people(sum(flags))}"
    else:
        warned, failed = map(show_count, flags)
        told = (
            f"outside the model's training range, predicted all the same: {warned}; "
            f"refused: {failed}"
        )
    sources = facts.sources("scan_checks")
    text = f"Scans checked: {show_count(len(checks))}; passed: {passed}; {told}."
    if any(map(privacy.hides, [*flags, sum(flags)])):
        text = f"Scans checked: {show_count(len(checks))}; {told}."
    flagged = checks[checks["verdict"] != "pass"]
    if flagged.empty:
        return [Paragraph(text, sources)]
    listed = _list_scans if privacy.identify else _count_reasons
    return [Paragraph(text, sources), listed(facts, flagged, privacy)]


def _list_scans(facts: StudyFacts, flagged: pd.DataFrame, _privacy: Privacy) -> Table:
    rules = [
        words("participant_id", "Participant"),
        words("session_id", "Session"),
        words("model_id", "Model", lambda v: show_text(v, limit=80)),
        words("verdict", "Verdict"),
        words("reasons", "Reasons", lambda v: show_text(v, limit=_LONGEST_REASONS)),
    ]
    if "brain_mask" in flagged:
        rules.append(words("brain_mask", "Brain found by"))
    return build_table(
        flagged.head(_MOST_FLAGGED),
        rules,
        title="Flagged scans",
        sources=facts.sources("scan_checks"),
        note="" if len(flagged) <= _MOST_FLAGGED else f"The first {_MOST_FLAGGED} are listed.",
    )


def _count_reasons(facts: StudyFacts, flagged: pd.DataFrame, privacy: Privacy) -> Table:
    keys = [name for name in ("verdict", "reasons", "brain_mask") if name in flagged]
    counts = flagged.groupby(keys, sort=False, dropna=False).size().reset_index(name="n")
    # together they are those who did not pass, whose number is told
    counts["n"] = counts["n"].mask(privacy.hide_line(counts["n"]))
    rules = [
        words("verdict", "Verdict"),
        words("reasons", "Reasons", lambda v: show_text(v, limit=_LONGEST_REASONS)),
        number("n", "Scans", privacy.show_group),
    ]
    if "brain_mask" in keys:
        rules.append(words("brain_mask", "Brain found by"))
    return build_table(
        counts.sort_values("n", ascending=False, kind="stable").head(_MOST_FLAGGED),
        rules,
        title="Flagged scans",
        sources=facts.sources("scan_checks"),
        note="Which scans they are stays in the study: `trialsim study tables`.",
    )
