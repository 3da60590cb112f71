"""BIDS datasets load whole, and each fault of an image gets its sentence."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from cohorts.errors import CohortError, CohortValidationError
from cohorts.sources.loading import load_cohort
from cohorts.sources.scans.image_reading import inspect_pair
from cohorts.volumes.volumetry import compute_volumes

Array = npt.NDArray[np.float32]

AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
AFFINE[:3, 3] = -48


def make_labels() -> Array:
    """A head of 24^3 voxels of 4 mm: cortex, white matter, 50 voxels of hippocampus a side."""
    labels = np.zeros((24, 24, 24), dtype=np.float32)
    for half, cortex, white, hippocampus in ((0, 3, 2, 17), (1, 42, 41, 53)):
        side = labels[1:12] if half == 0 else labels[12:23]
        side[:, 1:23, 1:12] = cortex
        side[:, 1:23, 12:23] = white
        side[2:7, 5:15, 12] = hippocampus
    return labels


def make_scan() -> Array:
    scan = np.random.default_rng(0).normal(5, 1, (24, 24, 24)).astype(np.float32)
    scan[make_labels() > 0] += 95
    return scan


def save(path: Path, data: Array, affine: npt.NDArray[np.float64] = AFFINE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, affine), path)


def t1w(root: Path, person: str, session: str) -> Path:
    return root / person / session / "anat" / f"{person}_{session}_T1w.nii.gz"


def dseg(root: Path, person: str, session: str) -> Path:
    folder = root / "derivatives" / "synthseg" / person / session / "anat"
    return folder / f"{person}_{session}_dseg.nii.gz"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    root = tmp_path / "study"
    for person in ("sub-01", "sub-02"):
        for session in ("ses-01", "ses-02"):
            save(t1w(root, person, session), make_scan())
            save(dseg(root, person, session), make_labels())
        sessions = "session_id\tage\tdiagnosis\nses-01\t70.0\tMCI\nses-02\t71.5\tAD\n"
        (root / person / f"{person}_sessions.tsv").write_text(sessions)
    (root / "participants.tsv").write_text(
        "participant_id\tsex\tage\tdiagnosis\tsite\nsub-01\tF\t70\tMCI\t1\nsub-02\tM\t70\tn/a\t2\n"
    )
    (root / "dataset_description.json").write_text(json.dumps({"Name": "A study"}))
    return root


def test_dataset_loads_with_volumes_of_its_segmentations(dataset: Path) -> None:
    cohort = load_cohort(dataset)
    table = cohort.baseline()
    assert cohort.name == "A study"
    assert table["left_hippocampus_mm3"].to_numpy() == pytest.approx([3200, 3200])
    assert table["diagnosis"].tolist() == ["MCI", "MCI"]
    assert cohort.visits["months_from_baseline"].tolist() == [0, 18, 0, 18]
    assert Path(cohort.visits["image_path"][0]).is_file()


def test_dataset_without_sessions_loads(tmp_path: Path) -> None:
    root = tmp_path / "flat"
    save(root / "sub-01" / "anat" / "sub-01_T1w.nii.gz", make_scan())
    (root / "participants.tsv").write_text("participant_id\tsex\tage\nsub-01\tF\t70\n")
    cohort = load_cohort(root, diagnosis="CN")
    assert cohort.visits["image_path"].notna().all()
    assert cohort.volumes.empty


def test_diagnosis_of_people_that_differs_from_the_baseline_visit_is_refused(
    dataset: Path,
) -> None:
    people = (dataset / "participants.tsv").read_text().replace("MCI", "AD")
    (dataset / "participants.tsv").write_text(people)
    with pytest.raises(CohortError, match="'MCI' at the baseline visit and 'AD' in the table of"):
        load_cohort(dataset)


def test_folder_without_a_row_is_refused(dataset: Path) -> None:
    save(t1w(dataset, "sub-09", "ses-01"), make_scan())
    with pytest.raises(CohortError, match="no row for the folder sub-09"):
        load_cohort(dataset)


def test_visit_without_a_segmentation_that_others_have_is_refused(dataset: Path) -> None:
    dseg(dataset, "sub-02", "ses-02").unlink()
    with pytest.raises(CohortError, match="no segmentation for ses-02; other visits have one"):
        load_cohort(dataset)


def test_two_pipelines_of_segmentations_are_refused(dataset: Path) -> None:
    second = dataset / "derivatives" / "other" / "sub-01" / "ses-01" / "anat"
    save(second / "sub-01_ses-01_dseg.nii.gz", make_labels())
    with pytest.raises(CohortError, match=r"several segmentations .*other.*synthseg"):
        load_cohort(dataset)


def test_person_without_a_folder_is_told(dataset: Path) -> None:
    with (dataset / "participants.tsv").open("a") as file:
        file.write("sub-03\tF\t66\tCN\t1\n")
    with pytest.raises(CohortError, match=r"no T1w image.*sub-03"):
        load_cohort(dataset)


def test_quarantine_leaves_out_the_person_with_the_bad_scan(dataset: Path) -> None:
    save(t1w(dataset, "sub-02", "ses-02"), np.full((24, 24, 24), 7, dtype=np.float32))
    cohort = load_cohort(dataset, quarantine=True)
    assert cohort.participants["participant_id"].tolist() == ["sub-01"]
    assert "every voxel is 7" in cohort.rejected["problem"].str.cat()


def change(data: Array, where: object, value: float) -> Array:
    changed = data.copy()
    changed[where] = value
    return changed


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def flatten(path: Path) -> None:
    """Zero the third row of the header's affine, which nibabel does not write."""
    header_and_data = bytearray(gzip.decompress(path.read_bytes()))
    header_and_data[312:328] = bytes(16)
    path.write_bytes(gzip.compress(header_and_data, 1))


