"""The step that simulates the trials of each choice."""

from dataclasses import dataclass

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.schema import validate_table
from reports.store.study import Run
from trialsim.comparison import compare_strategies
from trialsim.comparison.archive import ScreenedPeople
from trialsim.comparison.enrollment import tabulate_accrual
from trialsim.comparison.refitting import Refitting, build_rescore, widen_scores
from trialsim.design import TrialDesign
from trialsim.enrichment.features import build_all_features
from trialsim.enrichment.screening import Screening
from trialsim.enrichment.strategy import ScreeningTables
from trialsim.errors import DesignError
from trialsim.simulation import build_trajectories
from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.steps.archive import describe_screened, score_archive
from trialsim.study.steps.cohort import read_cohort
from trialsim.study.steps.screening import assemble_screening, list_strategies, read_predictions
from trialsim.study.steps.simulation_timing import estimate_simulation


def make_simulation_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that finds power, sample size and cost."""
    return Step(
        "simulate",
        lambda run: simulate(job, run),
        job.config(
            "design",
            "costs",
            "accrual",
            "simulation",
            "selection.fractions_enrolled",
            "cohort.window_months",
        ),
        stands_on=stands_on,
        estimate=lambda: estimate_simulation(job.protocol),
    )


def simulate(job: Job, run: Run) -> None:
    """Simulate trials of the people that each strategy enrolls.

    Raises
    ------
    DesignError
        Where neither the cohort nor an archive can stand for the design's trials.
    """
    section, predictions = job.protocol.simulation, read_predictions(job, run)
    cohort = read_cohort(run.study, run.read)
    screening = assemble_screening(job, cohort, predictions)
    try:
        source = find_outcomes(
            job, cohort, screening, widen_scores(run.read("scores")), predictions
        )
    except (CohortError, DesignError) as error:
        raise DesignError(f"No trial was simulated: {' '.join(error.problems)}") from error
    found = compare_strategies(
        source.trajectories,
        source.scores,
        job.protocol.design,
        job.protocol.trial_costs,
        sample_sizes=section.sample_sizes,
        fractions_enrolled=job.protocol.selection.fractions_enrolled,
        n_simulations=section.n_simulations,
        n_bootstrap=section.n_bootstrap,
        seed=job.protocol.study.seed,
        workers=job.workers,
        baseline=build_all_features(source.tables),
        normal_people=find_normal_people(source.cohort, job.protocol.design),
        stands_for=source.stands_for,
        rescore=source.rescore,
        on_progress=lambda done, total, name: job.on_progress(name, done, total),
    )
    for name, table in found.tables.items():
        run.write(name, table)
    if job.protocol.accrual is not None:
        sizes = (found.tables["sample_sizes"], found.tables["proposed_sizes"])
        duration = job.protocol.design.duration_months
        table = tabulate_accrual(*sizes, job.protocol.accrual, duration)
        run.write("accrual", validate_table(table, "accrual"))
    run.note(outcomes="observed" if source.stands_for is None else "archive")
    job.tell(run, [source.sentence, *found.notes])


@dataclass(frozen=True)
class Outcomes:
    """The people whose trajectories become trials.

    Attributes
    ----------
    cohort
        Who they are.
    trajectories
        As `compare_strategies` takes them.
    scores
        Index `participant_id`, one column a strategy.
    tables
        What strategies see of them.
    rescore
        Scores them again by strategies fitted to samples.
    sentence
        Where outcomes come from.
    stands_for
        The screened people, where these are an archive.
    """

    cohort: Cohort
    trajectories: pd.DataFrame
    scores: pd.DataFrame
    tables: ScreeningTables
    rescore: Refitting
    sentence: str
    stands_for: ScreenedPeople | None = None


def find_outcomes(
    job: Job,
    cohort: Cohort,
    screening: Screening,
    scores: pd.DataFrame,
    predictions: pd.DataFrame | None,
) -> Outcomes:
    """Return whose outcomes stand for those of a trial, as the design says.

    Parameters
    ----------
    job
        The study's work.
    cohort, screening
        The screened people, and what strategies see of them.
    scores
        Of the screened people, index `participant_id`, one column a strategy.
    predictions
        Predicted volumes of screened and archive people.

    Raises
    ------
    DesignError
        Nobody has the visits of the design, or a strategy cannot score the archive.
    """
    design, has_archive = job.protocol.design, job.protocol.cohort.training is not None
    own: pd.DataFrame | None = None
    if design.outcomes != "archive":
        try:
            own = build_trajectories(cohort, design, window_months=job.window_months)
        except (CohortError, DesignError):
            if design.outcomes == "observed" or not has_archive:
                raise
    n_followed = 0 if own is None else int(own.iloc[:, [0, -1]].notna().all(axis=1).sum())
    enough = 2 * n_followed >= len(cohort.participants)
    if own is None or (has_archive and not enough and design.outcomes != "observed"):
        return _take_archive(job, cohort, screening, scores, predictions)
    learning = [one for one in list_strategies(job, screening) if one.name in scores]
    sentence = (
        f"Outcomes come from the screened people's own follow-up: {n_followed} of "
        f"{len(cohort.participants)} have the first and the last visit of the design."
    )
    tables = screening.tables
    rescore = build_rescore(learning, tables)
    return Outcomes(cohort, own, scores.loc[tables.index], tables, rescore, sentence)


def _take_archive(
    job: Job,
    screened_people: Cohort,
    screening: Screening,
    scores: pd.DataFrame,
    predictions: pd.DataFrame | None,
) -> Outcomes:
    archive = score_archive(job, screened_people, predictions, names=list(map(str, scores)))
    cohort, tables = archive.cohort, archive.screening.tables
    try:
        trajectories = build_trajectories(
            cohort, job.protocol.design, window_months=job.window_months
        )
    except (CohortError, DesignError) as error:
        raise DesignError(*(f"In the archive: {text}" for text in error.problems)) from error
    screened = describe_screened(job, screening, scores)
    own = widen_scores(archive.scores).loc[tables.index]
    sentence = (
        f"Outcomes come from an archive: {len(own)} other people ({cohort.name}) who were followed "
        f"stand for the {len(screened.scores)} who were only screened, weighted to agree with them "
        "at baseline; the cut-offs are those of the screened people."
    )
    return Outcomes(cohort, trajectories, own, tables, archive.rescore, sentence, screened)


def find_normal_people(cohort: Cohort, design: TrialDesign) -> pd.Index | None:
    """Return the people whose change is normal ageing, those CN at baseline, where it is asked for.

    None where the design takes no normal ageing off, or states it.
    """
    if design.relative_to == "all decline" or design.normal_change_per_year is not None:
        return None
    people = cohort.participants
    normal: pd.Series[str] = people.loc[people["diagnosis"] == "CN", "participant_id"]
    return pd.Index(normal)
