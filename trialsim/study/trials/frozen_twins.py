"""Twins frozen in a study file before outcomes are read."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.files.atomic import compute_sha256
from reports.store.provenance import compute_fingerprint
from reports.store.study import Study
from trialsim.errors import DesignError

OUTCOMES = "trial_outcomes_sha256"
"""Setting of a run that has read a trial's outcomes after baseline."""


@dataclass(frozen=True)
class FrozenTwins:
    """Twins of a study, and whether they were made before its outcomes were known.

    Attributes
    ----------
    table
        Columns of `twins` in `cohorts.schema`.
    run_id, made_at
        The run that froze them and when it ended, UTC.
    is_late
        Whether outcomes had been read by then, or stood in the table that the twins were made from.
    model
        What made them, in words.
    """

    table: pd.DataFrame
    run_id: str
    made_at: str
    is_late: bool
    model: str

    @property
    def sentence(self) -> str:
        """What a reader must know of when the twins were made."""
        if self.is_late:
            return (
                f"The twins were made on {self.made_at} (run {self.run_id}), after outcomes had "
                "been seen: nothing shows that they were not chosen by them."
            )
        return f"The twins were frozen on {self.made_at} (run {self.run_id}), before any outcome."


def describe_frozen(
    people: Cohort, twins: pd.DataFrame, *, model: str, endpoint: str
) -> dict[str, object]:
    """Return what a run records beside the twins; weights, time and code version are its own.

    Parameters
    ----------
    people
        For whom twins were made.
    twins
        The table.
    model
        What made them, in words.
    endpoint
        Region that was predicted.
    """
    measured, at_baseline = people.volumes["region"], people.until(0).volumes["region"]
    return {
        "model": model,
        "endpoint": endpoint,
        "cohort_sha256": compute_fingerprint(
            {name: getattr(people, name) for name in ("participants", "visits", "volumes")}
        ),
        "twins_sha256": compute_fingerprint({"twins": twins}),
        "outcomes_in_cohort": bool((measured == endpoint).sum() > (at_baseline == endpoint).sum()),
    }


def read_frozen_twins(study: Study, *, accept_late: bool = False) -> FrozenTwins:
    """Return the latest twins of a study.

    Parameters
    ----------
    study
        Holds the table `twins`.
    accept_late
        Whether twins made after outcomes were known are accepted.

    Raises
    ------
    DesignError
        Late twins that were not accepted.
    ReportError
        If the study has no twins.
    """
    table = study.read("twins")
    written = study.tables().set_index("table_name")
    runs = study.runs().set_index("run_id")
    run_id = str(written.loc["twins", "run_id"])
    run = runs.loc[run_id]
    config = json.loads(str(run["config"]))
    earlier = runs[(runs.index < run_id) & (runs["status"] == "finished")]
    readers = list(_find_readers(earlier["config"].items()))
    late = bool(readers) or bool(config.get("outcomes_in_cohort"))
    frozen = FrozenTwins(
        table=table,
        run_id=run_id,
        made_at=f"{run['ended_at']:%Y-%m-%d %H:%M} UTC",
        is_late=late,
        model=str(config.get("model", "")),
    )
    if late and not accept_late:
        reason = f"run {readers[0]} had read outcomes" if readers else "their cohort held outcomes"
        raise DesignError(
            f"The twins of {study.path} were made by run {run_id} after {reason}: twins are frozen "
            "before outcomes are read. Say --accept-late-twins to use them all the same; the "
            "analysis then says so."
        )
    return frozen


def _find_readers(configs: Iterable[tuple[object, object]]) -> Iterable[str]:
    for run_id, text in configs:
        if OUTCOMES in json.loads(str(text)):
            yield str(run_id)


def hash_outcomes(table: Path | pd.DataFrame) -> str:
    """Return the SHA-256 of a trial's table, as recorded by the run that reads it."""
    if isinstance(table, Path):
        return compute_sha256(table)
    return compute_fingerprint({"trial": table})