def tilt(factor: float) -> npt.NDArray[np.float64]:
    affine = AFFINE.copy()
    affine[2, 2] *= factor
    return affine


def away() -> npt.NDArray[np.float64]:
    affine = AFFINE.copy()
    affine[0, 3] += 500
    return affine


SCAN, LABELS = make_scan(), make_labels()
BAD_IMAGES: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "missing": (lambda image, _: (image.unlink(), image.symlink_to("gone")), "file is missing"),
    "truncated": (lambda image, _: truncate(image), "cannot be read, it may be truncated"),
    "not gzip": (lambda image, _: image.write_bytes(b"abc"), "cannot be read"),
    "no header": (lambda image, _: image.write_bytes(gzip.compress(b"abc")), "cannot be read"),
    "4-D": (
        lambda image, _: save(image, np.stack([SCAN, SCAN], -1)),
        r"\(24, 24, 24, 2\), such as a time series, a 3-D",
    ),
    "2-D": (lambda image, _: save(image, SCAN[:, :, :1]), r"\(24, 24, 1\), a 3-D image"),
    "constant": (lambda image, _: save(image, SCAN * 0), "every voxel is 0, a scan is expected"),
    "NaN": (lambda image, _: save(image, change(SCAN, 3, np.nan)), "576 voxels that are NaN"),
    "infinite": (lambda image, _: save(image, change(SCAN, (1, 1, 1), np.inf)), "1 voxels that"),
    "singular": (lambda image, _: flatten(image), "the affine is singular"),
    "thick": (lambda image, _: save(image, SCAN, tilt(1.5)), "voxels of 6 mm, at most 4 mm"),
    "elsewhere": (lambda _, labels: save(labels, LABELS, away()), "does not overlap the T1w"),
    "no overlap": (
        lambda image, _: save(image, np.where(LABELS > 0, 0, SCAN + 90)),
        "only 0% of it lies on tissue",
    ),
    "no hippocampus": (
        lambda _, labels: save(labels, np.where(np.isin(LABELS, (17, 53)), 2, LABELS)),
        "no voxel of the left or right hippocampus",
    ),
    "one hippocampus": (
        lambda _, labels: save(labels, np.where(LABELS == 17, 2, LABELS)),
        "no voxel of the left hippocampus",
    ),
    "probabilities": (lambda _, labels: save(labels, LABELS / 60), "whole label codes"),
    "flipped": (
        lambda _, labels: save(labels, LABELS[::-1].copy()),
        "map or its affine is flipped",
    ),
    "labels truncated": (lambda _, labels: truncate(labels), "it may be truncated"),
    "labels constant": (
        lambda _, labels: save(labels, LABELS * 0),
        "no voxel of the left or right",
    ),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_image_gets_its_sentence(name: str, dataset: Path) -> None:
    spoil, words = BAD_IMAGES[name]
    spoil(t1w(dataset, "sub-01", "ses-02"), dseg(dataset, "sub-01", "ses-02"))
    with pytest.raises(CohortValidationError, match=words) as caught:
        load_cohort(dataset)
    assert str(caught.value).startswith("sub-01_ses-02_")
    assert "(participant sub-01)" in str(caught.value)
    assert ".tsv" not in str(caught.value)
    assert "column" not in str(caught.value)


