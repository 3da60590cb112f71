"""Training volumes from a cohort of one's own, here two visits of a synthetic person."""

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


def test_volumes_of_a_bank_are_the_cohorts_in_mni_space(cohort: Cohort, bank: Bank) -> None:
    native = cohort.volumes.set_index(["session_id", "region"])["volume_mm3"]
    for row in bank.index.itertuples():
        for region in ("hippocampus", "lateral_ventricle"):
            expected = native[row.session_id, region] * row.determinant
            assert getattr(row, f"{region}_mm3") == pytest.approx(expected)


def test_labels_lie_where_the_volumes_are(bank: Bank) -> None:
    voxel_mm3 = 8.0
    for region in ("hippocampus", "lateral_ventricle"):
        counts = (bank.labels == TISSUES.names.index(region)).sum(axis=(1, 2, 3)) * voxel_mm3
        # nearest neighbours on 2 mm: thousands of voxels' edges, a few per cent
        np.testing.assert_allclose(counts, bank.index[f"{region}_mm3"], rtol=0.06)
    assert (bank.images[:, 0][bank.labels > 0] > 0).mean() > 0.99


def test_both_channels_lie_on_the_labels(bank: Bank) -> None:
    assert bank.images.shape == (2, 2, *make_grid().shape)
    white, cortex, fluid = (
        np.median(np.moveaxis(bank.images, 1, -1)[bank.labels == TISSUES.names.index(name)], axis=0)
        for name in ("cerebral_white_matter", "cerebral_cortex", "lateral_ventricle")
    )
    assert fluid[0] < cortex[0] < white[0]
    assert fluid[1] < white[1] < cortex[1]


def test_a_finished_bank_is_not_made_again(
    cohort: Cohort, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cohort_bank, "preprocess_visits", None)
    again = write_cohort_bank(cohort, bank.folder, make_grid(), channels=CHANNELS)
    pd.testing.assert_frame_equal(again.set_index("row"), bank.index)


def test_a_bank_of_other_visits_or_channels_is_refused(cohort: Cohort, bank: Bank) -> None:
    fewer = replace(cohort, visits=cohort.visits.iloc[:1])
    with pytest.raises(ModelError, match="holds training volumes of other settings"):
        write_cohort_bank(fewer, bank.folder, make_grid(), channels=CHANNELS)
    with pytest.raises(ModelError, match="holds training volumes of other settings"):
        write_cohort_bank(cohort, bank.folder, make_grid())


def test_a_bank_heeds_the_determinants_that_visits_state(
    cohort: Cohort, bank: Bank, tmp_path: Path
) -> None:
    stated = replace(cohort, visits=cohort.visits.assign(determinant=[1.25, 1.25]))
    with pytest.raises(ScanError, match=r"states a determinant of 1\.25"):
        write_cohort_bank(stated, tmp_path / "raw", make_grid())
    affine = make_grid().affine
    for channel in range(2):
        scan = bank.images[0, channel].astype(np.float32) / 255
        nib.save(nib.Nifti1Image(scan, affine), tmp_path / f"sub-1_{CHANNELS[channel]}.nii.gz")
    path = str(tmp_path / "sub-1_T1w.nii.gz")
    one = replace(stated, visits=stated.visits.iloc[:1].assign(image_path=path))
    (row,) = write_cohort_bank(one, tmp_path / "bank", make_grid()).itertuples()
    native = one.volumes.set_index(["session_id", "region"])["volume_mm3"]
    expected = 1.25 * native[row.session_id, "hippocampus"]
    assert row.hippocampus_mm3 == pytest.approx(expected)
    other = replace(one, visits=one.visits.assign(determinant=1.3))
    with pytest.raises(ModelError, match="holds training volumes of other settings"):
        write_cohort_bank(other, tmp_path / "bank", make_grid())


def test_a_visit_without_a_segmentation_is_told(cohort: Cohort, tmp_path: Path) -> None:
    visits = cohort.visits.assign(segmentation_path=None)
    with pytest.raises(ModelError, match="training needs an image with its segmentation") as caught:
        write_cohort_bank(replace(cohort, visits=visits), tmp_path, make_grid())
    assert len(caught.value.problems) == 2
