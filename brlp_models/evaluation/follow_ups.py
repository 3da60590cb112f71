"""Baselines that make an image, held against later visits as the model is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brlp_models.baselines.follow_up import FollowUp, ImageBaseline, TimedScan, measure_ratios
from brlp_models.errors import ModelError
from brlp_models.evaluation.baselines import predict_carry_forward
from brlp_models.evaluation.images.accuracy import Sessions, compare_images
from brlp_models.evaluation.images.scans_on_grid import (
    OnUnreadable,
    VisitImage,
    iterate_people,
)
from brlp_models.evaluation.measures.accuracy import (
    summarize_accuracy,
    summarize_change_errors,
    tabulate_errors,
)
from brlp_models.evaluation.measures.ranking import summarize_ranking
from brlp_models.evaluation.methods import CARRY_FORWARD, KEY, MODEL
from brlp_models.evaluation.people_predictions import PeoplePredictions, predict_people
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.evaluation.times import MethodTimes
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.start import find_start_visit
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.segmentation import choose_segmenter
from cohorts.cohort import Cohort
from cohorts.errors import TrialsimError

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class ScannedPeople:
    """People whose later scans are known.

    Parameters
    ----------
    model
        On whose grid, and by whose segmenter.
    cohort
        The people.
    sessions
        Which visit shows what came later, by participant and horizon.
    cache
        Of preprocessed scans.
    """

    model: BrlpModel
    cohort: Cohort
    sessions: Sessions
    cache: ScanCache

    def iterate(self) -> Iterator[list[VisitImage]]:
        """Yield each person's visits on the model's grid; those that cannot be read are told of."""
        skip: OnUnreadable = lambda *_: None  # noqa: E731
        return iterate_people(self.model, self.cohort, self.cache, on_unreadable=skip)


def refuse_one_horizon(
    baselines: Sequence[ImageBaseline], horizons_months: Sequence[float]
) -> None:
    """Refuse baselines that need two visits where one horizon is judged, before any is predicted.

    Raises
    ------
    ModelError
        Where there is such a baseline.
    """
    if len(horizons_months) == 1 and (two := [one for one in baselines if one.config.n_scans == 2]):
        names = " and ".join(one.config.name for one in two)
        raise ModelError(
            f"{names} needs scans of two visits: give two horizons, at the first of which people "
            "have a scan."
        )


def add_image_baselines(
    baselines: Sequence[ImageBaseline],
    people: ScannedPeople,
    tables: Mapping[str, pd.DataFrame],
    at_horizon: pd.DataFrame,
    out: Path,
    settings: EvaluationSettings,
    times: MethodTimes,
) -> dict[str, pd.DataFrame]:
    """Return the tables of an evaluation that get rows of baselines, and the one of two visits.

    Parameters
    ----------
    baselines
        From `load_baseline`.
    people
        Those whom the model predicts.
    tables
        `predicted` and `images`.
    at_horizon, settings, times
        As in `compare_from_two_visits`.
    out
        The evaluation's folder.
    """
    found: dict[str, pd.DataFrame] = {}
    if of_one := [own for own in baselines if own.config.n_scans == 1]:
        rows, images = predict_by_image_baselines(of_one, people, tables["predicted"], times)
        found["predicted"] = pd.concat([tables["predicted"], rows], ignore_index=True)
        found["images"] = pd.concat([tables["images"], images], ignore_index=True)
    if of_two := [own for own in baselines if own.config.n_scans == 2]:
        folder = out / "two_visits"
        found["two_visits"] = compare_from_two_visits(
            of_two, people, at_horizon, folder, settings, times
        )
    return found


def predict_by_image_baselines(
    baselines: Sequence[ImageBaseline],
    people: ScannedPeople,
    predicted: pd.DataFrame,
    times: MethodTimes,
    *,
    until_months: float = 0.0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return rows of volumes, where the model has some, and of errors of scans.

    Parameters
    ----------
    baselines
        From `load_baseline`.
    people
        Whom.
    predicted
        Rows with `method`, `start_mm3` and whatever goes with them; the model's are predicted.
    times
        Gets how long each baseline takes, with reading the scans.
    until_months
        The latest visit that is seen.

    Returns
    -------
    tuple of DataFrame
        As `predicted`, without an sd; and `participant_id`, `horizon_months`, `method`, `mse`,
        `ssim`, as `measure_images` has them.

    Raises
    ------
    ModelError
        Where a baseline can predict nobody.
    """
    known = predicted[predicted["method"] == MODEL].drop(columns="sd_mm3")
    table, segmenter = people.cohort.baseline(), choose_segmenter(people.model)
    volumes, images = [], Rows()
    for baseline in baselines:
        name, ratios, problems = baseline.config.name, Rows(), set[str]()
        with times.measure(name, known["participant_id"].nunique()):
            for visits in people.iterate():
                try:
                    for months, found in _predict(baseline, people, visits, table, until_months):
                        key = {"participant_id": visits[0].participant_id, "horizon_months": months}
                        own = measure_ratios(segmenter, found, visits[0].participant_id)
                        ratios += [{**key, "region": k, "ratio": v} for k, v in own.items()]
                        images += _compare(found, visits, {**key, "method": name}, people.sessions)
                except TrialsimError as error:
                    problems.add(" ".join(error.problems))
        if not ratios:
            raise ModelError(f"{name} predicts nobody: {' '.join(sorted(problems))}")
        joined = known.merge(pd.DataFrame(ratios), on=KEY)
        ratio = joined.pop("ratio")
        volumes.append(joined.assign(predicted_mm3=joined["start_mm3"] * ratio, method=name))
    found_volumes = pd.concat(volumes, ignore_index=True).dropna(subset="predicted_mm3")
    return found_volumes, pd.DataFrame(images)


