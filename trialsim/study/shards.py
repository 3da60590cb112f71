"""A cohort predicted by several processes that know nothing of each other, such as a job array.

Each takes a share of the people and keeps what it predicts in the folders of the study, which it
does not write. Whoever makes the study afterwards finds everyone finished.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cohorts.counting import tally
from cohorts.eligibility import screen_cohort
from cohorts.errors import TrialsimError
from cohorts.files.atomic import write_file
from cohorts.files.bids_output import format_label
from trialsim.study.engine import compute_step_fingerprint
from trialsim.study.job import Job
from trialsim.study.making import Listener, answer
from trialsim.study.question import anchor_values, ask, describe_values
from trialsim.study.result import StudyResult
from trialsim.study.steps.order import list_steps
from trialsim.study.steps.prediction import (
    check_prediction,
    count_predictions,
    list_prediction_options,
    locate_predictions,
)
from trialsim.study.steps.preparation import locate_segmentations

QUESTION: Final = "shards.json"
"""What was asked of the shards, beside the study."""


def predict_shard(
    path: Path,
    stated: Mapping[str, Any],
    *,
    shard: str | None = None,
    people: Iterable[str] = (),
    settings: Iterable[str] = (),
    listener: Listener | None = None,
) -> int:
    """Predict a share of the people; return how many of them are finished.

    Parameters
    ----------
    path
        The study file, which need not be there; it is only read.
    stated, settings
        See `trialsim.study.question.ask`.
    shard
        `i/n`, the i-th of n shares; everyone when None.
    people
        Only these, and those who are drawn together with them; all when empty.
    listener
        Who is told.

    Raises
    ------
    TrialsimError
        Where the share cannot be or is to have workers, the cohort has no such person, nothing can
        be predicted, nobody was, or the model learned from another tool's volumes.
    """
    listener = listener or Listener()
    protocol = ask(path, stated, settings=settings, predicts=True).protocol
    if protocol.simulation.workers > 1 or protocol.compute.cluster is not None:
        raise TrialsimError(
            "A share is predicted by one process: leave --workers and --cluster out of it, or let "
            "them predict everyone without --shard and --participant-label."
        )
    from brlp_models.prediction.cohort import predict_cohort
    from brlp_models.prediction.preparation import segment_cohort
    from brlp_models.prediction.settings import Part
    from brlp_models.scans.cache import ScanCache
    from brlp_models.scans.segmentation import choose_segmenter

    job = Job(protocol, path.absolute().parent, listener.on_progress)
    section, fingerprints = protocol.prediction, _compute_fingerprints(job)
    if section is None:
        raise TrialsimError("Nothing is to be predicted: the question has no [prediction].")
    whole = Part.parse(shard) if shard else Part()
    cohort = screen_cohort(job.load(protocol.cohort.path), protocol.cohort.eligibility).eligible
    # as everywhere in BIDS, with or without the prefix
    by_label = {
        format_label(name): name for name in map(str, cohort.participants["participant_id"])
    }
    named = frozenset(by_label.get(format_label(name), name) for name in people)
    part = Part(whole.number, whole.of, named)
    # of nobody that the cohort does not have
    cohort.select(sorted(part.people))
    for note in check_prediction(job, cohort):
        listener.tell(f"Note: {note}")
    job.folder.mkdir(parents=True, exist_ok=True)
    asked = json.dumps(describe_values(protocol, job.folder), indent=2, sort_keys=True)
    write_file(job.folder / QUESTION, f"{asked}\n".encode())
    total = len(cohort.participants) * len(protocol.horizons_months) / part.of
    folder = locate_predictions(job, fingerprints["predict"])
    options = list_prediction_options(job, section, folder)
    found = predict_cohort(
        job.model, cohort, part=part, **options, on_progress=count_predictions(job, total)
    )
    for row in found.failures.itertuples():
        listener.tell(f"Not predicted: {row.participant_id}: {row.problem}")
    own = cohort.select(list(found.scan_checks["participant_id"]))
    out = locate_segmentations(job, fingerprints["segment"])
    segment_cohort(
        job.model,
        choose_segmenter(job.model),
        own,
        ScanCache(job.scans),
        out=out,
        on_scan=lambda: None,
    )
    n_finished = len(found.scan_checks) - len(found.failures)
    if not n_finished and len(found.failures):
        people = tally(len(found.failures), "people")
        raise TrialsimError(f"Nobody of the {people} was predicted.")
    return n_finished


def join_shards(path: Path, *, listener: Listener | None = None) -> StudyResult:
    """Make the study of what shards predicted; who is missing is predicted now.

    Parameters
    ----------
    path
        The study file, beside which the shards wrote.
    listener
        Who is told.

    Raises
    ------
    TrialsimError
        Where no shard has been there, or a step cannot answer.
    """
    source = path.absolute().parent / QUESTION
    try:
        asked = dict(json.loads(source.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise TrialsimError(
            f"There is no {QUESTION} beside {path} that can be read: `trialsim predict --shard "
            "1/n` (to n/n) with that --study writes it."
        ) from error
    return answer("predict", path, anchor_values(asked, source.parent), listener=listener)


def _compute_fingerprints(job: Job) -> dict[str, str]:
    found: dict[str, str] = {}
    for step in list_steps(job, until="predict"):
        found[step.name] = compute_step_fingerprint(
            step, found, seed=job.protocol.study.seed, folder=job.folder
        )
    return found
