"""What is measured in everyone's scans: the floor, and how near predicted scans come."""

from collections.abc import Collection, Mapping
from functools import partial

import pandas as pd

from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.evaluation.images.accuracy import Sessions, measure_images
from brlp_models.evaluation.images.floor import measure_floor
from brlp_models.evaluation.images.predicted_scans import PredictedScans
from brlp_models.evaluation.images.scans_on_grid import VisitImage, iterate_people
from brlp_models.model.model import BrlpModel
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.grid import Grid
from cohorts.cohort import Cohort


def measure_later_scans(
    model: BrlpModel,
    people: EvaluatedCohort,
    truth: Cohort,
    sessions: Sessions,
    scans: PredictedScans,
    predicted: Collection[str],
    cache: ScanCache,
    *,
    compared: Collection[str],
) -> tuple[dict[str, pd.DataFrame], list[list[VisitImage]]]:
    """Return what is measured in people's scans, and the scans of those to compare.

    Parameters
    ----------
    model, cache
        As in `predict_cohort`.
    people, truth
        The people, and their true volumes.
    sessions
        Which visits are predicted.
    scans
        Predicted by the model.
    predicted, compared
        Who could be predicted; whose scans are kept in memory.

    Returns
    -------
    tuple of dict and list
        `floor`, `images`, and where there are any `unreadable_scans`; the scans of `compared`.
    """
    keys = ["participant_id", "session_id", "region"]
    volumes = {
        (str(person), str(session), str(region)): float(volume)
        for person, session, region, volume in truth.get_volumes()[[*keys, "volume_mm3"]].to_numpy()
    }
    find_noiseless = partial(people.find_noiseless, grid=Grid.of_config(model.config))
    floor, kept = [], []
    images: list[Mapping[str, object]] = []
    unreadable: list[tuple[str, str, str]] = []
    for visits in iterate_people(
        model,
        people.cohort.select([*predicted]),
        cache,
        on_unreadable=lambda *problem: unreadable.append(problem),
    ):
        floor.append(measure_floor(model, [visits], volumes))
        images += measure_images(visits, scans, sessions, find_noiseless=find_noiseless)
        if visits[0].participant_id in compared:
            kept.append(visits)
    tables = {"floor": pd.concat(floor, ignore_index=True), "images": pd.DataFrame(images)}
    if unreadable:
        tables["unreadable_scans"] = pd.DataFrame(
            unreadable, columns=["participant_id", "session_id", "problem"]
        )
    return tables, kept
