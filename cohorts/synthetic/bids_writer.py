"""The files of a synthetic BIDS dataset."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import nibabel as nib
import numpy as np
import pandas as pd

from cohorts.errors import CohortError
from cohorts.files.bids_output import (
    SCANNER,
    describe_dataset,
    find_version,
    make_image,
    write_json,
)
from cohorts.synthetic.person_scans import SyntheticScan
from cohorts.synthetic.truth import TRUTH_FOLDER

PIPELINE: Final = "trialsim-synthetic"
_PARTIAL: Final = ".partial"
_README: Final = """\
SYNTHETIC brain scans: nobody was scanned.

Made by `trialsim cohort synthesize`. Each scan is simulated from a label map whose regional volumes
follow a known course; the label maps lie in derivatives/{pipeline}, the truth in truth/.
"""

_SIGNS: Final = """
Scans show more than the volumes: contrast, lesions, hippocampal shape, a pattern of thinning. How
much of it tells the course was chosen, not observed: see "signs" in dataset_description.json.
"""


def start_dataset(root: Path, plan: Mapping[str, Any]) -> None:
    """Create the dataset's description, or check that the one there is of the same plan.

    Raises
    ------
    CohortError
        Where the folder holds something else.
    """
    path = root / "dataset_description.json"
    if path.is_file():
        if _read_plan(path) != dict(plan):
            raise CohortError(
                f"{root} holds a dataset that was made with other options; "
                "choose another folder, or the same options to complete it."
            )
        return
    if root.exists() and any(root.iterdir()):
        raise CohortError(f"{root} is not empty and holds no synthetic dataset.")
    derivative = root / "derivatives" / PIPELINE
    derivative.mkdir(parents=True)
    readme = _README.format(pipeline=PIPELINE) + (_SIGNS if "signs" in plan else "")
    for folder in (root, derivative):
        (folder / "README").write_text(readme)
    (root / ".bidsignore").write_text(f"{TRUTH_FOLDER}\n{_PARTIAL}\n")
    write_json(root / "participants.json", _OF_PEOPLE)
    write_json(root / "sessions.json", _OF_VISITS)
    write_json(derivative / "dataset_description.json", _describe(plan, "derivative"))
    write_json(path, _describe(plan, "raw"))


def _read_plan(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["GeneratedBy"][0]["Plan"]
    except (ValueError, LookupError, TypeError):
        return None


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
        for channel, own in scan.channels.items():
            image = make_image(
                np.rint(own).astype(np.int16), scan.affine, descrip=_DESCRIP, space=SCANNER
            )
            nib.save(image, anat / f"{name}_{channel}.nii.gz")
            said = _OF_SCANS | {"SoftwareVersions": find_version()}
            write_json(anat / f"{name}_{channel}.json", said)
        labels = make_image(scan.labels, scan.affine, descrip=_DESCRIP, space=SCANNER)
        nib.save(labels, maps / f"{name}_dseg.nii.gz")
        write_json(maps / f"{name}_dseg.json", _OF_MAPS)
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
    return len(there)


_DESCRIP: Final = "SYNTHETIC"
_NONE: Final = "none (simulated)"

_OF_SCANS: Final = {
    "Modality": "MR",
    "IsSynthetic": True,
    "Manufacturer": _NONE,
    "ManufacturersModelName": _NONE,
    "DeviceSerialNumber": _NONE,
    "StationName": _NONE,
    "InstitutionName": _NONE,
    "InstitutionAddress": _NONE,
    "InstitutionalDepartmentName": _NONE,
    "ReceiveCoilName": _NONE,
    "ReceiveCoilActiveElements": _NONE,
    "MatrixCoilMode": _NONE,
    "CoilCombinationMethod": _NONE,
    "ScanningSequence": _NONE,
    "SequenceVariant": _NONE,
    "SequenceName": _NONE,
    "PulseSequenceType": _NONE,
    "PulseSequenceDetails": "Intensities drawn for each label, with bias field, blur and noise.",
    "MRAcquisitionType": "3D",
    "NonlinearGradientCorrection": False,
}
"""What is known of a scan that nobody acquired; echo time, flip angle and field are not."""

_OF_MAPS: Final = {
    "Description": "The labels that the T1w scan was simulated from, as FreeSurfer codes them.",
    "SpatialReference": "orig",
    "Manual": False,
    "IsSynthetic": True,
}

_DIAGNOSES: Final = {
    "CN": "cognitively normal",
    "MCI": "mild cognitive impairment",
    "AD": "Alzheimer's disease dementia",
}

_OF_PEOPLE: Final = {
    "Description": "Simulated people at baseline",
    "sex": {"Levels": {"F": "female", "M": "male"}},
    "age_years": {"Description": "age at baseline", "Units": "years"},
    "diagnosis": {"Description": "diagnosis at baseline", "Levels": _DIAGNOSES},
    "apoe4": {"Description": "number of APOE4 alleles"},
    "education_years": {"Description": "years of education", "Units": "years"},
    "mmse": {"Description": "Mini-Mental State Examination at baseline, 0 to 30"},
    "site": {"Description": "study site"},
}

_OF_VISITS: Final = {
    "Description": "Visits of simulated people",
    "age_years": {"Description": "age at the visit", "Units": "years"},
    "months_from_baseline": {"Description": "time since the first visit", "Units": "months"},
    "diagnosis": {"Description": "diagnosis at the visit", "Levels": _DIAGNOSES},
}


def _describe(plan: Mapping[str, Any], kind: Literal["raw", "derivative"]) -> dict[str, Any]:
    return describe_dataset(
        "SYNTHETIC cohort (simulated people, simulated scans)",
        kind=kind,
        description="trialsim cohort synthesize",
        is_synthetic=True,
        made_with={"Plan": dict(plan)},
        sources=[{"URL": _TEMPLATE} for name in plan["anatomies"] if name.startswith("MNI152")],
    )


_TEMPLATE: Final = "https://nist.mni.mcgill.ca/icbm-152-nonlinear-atlases-2009/"
"""Where the anatomy that people are drawn from came from, but for label maps of the user's."""
