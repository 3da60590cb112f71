"""The steps that choose people: scores, capture rates."""

from pathlib import Path

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.schema import validate_table
from cohorts.synthetic.truth import read_true_volumes
from reports.store.study import Run
from trialsim.enrichment import (
    FastProgressorDefinition,
    Strategy,
    build_screening_tables,
    build_strategies,
    compute_group_differences,
    read_score_strategies,
    score_people,
    select_people,
)
from trialsim.enrichment.evaluation import evaluate_scores
from trialsim.enrichment.screening import Screening
from trialsim.enrichment.truth import TrueDecline, compute_measured_decline
from trialsim.errors import DesignError
from trialsim.study.cohort_step import read_cohort
from trialsim.study.durations import estimate_comparing, estimate_scoring
from trialsim.study.engine import Step
from trialsim.study.job import Job

_OF_COMPARISON = (
    "selection.n_selected",
    "selection.truth",
    "selection.fast_progressor.top_fraction",
    "selection.fast_progressor.rate_below",
)
"""What decides how strategies are judged, but not how they score people."""


def make_score_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that scores everyone with every strategy."""
    return Step(
        "score",
        lambda run: score(job, run),
        job.config("selection", "design.endpoint", "cohort.training", without=_OF_COMPARISON),
        _files(job),
        stands_on=stands_on,
        estimate=lambda: estimate_scoring(job),
    )


def make_compare_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that measures how well strategies find the fast progressors."""
    return Step(
        "compare",
        lambda run: compare(job, run),
        job.config("selection", "design.endpoint", "cohort.training"),
        _files(job),
        stands_on=stands_on,
        estimate=lambda: estimate_comparing(job),
    )


def score(job: Job, run: Run) -> None:
    """Score everyone, say whom each strategy would enroll, and who is left out."""
    screening = build_screening(job, run)
    strategies = list_strategies(job, screening)
    scores = score_people(strategies, screening.tables, job.rng("scores"))
    fractions = job.protocol.selection.fractions_enrolled
    selections = select_people(scores, fractions, job.rng("ties"))
    run.write("scores", scores)
    run.write("selections", selections)
    run.write("group_differences", compute_group_differences(selections, run.read("participants")))


def compare(job: Job, run: Run) -> None:
    """Measure capture rates, and how well scores predict the decline."""
    cohort = read_cohort(run.study, run.read)
    truth = choose_truth(job, cohort, build_screening(job, run))
    tables = evaluate_scores(
        run.read("scores"),
        cohort,
        truth,
        define_fast_progressors(job),
        job.protocol.selection.n_selected,
        region=job.protocol.design.endpoint,
        rng=job.rng("capture rates"),
    )
    for name, table in tables.items():
        run.write(name, table)
    run.note(truth=truth.kind, n_left_out=truth.n_left_out)
    left_out = f"{truth.n_left_out} without a visit near {_horizon(job):g} months are left out."
    job.tell(run, [f"{truth.kind} decline is known for {len(truth.decline)} people; {left_out}"])


def build_screening(job: Job, run: Run) -> Screening:
    """Put together what strategies may see, from the study file and the training people."""
    tables = [run.read("predictions")] if job.protocol.prediction else []
    given = read_given_predictions(job)
    tables += [] if given is None else [given]
    predictions = pd.concat(tables, ignore_index=True) if tables else None
    return assemble_screening(job, read_cohort(run.study, run.read), predictions)


def assemble_screening(job: Job, cohort: Cohort, predictions: pd.DataFrame | None) -> Screening:
    """Put together what strategies may see of a cohort."""
    return build_screening_tables(
        cohort,
        define_fast_progressors(job),
        region=job.protocol.design.endpoint,
        latent_volumes=read_true_volumes(job.protocol.cohort.path),
        predictions=predictions,
        training=_build_training(job),
        n_folds=job.protocol.selection.folds,
    )


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


def list_strategies(job: Job, screening: Screening) -> list[Strategy]:
    """Return the strategies that the protocol names, the user's own scores after them."""
    section = job.protocol.selection
    given = read_score_strategies(section.scores, screening.tables.index) if section.scores else []
    own = {strategy.name for strategy in given}
    return [*build_strategies([n for n in section.strategies if n not in own]), *given]


def define_fast_progressors(job: Job) -> FastProgressorDefinition:
    """Return who counts as a fast progressor."""
    return FastProgressorDefinition(**job.protocol.selection.fast_progressor.model_dump())


def read_given_predictions(job: Job) -> pd.DataFrame | None:
    """Return the predictions that were made elsewhere, from CSV or Parquet; None for no file.

    Raises
    ------
    DesignError
        Where the file cannot be read.
    CohortValidationError
        Where it is no table of predictions.
    """
    path = job.protocol.selection.predictions
    if path is None:
        return None
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
        else:
            table = pd.read_csv(path, dtype={"participant_id": str, "model_id": str})
    except (OSError, ValueError) as error:
        raise DesignError(f"The predictions {path} cannot be read: {error}.") from error
    return validate_table(table, "predictions")


def _build_training(job: Job) -> Screening | None:
    path, region = job.protocol.cohort.training, job.protocol.design.endpoint
    if path is None:
        return None
    return build_screening_tables(job.load(path), define_fast_progressors(job), region=region)


def _horizon(job: Job) -> float:
    return job.protocol.selection.fast_progressor.horizon_months


def _files(job: Job) -> list[Path]:
    section, training = job.protocol.selection, job.protocol.cohort.training
    truth = job.protocol.cohort.path / "truth"
    found = [training, section.scores, section.predictions, truth if truth.is_dir() else None]
    scans = job.count(training).scans if training else ()
    return [path for path in (*found, *scans) if path is not None]
