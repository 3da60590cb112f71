"""The step that predicts what the screened people's brains will look like."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.errors import CohortError
from cohorts.volumes.measurement import list_tools
from reports.store.places import relate
from reports.store.run import Run
from trialsim.study.engine import Step
from trialsim.study.job import Job
from trialsim.study.protocol import PredictionSection
from trialsim.study.steps.cohort import recall_cohort, recall_measured
from trialsim.study.steps.elsewhere import predict_elsewhere
from trialsim.study.steps.tools import SCREENED, settle_model
from trialsim.workers.processes import Processes

if TYPE_CHECKING:
    from brlp_models.prediction.job import CohortPrediction

PREDICTING: Final = (
    "brlp_models.baselines.context",
    "brlp_models.model.folder",
    "brlp_models.prediction.cohort",
)
"""The modules of a worker that predicts."""

_N_NAMED: Final = 3
_NUMBER: Final = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?:e[+-]\d+)?(?!\w)")


def make_prediction_step(job: Job, section: PredictionSection, stands_on: list[str]) -> Step:
    """Return the step that predicts volumes, with the scans behind them."""
    return Step(
        "predict",
        lambda run: predict(job, section, run),
        configure_prediction(job),
        inputs=[section.segmentations] if section.segmentations else [],
        weights=[job.model_folder],
        stands_on=stands_on,
        estimate=lambda: estimate_one(job, section) * len(job.census.first_images),
    )


def configure_prediction(job: Job) -> dict[str, Any]:
    """Return what a prediction depends on, with the months that follow from the design.

    The model counts by what is in its folder; its name is there to be told where it changes. What
    tells its context counts by its identity, wherever it lies.
    """
    asked = dict(job.config("prediction").get("prediction", {}))
    settled = {"horizons_months": job.protocol.horizons_months, "model": job.model_config.name}
    told = {} if job.context is None else {"context_from": job.context.identity}
    return {"prediction": asked | settled | told}


def estimate_one(job: Job, section: PredictionSection) -> float:
    """Return the seconds that one person adds, with all workers, counted from the networks."""
    from brlp_models.prediction.timing import estimate_person

    seconds = estimate_person(
        job.model_config,
        n_horizons=len(job.protocol.horizons_months),
        samples=section.samples,
        num_inference_steps=section.num_inference_steps,
        save_images=section.save_images,
        device=section.device,
    )
    return seconds / job.protocol.simulation.workers


def get_workers_ready(job: Job) -> None:
    """Let the processes that will predict start now, while this one still reads the people."""
    if job.protocol.prediction is None or job.protocol.compute.cluster is not None:
        return
    workers = job.find_workers(estimate_one(job, job.prediction) * len(job.census.first_images))
    if isinstance(workers, Processes):
        workers.get_ready(*PREDICTING)


def predict(job: Job, section: PredictionSection, run: Run) -> None:
    """Predict everyone who has a scan; a person who cannot be predicted is listed, not lost."""
    from brlp_models.prediction.person_files import list_prediction_images

    folder = locate_predictions(job, str(run.fingerprint))
    notes = check_prediction(job, recall_cohort(job, run))
    cohort = recall_measured(job, run, notes)
    found = predict_and_note(job, run, cohort, list_prediction_options(job, section, folder))
    run.write("predictions", found.predictions)
    run.write("scan_checks", found.scan_checks)
    images = list_prediction_images(
        cohort, folder, job.model.model_id, until_months=section.until_months
    )
    run.write("prediction_images", images)
    job.tell([*notes, *describe_predictions(found)])


def check_prediction(job: Job, cohort: Cohort) -> list[str]:
    """Return what is to be told of volumes and context that a prediction starts from.

    Raises
    ------
    CohortError
        The model, or the baseline that tells its context, learned from volumes of another tool, or
        its segmenter would measure some people while another tool measured the others, and
        `cohort.harmonize` states nothing.
    ModelError
        The baseline cannot tell the model's context, or learned from some of these people.
    """
    notes = check_context(job, cohort)
    section, config = job.protocol.cohort, job.model_config
    settle_model(
        section,
        notes,
        {SCREENED: cohort},
        config.name,
        config.measured_by,
        is_synthetic=config.is_synthetic,
    )
    measured = cohort.until(job.prediction.until_months).volumes["participant_id"].unique()
    scanned = cohort.visits.dropna(subset=["image_path"])["participant_id"]
    n_lacking = scanned[~scanned.isin(measured)].nunique()
    own = list_tools(cohort)
    if n_lacking and len(own) and section.harmonize is None:
        raise CohortError(
            f"{tally(n_lacking, 'people have')} scans without volumes, which the segmenter "
            f"of {config.name} "
            f"would measure, while {own.index[0]} measured the others: measure all with one tool, "
            f"or state cohort.harmonize."
        )
    return notes


def check_context(job: Job, cohort: Cohort) -> list[str]:
    """Return what is to be told of what tells the model's context.

    Raises
    ------
    CohortError, ModelError
        As `check_prediction`, of the baseline.
    """
    from brlp_models.model.calibrated_context import tell_other_context

    identity = None if job.context is None else job.context.identity
    other = tell_other_context(job.model_config, identity)
    notes = [] if other is None else [other]
    if job.context is None:
        return notes
    job.context.check(
        job.model_config,
        horizons_months=job.protocol.horizons_months,
        until_months=job.prediction.until_months,
    )
    config = job.context.baseline.config
    notes = [job.context.describe(), *describe_own_people(job, cohort), *notes]
    settle_model(
        job.protocol.cohort,
        notes,
        {SCREENED: cohort},
        config.name,
        config.measured_by,
        is_synthetic=config.is_synthetic,
    )
    return notes


def describe_own_people(job: Job, cohort: Cohort) -> list[str]:
    """Return that some people are those whom what tells the context learned from.

    Raises
    ------
    ModelError
        As `ContextBaseline.count_own_people`.
    """
    if job.context is None:
        return []
    n_own = job.context.count_own_people(cohort, job.protocol.horizons_months)
    if not n_own:
        return []
    name = job.context.baseline.config.name
    return [
        f"{name} learned from {n_own} of {tally(len(cohort.participants), 'people')}: of "
        "these the context "
        "holds what was fitted without them."
    ]


def predict_and_note(
    job: Job, run: Run, cohort: Cohort, options: dict[str, Any]
) -> "CohortPrediction":
    """Return what is predicted for people, here or by workers elsewhere, and note it.

    Parameters
    ----------
    job, run
        The study's work, and the run that it is recorded in.
    cohort
        Whom to predict.
    options
        From `list_prediction_options`.
    """
    from brlp_models.prediction.cohort import predict_cohort

    total = len(cohort.participants) * len(options["horizons_months"])
    seconds = estimate_one(job, job.prediction) * len(cohort.participants)
    if (workers := job.find_workers(seconds)) is not None:
        predict_elsewhere(workers, job, cohort, options)
    found = predict_cohort(job.model, cohort, **options, on_progress=count_predictions(job, total))
    run.note(
        model_id=job.model.model_id,
        precision=job.model.precision,
        folder=relate(options["out"], job.folder),
        **({} if job.context is None else {"context_from": job.context.identity}),
        failures=found.failures.to_dict("records"),
    )
    return found


def count_predictions(job: Job, total: float) -> Callable[[float], None]:
    """Return what is told of finished predictions, and tells how many of `total` they are."""
    done = 0.0

    def advance(amount: float) -> None:
        nonlocal done
        done += amount
        job.on_progress("Predicting", done, total)

    return advance


def locate_predictions(job: Job, fingerprint: str) -> Path:
    """Return the folder of finished people.

    Another seed, scan or model has another fingerprint: finished people are never mixed up.
    """
    return job.folder / "predictions" / fingerprint[:12]


def list_prediction_options(job: Job, section: PredictionSection, folder: Path) -> dict[str, Any]:
    """Return what `predict_cohort` is asked, beside model and people."""
    same = (
        "samples",
        "sampler",
        "num_inference_steps",
        "tolerance_percent",
        "until_months",
        "threads",
        "segmentations",
        "save_images",
        "measure",
        "batch_size",
        "memory_gb",
    )
    own = {name: getattr(section, name) for name in same}
    return {
        **own,
        "horizons_months": job.protocol.horizons_months,
        "out": folder,
        "scan_cache": job.scans,
        "context_from": job.context,
        "seed": job.protocol.study.seed,
    }


def describe_predictions(found: "CohortPrediction") -> list[str]:
    """Return who was not predicted and whose scans are doubtful, a sentence for each reason."""
    checks = found.scan_checks
    warned = checks[checks["verdict"] == "warn"]
    failed = found.failures[["participant_id", "problem"]].itertuples(index=False, name=None)
    doubted = (
        (str(person), sentence)
        for person, reasons in zip(warned["participant_id"], warned["reasons"], strict=True)
        for sentence in re.split(r"(?<=\.)\s+", str(reasons))
    )
    return [
        *_tell_once("Not predicted:", failed),
        *_tell_once("Check the scan of", doubted),
    ]


def _tell_once(what: str, told: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each thing that is told of people, however many they are.

    What differs in the person's name and in numbers alone is told together, each number as from
    the least to the most.
    """
    groups: dict[tuple[str, ...], tuple[list[str], list[list[str]]]] = {}
    for person, text in told:
        nameless = text.replace(f" of {person} ", " ")
        people, numbers = groups.setdefault(tuple(_NUMBER.split(nameless)), ([], []))
        people.append(person)
        numbers.append(_NUMBER.findall(nameless))
    for (first, *rest), (people, numbers) in groups.items():
        spans = [_show_span(own) for own in zip(*numbers, strict=True)]
        names = list(dict.fromkeys(people))
        n_named = _N_NAMED if len(names) > _N_NAMED + 1 else len(names)
        others = f" and {len(names) - n_named} others" if len(names) > n_named else ""
        said = first + "".join(map("".join, zip(spans, rest, strict=True)))
        yield f"{what} {', '.join(names[:n_named])}{others}: {said}"


def _show_span(numbers: Sequence[str]) -> str:
    least, most = min(numbers, key=float), max(numbers, key=float)
    return least if least == most else f"{least} to {most}"
