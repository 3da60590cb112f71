"""A follow-up scan that was acquired stands where its twin was predicted."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brlp_models.model.folder import load_model
from brlp_models.scans.check import reconstruct_image
from reports.store.study import Study
from tests.brlp_models.brain_drawing import write_brain
from trialsim.errors import DesignError
from trialsim.study.trials.observed_scans import bring_observed_scans

PEOPLE = ["p1", "p2", "p3", "p4"]
ARMS = ["control", "treatment", "treatment", "treatment"]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Return a cohort with a scan of everyone at baseline and at month 24; p1 has no second one."""
    rows = [
        {"participant_id": name, "session_id": f"m{month:02d}", "months_from_baseline": month,
         "age_years": 70 + month / 12, "sex": "F", "diagnosis": "MCI",
         "image_path": str(write_brain(tmp_path / f"{name}-{month}.nii.gz", 10 * i + month))}
        for i, name in enumerate(PEOPLE)
        for month in (0, 24)
        if not (name == "p1" and month)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"


def freeze(study: Study, model_id: str) -> None:
    images = [
        {"participant_id": name, "model_id": model_id, "horizon_months": 24.0, "kind": kind,
         "path": f"/{name}-{kind}.nii.gz"}
        for name in PEOPLE
        for kind in ("predicted", "uncertainty")
    ]  # fmt: skip
    with study.run(command="trialsim predict", config={}, seed=1) as run:
        run.write("prediction_images", pd.DataFrame(images))


def outcomes() -> pd.DataFrame:
    twins = [5000.0, 5200.0, 5100.0, 5300.0]
    return pd.DataFrame(
        {"participant_id": PEOPLE, "arm": ARMS, "months": 24.0, "observed": 5000.0, "twin": twins}
    )


def test_the_person_of_median_prediction_is_shown_as_acquired_and_decoded(
    tmp_path: Path, lone_model: Path, scans: Path
) -> None:
    loaded = load_model(lone_model)
    with Study.open(tmp_path / "study.duckdb") as study:
        freeze(study, loaded.model_id)
        found = bring_observed_scans(study, outcomes(), scans, model=str(lone_model))
    # p1, the only control, was not scanned again
    assert found["participant_id"].unique().tolist() == ["p2"]
    assert found["session_id"].unique().tolist() == ["m24"]
    paths = found.set_index("kind")["path"]
    acquired = nib.load(scans.parent / "p2-24.nii.gz").get_fdata()
    assert nib.load(paths["observed"]).get_fdata() == pytest.approx(acquired)
    decoded = reconstruct_image(loaded, acquired.astype(np.float32)[None])[0]
    assert nib.load(paths["decoded"]).get_fdata() == pytest.approx(decoded, abs=1e-5)


def test_scans_that_cannot_stand_beside_a_twin_are_told(
    tmp_path: Path, lone_model: Path, scans: Path
) -> None:
    with Study.open(tmp_path / "study.duckdb") as study:
        with pytest.raises(DesignError, match="holds no predicted scans"):
            bring_observed_scans(study, outcomes(), scans, model=str(lone_model))
        freeze(study, "another")
        with pytest.raises(DesignError, match="are of the model another, not"):
            bring_observed_scans(study, outcomes(), scans, model=str(lone_model))
        freeze(study, load_model(lone_model).model_id)
        later = outcomes().assign(months=36.0)
        with pytest.raises(DesignError, match="Nobody of the trial has a predicted scan at month"):
            bring_observed_scans(study, later, scans, model=str(lone_model))
