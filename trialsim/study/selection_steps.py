"""The steps that choose people: scores, capture rates."""

from pathlib import Path

import pandas as pd

from cohorts.schema import validate_table
from cohorts.synthetic.truth import read_true_volumes
from reports.store.study import Run
from trialsim.cli.choosing import read_table
from trialsim.cli.recording import read_cohort
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
from trialsim.study.durations import estimate_comparing, estimate_scoring
from trialsim.study.engine import Step
from trialsim.study.job import Job


def make_score_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that scores everyone with every strategy."""
    return Step(
        "score",
        lambda run: score(job, run),
        _config(job),
        _files(job),
        stands_on=stands_on,
        estimate=lambda: estimate_scoring(job),
    )


def make_compare_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that measures how well strategies find the fast progressors."""
    return Step(
        "compare",
        lambda run: compare(job, run),
        _config(job),
        _files(job),
        stands_on=stands_on,
        estimate=lambda: estimate_comparing(job),
    )


def score(job: Job, run: Run) -> None:
    """Score everyone, say whom each strategy would enroll, and who is left out."""
    screening = build_screening(job)
    strategies = list_strategies(job, screening)
    scores = score_people(strategies, screening.tables, job.rng("scores"))
    fractions = job.protocol.selection.fractions_enrolled
    selections = select_people(scores, fractions, job.rng("ties"))
    run.write("scores", scores)
    run.write("selections", selections)
    participants = job.study.read("participants")
    run.write("group_differences", compute_group_differences(selections, participants))


def compare(job: Job, run: Run) -> None:
    """Measure capture rates, and how well scores predict the decline."""
    truth = build_screening(job).truth
    if truth is None:
        job.tell(run, [_describe_missing_truth(job)])
        return
    tables = evaluate_scores(
        job.study.read("scores"),
        read_cohort(job.study),
        truth,
        _definition(job),
        region=job.protocol.design.endpoint,
        rng=job.rng("capture rates"),
    )
    for name, table in tables.items():
        run.write(name, table)
    run.note(truth=truth.kind, n_left_out=truth.n_left_out)


def build_screening(job: Job) -> Screening:
    """Put together what strategies may see, from the study file and the training people."""
    region = job.protocol.design.endpoint
    return build_screening_tables(
        read_cohort(job.study),
        _definition(job),
        region=region,
        latent_volumes=read_true_volumes(job.protocol.cohort.path),
        predictions=_read_predictions(job),
        training=_build_training(job),
        n_folds=job.protocol.selection.folds,
    )


def _read_predictions(job: Job) -> pd.DataFrame | None:
    given = job.protocol.selection.predictions
    tables = [job.study.read("predictions")] if job.protocol.prediction else []
    tables += [validate_table(read_table(given), "predictions")] if given else []
    return pd.concat(tables, ignore_index=True) if tables else None


def _build_training(job: Job) -> Screening | None:
    path, region = job.protocol.cohort.training, job.protocol.design.endpoint
    if path is None:
        return None
    return build_screening_tables(job.load(path), _definition(job), region=region)


def list_strategies(job: Job, screening: Screening) -> list[Strategy]:
    """Return the strategies that the protocol names, the user's own scores after them."""
    section = job.protocol.selection
    given = read_score_strategies(section.scores, screening.tables.index) if section.scores else []
    own = {strategy.name for strategy in given}
    return [*build_strategies([n for n in section.strategies if n not in own]), *given]


def _describe_missing_truth(job: Job) -> str:
    definition = _definition(job)
    return (
        f"Nobody's {job.protocol.design.endpoint} is measured both at baseline and within "
        f"{definition.window_months:g} months of month {definition.horizon_months:g}: capture "
        "rates cannot be computed."
    )


def _definition(job: Job) -> FastProgressorDefinition:
    return FastProgressorDefinition(**job.protocol.selection.fast_progressor.model_dump())


def _config(job: Job) -> dict[str, object]:
    return {
        "selection": job.protocol.selection.model_dump(mode="json"),
        "endpoint": job.protocol.design.endpoint,
        "training": str(job.protocol.cohort.training or ""),
    }


def _files(job: Job) -> list[Path]:
    section, training = job.protocol.selection, job.protocol.cohort.training
    truth = job.protocol.cohort.path / "truth"
    found = [training, section.scores, section.predictions, truth if truth.is_dir() else None]
    scans = job.count(training).scans if training else ()
    return [path for path in (*found, *scans) if path is not None]
