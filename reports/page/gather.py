"""Everything that a page needs, out of the study file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import pandas as pd

from cohorts.schema import TABLES
from reports.page.content import RunReference
from reports.page.description import StudyDescription, flatten
from reports.store import queries
from reports.store.staleness import describe_stale_tables
from reports.store.study import DESCRIPTION, Study

_LARGE: Final = (
    "volumes",
    "scan_volumes",
    "predictions",
    "scores",
    "rankings",
    "selections",
    DESCRIPTION,
)
"""Tables that the page asks questions about, but never reads whole."""


@dataclass(frozen=True, eq=False)
class StudyFacts:
    """The tables of a study, the runs that wrote them, and how they were configured.

    Two are equal where they are one: what a page asks of them again and again is kept by that.

    Parameters
    ----------
    study
        For questions about the large tables.
    tables
        The latest rows of every other table that the study holds.
    runs
        Every run, as `Study.runs` gives them.
    writers
        Which run wrote each table, by the table's name; tables without rows are not among them.
    empty
        Which run wrote each table without rows.
    descriptions
        What each run was asked, by dotted key; earlier versions kept it in the run's configuration.
    """

    study: Study
    tables: Mapping[str, pd.DataFrame]
    runs: pd.DataFrame
    writers: Mapping[str, str]
    empty: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def has(self, *names: str) -> bool:
        """Say whether the study holds rows of all of these tables."""
        return all(name in self.writers for name in names)

    def sources(self, *names: str) -> tuple[RunReference, ...]:
        """Return the runs that wrote these tables, each once."""
        written = self.written
        found = dict.fromkeys(written[name] for name in names if name in written)
        return tuple(self.reference(run_id) for run_id in found)

    def reference(self, run_id: str) -> RunReference:
        """Return how the page speaks of a run."""
        return self._references[run_id]

    @cached_property
    def _references(self) -> dict[str, RunReference]:
        """How the page speaks of each run; sections ask for it hundreds of times."""
        rows = self.runs[["run_id", "command", "seed"]].itertuples(index=False, name=None)
        return {
            run_id: RunReference(run_id, str(command), None if pd.isna(seed) else int(seed))
            for run_id, command, seed in rows
        }

    @property
    def written(self) -> dict[str, str]:
        """Which run wrote each table, with or without rows."""
        return {**self.writers, **self.empty}

    def current_runs(self) -> tuple[RunReference, ...]:
        """Return the runs that the page's numbers came from, in the order they ran."""
        return tuple(self.reference(run_id) for run_id in sorted(set(self.written.values())))

    def config(self, run_id: str) -> dict[str, Any]:
        """Return the resolved configuration of a run."""
        return _read_config(self.runs, run_id)

    def describe(self, table: str) -> StudyDescription:
        """Return what was asked of the run that wrote `table`, resolved; all None without one."""
        run_id = self.written.get(table)
        return StudyDescription() if run_id is None else self._asked[run_id]

    @property
    def title(self) -> str | None:
        """What the study was called last."""
        titles = [self._asked[run_id].title for run_id in sorted(self._asked)]
        return next((title for title in reversed(titles) if title), None)

    @cached_property
    def _asked(self) -> dict[str, StudyDescription]:
        """What the runs behind the page were asked; sections ask for it hundreds of times."""
        return {run_id: self._describe_run(run_id) for run_id in set(self.written.values())}

    def _describe_run(self, run_id: str) -> StudyDescription:
        config = dict(flatten(self.config(run_id)))
        return StudyDescription.from_values({**config, **self.descriptions.get(run_id, {})})

    def ask(self, sql: str, table: str) -> pd.DataFrame:
        """Return the rows of a named query on the latest rows of `table`."""
        return self.study.query(sql, [self.writers[table]])

    def order_strategies(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return `rows` with the strategies in the order in which they were asked for."""
        asked = self.describe("scores").strategies or ()
        places = {name: place for place, name in enumerate(asked)}
        return rows.sort_values(
            "strategy",
            key=lambda names: names.map(places).fillna(len(places)),
            kind="stable",
            ignore_index=True,
        )

    @property
    def is_synthetic(self) -> bool:
        """Whether any person in the study is simulated."""
        return _is_synthetic(self.runs, self.written, self.tables.get("capture_rates"))

    @cached_property
    def stale(self) -> dict[str, str]:
        """One sentence for each table that is older than what it is made from."""
        return describe_stale_tables(self.runs, self.written)


def holds_synthetic(study: Study) -> bool:
    """Say whether any person in a study is simulated, without reading what the page needs."""
    with study.snapshot():
        rates = study.read("capture_rates") if study.has("capture_rates") else None
        return _is_synthetic(study.runs(), study.writers(), rates)


def _is_synthetic(
    runs: pd.DataFrame, written: Mapping[str, str], rates: pd.DataFrame | None
) -> bool:
    configs = (_read_config(runs, run_id) for run_id in set(written.values()))
    marked = any(config.get("is_synthetic") is True for config in configs)
    return marked or (rates is not None and bool((rates["truth"] == "latent").any()))


def _read_config(runs: pd.DataFrame, run_id: str) -> dict[str, Any]:
    text = runs.loc[runs["run_id"] == run_id, "config"].iloc[0]
    return dict(json.loads(str(text)))


def gather_study(study: Study) -> StudyFacts:
    """Read what a page needs from `study`.

    Raises
    ------
    ReportError
        If the file cannot be read.
    """
    with study.snapshot():
        written = study.tables()
        filled, empty = (
            dict(zip(rows["table_name"], rows["run_id"], strict=True))
            for rows in (written[written["n_rows"] > 0], written[written["n_rows"] == 0])
        )
        names = [name for name in TABLES if name in filled and name not in _LARGE]
        tables = {name: _complete(study.read(name), name) for name in names}
        described = _read_descriptions(study) if DESCRIPTION in filled else {}
        return StudyFacts(study, tables, study.runs(), filled, empty, described)


def _complete(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table with the columns that later versions added, unknown in every row."""
    wanted = [column for column, told in TABLES[name].columns.items() if told.required]
    lacking = [column for column in wanted if column not in table]
    return table.assign(**dict.fromkeys(lacking, float("nan"))) if lacking else table


def _read_descriptions(study: Study) -> dict[str, dict[str, Any]]:
    rows = study.query(queries.DESCRIPTIONS)
    found: dict[str, dict[str, Any]] = {}
    for run_id, key, value in rows.itertuples(index=False):
        found.setdefault(str(run_id), {})[str(key)] = json.loads(str(value))
    return found
