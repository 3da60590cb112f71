"""The steps that choose people: scores, capture rates."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.counting import tally
from reports.store.run import Run
from trialsim.enrichment import (
    compute_group_differences,
    count_selections,
    rank_people,
    score_people,
)
from trialsim.enrichment.scoring import describe_unscored
from trialsim.enrichment.screening import Screening
from trialsim.enrichment.strategies.features import describe_unlearned, describe_unread
from trialsim.enrichment.strategies.registry import list_packages
from trialsim.enrichment.truth import TrueDecline, compute_measured_decline
from trialsim.errors import DesignError
from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.memory import hand_back_memory
from trialsim.study.steps.archive import find_eligible, list_criteria, score_archive
from trialsim.study.steps.cohort import recall_cohort
from trialsim.study.steps.durations import estimate_comparing, estimate_scoring
from trialsim.study.steps.screening import (
    define_fast_progressors,
    describe_unknown_scores,
    learns_from_archive,
    list_strategies,
    recall_screened,
)

_OF_SCORES = (
    "selection",
    "design.endpoint",
    "cohort.training",
    "cohort.harmonize",
    "cohort.harmonize_by",
    "cohort.measured_twice",
    "cohort.measured_by",
    "cohort.window_months",
)
"""What decides how people are scored and judged."""

_OF_COMPARISON = (
    "selection.n_selected",
    "selection.truth",
    "selection.fast_progressor.top_fraction",
    "selection.fast_progressor.rate_below",
)
"""What decides how strategies are judged, but not how they score people."""


def make_score_step(job: Job, stands_on: list[str], *, is_last: bool = False) -> Step:
    """Return the step that scores everyone with every strategy.

    Parameters
    ----------
    job
        The study's work.
    stands_on
        Names of earlier steps.
    is_last
        Whether no step follows that reads the people.
    """
    return Step(
        "score",
        lambda run: score(job, run, is_last=is_last),
        _configure_scores(job),
        _files(job),
        stands_on=stands_on,
        estimate=lambda: estimate_scoring(job),
    )


def _configure_scores(job: Job) -> dict[str, Any]:
    config = job.config(*_OF_SCORES, without=_OF_COMPARISON)
    # another version of another package may score otherwise
    packages = list_packages(job.protocol.selection.strategies)
    return config | ({"packages": packages} if packages else {})


def _configure_comparison(job: Job) -> dict[str, Any]:
    config = job.config(*_OF_SCORES)
    if job.protocol.cohort.training is None:
        return config
    # an archive's people are judged where they meet these
    return config | {"criteria": list_criteria(job)}


def make_compare_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that measures how well strategies find the fast progressors."""
    return Step(
        "compare",
        lambda run: compare(job, run),
        _configure_comparison(job),
        _files(job),
        stands_on=stands_on,
        estimate=lambda: estimate_comparing(job),
    )


def score(job: Job, run: Run, *, is_last: bool = False) -> None:
    """Score everyone, say whom each strategy would enroll, and who is left out."""
    screening = recall_screened(job, run, with_archive=learns_from_archive(job)).screening
    participants = recall_cohort(job, run).participants
    strategies = list_strategies(job, screening)
    job.tell(describe_unknown_scores(job, strategies, screening.tables.index))
    if is_last:  # the visits of a million people take more than their scores
        job.let_go()
    scores = score_people(strategies, screening.tables, job.rng("scores"))
    learning = [strategy.name for strategy in strategies if "outcome" in strategy.needs]
    if learning:
        told = describe_unread(screening.tables, covariates="boosting" in learning)
        job.tell([*told, *describe_unlearned(screening.tables)])
    del screening, strategies
    rankings = rank_people(scores, job.rng("ties"))
    counts = count_selections(rankings, job.protocol.selection.fractions_enrolled)
    run.write("scores", scores)
    run.write("rankings", rankings)
    run.write("selection_counts", counts)
    # looking for people who are there twice takes memory that is free from here on
    hand_back_memory()
    run.write("group_differences", compute_group_differences(rankings, counts, participants))


