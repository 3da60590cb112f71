"""The archive of people who were followed, scored as the screened people are."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.eligibility import parse_criterion, screen_cohort
from cohorts.errors import CohortError
from cohorts.files.folder import is_cohort_folder, read_criteria
from cohorts.sources.columns import name_volume_column
from trialsim.comparison.archive import ScreenedPeople
from trialsim.comparison.refitting import Refitting, build_rescore
from trialsim.enrichment import build_screening_tables, score_people
from trialsim.enrichment.screening import Screening
from trialsim.enrichment.strategies.features import build_all_features
from trialsim.enrichment.strategies.strategy import ScreeningTables
from trialsim.errors import DesignError
from trialsim.study.job import Job
from trialsim.study.steps.screening import define_fast_progressors, list_strategies
from trialsim.study.steps.tools import FOLLOWED, load_followed


@dataclass(frozen=True)
class Archive:
    """People who were followed, for whom nothing is screened.

    Attributes
    ----------
    cohort
        Everything known of them.
    screening
        What strategies see of them. There are no others to fit on: what learns is cross-fitted.
    scores
        The table of their scores.
    rescore
        Scores them again by strategies fitted to samples of them.
    """

    cohort: Cohort
    screening: Screening
    scores: pd.DataFrame
    rescore: Refitting


def load_archive(
    job: Job, screened: Cohort, predictions: pd.DataFrame | None
) -> tuple[Cohort, Screening]:
    """Return the people of the archive that the protocol names, and what strategies see of them.

    Parameters
    ----------
    job
        The study's work.
    screened
        The screened people, whose tool the archive's volumes are brought to.
    predictions
        Predicted volumes, of the archive's people too where a strategy reads them.

    Raises
    ------
    DesignError
        The protocol names none.
    """
    cohort = load_followed(job, screened)
    return cohort, build_screening_tables(
        cohort,
        define_fast_progressors(job),
        region=job.protocol.design.endpoint,
        predictions=predictions,
        n_folds=job.protocol.selection.folds,
    )


_ARCHIVE: Final = f"{FOLLOWED}, who need scores as the screened do"


def score_archive(
    job: Job,
    screened: Cohort,
    predictions: pd.DataFrame | None,
    *,
    names: Collection[str] | None = None,
) -> Archive:
    """Return the archive, scored by the strategies of the protocol.

    Parameters
    ----------
    job
        The study's work.
    screened, predictions
        As in `load_archive`.
    names
        The strategies that are wanted; all when None.

    Raises
    ------
    DesignError
        There is none, or a strategy cannot score its people.
    """
    cohort, screening = load_archive(job, screened, predictions)
    strategies = [
        one
        for one in list_strategies(job, screening, whose=_ARCHIVE)
        if names is None or one.name in names
    ]
    lacking = [one.name for one in strategies if "predictions" in one.needs]
    if lacking and screening.tables.predictions is None:
        raise DesignError(
            f"{', '.join(lacking)}: nobody in the archive has a scan to predict from, or is in the "
            "table of predictions (selection.predictions)."
        )
    try:
        scores = score_people(strategies, screening.tables, job.rng("scores"))
    except DesignError as error:
        raise DesignError(*(f"In the archive, {text}" for text in error.problems)) from error
    return Archive(cohort, screening, scores, build_rescore(strategies, screening.tables))


def find_eligible(job: Job, cohort: Cohort) -> tuple[pd.Index, list[str]]:
    """Return who of the archive the trial might enroll, and what is told of that.

    How well a score ranks people is asked of those whom the trial may enroll; what learns from the
    archive learns from all of it.

    Parameters
    ----------
    job
        The study's work; where the screened people were imported, by the criteria of that.
    cohort
        The archive.

    Raises
    ------
    CohortError
        Nobody is eligible, or a criterion cannot be checked.
    """
    people = pd.Index(cohort.participants["participant_id"])
    criteria = list_criteria(job)
    if not criteria:
        return people, []
    known = set(cohort.baseline().columns)
    lacking = [text for text in criteria if parse_criterion(text).column not in known]
    checked = [text for text in criteria if text not in lacking]
    told = [
        f"The archive ({cohort.name}) does not tell of '{text}', so people count in how strategies "
        "are judged whom it might leave out."
        for text in lacking
    ]
    if not checked:
        return people, told
    try:
        eligible = screen_cohort(cohort, checked).eligible
    except CohortError as error:
        raise CohortError(*(f"In the archive: {text}" for text in error.problems)) from error
    found = pd.Index(eligible.participants["participant_id"])
    if len(found) < len(people):
        told.append(
            f"Of the {tally(len(people), 'people')} of the archive, {len(found)} meet the "
            "criteria of eligibility: strategies are judged on these alone."
        )
    return found, told


def list_criteria(job: Job) -> list[str]:
    """Return the criteria that the screened people met, here or when they were imported."""
    section = job.protocol.cohort
    if section.eligibility or not is_cohort_folder(section.path):
        return list(section.eligibility)
    return read_criteria(section.path)


def describe_screened(job: Job, screening: Screening, scores: pd.DataFrame) -> ScreenedPeople:
    """Return the screened people as an archive stands for them.

    Parameters
    ----------
    job
        The study's work.
    screening
        What strategies see of them.
    scores
        Index `participant_id`, one column a strategy.
    """
    tables = screening.tables
    learning = [one for one in list_strategies(job, screening) if one.name in scores]
    return ScreenedPeople(
        scores.loc[tables.index],
        build_all_features(tables).assign(**_take_own_volume(tables)),
        build_rescore(learning, tables),
    )


def get_own_volume(tables: ScreeningTables) -> "pd.Series[float]":
    """Return the endpoint's volume at baseline, NaN where it is not measured."""
    column = name_volume_column(tables.region)
    found = tables.baseline.get(column, pd.Series(float("nan"), tables.index))
    return found.astype(float)


def _take_own_volume(tables: ScreeningTables) -> dict[str, pd.Series]:
    column = name_volume_column(tables.region)
    return {column: tables.baseline[column]} if column in tables.baseline else {}
