"""Finished predictions on disk, one file a person.

A person's file appears in one step when the person is finished, so an interrupted run loses only
the people in progress, and the same command goes on with the rest.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.prediction.dataset import (
    OUTLINED_REGION,
    find_predicted_scans,
    name_region,
    write_dataset_tables,
)
from brlp_models.prediction.person_basis import PersonBasis
from brlp_models.prediction.start import People, find_start_visit
from brlp_models.prediction.tables import build_predictions_table
from cohorts.cohort import Cohort
from cohorts.files.atomic import write_file
from cohorts.files.table_files import write_table
from cohorts.schema import validate_table

SETTINGS, PEOPLE, SCANS = "settings.json", "people", "scans"


@dataclass(frozen=True)
class PredictionArchive:
    """The folder that predictions are written to.

    Parameters
    ----------
    folder
        Made when absent.
    settings
        Everything that the numbers depend on.

    Raises
    ------
    ModelError
        Where the folder holds predictions made with other settings.
    """

    folder: Path
    settings: Mapping[str, Any]

    def __post_init__(self) -> None:
        path = self.folder / SETTINGS
        wanted = json.loads(json.dumps(self.settings))
        if path.is_file():
            found = _read(path)
            changed = sorted(k for k in wanted | found if wanted.get(k) != found.get(k))
            if changed:
                raise ModelError(
                    *(
                        f"{self.folder} holds predictions with {key} {found.get(key)}, not "
                        f"{wanted.get(key)}; choose another folder."
                        for key in changed
                    )
                )
        write_file(path, (json.dumps(wanted, indent=2) + "\n").encode())

    def has(self, participant_id: str, basis: PersonBasis) -> bool:
        """Whether a person is finished, and the results stand on what is there now."""
        if not self._path(participant_id).is_file():
            return False
        return basis.fits(self.read(participant_id))

    def read(self, participant_id: str) -> dict[str, Any]:
        """Return what is known of a finished person.

        Raises
        ------
        ModelError
            Where the person's file cannot be read.
        """
        return _read(self._path(participant_id))

    def write(self, participant_id: str, content: Mapping[str, Any], basis: PersonBasis) -> None:
        """Keep a finished person, with what the results stand on."""
        kept = {**content, **basis.describe()}
        write_file(self._path(participant_id), (json.dumps(kept) + "\n").encode())

    def _path(self, participant_id: str) -> Path:
        # quoted: a participant's name must not lead out of the folder
        return self.folder / PEOPLE / f"{quote(participant_id, safe='')}.json"


def join_predictions(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return predictions and scan checks of everyone who is finished, and write their tables.

    Parameters
    ----------
    folder
        Where calls of `predict_cohort` wrote, each for some people.

    Raises
    ------
    ModelError
        Where nobody is finished, or a file is damaged.
    """
    contents = [_read(path) for path in sorted((folder / PEOPLE).glob("*.json"))]
    if not contents:
        raise ModelError(f"{folder} holds no predictions: predict people first.")
    rows = [row for content in contents for row in content["rows"]]
    predictions = build_predictions_table([pd.DataFrame(rows)] if rows else [])
    checks = pd.DataFrame([content["check"] for content in contents])
    scan_checks = validate_table(checks, "scan_checks")
    write_prediction_tables(folder, predictions, scan_checks)
    write_dataset_tables(folder, scan_checks["participant_id"], predictions)
    return predictions, scan_checks


def write_prediction_tables(
    folder: Path, predictions: pd.DataFrame, scan_checks: pd.DataFrame
) -> None:
    """Write the tables of everyone as CSV."""
    for name, table in (("predictions", predictions), ("scan_checks", scan_checks)):
        write_table(table, folder / f"{name}.csv")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is damaged; delete it to have it made again.") from error
    return dict(content)


_ENDING: Final = ".nii.gz"
_COLUMNS: Final = ["participant_id", "model_id", "horizon_months", "kind", "path"]


def list_prediction_images(
    cohort: Cohort, folder: Path, model_id: str, *, until_months: float = 0.0
) -> pd.DataFrame:
    """Return the `prediction_images` of `cohorts.schema` that lie in `folder`.

    One row for each image of a person and horizon; the scan that the prediction started from
    (`baseline`) and what it decodes to (`reconstructed`) stand at every horizon.

    Parameters
    ----------
    cohort
        The people who were predicted; images of others are left out.
    folder
        Where `predict_cohort` wrote; without images the table is empty.
    model_id
        Of the model that predicted.
    until_months
        As `predict_cohort` was called.

    Raises
    ------
    CohortValidationError
        Where the rows do not fit the table.
    """
    people = People(cohort)
    rows = [
        (name, model_id, months, kind, str(file))
        for name in sorted(cohort.participants["participant_id"])
        for months, path in find_predicted_scans(folder, name)
        for kind, file in _list_kinds(people.select(name), name, path, until_months)
    ]
    return validate_table(pd.DataFrame(rows, columns=_COLUMNS), "prediction_images")


def _list_kinds(
    cohort: Cohort, participant_id: str, predicted: Path, until_months: float
) -> Iterator[tuple[str, Path]]:
    """Yield the images of a prediction that exist, each with its kind."""
    yield "predicted", predicted
    prefix, _, rest = predicted.name.partition("_desc-")
    uncertainty = predicted.with_name(f"{prefix}_stat-sd_desc-{rest}")
    if uncertainty.is_file():
        yield "uncertainty", uncertainty
    reconstructed = predicted.with_name(f"{prefix}_desc-reconstructed_T1w.nii.gz")
    if reconstructed.is_file():
        yield "reconstructed", reconstructed
    for scan, kind in ((reconstructed, "reconstructed"), (predicted, "predicted")):
        region = scan.with_name(f"{name_region(scan.name.removesuffix(_ENDING))}{_ENDING}")
        if region.is_file():
            yield f"{kind}_{OUTLINED_REGION}", region
    try:
        start = find_start_visit(cohort, participant_id, until_months=until_months)
    except ModelError:
        return
    yield "baseline", start.image_path.absolute()
