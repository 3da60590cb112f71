"""Follow-up scans of a trial, to be shown beside the scans that were predicted for their time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.files.atomic import write_file_with
from cohorts.files.bids_output import format_label
from cohorts.schema import validate_table
from cohorts.sources.loading import load_cohort
from cohorts.visits import WINDOW_MONTHS
from reports.store.study import Study
from trialsim.errors import DesignError

_COLUMNS = ["participant_id", "session_id", "arm", "months", "kind", "path"]


def bring_observed_scans(
    study: Study, twin_outcomes: pd.DataFrame, scans: Path, *, model: str
) -> pd.DataFrame:
    """Write the observed scan of one person of each arm where its twin lies; return the table.

    The person is the one of median predicted decline among those of the arm with both scans at the
    last visit, so that nobody chooses by the outcome.

    Parameters
    ----------
    study
        Holds `prediction_images`; images are written to the folder `observed` beside it.
    twin_outcomes
        The table of that name: whose twin, in which arm.
    scans
        Cohort whose visits hold the scans at baseline and later.
    model
        `mini` or the folder of the model that predicted.

    Returns
    -------
    pandas.DataFrame
        Columns of `observed_images` in `cohorts.schema`.

    Raises
    ------
    DesignError
        No predicted scans of the last visit, another model, nobody with a follow-up scan.
    """
    from brlp_models.model.folder import load_model
    from brlp_models.prediction.observed import load_observed_scan
    from brlp_models.scans.cache import ScanCache

    loaded, people = load_model(model), load_cohort(scans)
    months = float(twin_outcomes["months"].max())
    last = twin_outcomes[(twin_outcomes["months"] == months) & twin_outcomes["observed"].notna()]
    predicted = _find_predicted(study, loaded.model_id, months)
    seen = _find_scanned(people, months)
    both = last[last["participant_id"].isin(predicted & seen)]
    if both.empty:
        raise DesignError(
            f"Nobody of the trial has a predicted scan at month {months:g} and one in {scans} "
            f"within {WINDOW_MONTHS:g} months of it."
        )
    folder, cache = study.path.parent / "observed", ScanCache(study.path.parent / "scans")
    rows: list[tuple[Any, ...]] = []
    for arm, name in _choose(both):
        found = load_observed_scan(
            loaded, people, name, cache, months=months, window_months=WINDOW_MONTHS
        )
        stem = f"sub-{format_label(name)}_ses-{format_label(found.session_id)}"
        for kind, image in (("observed", found.image), ("decoded", found.decoded)):
            path = folder / f"{stem}_desc-{kind}_T1w.nii.gz"
            write_file_with(path, image.to_filename)
            rows.append((name, found.session_id, arm, months, kind, str(path.absolute())))
    return validate_table(pd.DataFrame(rows, columns=_COLUMNS), "observed_images")


def _find_predicted(study: Study, model_id: str, months: float) -> set[str]:
    if not study.has("prediction_images"):
        raise DesignError(
            f"{study.path} holds no predicted scans: `trialsim predict` with "
            "prediction.save_images makes them."
        )
    images = study.read("prediction_images")
    models = sorted(images["model_id"].unique())
    if model_id not in models:
        raise DesignError(
            f"The predicted scans of {study.path} are of the model {', '.join(models)}, not "
            f"{model_id}: name its folder as the model."
        )
    kinds = {
        kind: set(images.loc[at & (images["kind"] == kind), "participant_id"])
        for at in [(images["model_id"] == model_id) & (images["horizon_months"] == months)]
        for kind in ("predicted", "uncertainty")
    }
    return kinds["predicted"] & kinds["uncertainty"]


def _find_scanned(people: Cohort, months: float) -> set[str]:
    visits = people.visits[people.visits["image_path"].notna()]
    near = (visits["months_from_baseline"] - months).abs() <= WINDOW_MONTHS
    return set(visits.loc[near, "participant_id"].astype(str))


def _choose(both: pd.DataFrame) -> Iterator[tuple[str, str]]:
    for arm, rows in both.groupby("arm"):
        ordered = rows.sort_values(["twin", "participant_id"])
        yield str(arm), str(ordered["participant_id"].iloc[len(ordered) // 2])
