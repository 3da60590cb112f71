"""A visit may state how much larger its person is in a scan that lies in MNI space."""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from cohorts.cohort import Cohort
from cohorts.errors import CohortError, CohortValidationError
from cohorts.sources.loading import load_cohort


def write_table(folder: Path, determinants: list[object]) -> Path:
    """Write two visits of a person, 6,144 mm3 of left hippocampus in each label map."""
    labels = np.zeros((26, 26, 22), np.int16)
    labels[:13], labels[13:] = 2, 41
    labels[0, :6, :16], labels[13, :6, :16] = 17, 53
    for session in "01":
        nib.save(nib.Nifti1Image(labels, np.diag([4.0, 4, 4, 1])), folder / f"{session}.nii.gz")
    table = pd.DataFrame(
        {
            "participant_id": "sub-1",
            "session_id": ["0", "1"],
            "age_years": [70.0, 72.0],
            "sex": "F",
            "diagnosis": "CN",
            "segmentation_path": ["0.nii.gz", "1.nii.gz"],
            "determinant": determinants,
        }
    )
    table.to_csv(folder / "visits.csv", index=False)
    return folder / "visits.csv"


def test_label_maps_are_measured_in_native_space(tmp_path: Path) -> None:
    cohort = load_cohort(write_table(tmp_path, [1.25, None]))
    found = cohort.volumes[cohort.volumes["region"] == "left_hippocampus"]["volume_mm3"]
    assert found.tolist() == pytest.approx([4915.2, 6144])
    # it is no covariate, which a regression could take
    assert "determinant" not in cohort.participants
    cohort.write(tmp_path / "cohort")
    again = load_cohort(tmp_path / "cohort").visits["determinant"]
    np.testing.assert_array_equal(again, [1.25, np.nan])


@pytest.mark.parametrize("value", [0, -1.2, "large"])
def test_determinant_that_is_none_is_refused(value: object, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=f"got '{value}.*', a number above 0 is expected"):
        load_cohort(write_table(tmp_path, [1.25, value]))


def test_table_without_it_stays_as_it_is(tmp_path: Path) -> None:
    cohort = load_cohort(write_table(tmp_path, [1.25, 1.3]))
    without: Cohort = replace(cohort, visits=cohort.visits.drop(columns="determinant"))
    without.write(tmp_path / "cohort")
    assert "determinant" not in load_cohort(tmp_path / "cohort").visits
    with pytest.raises(CohortValidationError, match="Table visits, column determinant"):
        replace(cohort, visits=cohort.visits.assign(determinant=[1.2, 0.0]))
