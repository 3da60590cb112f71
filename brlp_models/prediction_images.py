"""Table of the images behind each prediction, from the folder that predictions were written to."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.prediction_archive import IMAGES
from brlp_models.prediction_start import find_start_visit
from cohorts.cohort import Cohort
from cohorts.schema import validate_table

_ENDING: Final = ".nii.gz"
_AT_HORIZON: Final = re.compile(r"(.+)_month-([0-9.]+)_(T1w|uncertainty)", re.DOTALL)
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
    people = set(cohort.participants["participant_id"])
    rows: list[tuple[str, str, float, str, str]] = []
    for path in sorted((folder / IMAGES).absolute().glob(f"*{_ENDING}")):
        found = _AT_HORIZON.fullmatch(unquote(path.name.removesuffix(_ENDING)))
        if found is None or found[1] not in people:
            continue
        name, months = found[1], float(found[2])
        if found[3] == "uncertainty":
            rows.append((name, model_id, months, "uncertainty", str(path)))
            continue
        shown = {"predicted": path, **dict(_find_start(cohort, name, path, until_months))}
        rows += [(name, model_id, months, kind, str(file)) for kind, file in shown.items()]
    return validate_table(pd.DataFrame(rows, columns=_COLUMNS), "prediction_images")


def _find_start(
    cohort: Cohort, participant_id: str, predicted: Path, until_months: float
) -> Iterator[tuple[str, Path]]:
    """Yield the images of the start that exist, each with its kind."""
    prefix, _, _ = predicted.name.rpartition("_month-")
    reconstructed = predicted.with_name(f"{prefix}_reconstructed_T1w{_ENDING}")
    if reconstructed.is_file():
        yield "reconstructed", reconstructed
    try:
        start = find_start_visit(cohort, participant_id, until_months=until_months)
    except ModelError:
        return
    yield "baseline", start.image_path.absolute()