def _predict(
    baseline: ImageBaseline,
    people: ScannedPeople,
    visits: Sequence[VisitImage],
    table: pd.DataFrame,
    until_months: float,
) -> Iterator[tuple[float, FollowUp]]:
    name = visits[0].participant_id
    seen = [TimedScan(own.months, own.image) for own in visits if own.months <= until_months]
    for person, months in people.sessions:
        if person == name and months > until_months:
            yield months, baseline.predict(people.model, seen, table[table.index == name], months)


def _compare(
    found: FollowUp, visits: Sequence[VisitImage], row: dict[str, Any], sessions: Sessions
) -> Rows:
    session = sessions[row["participant_id"], row["horizon_months"]]
    true = [visit.image for visit in visits if visit.session_id == session]
    return [{**row, **compare_images(found.image, image)} for image in true]


def compare_from_two_visits(
    baselines: Sequence[ImageBaseline],
    people: ScannedPeople,
    at_horizon: pd.DataFrame,
    out: Path,
    settings: EvaluationSettings,
    times: MethodTimes,
) -> pd.DataFrame:
    """Return what baselines that need two visits, and the model, say of the last horizon.

    All start at the visit of the horizon before, see what came until then, and are judged by the
    change since: of the same people, of whom that visit has a scan.

    Parameters
    ----------
    baselines
        With two scans.
    people
        Whom.
    at_horizon
        Of `truth.find_volumes_at`, with `brain_mm3`.
    out
        Gets the model's predictions from that visit.
    settings
        How much.
    times
        Gets how long each baseline takes.

    Returns
    -------
    DataFrame
        `horizon_months`, `region`, `measure`, `method`, `value`, `lower`, `upper`, `n`: the rows of
        `summarize_accuracy`, `summarize_change_errors` and `summarize_ranking`.

    Raises
    ------
    ModelError
        Where nobody has a scan at the horizon before the last.
    """
    *_, until, last = sorted(settings.horizons_months)
    truth = _start_later(people.cohort, at_horizon, until, last)
    if truth.empty:
        names = " and ".join(one.config.name for one in baselines)
        raise ModelError(
            f"{names} needs scans of two visits, and nobody has one at baseline and at the visit "
            f"of month {until:g}."
        )
    chosen = people.cohort.select(sorted(set(truth["participant_id"])))
    found = predict_people(
        people.model,
        chosen,
        out,
        [last],
        settings.samples,
        seed=settings.seed,
        scan_cache=people.cache.folder,
        until_months=until,
    )
    sessions = {
        key: session
        for key, session in people.sessions.items()
        if key[1] == last and key[0] in set(found.table["participant_id"])
    }
    there = ScannedPeople(people.model, chosen, sessions, people.cache)
    carried = predict_carry_forward(found.table).assign(start_mm3=found.table["start_mm3"])
    known = pd.concat([found.table, carried], ignore_index=True).merge(truth, on=KEY)
    rows, images = predict_by_image_baselines(baselines, there, known, times, until_months=until)
    images = pd.concat([images, pd.DataFrame(_compare_others(there, found, until))])
    return _summarize(pd.concat([known, rows]), images, people, settings)


