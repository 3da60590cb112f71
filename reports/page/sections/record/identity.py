"""The appendix on which runs, files and software made the numbers."""

import hashlib
import json

import pandas as pd

from reports.page.columns import build_facts, build_table, number, words
from reports.page.content import Block, Listing, Section, Table
from reports.page.formats import show_count, show_duration, show_text, show_time
from reports.page.gather import StudyFacts
from reports.page.privacy import Privacy


def describe_identity(facts: StudyFacts, privacy: Privacy) -> Section:
    """Return the runs, the commands that repeat them, versions, files with their checksums."""
    blocks: list[Block] = [
        _runs(facts),
        _chain(facts),
        Listing("Commands that make these numbers again", _commands(facts)),
        _versions(facts),
        *_notes(facts),
        *(_files(facts) if privacy.identify else _manifests(facts)),
        *_configs(facts),
    ]
    return Section("Runs, software, configuration, files", tuple(blocks), is_appendix=True)


def _commands(facts: StudyFacts) -> tuple[str, ...]:
    # one command may have recorded several runs
    return tuple(dict.fromkeys(run.command for run in facts.current_runs()))


def _runs(facts: StudyFacts) -> Table:
    written: dict[str, list[str]] = {}
    for table, run_id in facts.written.items():
        written.setdefault(run_id, []).append(table)
    frame = facts.runs.assign(
        duration=[
            show_duration(row["started_at"], row["ended_at"])
            for row in facts.runs.to_dict("records")
        ],
        made_from=facts.runs["parents"].map(_describe_parents),
        tables=[", ".join(written.get(run_id, ())) for run_id in facts.runs["run_id"]],
    )
    rules = [
        words("run_id", "Run"),
        words("command", "Command", lambda v: show_text(v, limit=300)),
        words("status", "Status"),
        words("seed", "Seed", lambda v: "none" if pd.isna(v) else str(int(v))),
        words("started_at", "Started", show_time),
        words("duration", "Run time"),
        words("git_commit", "Commit", lambda v: "none" if pd.isna(v) else show_text(v, limit=12)),
        words("tables", "Tables on this page", lambda v: v or "none"),
        words("made_from", "Made from"),
    ]
    note = "A run that is not finished has written nothing."
    return build_table(frame, rules, title="Runs in this study file", note=note, is_data=False)


def _chain(facts: StudyFacts) -> Table:
    head = facts.study.head() or "none: no run has finished since there is a chain"
    note = (
        "Each finished run is sealed together with all before it. `trialsim study verify --head` "
        "with this link says whether the file is still the one that this page was made from."
    )
    rows = [("Head (SHA-256)", head)]
    return build_facts("Chain of runs", rows, sources=facts.current_runs(), note=note)


def _describe_parents(parents: object) -> str:
    if not isinstance(parents, str):
        return "parents not recorded"
    return ", ".join(sorted(set(json.loads(parents).values()))) or "no other run"


def _notes(facts: StudyFacts) -> list[Block]:
    """Return what the commands said while they worked, and why steps were done again."""
    first: dict[str, str] = {}
    for run in facts.current_runs():
        config = facts.config(run.run_id)
        changes = [f"Done again because {text}." for text in config.get("changes") or ()]
        for text in [*(config.get("notes") or ()), *changes]:
            first.setdefault(text, run.run_id)
    if not first:
        return []
    notes = [(run_id, text) for text, run_id in first.items()]
    frame = pd.DataFrame(notes[:_MOST_NOTES], columns=["run_id", "note"])
    rules = [words("run_id", "Run"), words("note", "Note", lambda v: show_text(v, limit=400))]
    title, sources = "What the commands noted", facts.current_runs()
    return [build_table(frame, rules, title=title, sources=sources, is_data=False)]


def _versions(facts: StudyFacts) -> Table:
    rows: dict[str, set[str]] = {}
    for run in facts.current_runs():
        text = facts.runs.loc[facts.runs["run_id"] == run.run_id, "versions"].iloc[0]
        for name, version in json.loads(str(text)).items():
            rows.setdefault(name, set()).add(str(version))
    pairs = [(name, ", ".join(sorted(versions))) for name, versions in rows.items()]
    return build_facts("Software", pairs, sources=facts.current_runs())


def _files(facts: StudyFacts) -> list[Block]:
    used = facts.study.files()
    used = used[used["run_id"].isin(set(facts.written.values()))]
    if used.empty:
        return []
    first = used.drop_duplicates(["path", "sha256"])
    rules = [
        words("path", "File", lambda v: show_text(v, limit=300)),
        words("kind", "Kind"),
        words("sha256", "SHA-256"),
        number("size_bytes", "Bytes", show_count),
    ]
    note = "`trialsim study verify` computes the checksums again."
    shown = first.head(_MOST_FILES)
    if len(first) > _MOST_FILES:
        note = f"The first {_MOST_FILES} of {len(first)} files. {note}"
    title, sources = "Files that were read", facts.current_runs()
    return [build_table(shown, rules, title=title, sources=sources, note=note, is_data=False)]


def _manifests(facts: StudyFacts) -> list[Block]:
    """Return one line for all files of a kind that a run read: a person's scan names that person.

    The manifest is the SHA-256 of the sorted checksums of the files, one a line, so that it says
    whether the same contents were read, wherever they lay.
    """
    used = facts.study.files()
    used = used[used["run_id"].isin(set(facts.written.values()))]
    if used.empty:
        return []
    rows = [
        {
            "run_id": run_id,
            "kind": kind,
            "n": len(files),
            "size_bytes": files["size_bytes"].sum(),
            "manifest": hashlib.sha256("\n".join(sorted(files["sha256"])).encode()).hexdigest(),
        }
        for (run_id, kind), files in used.groupby(["run_id", "kind"])
    ]
    rules = [
        words("run_id", "Run"),
        words("kind", "Kind"),
        number("n", "Files", show_count),
        number("size_bytes", "Bytes", show_count),
        words("manifest", "SHA-256 of the manifest"),
    ]
    note = (
        "The manifest is the sorted list of the files' SHA-256 checksums. The list itself stays in "
        "the study: `trialsim study verify` computes it again."
    )
    frame = pd.DataFrame(rows)
    sources = facts.current_runs()
    title = "Files that were read"
    return [build_table(frame, rules, title=title, sources=sources, note=note, is_data=False)]


def _configs(facts: StudyFacts) -> list[Block]:
    configs = {run.run_id: dict(facts.config(run.run_id)) for run in facts.current_runs()}
    for config in configs.values():
        config.pop("notes", None)  # they have a table of their own
    return [
        Listing(
            f"Resolved configuration of run {run_id}",
            tuple(json.dumps(config, indent=2, ensure_ascii=False).splitlines()),
        )
        for run_id, config in configs.items()
        if config
    ]


_MOST_FILES = 200
_MOST_NOTES = 200
