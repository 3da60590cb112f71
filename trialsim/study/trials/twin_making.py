"""Twins of a trial's people, from an archive or from predictions, with what is recorded of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.files.atomic import compute_sha256
from cohorts.schema import validate_table
from cohorts.sources.tables.table import read_typed_table
from reports.store.study import Study
from trialsim.errors import DesignError
from trialsim.study.protocol import CohortSection
from trialsim.study.steps.tools import settle, settle_learned, settle_model, settle_predictions
from trialsim.study.trials.frozen_twins import describe_frozen
from trialsim.twins.archive import correlate_errors, predict_from_archive
from trialsim.twins.from_predictions import build_twins

if TYPE_CHECKING:
    from brlp_models.auxiliary.interface import AuxiliaryModel


TRIAL = "the trial's people"


@dataclass(frozen=True)
class MadeTwins:
    """Twins and what their run records; correlations of their errors where they are known.

    `notes` are sentences that the user must know.
    """

    table: pd.DataFrame
    record: dict[str, object]
    correlations: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()


def make_twins(
    people: Cohort,
    *,
    months: Sequence[float],
    endpoint: str = "hippocampus",
    archive: Cohort | None = None,
    auxiliary: Path | None = None,
    predictions: Path | None = None,
    model_id: str | None = None,
    study: Path | None = None,
    errors_of: Cohort | None = None,
    asked: CohortSection | None = None,
) -> MadeTwins:
    """Return twins from an archive or an auxiliary model where one is given, else predictions.

    Parameters
    ----------
    people
        The trial's people; only their baseline is read.
    months
        Visits after baseline, greater than 0.
    endpoint
        A region.
    archive
        Untreated people with follow-up.
    auxiliary
        A model of regional volumes that needs no image (JSON).
    predictions
        A file of the table `predictions`; those of `study` when None.
    model_id
        Which model of the predictions.
    study
        Where predictions are looked for.
    errors_of
        Untreated people outside of the trial whose course is known and whom the same model, which
        did not learn from them, predicts (with predictions: has predicted): the correlation of its
        errors over visits is theirs. An archive's is known without.
    asked
        What becomes of volumes by several tools (`harmonize`, `harmonize_by`, `measured_twice`),
        as in a protocol; refused when None.

    Raises
    ------
    DesignError
        No months, months at or before baseline, both sources, a model's
        name beside an archive or auxiliary model, somebody of the trial among
        `errors_of`, or what the sources refuse.
    CohortError
        Volumes of several tools, or scans as nobody had who is learned from, and nothing stated.
    ReportError
        If the study has no predictions.
    """
    if not months or not all(0 < month < math.inf for month in months):
        raise DesignError(
            "visits_months must list the visits after baseline, such as 6,12,24, got "
            f"{', '.join(f'{month:g}' for month in months) or 'none'}."
        )
    if sum(source is not None for source in (archive, auxiliary, predictions)) > 1:
        raise DesignError(
            "Twins come from an archive, an auxiliary model or predictions: give one of them."
        )
    if model_id is not None and (archive is not None or auxiliary is not None):
        raise DesignError(
            "--model picks among predictions, which an archive or auxiliary model does without: "
            "leave it out."
        )
    section, notes = asked or CohortSection(path=Path()), list[str]()
    own = settle(section, notes, {TRIAL: people})
    if errors_of is not None:
        _check_known(people, errors_of, archive)
        known = {TRIAL: own, "those whose course is known": errors_of}
        errors_of = settle_learned(section, notes, known)
    correlations = None
    further: dict[str, object] = {}
    if archive is not None:
        followed = settle_learned(section, notes, {TRIAL: own, "the archive": archive})
        learned = predict_from_archive(own, followed, months=months, endpoint=endpoint)
        table, correlations = learned.table, learned.correlations
        model = f"ridge regression on {archive.name}"
        further["n_archive"] = {f"{month:g}": n for month, n in learned.n_people.items()}
    elif auxiliary is not None:
        fitted = _load_auxiliary(auxiliary, endpoint)
        settle_model(section, notes, {TRIAL: own}, auxiliary.name, fitted.measured_by)
        table = _predict_without_image(fitted, own, months, endpoint)
        model = f"auxiliary model {auxiliary.name}"
        further["auxiliary_sha256"] = compute_sha256(auxiliary)
        if errors_of is not None:
            theirs = _predict_without_image(fitted, errors_of, months, endpoint)
            correlations = correlate_errors(theirs, errors_of, endpoint=endpoint)
    else:
        rows = _read_predictions(predictions, study)
        mine = rows[rows["participant_id"].isin(own.participants["participant_id"])]
        mine = settle_predictions(section, notes, {TRIAL: own}, mine)
        table = build_twins(own, mine, months=months, endpoint=endpoint, model_id=model_id)
        model = model_id or str(mine.loc[mine["region"] == endpoint, "model_id"].iloc[0])
        if errors_of is not None:
            predicted = errors_of.select(_find_predicted(errors_of, rows))
            twins = build_twins(
                predicted, rows, months=months, endpoint=endpoint, model_id=model_id
            )
            correlations = correlate_errors(twins, predicted, endpoint=endpoint)
    record = describe_frozen(people, table, model=model, endpoint=endpoint) | further
    if record["outcomes_in_cohort"]:
        notes.append(
            f"{people.name} holds the {endpoint} after baseline: an analysis counts these twins as "
            "made after outcomes were seen. Twins of the people's first visits alone are not."
        )
    notes = list(dict.fromkeys(notes))
    return MadeTwins(table, record | {"notes": notes}, correlations, tuple(notes))


def _find_predicted(known: Cohort, rows: pd.DataFrame) -> list[str]:
    both = set(known.participants["participant_id"]) & set(rows["participant_id"])
    if not both:
        raise DesignError(
            f"The predictions hold nobody of {known.name}: predict them by the same model."
        )
    return sorted(both)


def _check_known(people: Cohort, known: Cohort, archive: Cohort | None) -> None:
    if archive is not None:
        raise DesignError("An archive says how its twins' errors correlate: leave --errors-of out.")
    both = set(people.participants["participant_id"]) & set(known.participants["participant_id"])
    if both:
        raise DesignError(
            f"{tally(len(both), 'people are')} in the trial and among those whose outcomes "
            "say how twins err "
            f"(first: {min(both)}): twins are frozen before the trial's outcomes are read."
        )


def _load_auxiliary(path: Path, endpoint: str) -> "AuxiliaryModel":
    from brlp_models.auxiliary.files import load_auxiliary  # loads PyTorch

    model = load_auxiliary(path)
    if endpoint not in model.regions:
        raise DesignError(
            f"{path} predicts {', '.join(model.regions)}, not the endpoint {endpoint}."
        )
    if model.volume_space != "native":
        raise DesignError(
            f"{path} predicts volumes in MNI space, which twins in native mm3 cannot be made from: "
            "predict scans with its model folder and take --predictions."
        )
    return model


def _predict_without_image(
    model: "AuxiliaryModel", people: Cohort, months: Sequence[float], endpoint: str
) -> pd.DataFrame:
    rows = model.predict_volumes(people.baseline(), horizons_months=list(months))
    own = rows[rows["region"] == endpoint]
    columns = {
        "horizon_months": "months",
        "volume_mm3": "predicted_mm3",
        "volume_sd_mm3": "sd_mm3",
    }
    wanted = ["participant_id", "months", "region", "predicted_mm3", "sd_mm3"]
    return own.rename(columns=columns)[wanted].reset_index(drop=True)


def _read_predictions(path: Path | None, study: Path | None) -> pd.DataFrame:
    if path is not None:
        return validate_table(
            read_typed_table(path, text=("participant_id", "model_id")), "predictions"
        )
    if study is None:
        raise DesignError("Twins need an archive to learn from, or predictions.")
    with Study.open(study, read_only=True) as opened:
        return opened.read("predictions")
