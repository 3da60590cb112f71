"""What strategies may see of the people of a study, and which strategies it compares."""

from collections.abc import Iterable
from typing import Final, NamedTuple

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.files.folder import COHORT_TABLES
from cohorts.schema import validate_table
from cohorts.sources.tables.table import read_typed_table
from cohorts.synthetic.truth import read_true_volumes
from reports.store.run import Run
from trialsim.enrichment import (
    FastProgressorDefinition,
    Strategy,
    build_screening_tables,
    build_strategies,
    read_score_strategies,
)
from trialsim.enrichment.screening import Screening
from trialsim.enrichment.strategies.registry import STRATEGIES
from trialsim.enrichment.strategies.score_file import find_unknown
from trialsim.errors import DesignError
from trialsim.study.job import Job
from trialsim.study.steps.cohort import recall_comparable
from trialsim.study.steps.tools import SCREENED, load_followed, settle_predictions

_PREDICTED: Final = ("predictions", "archive_predictions")
"""Predicted volumes that a study holds, of screened people and of the archive's."""


class RecalledScreening(NamedTuple):
    """The screened people, what was predicted, and what strategies may see of both."""

    cohort: Cohort
    predictions: pd.DataFrame | None
    screening: Screening


def recall_screened(job: Job, run: Run, *, with_archive: bool = True) -> RecalledScreening:
    """Return what the study holds of the screened people, put together once for all steps.

    Parameters
    ----------
    job, run, with_archive
        As in `read_predictions`.
    """
    predictions = read_predictions(job, run, with_archive=with_archive)
    cohort = recall_comparable(job, run)
    writers = run.study.writers()
    own, archive = _PREDICTED
    written_by = (
        *(writers.get(table) for table in (*COHORT_TABLES, "scan_volumes", own)),
        writers.get(archive) if with_archive else None,
    )
    screening = job.see(written_by, lambda: assemble_screening(job, cohort, predictions))
    return RecalledScreening(cohort, predictions, screening)


def reads_predictions(job: Job, *, learning: bool = False) -> bool:
    """Return whether a strategy reads predictions of images, or learns what they are worth."""
    wanted = {"predictions", "outcome"} if learning else {"predictions"}
    names = job.protocol.selection.strategies
    return any(wanted <= STRATEGIES[name].needs for name in names if name in STRATEGIES)


def learns_from_archive(job: Job) -> bool:
    """Return whether a strategy of the screened people learns from predictions of an archive."""
    return job.protocol.cohort.training is not None and reads_predictions(job, learning=True)


def read_predictions(job: Job, run: Run, *, with_archive: bool = True) -> pd.DataFrame | None:
    """Return the volumes that were predicted in this study and elsewhere; None without any.

    Parameters
    ----------
    job, run
        The study's work, and the run that reads.
    with_archive
        Whether those of the archive's people are among them, where there are any.
    """
    own, archive = _PREDICTED
    tables = [run.read(own)] if job.protocol.prediction else []
    if with_archive and tables and run.study.has(archive):
        tables.append(run.read(archive))
    if job.protocol.selection.predictions is not None:
        given = read_given_predictions(job, recall_comparable(job, run))
        tables += [] if given is None else [given]
    return pd.concat(tables, ignore_index=True) if tables else None


def assemble_screening(job: Job, cohort: Cohort, predictions: pd.DataFrame | None) -> Screening:
    """Put together what strategies may see of a cohort."""
    return build_screening_tables(
        cohort,
        define_fast_progressors(job),
        region=job.protocol.design.endpoint,
        latent_volumes=read_true_volumes(
            job.protocol.cohort.path, region=job.protocol.design.endpoint
        ),
        predictions=predictions,
        training=_build_training(job, cohort, predictions),
        n_folds=job.protocol.selection.folds,
    )


def list_strategies(job: Job, screening: Screening, *, whose: str = SCREENED) -> list[Strategy]:
    """Return the strategies that the protocol names, the user's own scores after them.

    Parameters
    ----------
    job, screening
        The study's work, and who is scored.
    whose
        What they are called where a score file names nobody of them.
    """
    section, people = job.protocol.selection, screening.tables.index
    given = read_score_strategies(section.scores, people, whose=whose) if section.scores else []
    own = {strategy.name for strategy in given}
    named = [name for name in section.strategies if name not in own]
    return [*build_strategies(named, given=[strategy.name for strategy in given]), *given]


def describe_unknown_scores(
    job: Job, strategies: Iterable[Strategy], people: pd.Index
) -> list[str]:
    """Say how many people of the score file are neither screened nor in the archive.

    Their names are not told: notes go into reports.

    Parameters
    ----------
    job
        The study's work.
    strategies
        Of `list_strategies`.
    people
        The screened people.
    """
    training, path = job.protocol.cohort.training, job.protocol.selection.scores
    unknown = find_unknown(strategies, people)
    if len(unknown) and training is not None:
        followed = pd.Index(job.load(training).participants["participant_id"])
        unknown = unknown.difference(followed)
    if path is None or not len(unknown):
        return []
    whose = SCREENED if training is None else f"{SCREENED} and the archive's"
    return [f"The score file {path.name} names {len(unknown)} who are not among {whose}."]


def define_fast_progressors(job: Job) -> FastProgressorDefinition:
    """Return who counts as a fast progressor."""
    stated = job.protocol.selection.fast_progressor.model_dump()
    return FastProgressorDefinition(**stated, window_months=job.window_months)


def read_given_predictions(job: Job, cohort: Cohort) -> pd.DataFrame | None:
    """Return the predictions that were made elsewhere, from any table; None for no file.

    Raises
    ------
    DesignError
        Where the file cannot be read.
    CohortValidationError
        Where it is no table of predictions.
    CohortError
        As `settle_predictions`.
    """
    path = job.protocol.selection.predictions
    if path is None:
        return None
    try:
        table = read_typed_table(path, text=("participant_id", "model_id"))
    except CohortError as error:
        raise DesignError(f"The predictions {path} cannot be read: {error}") from error
    found = validate_table(table, "predictions")
    return settle_predictions(job.protocol.cohort, job.notes, {SCREENED: cohort}, found)


def _build_training(
    job: Job, screened: Cohort, predictions: pd.DataFrame | None
) -> Screening | None:
    region = job.protocol.design.endpoint
    if job.protocol.cohort.training is None:
        return None
    followed = load_followed(job, screened)
    return build_screening_tables(
        followed, define_fast_progressors(job), region=region, predictions=predictions
    )
