"""The steps that make of the screened people's scans what predictions start from."""

from collections.abc import Callable
from pathlib import Path

from reports.store.run import Run
from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.steps.cohort import recall_cohort
from trialsim.study.steps.elsewhere import preprocess_elsewhere, segment_elsewhere
from trialsim.study.steps.prediction import check_prediction


def make_preprocess_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that brings every baseline scan onto the model's grid."""
    return Step(
        "preprocess",
        lambda run: preprocess(job, run),
        weights=[job.model_folder],
        stands_on=stands_on,
        estimate=lambda: estimate_preprocess(job),
    )


def make_segment_step(job: Job, stands_on: list[str]) -> Step:
    """Return the step that measures the baseline scans that come without volumes."""
    return Step(
        "segment",
        lambda run: segment(job, run),
        weights=[job.model_folder],
        stands_on=stands_on,
        estimate=lambda: estimate_segment(job),
    )


def preprocess(job: Job, run: Run) -> None:
    """Preprocess everyone; who cannot be is noted here, and told by the step that predicts.

    Raises
    ------
    CohortError
        As `check_prediction`, before hours of work.
    """
    from brlp_models.prediction.preparation import preprocess_cohort
    from brlp_models.scans.cache import ScanCache

    cohort = recall_cohort(job, run)
    check_prediction(job, cohort)
    if (workers := job.find_workers(estimate_preprocess(job))) is not None:
        found = preprocess_elsewhere(workers, job, cohort)
    else:
        advance = _count(job, "Preprocessing", len(cohort.participants))
        found = preprocess_cohort(job.model, cohort, ScanCache(job.scans), on_scan=advance)
    run.note(
        n_on_grid=found.n_on_grid,
        n_preprocessed=found.n_preprocessed,
        failures=found.failures.to_dict("records"),
    )


def segment(job: Job, run: Run) -> None:
    """Measure the volumes that the cohort lacks."""
    from brlp_models.prediction.preparation import segment_cohort
    from brlp_models.scans.cache import ScanCache
    from brlp_models.scans.segmentation import choose_segmenter

    cohort, model = recall_cohort(job, run), job.model
    out = locate_segmentations(job, str(run.fingerprint))
    if (workers := job.find_workers(estimate_segment(job))) is not None:
        volumes = segment_elsewhere(workers, job, cohort, out)
    else:
        volumes = segment_cohort(
            model,
            choose_segmenter(model),
            cohort,
            ScanCache(job.scans),
            out=out,
            on_scan=_count(job, "Segmenting", len(cohort.participants)),
        )
    run.write("scan_volumes", volumes)
    run.note(n_segmented=volumes["participant_id"].nunique())


def locate_segmentations(job: Job, fingerprint: str) -> Path:
    """Return the folder of finished people.

    Another scan or model has another fingerprint: finished people are never mixed up.
    """
    return job.folder / "segmentations" / fingerprint[:12]


def estimate_preprocess(job: Job) -> float:
    """Return the seconds of preprocessing every scan that is not on the model's grid."""
    from brlp_models.prediction.timing import estimate_preprocessing

    seconds = estimate_preprocessing(job.model_config, job.census.first_images)
    return seconds / job.protocol.simulation.workers


def estimate_segment(job: Job) -> float:
    """Return the seconds of segmenting every scan; those that have volumes take none."""
    from brlp_models.prediction.timing import estimate_segmenting

    seconds = estimate_segmenting(job.model_config, device=job.prediction.device)
    return len(job.census.first_images) * seconds / job.protocol.simulation.workers


def _count(job: Job, name: str, total: int) -> Callable[[], None]:
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        job.on_progress(name, done, total)

    return advance