GRIDS: dict[str, tuple[Array, npt.NDArray[np.float64]]] = {
    "finer": (
        np.kron(LABELS, np.ones((2, 2, 2), np.float32)),
        np.array([[2, 0, 0, -49], [0, 2, 0, -49], [0, 0, 2, -49], [0, 0, 0, 1]], dtype=float),
    ),
    "axes in another order": (
        LABELS.transpose(2, 0, 1).copy(),
        AFFINE @ np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], dtype=float),
    ),
    "a fourth axis of length 1": (LABELS[..., None], AFFINE),
    "saved with scale factors": (LABELS * np.float32(1.000002) + np.float32(0.0001), AFFINE),
}


@pytest.mark.parametrize("name", GRIDS)
def test_map_in_the_space_of_the_image_is_measured_on_its_own_grid(
    name: str, dataset: Path
) -> None:
    for session in ("ses-01", "ses-02"):
        save(dseg(dataset, "sub-01", session), *GRIDS[name])
    table = load_cohort(dataset).baseline()
    assert table["left_hippocampus_mm3"].to_numpy() == pytest.approx([3200, 3200])


def test_header_that_says_no_orientation_is_told(dataset: Path) -> None:
    image = nib.Nifti1Image(make_scan(), AFFINE)
    image.header.set_sform(AFFINE, 0)
    image.header.set_qform(AFFINE, 0)
    path = t1w(dataset, "sub-01", "ses-01")
    nib.save(nib.Nifti1Image(make_scan(), None, image.header), path)
    (note,) = [one for one in load_cohort(dataset).notes if "left" in one]
    assert note == f"{path.name}: its header does not say which side is the patient's left."


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        (
            "participants.tsv",
            "participant_id\tsex\tage\tdiagnosis\nsub-01\tF\t70\tMCI\nsub-02\tM\t70\tn/a\n"
            "sub-01\tM\t70\tn/a\n",
            "participants.tsv, row 4, column sex: got 'M', where an earlier row of this person has "
            "'F'",
        ),
        (
            "phenotype/mmse.tsv",
            "participant_id\tMMSE\nsub-01\t29\nsub-02\t28\nsub-01\t12\n",
            "mmse.tsv, row 4, column MMSE: got '12', where an earlier row of this person has '29'",
        ),
    ],
)
def test_rows_of_one_person_that_differ_are_told(
    file: str, text: str, told: str, dataset: Path
) -> None:
    (dataset / "phenotype").mkdir()
    (dataset / file).write_text(text)
    with pytest.raises(CohortError) as caught:
        load_cohort(dataset)
    assert told in str(caught.value)
    (dataset / file).write_text(
        text.replace("\tM\t70\tn/a\nsub-01\tM", "\tM\t70\tn/a\nsub-01\tF").replace("12", "29")
    )
    load_cohort(dataset)


def test_rows_of_one_person_that_write_a_number_otherwise_are_one(dataset: Path) -> None:
    table = dataset / "participants.tsv"
    rows = "sub-01\tF\t70\tMCI\nsub-02\tM\t71\tMCI\nsub-01\tF\t70.0\tMCI\n"
    table.write_text(f"participant_id\tsex\tage\tdiagnosis\n{rows}")
    load_cohort(dataset)
    table.write_text(table.read_text().replace("70.0", "70.5"))
    with pytest.raises(CohortError, match=r"got '70\.5'.*\(--map COLUMN=session_id\), is expected"):
        load_cohort(dataset)


