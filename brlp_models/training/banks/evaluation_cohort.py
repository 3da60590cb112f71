"""A bank of synthetic people as a cohort folder, with its truth beside it."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from brlp_models.model.config import ModelConfig
from brlp_models.scans.files import make_nifti
from brlp_models.training.banks.person_tables import COVARIATES, MEASURED
from brlp_models.training.banks.volumes import Bank
from brlp_models.training.tissues import TISSUES
from cohorts.cohort import Cohort
from cohorts.synthetic.tabular import SOURCE
from cohorts.synthetic.truth import find_noiseless_scan, write_base_anatomies, write_true_volumes

_SIDED = (
    "cerebral_white_matter", "cerebral_cortex", "lateral_ventricle", "cerebellum", "thalamus",
    "basal_ganglia", "hippocampus", "amygdala",
)  # fmt: skip
_PERSON = ("participant_id", "sex", "age_years", "diagnosis", "apoe4", *COVARIATES)
_VISIT = ["participant_id", "session_id", "months_from_baseline"]


def write_evaluation_cohort(
    bank_folder: Path,
    folder: Path,
    config: ModelConfig,
    *,
    baseline_scans_only: bool = False,
) -> Cohort:
    """Write a bank's people as an imported cohort on the model's grid.

    Volumes of the cohort carry a segmentation's measurement error; `truth/volumes.parquet` holds
    those that the scans show, where no strategy looks. All volumes are native; the scans lie in MNI
    space, and `determinant` in `visits` says how much larger everything is there. Scans without
    noise, where the bank has some, and everyone's base anatomy go to `truth/` too.

    Parameters
    ----------
    bank_folder
        Of `write_people_bank`, with tables.
    folder
        The cohort's folder; scans go to `scans/`.
    config
        The model, for the grid.
    baseline_scans_only
        The bank has no scans of later visits: they get volumes, but none of the brain that a scan
        shows.
    """
    bank = Bank.load(bank_folder)
    index = bank.index.reset_index()
    scans = folder / "scans"
    scans.mkdir(parents=True, exist_ok=True)
    scanned = index[index["months_from_baseline"] == 0] if baseline_scans_only else index
    for row, person, session in scanned[["row", "participant_id", "session_id"]].to_numpy():
        image, labels = [*bank.images[int(row)]], bank.labels[int(row)]
        stem = f"{person}_{session}"
        places = [scans / f"{stem}_{channel}.nii.gz" for channel in config.channels]
        if bank.has_noiseless:
            image.append(bank.noiseless[int(row)])
            places.append(find_noiseless_scan(folder, str(person), str(session)))
        for place, array in zip(places, image, strict=True):
            place.parent.mkdir(parents=True, exist_ok=True)
            _write(array.astype(np.float32) / 255, place, config)
        codes = np.array([tissue.codes[0] for tissue in TISSUES.tissues], dtype=np.int16)
        _write(_split_sides(codes[labels]), scans / f"{stem}_dseg.nii.gz", config)
    visits = _list_visits(index, scans, has_scan=index["row"].isin(scanned["row"]))
    truth = _list_true_volumes(index)
    brain = _list_brain_volumes(bank, scanned, config)
    cohort = Cohort(
        index[index["months_from_baseline"] == 0][list(_PERSON)].reset_index(drop=True),
        visits,
        _list_measured_volumes(index),
        name="synthetic evaluation people",
        is_synthetic=True,
    )
    cohort.write(folder)
    write_true_volumes(pd.concat([truth, brain], ignore_index=True), folder)
    write_base_anatomies(index.drop_duplicates("participant_id"), folder)
    return cohort


def _write(array: npt.NDArray[np.generic], path: Path, config: ModelConfig) -> None:
    make_nifti(array, np.asarray(config.affine)).to_filename(path)


def _split_sides(codes: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Return right-sided codes for x > 0, since tissues know no side."""
    table = np.arange(int(codes.max()) + 1, dtype=np.int16)
    for tissue in TISSUES.tissues:
        if tissue.segment in _SIDED and tissue.codes[0] < table.size:
            table[tissue.codes[0]] = tissue.codes[1]
    half = codes.shape[0] // 2
    split = codes.copy()
    split[half:] = table[codes[half:]]
    return split


def _list_visits(index: pd.DataFrame, scans: Path, *, has_scan: "pd.Series[bool]") -> pd.DataFrame:
    stems = f"{scans.absolute()}/" + index["participant_id"] + "_" + index["session_id"]
    columns = [*_VISIT, "age_years", "diagnosis"]
    return index[columns].assign(
        image_path=(stems + "_T1w.nii.gz").where(has_scan, None),
        segmentation_path=(stems + "_dseg.nii.gz").where(has_scan, None),
        determinant=index["determinant"].where(has_scan),
    )


def _list_true_volumes(index: pd.DataFrame) -> pd.DataFrame:
    columns = [name for name in index if str(name).endswith("_mm3") and not _is_measured(name)]
    long = index.melt([*_VISIT, "determinant"], columns, "region", "volume_mm3")
    native = long["volume_mm3"] / long.pop("determinant")
    return long.assign(region=long["region"].str.removesuffix("_mm3"), volume_mm3=native)


def _list_measured_volumes(index: pd.DataFrame) -> pd.DataFrame:
    columns = [name for name in index if _is_measured(name)]
    long = index.melt(_VISIT[:2], columns, "region", "volume_mm3")
    return long.assign(region=long["region"].str.removeprefix(MEASURED), source=SOURCE)


def _is_measured(name: object) -> bool:
    # `head_size_mm3` is the name of a region
    return str(name).startswith(MEASURED)


def _list_brain_volumes(bank: Bank, index: pd.DataFrame, config: ModelConfig) -> pd.DataFrame:
    """Return the volume that each stripped scan shows, the denominator of percent of brain."""
    voxel_mm3 = abs(np.linalg.det(np.asarray(config.affine)[:3, :3]))
    volumes = [voxel_mm3 * np.count_nonzero(bank.labels[row]) for row in index["row"]]
    native = np.array(volumes) / index["determinant"].to_numpy(float)
    return index[_VISIT].assign(region="brain", volume_mm3=native)
