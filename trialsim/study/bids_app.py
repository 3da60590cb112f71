"""The work of a BIDS App: people are predicted one by one, then joined, ranked and written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cohorts.counting import tally
from cohorts.files.atomic import write_file
from cohorts.files.bids_output import find_version, format_label
from trialsim.errors import DesignError
from trialsim.study.job import Job
from trialsim.study.making import STUDY, Listener, make_study
from trialsim.study.protocol import PredictionSection, Protocol
from trialsim.study.result import StudyResult
from trialsim.study.steps.elsewhere import predict_elsewhere
from trialsim.study.steps.prediction import (
    check_prediction,
    count_predictions,
    estimate_one,
    list_prediction_options,
)

PREDICTIONS: Final = "predictions.csv"
LOGS: Final = "logs"
_PROBLEM: Final = "problem"
_NOTES: Final = "notes"

_CITATION: Final = """\
# Methods

Brain scans and regional volumes at a later age were predicted with trialsim {version} and the model
{name} (identifier {model_id}), which follows Brain Latent Progression (Puglisi, Alexander & Ravi
2025, Medical Image Analysis): a T1w scan is encoded by an autoencoder, and its latent at the later
age is drawn from a diffusion model given age, sex, diagnosis and predicted regional volumes.
{context}\
Scans were corrected for bias (N4; Tustison et al. 2010, IEEE Trans Med Imaging 29:1310) and
brought to {template} by an affine (SimpleITK). Volumes were predicted for {horizons} months after
baseline from {samples} draws each, seed {seed}; predicted volumes are the measured ones times the
ratio of predicted to reconstructed. Only information up to the baseline visit was used.

Predicted scans are no acquired scans, and say so in name, sidecar and header.
"""


def predict_participants(
    protocol: Protocol,
    out: Path,
    labels: Sequence[str],
    *,
    work: Path,
    listener: Listener | None = None,
) -> dict[str, str]:
    """Predict some people of a BIDS dataset into a derivative dataset; who is there is left alone.

    Several calls may share `out` at one time, each for other people: a person's files appear when
    the person is finished, and `join_participants` makes the tables.

    Parameters
    ----------
    protocol
        Names the dataset (`cohort.path`) and how to predict.
    out
        The derivative dataset.
    labels
        The people, with or without `sub-`; everyone when empty.
    work
        For preprocessed scans, which later calls find again.
    listener
        Who is told.

    Returns
    -------
    dict
        Who could not be predicted -> why; it also lies in `logs`.

    Raises
    ------
    TrialsimError
        Where nothing can be predicted at all, or the model learned from another tool's volumes.
    """
    from brlp_models.prediction.cohort import predict_cohort

    section = protocol.prediction or PredictionSection()
    listener = listener or Listener()
    job = Job(protocol, work, listener.on_progress)
    cohort = job.load(protocol.cohort.path, participants=list(labels))
    notes = check_prediction(job, cohort)
    for note in notes:
        listener.tell(f"Note: {note}")
    write_citation(job, out)
    options = list_prediction_options(job, section, out) | {"has_tables": False}
    n_people = len(cohort.participants)
    if (workers := job.find_workers(estimate_one(job, section) * n_people)) is not None:
        predict_elsewhere(workers, job, cohort, options)
    total = n_people * len(protocol.horizons_months)
    found = predict_cohort(job.model, cohort, **options, on_progress=count_predictions(job, total))
    failed = dict(zip(found.failures["participant_id"], found.failures["problem"], strict=True))
    rejected = cohort.rejected.groupby("participant_id")["problem"].agg(" ".join)
    failed |= {str(name): str(problem) for name, problem in rejected.items()}
    for name in cohort.participants["participant_id"]:
        _log(out, str(name), _PROBLEM, [])
        _log(out, str(name), _NOTES, notes)
    for name, problem in failed.items():
        _log(out, name, _PROBLEM, [problem])
    return failed


def join_participants(
    protocol: Protocol, out: Path, *, command: str, is_whole: bool, listener: Listener
) -> StudyResult:
    """Join who was predicted, rank them, and write the study.

    Parameters
    ----------
    protocol
        Names the dataset and what is asked of it.
    out
        Where `predict_participants` wrote; the study file goes there.
    command
        The command line that repeats it.
    is_whole
        Do the whole job of the protocol, not only the ranking.
    listener
        Who is told.

    Raises
    ------
    TrialsimError
        Where nobody is finished, or a step cannot answer.
    """
    from brlp_models.prediction.person_files import join_predictions

    predictions, checks = join_predictions(out)
    listener.tell(f"Joined the predictions of {tally(len(checks), 'people')}.")
    for path in sorted((out / LOGS).glob(f"sub-*_{_PROBLEM}.txt")):
        listener.tell(f"Not predicted: {path.name.partition('_')[0]}: {path.read_text().strip()}")
    noted = [path.read_text().splitlines() for path in (out / LOGS).glob(f"sub-*_{_NOTES}.txt")]
    for note in sorted({line for lines in noted for line in lines}):
        listener.tell(f"Note: {note}")
    if predictions.empty:
        raise DesignError(f"{out} holds no predicted volumes to rank people by.")
    selection = protocol.selection.model_copy(update={"predictions": out / PREDICTIONS})
    asked = protocol.model_copy(update={"prediction": None, "selection": selection})
    until = None if is_whole else "score"
    return make_study(asked, out / STUDY, command=command, until=until, listener=listener)


def write_citation(job: Job, out: Path) -> Path:
    """Write what a paper would say of the predictions, into `logs/CITATION.md`."""
    from brlp_models.scans.template import TEMPLATE_NAME

    section, model = job.protocol.prediction or PredictionSection(), job.model
    told = "" if job.context is None else f"{job.context.describe()}\n"
    text = _CITATION.format(
        context=told,
        version=find_version(),
        name=model.config.name,
        model_id=model.model_id,
        template=TEMPLATE_NAME,
        horizons=", ".join(f"{months:g}" for months in job.protocol.horizons_months),
        samples=section.samples,
        seed=job.protocol.study.seed,
    )
    return write_file(out / LOGS / "CITATION.md", text.encode())


def _log(out: Path, participant_id: str, kind: str, lines: Sequence[str]) -> None:
    """Write what is to be told of a person in place of what was told before."""
    path = out / LOGS / f"sub-{format_label(participant_id)}_{kind}.txt"
    path.unlink(missing_ok=True)
    if lines:
        write_file(path, "".join(f"{line}\n" for line in lines).encode())
