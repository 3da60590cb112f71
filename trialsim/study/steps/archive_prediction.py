"""The step that predicts an archive's people as the screened people are predicted.

An archive stands for screened people only where every strategy scores both alike. Whoever a model
was trained on is no such person: it has seen their outcomes.
"""

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.schema import TABLES
from reports.store.run import Run
from trialsim.enrichment.screening import AUXILIARY
from trialsim.errors import DesignError
from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.protocol import PredictionSection
from trialsim.study.steps.cohort import recall_comparable
from trialsim.study.steps.following import is_archive_scored
from trialsim.study.steps.prediction import (
    check_context,
    configure_prediction,
    describe_own_people,
    describe_predictions,
    estimate_one,
    list_prediction_options,
    locate_predictions,
    predict_and_note,
)
from trialsim.study.steps.screening import read_given_predictions, reads_predictions
from trialsim.study.steps.tools import load_followed


def make_archive_step(job: Job, section: PredictionSection, stands_on: list[str]) -> Step | None:
    """Return the step that predicts the archive's people; None where no strategy would read it."""
    path, given = job.protocol.cohort.training, job.protocol.selection.predictions
    if path is None or job.protocol.design.outcomes == "observed" or not reads_predictions(job):
        return None
    census = job.count(path)
    # label maps that were drawn elsewhere are of the screened people's predicted scans
    if not census.first_images or section.segmentations is not None or not section.measure:
        return None
    return Step(
        "archive",
        lambda run: predict_archive(job, section, run),
        configure_prediction(job) | job.config("cohort", "design.outcomes"),
        inputs=[path, *census.scans, *([given] if given is not None else [])],
        weights=[job.model_folder],
        stands_on=stands_on,
        estimate=lambda: estimate_one(job, section) * len(census.first_images),
    )


def predict_archive(job: Job, section: PredictionSection, run: Run) -> None:
    """Predict the archive's people where they stand for people who were only screened.

    Raises
    ------
    DesignError
        The model was trained on some of them.
    ModelError
        The baseline that tells its context learned from some of them, and what was fitted without
        these is gone.
    """
    screened = recall_comparable(job, run)
    cohort = load_followed(job, screened)
    is_needed = is_archive_scored(job, screened)
    people = list_to_predict(job, section, screened, cohort) if is_needed else []
    if not people:
        run.write("archive_predictions", pd.DataFrame(columns=list(TABLES["predictions"].columns)))
        return
    refuse_training_people(job, people)
    check_context(job, cohort.select(people))
    folder = locate_predictions(job, str(run.fingerprint))
    options = list_prediction_options(job, section, folder) | {"save_images": False}
    found = predict_and_note(job, run, cohort.select(people), options)
    run.write("archive_predictions", found.predictions)
    told = [*describe_own_people(job, cohort.select(people)), *describe_predictions(found)]
    job.tell([f"In the archive: {text}" for text in told])


def list_to_predict(
    job: Job, section: PredictionSection, screened: Cohort, cohort: Cohort
) -> list[str]:
    """Return the archive's people who have a scan at the start and no prediction from elsewhere.

    Parameters
    ----------
    job, section
        The study's work, and how it predicts.
    screened, cohort
        The screened people, and the archive.
    """
    scanned = list_scanned(cohort.until(section.until_months))
    given = read_given_predictions(job, screened)
    if given is None:
        return scanned
    of_images = given[~given["model_id"].str.startswith(AUXILIARY)]
    known = set(of_images["participant_id"])
    return [name for name in scanned if name not in known]


def list_scanned(cohort: Cohort) -> list[str]:
    """Return the people who have a scan."""
    has_scan = cohort.visits["image_path"].notna()
    return list(map(str, cohort.visits.loc[has_scan, "participant_id"].unique()))


def refuse_training_people(job: Job, people: list[str]) -> None:
    """Raise `DesignError` where the model was trained on some of the people."""
    from brlp_models.model.training_people import find_training_people

    seen = find_training_people(job.model_folder, people)
    if seen:
        raise DesignError(
            f"The model {job.model_config.name} was trained on {len(seen)} of the "
            f"{tally(len(people), 'people')} of the archive (first: {seen[0]}), whose outcomes "
            "its predictions have seen: leave them out of the archive, train without them, or give "
            "predictions that were cross-fitted (selection.predictions)."
        )
