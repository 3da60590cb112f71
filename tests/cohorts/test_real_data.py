"""Data of real studies load."""

from pathlib import Path

import pandas as pd
import pytest

from cohorts.sources.loading import load_cohort
from cohorts.volumes.volumetry import compute_volumes

SHARED = Path(__file__).parents[3] / "shared"


DLBS = SHARED / "data" / "dlbs_ds004856" / "dlbs_participants.tsv"


AOMIC = SHARED / "data" / "aomic_piop2_sub-0001"


needs_shared = pytest.mark.skipif(not AOMIC.is_dir(), reason="../shared/data is not here")


@needs_shared
def test_dallas_lifespan_study_loads_with_its_drop_out() -> None:
    cohort = load_cohort(
        DLBS,
        diagnosis="CN",
        column_map={
            "AgeMRI": "age_years",
            "MRIW1toW2": "years_from_baseline_W2",
            "MRIW1toW3": "years_from_baseline_W3",
        },
    )
    assert cohort.visits["session_id"].value_counts().to_dict() == {"W1": 310, "W2": 205, "W3": 133}
    assert not {"CogW1toW2", "MRIW2toW3"} & set(cohort.participants)
    second = cohort.visits.loc[cohort.visits["session_id"] == "W2", "months_from_baseline"]
    assert second.mean() == pytest.approx(12 * 4, abs=3)


@pytest.fixture(scope="module")
def freesurfer() -> pd.DataFrame:
    """Return the baseline of the FreeSurfer subject."""
    return load_cohort(AOMIC, diagnosis="CN").baseline()


@needs_shared
def test_freesurfer_subject_loads_with_its_own_volumes(freesurfer: pd.DataFrame) -> None:
    table = freesurfer
    assert table.loc["sub-0001", "left_hippocampus_mm3"] == 4280.4
    assert table.loc["sub-0001", "hippocampus_mm3"] == pytest.approx(4280.4 + 4231.5)
    assert table.loc["sub-0001", "head_size_mm3"] == pytest.approx(1560838.764254)


@needs_shared
def test_brain_of_aseg_stats_means_the_same_as_that_of_the_label_map(
    freesurfer: pd.DataFrame,
) -> None:
    measured = compute_volumes(AOMIC / "aseg.mgz").set_index("region")["volume_mm3"]
    assert freesurfer.loc["sub-0001", "brain_mm3"] == pytest.approx(measured["brain"], rel=0.005)
