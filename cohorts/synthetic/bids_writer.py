"""The files of a synthetic BIDS dataset."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.errors import CohortError
from cohorts.synthetic.scans import SyntheticScan
from cohorts.synthetic.truth import TRUTH_FOLDER

PIPELINE: Final = "trialsim-synthetic"
_BIDS_VERSION: Final = "1.10.0"
_PARTIAL: Final = ".partial"
_README: Final = """\
SYNTHETIC brain scans: nobody was scanned.

Made by `trialsim cohort synthesize`. Each scan is simulated from a label map whose regional volumes
follow a known course; the label maps lie in derivatives/{pipeline}, the truth in truth/.
"""


def start_dataset(root: Path, plan: Mapping[str, Any]) -> None:
    """Create the dataset's description, or check that the one there is of the same plan.

    Raises
    ------
    CohortError
        Where the folder holds something else.
    """
    path = root / "dataset_description.json"
    described = _describe(plan)
    if path.is_file():
        if json.loads(path.read_text()) != described:
            raise CohortError(
                f"{root} holds a dataset that was made with other options; "
                "choose another folder, or the same options to complete it."
            )
        return
    if root.exists() and any(root.iterdir()):
        raise CohortError(f"{root} is not empty and holds no synthetic dataset.")
    root.mkdir(parents=True, exist_ok=True)
    (root / "README").write_text(_README.format(pipeline=PIPELINE))
    (root / ".bidsignore").write_text(f"{TRUTH_FOLDER}/\n{_PARTIAL}/\n")
    derivative = root / "derivatives" / PIPELINE
    derivative.mkdir(parents=True)
    _write_json(derivative / "dataset_description.json", described | {"DatasetType": "derivative"})
    _write_json(path, described)


def is_finished(root: Path, participant_id: str) -> bool:
    """Return whether all scans of the person are there."""
    return (root / participant_id).is_dir()


def write_person(
    root: Path, participant_id: str, sessions: pd.DataFrame, scans: Sequence[SyntheticScan]
) -> None:
    """Write a person's visits; the person's folder appears only when everything is there."""
    partial = root / _PARTIAL / participant_id
    shutil.rmtree(partial, ignore_errors=True)
    for session, scan in zip(sessions["session_id"], scans, strict=True):
        name = f"{participant_id}_{session}"
        anat = partial / "raw" / session / "anat"
        maps = partial / "maps" / session / "anat"
        anat.mkdir(parents=True)
        maps.mkdir(parents=True)
        _write_image(anat / f"{name}_T1w.nii.gz", np.rint(scan.t1w).astype(np.int16), scan.affine)
        _write_json(anat / f"{name}_T1w.json", {"Modality": "MR", "IsSynthetic": True})
        _write_image(maps / f"{name}_dseg.nii.gz", scan.labels, scan.affine)
    sessions.to_csv(
        partial / "raw" / f"{participant_id}_sessions.tsv", sep="\t", index=False, na_rep="n/a"
    )
    target = root / "derivatives" / PIPELINE / participant_id
    shutil.rmtree(target, ignore_errors=True)
    (partial / "maps").rename(target)
    (partial / "raw").rename(root / participant_id)
    partial.rmdir()


def finish_dataset(root: Path, participants: pd.DataFrame) -> int:
    """Write `participants.tsv` for the people whose scans are there; return how many."""
    shutil.rmtree(root / _PARTIAL, ignore_errors=True)
    there = participants[[is_finished(root, name) for name in participants["participant_id"]]]
    there.to_csv(root / "participants.tsv", sep="\t", index=False, na_rep="n/a")
    _write_json(root / "participants.json", _COLUMNS)
    return len(there)


_COLUMNS: Final = {
    "sex": {"Levels": {"F": "female", "M": "male"}},
    "age_years": {"Description": "age at baseline", "Units": "years"},
    "diagnosis": {
        "Description": "diagnosis at baseline",
        "Levels": {
            "CN": "cognitively normal",
            "MCI": "mild cognitive impairment",
            "AD": "Alzheimer's disease dementia",
        },
    },
    "apoe4": {"Description": "number of APOE4 alleles"},
    "education_years": {"Description": "years of education", "Units": "years"},
    "mmse": {"Description": "Mini-Mental State Examination at baseline, 0 to 30"},
    "site": {"Description": "study site"},
}


def _describe(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Name": "SYNTHETIC cohort (simulated people, simulated scans)",
        "BIDSVersion": _BIDS_VERSION,
        "DatasetType": "raw",
        "License": "CC0",
        "IsSynthetic": True,
        "Keywords": ["synthetic"],
        "GeneratedBy": [
            {"Name": "trialsim", "Description": "trialsim cohort synthesize", "Plan": dict(plan)}
        ],
    }


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


def _write_image(path: Path, data: npt.NDArray[Any], affine: npt.NDArray[np.float64]) -> None:
    image = nib.Nifti1Image(data, affine)  # type: ignore[no-untyped-call]
    image.header["descrip"] = b"SYNTHETIC"
    image.set_qform(affine, code=1)  # type: ignore[no-untyped-call]
    nib.save(image, path)
