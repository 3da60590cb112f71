"""Whether the data can carry every step and strategy of a protocol, told before anything runs.

Every step is tried on the data themselves, with predictions that are still to be made replaced by
made-up ones of the same people, times and regions. No network is loaded.
"""

from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import pandas as pd

from cohorts.cohort import Cohort
from cohorts.eligibility import screen_cohort
from cohorts.errors import TrialsimError
from cohorts.schema import validate_table
from trialsim.analyses import ANALYSES
from trialsim.comparison.candidates import Candidate
from trialsim.comparison.preparing import add_normal_change, prepare_candidates
from trialsim.comparison.refitting import widen_scores
from trialsim.enrichment import score_people
from trialsim.enrichment.screening import Screening
from trialsim.errors import DesignError
from trialsim.interim.candidate import plan_candidate, plan_enriching
from trialsim.optimization.search import prepare_search
from trialsim.study.job import Job
from trialsim.study.protocol import PredictionSection
from trialsim.study.steps.archive_prediction import (
    list_scanned,
    list_to_predict,
    make_archive_step,
    refuse_training_people,
)
from trialsim.study.steps.following import is_archive_scored
from trialsim.study.steps.interim import gather_enrolled
from trialsim.study.steps.optimization import find_searched, read_columns
from trialsim.study.steps.outcomes import find_outcomes
from trialsim.study.steps.prediction import check_context, check_prediction
from trialsim.study.steps.screening import (
    assemble_screening,
    list_strategies,
    read_given_predictions,
)
from trialsim.study.steps.selection import is_not_judged, judge_scores
from trialsim.study.steps.tools import load_followed, settle_screened


def foresee_problems(job: Job) -> Iterator[str]:
    """Yield one sentence for each thing that a run would stop at.

    What only networks can tell is not among them: scans are counted, not predicted.
    """
    try:
        found = settle_screened(job, job.load(job.protocol.cohort.path))
        cohort = screen_cohort(found, job.protocol.cohort.eligibility).eligible
        predictions = read_given_predictions(job, cohort)
        if job.protocol.prediction is not None:
            yield from _find_problems_of_prediction(job, cohort)
            followed = _load_archive(job, job.protocol.prediction, cohort)
            made_up = _make_up_predictions(job, job.protocol.prediction, cohort, like=followed)
            if followed is not None:
                theirs = _make_up_predictions(job, job.protocol.prediction, followed)
                made_up = pd.concat([made_up, theirs], ignore_index=True)
            given = [] if predictions is None else [predictions]
            predictions = pd.concat([made_up, *given], ignore_index=True)
        screening = assemble_screening(job, cohort, predictions)
        strategies = list_strategies(job, screening)
    except TrialsimError as error:
        yield from error.problems
        return
    scored: list[pd.DataFrame] = []
    for strategy in strategies:
        try:
            scored.append(score_people([strategy], screening.tables, job.rng("scores")))
        except TrialsimError as error:
            yield from error.problems
    if not scored:
        return
    scores = pd.concat(scored, ignore_index=True)
    try:
        if not is_not_judged(job, screening):
            judge_scores(job, cohort, screening, scores, predictions)
    except TrialsimError as error:
        yield from error.problems
    for refused, attempt in (
        ("No trial can be simulated", _try_simulation),
        ("No design can be searched", _try_search),
        ("No looks can be planned", _try_interim),
    ):
        try:
            attempt(job, cohort, screening, scores, predictions)
        except TrialsimError as error:
            yield from (f"{refused}: {text}" for text in error.problems)


def _find_problems_of_prediction(job: Job, cohort: Cohort) -> Iterator[str]:
    from brlp_models.model.files import verify_model_folder

    if find_spec("torch") is None:
        yield (
            "Predictions need torch, which is not installed: pip install 'trialsim[imaging]' "
            "brings it."
        )
    if not list_scanned(cohort):
        yield "The protocol asks for predictions, but nobody in the cohort has a scan."
    try:
        verify_model_folder(job.model_folder)
        check_prediction(job, cohort)
    except TrialsimError as error:
        yield from error.problems


def _load_archive(job: Job, section: PredictionSection, cohort: Cohort) -> Cohort | None:
    """Return the archive's people who would be predicted; None where none would be.

    Raises
    ------
    DesignError
        The model was trained on some of them.
    ModelError
        The baseline that tells its context learned from some of them, and what was fitted without
        these is gone.
    """
    if make_archive_step(job, section, []) is None or not is_archive_scored(job, cohort):
        return None
    followed = load_followed(job, cohort)
    people = list_to_predict(job, section, cohort, followed)
    refuse_training_people(job, people)
    check_context(job, followed.select(people))
    return followed.select(people)