def _start_later(
    cohort: Cohort, at_horizon: pd.DataFrame, until: float, last: float
) -> pd.DataFrame:
    """Return the truth at the last horizon, `baseline_mm3` being that at the starting visit."""
    start = at_horizon[at_horizon["horizon_months"] == until]
    sessions = start.drop_duplicates("participant_id").set_index("participant_id")["session_id"]
    imaged = cohort.until(until).visits.dropna(subset="image_path")
    several = imaged["participant_id"].value_counts()
    names = [
        name
        for name, session in sessions.items()
        if several.get(name, 0) > 1
        and find_start_visit(cohort, str(name), until_months=until).session_id == session
    ]
    then = start[["participant_id", "region", "true_mm3"]].rename(
        columns={"true_mm3": "baseline_mm3"}
    )
    later = at_horizon[
        (at_horizon["horizon_months"] == last) & at_horizon["participant_id"].isin(names)
    ]
    return later.drop(columns="baseline_mm3").merge(then, on=["participant_id", "region"])


def _compare_others(people: ScannedPeople, found: PeoplePredictions, until: float) -> Rows:
    rows = Rows()
    for visits in people.iterate():
        name = visits[0].participant_id
        later = {visit.session_id: visit.image for visit in visits}
        *_, start = (visit.image for visit in visits if visit.months <= until)
        for (person, months), session in people.sessions.items():
            scan = found.scans.find(name, months) if person == name else None
            if scan is not None and session in later:
                key = {"participant_id": name, "horizon_months": months}
                for method, image in ((CARRY_FORWARD, start), (MODEL, scan.image)):
                    rows.append({**key, "method": method, **compare_images(image, later[session])})
    return rows


def _summarize(
    predicted: pd.DataFrame,
    images: pd.DataFrame,
    people: ScannedPeople,
    settings: EvaluationSettings,
) -> pd.DataFrame:
    rng, n = np.random.default_rng([settings.seed, 5]), settings.n_bootstrap
    diagnosis = people.cohort.participants.set_index("participant_id")["diagnosis"]
    endpoint = people.model.config.endpoint
    ranking = summarize_ranking(predicted, diagnosis, region=endpoint, rng=rng, n_bootstrap=n)
    everyone = ranking[ranking["subgroup"] == "all"].drop(columns="subgroup")
    parts = [
        summarize_accuracy(tabulate_errors(predicted, images), rng=rng, n_bootstrap=n),
        summarize_change_errors(predicted, rng=rng, n_bootstrap=n),
        everyone.assign(region=endpoint),
    ]
    columns = ["horizon_months", "region", "measure", "method", "value", "lower", "upper", "n"]
    return pd.concat(parts, ignore_index=True)[columns]
