"""The SYNTHETIC archive of the demonstration: people who were followed, and predicted beforehand.

To decide anything takes hundreds of people, and predicting one takes seconds. So their tables come
with the bundled model: what was measured at each visit, and what the model predicted from the scan
at baseline. `make_archive` makes them again.
"""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from joblib import Parallel, delayed

from brlp_models.errors import ModelError
from brlp_models.model.files import (
    find_model_folder,
    name_model,
    read_config,
    verify_model_folder,
)
from cohorts.files.atomic import write_folder
from cohorts.files.table_files import write_table
from cohorts.schema import validate_table

if TYPE_CHECKING:
    from brlp_models.baselines.context import ContextBaseline
    from brlp_models.model.model import BrlpModel

N_PEOPLE: Final = 300
SEED: Final = 20260728
PREDICTIONS: Final = "predictions.csv"

SETTINGS: Final[dict[str, Any]] = {
    "horizons_months": [24.0],
    "samples": 1,
    "context_from": "image_regression",
}
"""How people were predicted, told by what reads the scan; who is to be compared with them is
predicted so as well."""

_REGION: Final = "hippocampus"
_BUNDLED: Final = Path(__file__).parent / "archive"


def copy_archive(folder: Path) -> None:
    """Write the bundled tables: a cohort folder with `predictions.csv` in it.

    Raises
    ------
    ModelError
        Where they are predictions of another model than the bundled one, or the folder holds
        another archive: people of another version would be judged by its predictions.
    """
    there = folder / PREDICTIONS
    if there.is_file() and there.read_bytes() != (_BUNDLED / PREDICTIONS).read_bytes():
        raise ModelError(
            f"{folder} is the archive of another version's demonstration: remove {folder.parent}, "
            "or name another folder."
        )
    model = find_model_folder("mini")
    bundled = name_model(read_config(model), verify_model_folder(model))
    found = set(pd.read_csv(_BUNDLED / PREDICTIONS)["model_id"])
    if found != {bundled}:
        raise ModelError(
            f"The demonstration's archive was predicted by {', '.join(sorted(found))}, and the "
            f"bundled model is {bundled}: `trialsim model demonstration-archive` makes it again."
        )
    if there.is_file():
        return
    # whole or not at all: half of it would be taken for another version's
    with write_folder(folder, keeps_others=False) as partial_copy:
        shutil.copytree(_BUNDLED, partial_copy, dirs_exist_ok=True)


def make_archive(
    folder: Path, numbers: Sequence[int] = range(N_PEOPLE), *, workers: int = 1
) -> pd.DataFrame:
    """Make people of the archive and predict them; who is there already is left as he or she is.

    Parameters
    ----------
    folder
        Becomes a cohort folder with `predictions.csv`; `work/` keeps scans and finished people.
    numbers
        Which ones.
    workers
        Processes.

    Returns
    -------
    pandas.DataFrame
        The `predictions` of the hippocampus.

    Raises
    ------
    ModelError
        Where somebody could not be predicted.
    """
    from brlp_models.demonstration.people import Group, write_baseline_scans

    work = folder.absolute() / "work"
    make_one = partial(_make_one, work)
    tables = Parallel(n_jobs=workers, backend="loky")(delayed(make_one)(k) for k in numbers)
    predictions: pd.DataFrame = pd.concat(tables, ignore_index=True)
    cohort, _ = write_baseline_scans(work, Group("archive", tuple(numbers), SEED))
    # scans of people whom nobody predicts again would only be looked for
    visits = cohort.visits.drop(columns="determinant").assign(image_path=None)
    replace(cohort, visits=visits).write(folder)
    write_table(predictions, folder / PREDICTIONS)
    return predictions


def _make_one(work: Path, number: int) -> pd.DataFrame:
    from brlp_models.demonstration.people import Group, write_baseline_scans
    from brlp_models.prediction.cohort import predict_cohort

    cohort, _ = write_baseline_scans(work, Group("archive", (number,), SEED))
    model, told = _load()
    found = predict_cohort(
        model,
        cohort,
        **{**SETTINGS, "context_from": told},
        seed=SEED,
        out=work / "predictions",
        has_tables=False,
    )
    if len(found.failures):
        raise ModelError(*found.failures["problem"])
    rows = found.predictions[found.predictions["region"] == _REGION]
    return validate_table(rows.reset_index(drop=True), "predictions")


@lru_cache(maxsize=1)
def _load() -> "tuple[BrlpModel, ContextBaseline]":
    from brlp_models.baselines.context import ContextBaseline
    from brlp_models.model.folder import load_model

    told = ContextBaseline.load(Path(SETTINGS["context_from"]))
    return load_model("mini", precision="auto"), told