def test_rows_of_one_person_differ_freely_in_what_nothing_reads(dataset: Path) -> None:
    (dataset / "participants.tsv").write_text(
        "participant_id\tsex\tage\tdiagnosis\tscanner\thandedness\n"
        "sub-01\tF\t70\tMCI\tPrisma\tright\nsub-01\tF\t70\tMCI\tSkyra\tright\n"
        "sub-02\tM\t71\tMCI\tPrisma\tleft\n"
    )
    found = load_cohort(dataset)
    (note,) = [one for one in found.notes if "Left out" in one]
    assert note == (
        "Left out, because rows of one person in participants.tsv differ in them: scanner. Where "
        "rows are visits, --map COLUMN=session_id says which column names these."
    )
    people = found.participants.set_index("participant_id")
    assert "scanner" not in people
    assert people["handedness"].to_dict() == {"sub-01": "right", "sub-02": "left"}
    # what the user gives a name of its own is wanted, and must be said once
    with pytest.raises(CohortError, match=r"column scanner: got 'Skyra'"):
        load_cohort(dataset, column_map={"scanner": "device"})


def test_header_that_says_two_orientations_is_told(dataset: Path) -> None:
    image = nib.Nifti1Image(SCAN, AFFINE)
    image.set_sform(AFFINE, 1)
    image.set_qform(np.diag([-1.0, 1, 1, 1]) @ AFFINE, 1)
    nib.save(image, t1w(dataset, "sub-01", "ses-01"))
    notes = load_cohort(dataset).notes
    assert [note for note in notes if "sform and qform disagree" in note]


def test_volumes_of_a_person_come_from_one_tool(dataset: Path) -> None:
    path = dataset / "sub-01" / "sub-01_sessions.tsv"
    path.write_text(
        "session_id\tage\tdiagnosis\tleft_hippocampus\nses-01\t70.0\tMCI\t3000\n"
        "ses-02\t71.5\tAD\tn/a\n"
    )
    volumes = load_cohort(dataset).volumes
    own = volumes[volumes["participant_id"] == "sub-01"]
    assert set(own["source"]) == {"label map (synthseg)"}
    left = own.loc[own["region"] == "left_hippocampus", "volume_mm3"]
    assert left.to_numpy() == pytest.approx([3200, 3200])


CASES = Path(__file__).parents[3] / "shared" / "cases"


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")
@pytest.mark.parametrize("case", ["23-I01-4d-one-volume", "41-I10-label-float-drift"])
def test_reported_label_map_has_its_right_volume(case: str) -> None:
    volumes = compute_volumes(CASES / case / "s.nii.gz").set_index("region")["volume_mm3"]
    assert volumes["hippocampus"] == pytest.approx(7280)


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")
def test_reported_images_are_accepted_told_or_refused() -> None:
    pairs = {
        name: inspect_pair(CASES / name / "t.nii.gz", CASES / name / "s.nii.gz")
        for name in ("27-I06-rgb", "42-I03-sq-disagree")
    }
    assert "colors" in pairs["27-I06-rgb"].image_faults[0]
    assert "disagree" in pairs["42-I03-sq-disagree"].warnings[0]
    one_mm = CASES / "21-B24-synthseg-1mm" / "ds"
    stem = Path("sub-img0001/ses-m00/anat/sub-img0001_ses-m00")
    found = inspect_pair(
        one_mm / f"{stem}_T1w.nii.gz",
        one_mm / "derivatives/trialsim-synthetic" / f"{stem}_dseg.nii.gz",
    )
    assert not found.image_faults
    assert not found.segmentation_faults
    assert found.volumes_mm3["hippocampus"] > 0


def test_table_with_image_paths_reads_them_beside_it(dataset: Path) -> None:
    path = dataset / "people.csv"
    pd.DataFrame(
        {
            "subject_id": ["sub-01"],
            "image_uid": ["I1"],
            "age": [0.7],
            "sex": [1],
            "diagnosis": [0.5],
            "image_path": ["sub-01/ses-01/anat/sub-01_ses-01_T1w.nii.gz"],
            "segm_path": ["derivatives/synthseg/sub-01/ses-01/anat/sub-01_ses-01_dseg.nii.gz"],
        }
    ).to_csv(path, index=False)
    cohort = load_cohort(path, sex_coding="0=M,1=F")
    assert cohort.participants.loc[0, ["sex", "age_years", "diagnosis"]].tolist() == [
        "F",
        70,
        "MCI",
    ]
    assert (cohort.volumes["region"] == "left_hippocampus").sum() == 1