def _make_up_predictions(
    job: Job, section: PredictionSection, cohort: Cohort, *, like: Cohort | None = None
) -> pd.DataFrame:
    """Return a table of predictions as good as the protocol's could be.

    Whoever was followed is predicted to change as they did; a decline is drawn for the others, from
    those of the people of `like`: an archive is found to lie beyond a cut-off only where scores of
    both are alike. What is refused with these is refused with any.
    """
    from brlp_models.model.calibrated_context import apply_calibration

    people = list_scanned(cohort)
    measures = section.measure or section.segmentations is not None
    config = apply_calibration(
        job.model_config, None if job.context is None else job.context.identity
    )
    regions = config.regions if measures else ()
    keys = pd.MultiIndex.from_product(
        [people, job.protocol.horizons_months, regions],
        names=["participant_id", "horizon_months", "region"],
    )
    table = keys.to_frame(index=False)
    n_samples = section.samples
    rng = np.random.default_rng(0)
    drawn = rng.uniform(0.8, 1.0, len(table))
    if like is not None:
        for region, known in _measure_change(like).dropna().groupby(level="region"):
            own = (table["region"] == region).to_numpy()
            drawn[own] = rng.choice(known.to_numpy(), own.sum())
    measured = _measure_change(cohort).reindex(keys.droplevel("horizon_months")).to_numpy()
    table = table.assign(
        model_id=config.name,
        baseline_volume_mm3=1000.0,
        volume_mm3=1000 * np.where(np.isfinite(measured), measured, drawn),
        volume_sd_mm3=np.nan if n_samples == 1 and not config.draw_sd else 10.0,
        n_samples=1 if n_samples == "auto" else n_samples,
    )
    return validate_table(table, "predictions")


def _measure_change(cohort: Cohort) -> "pd.Series[float]":
    """Return the last volume over the first of whoever has two, by person and region."""
    visits = cohort.visit_volumes().set_index("participant_id")
    volumes = visits.drop(columns=["session_id", "months_from_baseline", "age_years"])
    by_person = volumes.groupby("participant_id")
    change = (by_person.last() / by_person.first()).where(by_person.count() > 1)
    by_region = change.melt(var_name="region", value_name="ratio", ignore_index=False)
    return by_region.set_index("region", append=True)["ratio"]


def _try_simulation(
    job: Job,
    cohort: Cohort,
    screening: Screening,
    scores: pd.DataFrame,
    predictions: pd.DataFrame | None,
) -> None:
    design = job.protocol.design
    source = find_outcomes(job, cohort, screening, widen_scores(scores), predictions)
    prepare_candidates(
        source.read(design),
        design,
        sample_sizes=job.protocol.simulation.sample_sizes,
        fractions_enrolled=job.protocol.selection.fractions_enrolled,
        rng=np.random.default_rng(0),
    )


def _try_search(
    job: Job,
    cohort: Cohort,
    screening: Screening,
    scores: pd.DataFrame,
    predictions: pd.DataFrame | None,
) -> None:
    design, ranges = job.protocol.design, job.protocol.optimize
    if ranges is None:
        return
    source = find_searched(job, cohort, screening, widen_scores(scores), predictions)
    prepare_search(
        source.read(design),
        design,
        job.protocol.trial_costs,
        ranges,
        columns=read_columns(source),
        seed=0,
    )


def _try_interim(
    job: Job,
    cohort: Cohort,
    screening: Screening,
    scores: pd.DataFrame,
    predictions: pd.DataFrame | None,
) -> None:
    """Plan the looks of the largest fraction of each strategy."""
    interim = job.protocol.interim
    if interim is None:
        return
    source = find_outcomes(job, cohort, screening, widen_scores(scores), predictions)
    screened = source.read(job.protocol.design)
    design = add_normal_change(job.protocol.design, screened)
    fraction, rng = max(job.protocol.selection.fractions_enrolled), np.random.default_rng(0)
    for strategy in screened.scores:
        candidate = Candidate(str(strategy), fraction)
        if screened.get_prognostic(candidate) is None and ANALYSES[design.analyses[0]].uses_score:
            continue
        try:
            people = gather_enrolled(candidate, screened, design, rng)
        except DesignError:
            # nothing of it is simulated either: an archive may lack those beyond its cut-off alone
            if screened.target is None:
                raise
            continue
        plan_candidate(people, design, interim, job.protocol.trial_costs)
        if interim.enrichment == "adaptive" and candidate.is_screened and fraction < 1:
            everyone = gather_enrolled(Candidate(candidate.strategy, 1.0), screened, design, rng)
            plan_enriching(people, everyone, design, interim)
