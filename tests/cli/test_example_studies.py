"""The studies of `docs/examples` run on the files that they are written for."""

import importlib.util
from functools import partial
from pathlib import Path
from types import ModuleType

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from cohorts.sources.loading import load_cohort
from reports.store.study import Study
from reports.store.verification import verify_study

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared/data"
LEASPY = DATA / "leaspy_synthetic/alzheimer.csv"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")


def load_example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/examples/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@needs_data
def test_leaspys_table_is_a_study_with_course_mapping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = load_example("leaspy_study")
    visits = pd.read_csv(LEASPY, dtype={"ID": str})
    few = visits["ID"].drop_duplicates()[:120]
    visits[visits["ID"].isin(few)].to_csv(tmp_path / "few.csv", index=False)
    quick = example.PROTOCOL.replace("= 1000", "= 100").replace("= 20\n", "= 2\n")
    monkeypatch.setattr(example, "PROTOCOL", quick)
    fit = partial(example.LogisticProgression.fit, max_iterations=10)
    monkeypatch.setattr(example.LogisticProgression, "fit", fit)
    example.main(tmp_path / "few.csv", tmp_path / "study")
    study = Study.open(tmp_path / "study/results/study.duckdb", read_only=True)
    assert set(study.read("sample_sizes")["strategy"]) == {"random", "regression", "auxiliary"}
    assert len(study.read("participants")) == 60
    assert (verify_study(study)["verdict"] == "holds").all()
    page = (tmp_path / "study/results/report.html").read_text()
    assert "SYNTHETIC" in page
    assert "Auxiliary" in page


@needs_data
def test_course_mapping_sees_the_first_visit_of_a_screened_person_alone() -> None:
    example = load_example("leaspy_study")
    visits = pd.read_csv(LEASPY, dtype={"ID": str})
    visits = visits[visits["ID"].isin(visits["ID"].unique()[:20])]
    features = [name for name in visits if name not in ("ID", "TIME")]
    model = example.LogisticProgression.fit(visits, features=features, max_iterations=2)
    later = visits.groupby("ID").cumcount() > 0
    other = visits.assign(**{name: visits[name].where(~later, 0.5) for name in features})
    pd.testing.assert_frame_equal(example.predict(model, visits), example.predict(model, other))


@needs_data
def test_real_scans_become_a_cohort(tmp_path: Path) -> None:
    example = load_example("real_scans_study")
    example.write_dataset(DATA, tmp_path / "bids")
    cohort = load_cohort(tmp_path / "bids", diagnosis="CN")
    people = cohort.participants.set_index("participant_id")
    assert people["age_years"].to_dict() == {
        "sub-aomic0001": 25.5,
        "sub-ms01": 20.0,
        "sub-ms07": 53.0,
        "sub-niimath": 30.0,
    }
    assert "".join(people["sex"]) == "MFFF"
    later = cohort.visits.query("participant_id == 'sub-ms01'")["months_from_baseline"].max()
    assert later == pytest.approx(203 / 365.25 * 12, abs=0.01)
    assert cohort.visits["image_path"].notna().all()
    assert not cohort.is_synthetic


def test_a_picture_shows_the_left_of_a_person_on_the_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    example = load_example("real_scans_study")
    data = np.zeros((9, 9, 9), dtype=np.float32)
    data[7, 4, 4] = 1  # voxels run to the left: this one lies far left
    image = nib.Nifti1Image(data, np.diag([-2.0, 2.0, 2.0, 1.0]))
    figure, axes = example.plt.subplots(3)
    example._draw(axes, image, nib.affines.apply_affine(image.affine, (4, 4, 4)))
    shown = np.asarray(axes[2].images[0].get_array())
    assert np.argwhere(shown == 1)[0].tolist() == [4, 1]
    example.plt.close(figure)
