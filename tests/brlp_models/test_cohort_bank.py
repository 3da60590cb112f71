"""Training volumes from a cohort of one's own: two visits of a synthetic or of a drawn person.

The synthetic person's scans are registered, which takes long; the drawn one's lie on the grid.
"""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from brlp_models.errors import ModelError, ScanError
from brlp_models.scans.grid import Grid
from brlp_models.training.banks import cohort as cohort_bank
from brlp_models.training.banks.cohort import write_cohort_bank
from brlp_models.training.banks.volumes import Bank
from brlp_models.training.recipe import load_recipe
from brlp_models.training.tissues import TISSUES
from cohorts.cohort import Cohort
from cohorts.sources.loading import load_cohort
from cohorts.synthetic import synthesize_images
from tests.brlp_models.brain_drawing import READABLE_AFFINE, SHAPE, write_brain
from tests.brlp_models.predicted_people import make_tables

CHANNELS = ("T1w", "FLAIR")


def make_grid() -> Grid:
    model = load_recipe("mini").model
    return Grid(model.shape, np.array(model.affine))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("people")
    synthesize_images(folder / "bids", 1, seed=3, visits_months=(0.0, 48.0), channels=CHANNELS)
    return load_cohort(folder / "bids")


@pytest.fixture(scope="module")
def bank(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    folder = tmp_path_factory.mktemp("training") / "bank"
    write_cohort_bank(cohort, folder, make_grid(), channels=CHANNELS)
    return Bank.load(folder)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Return a person with two visits, each channel on a small grid, a hippocampus among white."""
    folder = tmp_path_factory.mktemp("drawn")
    tables, paths = make_tables(["sub-1"], [0, 24], np.random.default_rng(1)), []
    for seed, session in enumerate(tables["visits"]["session_id"]):
        paths.append(write_brain(folder / f"sub-1_{session}_T1w.nii.gz", seed))
        write_brain(folder / f"sub-1_{session}_FLAIR.nii.gz", 10 + seed)
    labels = np.full(SHAPE, 2, dtype=np.int16)
    labels[8:12, 10:14, 8:12] = 17
    nib.save(nib.Nifti1Image(labels, READABLE_AFFINE), folder / "labels.nii.gz")
    visits = tables["visits"].assign(
        image_path=[str(path) for path in paths], segmentation_path=str(folder / "labels.nii.gz")
    )
    return Cohort(tables["participants"], visits, tables["volumes"])


DRAWN = Grid(SHAPE, READABLE_AFFINE)


@pytest.fixture(scope="module")
def drawn_bank(drawn: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    folder = tmp_path_factory.mktemp("drawing") / "bank"
    write_cohort_bank(drawn, folder, DRAWN, channels=CHANNELS)
    return Bank.load(folder)


@pytest.mark.slow
def test_volumes_of_a_bank_are_the_cohorts_in_mni_space(cohort: Cohort, bank: Bank) -> None:
    native = cohort.volumes.set_index(["session_id", "region"])["volume_mm3"]
    for row in bank.index.itertuples():
        for region in ("hippocampus", "lateral_ventricle"):
            expected = native[row.session_id, region] * row.determinant
            assert getattr(row, f"{region}_mm3") == pytest.approx(expected)


@pytest.mark.slow
def test_labels_lie_where_the_volumes_are(bank: Bank) -> None:
    voxel_mm3 = 8.0
    for region in ("hippocampus", "lateral_ventricle"):
        counts = (bank.labels == TISSUES.names.index(region)).sum(axis=(1, 2, 3)) * voxel_mm3
        # nearest neighbours on 2 mm: thousands of voxels' edges, a few per cent
        np.testing.assert_allclose(counts, bank.index[f"{region}_mm3"], rtol=0.06)
    assert (bank.images[:, 0][bank.labels > 0] > 0).mean() > 0.99


@pytest.mark.slow
def test_both_channels_lie_on_the_labels(bank: Bank) -> None:
    assert bank.images.shape == (2, 2, *make_grid().shape)
    white, cortex, fluid = (
        np.median(np.moveaxis(bank.images, 1, -1)[bank.labels == TISSUES.names.index(name)], axis=0)
        for name in ("cerebral_white_matter", "cerebral_cortex", "lateral_ventricle")
    )
    assert fluid[0] < cortex[0] < white[0]
    assert fluid[1] < white[1] < cortex[1]


def test_a_drawn_bank_holds_the_drawn_scans_and_volumes(drawn: Cohort, drawn_bank: Bank) -> None:
    native = drawn.volumes.set_index(["session_id", "region"])["volume_mm3"]
    hippocampus = TISSUES.names.index("hippocampus")
    for row, labels in zip(drawn_bank.index.itertuples(), drawn_bank.labels, strict=True):
        assert row.hippocampus_mm3 == pytest.approx(native[row.session_id, "hippocampus"])
        assert np.argwhere(labels == hippocampus).min(axis=0).tolist() == [8, 10, 8]
        assert (labels == hippocampus).sum() == 4**3
    first, second = drawn_bank.images[:, 0]
    assert not np.array_equal(first, second)


def test_a_finished_bank_is_not_made_again(
    drawn: Cohort, drawn_bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("preprocess_visits", "take_as_they_are"):
        monkeypatch.setattr(cohort_bank, name, None)
    again = write_cohort_bank(drawn, drawn_bank.folder, DRAWN, channels=CHANNELS)
    pd.testing.assert_frame_equal(again.set_index("row"), drawn_bank.index)


def test_a_bank_of_other_visits_or_channels_is_refused(drawn: Cohort, drawn_bank: Bank) -> None:
    fewer = replace(drawn, visits=drawn.visits.iloc[:1])
    with pytest.raises(ModelError, match="holds training volumes of other settings"):
        write_cohort_bank(fewer, drawn_bank.folder, DRAWN, channels=CHANNELS)
    with pytest.raises(ModelError, match="holds training volumes of other settings"):
        write_cohort_bank(drawn, drawn_bank.folder, DRAWN)


def test_a_bank_of_the_same_people_with_other_tables_is_refused(
    drawn: Cohort, drawn_bank: Bank
) -> None:
    volumes, people, visits = drawn.volumes, drawn.participants, drawn.visits
    later = visits["months_from_baseline"] > 0
    changed = {
        "hippocampus_mm3": {"volumes": volumes.assign(volume_mm3=volumes["volume_mm3"] + 1)},
        "sex": {"participants": people.assign(sex=people["sex"].map({"F": "M", "M": "F"}))},
        "months_from_baseline": {
            "visits": visits.assign(
                months_from_baseline=visits["months_from_baseline"].where(~later, 30.0)
            )
        },
        "mmse": {"participants": people.assign(mmse=27.0)},
    }
    for name, tables in changed.items():
        with pytest.raises(ModelError, match=f"other tables of these people: of sub-1, .*{name}"):
            write_cohort_bank(replace(drawn, **tables), drawn_bank.folder, DRAWN, channels=CHANNELS)


def test_a_bank_heeds_the_determinants_that_visits_state(drawn: Cohort, tmp_path: Path) -> None:
    stated = replace(drawn, visits=drawn.visits.assign(determinant=[1.25, 1.25]))
    with pytest.raises(ScanError, match=r"states a determinant of 1\.25"):
        write_cohort_bank(stated, tmp_path / "raw", make_grid())
    one = replace(stated, visits=stated.visits.iloc[:1])
    (row,) = write_cohort_bank(one, tmp_path / "bank", DRAWN).itertuples()
    native = one.volumes.set_index(["session_id", "region"])["volume_mm3"]
    expected = 1.25 * native[row.session_id, "hippocampus"]
    assert row.hippocampus_mm3 == pytest.approx(expected)
    other = replace(one, visits=one.visits.assign(determinant=1.3))
    with pytest.raises(ModelError, match="holds training volumes of other settings"):
        write_cohort_bank(other, tmp_path / "bank", DRAWN)


def test_a_visit_without_a_segmentation_is_told(drawn: Cohort, tmp_path: Path) -> None:
    visits = drawn.visits.assign(segmentation_path=None)
    with pytest.raises(ModelError, match="training needs an image with its segmentation") as caught:
        write_cohort_bank(replace(drawn, visits=visits), tmp_path, DRAWN)
    assert len(caught.value.problems) == 2