def compare(job: Job, run: Run) -> None:
    """Measure capture rates, and how well scores predict the decline."""
    cohort, predictions, screening = recall_screened(job, run)
    if is_not_judged(job, screening):
        job.tell(
            ["Nobody's decline is known, so that nobody can say which strategy finds it best."]
        )
        return
    judged = judge_scores(job, cohort, screening, run.read("scores"), predictions)
    for name, table in judged.tables.items():
        run.write(name, table)
    truth = judged.truth
    run.note(truth=truth.kind, n_left_out=truth.n_left_out, judged_on=judged.judged_on)
    left_out = f"{truth.n_left_out} without a visit near {_horizon(job):g} months are left out."
    known = f"{truth.kind} decline is known for {tally(len(truth.decline), 'people')}; {left_out}"
    job.tell([*judged.notes, known])


@dataclass(frozen=True)
class Judged:
    """How well strategies find fast progressors.

    Attributes
    ----------
    tables
        Of `evaluate_scores`.
    truth
        The decline that they are judged by.
    judged_on
        "screened", or "archive" where nobody screened was followed.
    notes
        On whom, where these are not the screened people, and who of them has no score.
    """

    tables: Mapping[str, pd.DataFrame]
    truth: TrueDecline
    judged_on: str
    notes: tuple[str, ...] = ()


def judge_scores(
    job: Job,
    cohort: Cohort,
    screening: Screening,
    scores: pd.DataFrame,
    predictions: pd.DataFrame | None,
) -> Judged:
    """Measure how well scores find the fast progressors.

    People who were only screened have no decline to find: the strategies are then judged on the
    archive, where what learns is cross-fitted.

    Parameters
    ----------
    job
        The study's work.
    cohort, screening, scores
        The screened people, what strategies see of them, their table of scores.
    predictions
        Predicted volumes, of the archive's people too where a strategy reads them.

    Raises
    ------
    DesignError
        Nobody's decline is known, or a strategy cannot score the archive.
    """
    # who ranks people needs no statistics of SciPy, which take a second and 50 MB to load
    from trialsim.enrichment.evaluation.evaluation import evaluate_scores

    notes: tuple[str, ...] = ()
    judged_on = "screened"
    if is_judged_on_archive(job, screening):
        judged_on = "archive"
        archive = score_archive(job, cohort, predictions)
        cohort, scores, screening = archive.cohort, archive.scores, archive.screening
        whom = f"the {tally(len(screening.tables.index), 'people')} of the archive ({cohort.name})"
        notes = (f"Nobody screened was followed: strategies are judged on {whom}.",)
    truth = choose_truth(job, cohort, screening)
    if judged_on == "archive":
        eligible, told = find_eligible(job, cohort)
        cohort, truth = cohort.select(eligible), truth.select(eligible)
        notes = (*notes, *told)
    notes = (*notes, *describe_unscored(scores, truth.decline.index))
    tables = evaluate_scores(
        scores,
        cohort,
        truth,
        define_fast_progressors(job),
        job.protocol.selection.n_selected,
        region=job.protocol.design.endpoint,
        rng=job.rng("capture rates"),
    )
    return Judged(tables, truth, judged_on, notes)


def is_judged_on_archive(job: Job, screening: Screening) -> bool:
    """Return whether nobody screened was followed, and others were."""
    return job.protocol.cohort.training is not None and screening.truth is None


def is_not_judged(job: Job, screening: Screening) -> bool:
    """Return whether nobody was followed, screened or not, and the design needs nobody to be."""
    needs_nobody = job.protocol.design.outcomes in {"predicted", "assumed"}
    return needs_nobody and job.protocol.cohort.training is None and screening.truth is None


def choose_truth(job: Job, cohort: Cohort, screening: Screening) -> TrueDecline:
    """Return the decline that strategies are judged by.

    Raises
    ------
    DesignError
        Where it is not known of anyone.
    """
    wanted, found = job.protocol.selection.truth, screening.truth
    if wanted == "latent" and (found is None or found.kind != "latent"):
        raise DesignError(
            f"The latent decline of {cohort.name} is not known; only synthetic cohorts have a "
            "truth/ folder."
        )
    if found is None or wanted == "measured":
        region = job.protocol.design.endpoint
        return compute_measured_decline(cohort, define_fast_progressors(job), region=region)
    return found


def _horizon(job: Job) -> float:
    return job.protocol.selection.fast_progressor.horizon_months


def _files(job: Job) -> list[Path]:
    section, training = job.protocol.selection, job.protocol.cohort.training
    paired = job.protocol.cohort.measured_twice
    truth = job.protocol.cohort.path / "truth"
    found = [
        training,
        paired,
        section.scores,
        section.predictions,
        truth if truth.is_dir() else None,
    ]
    scans = job.count(training).scans if training else ()
    return [path for path in (*found, *scans) if path is not None]
