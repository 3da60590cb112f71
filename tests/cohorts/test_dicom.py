"""A DICOM series becomes a scan of a BIDS dataset, or a sentence with the command to run."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from typer.testing import CliRunner

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from cohorts.sources.scans.dicom import convert_dicom
from trialsim.cli.app import app

VOXELS = np.arange(4 * 8 * 6, dtype=np.uint16).reshape(4, 8, 6)


def write_series(folder: Path, description: str, age: str = "071Y") -> Path:
    folder.mkdir()
    study, series = generate_uid(), generate_uid()
    for i, pixels in enumerate(VOXELS):
        meta = pydicom.dataset.FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made = pydicom.dataset.FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        made.SOPClassUID, made.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        made.StudyInstanceUID, made.SeriesInstanceUID = study, series
        made.Modality, made.Manufacturer, made.SeriesNumber = "MR", "SIEMENS", 2
        made.SeriesDescription = made.ProtocolName = description
        made.PatientName, made.PatientID = "Doe^Jane", "secret"
        made.PatientAge, made.PatientSex, made.MagneticFieldStrength = age, "F", "3"
        made.InstanceNumber, made.StudyDate, made.StudyTime = i + 1, "20200101", "120000"
        made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        made.ImagePositionPatient = [0, 0, 1.2 * i]
        made.PixelSpacing, made.SliceThickness = [1, 1], 1.2
        made.Rows, made.Columns = pixels.shape
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
        made.PixelData = pixels.tobytes()
        made.save_as(folder / f"{i}.dcm", enforce_file_format=True)
    return folder


def test_a_t1w_series_becomes_the_scan_of_a_visit(tmp_path: Path) -> None:
    source = write_series(tmp_path / "dicom", "T1_MPRAGE_sag")
    (path,) = convert_dicom(source, tmp_path / "bids", participant="01", session="M00")
    assert path == tmp_path / "bids/sub-01/ses-M00/anat/sub-01_ses-M00_T1w.nii.gz"
    image = nib.load(path)
    assert sorted(image.get_fdata().ravel()) == list(range(VOXELS.size))
    np.testing.assert_allclose(image.header.get_zooms(), (1, 1, 1.2), atol=1e-5)
    assert "Jane" not in path.with_name("sub-01_ses-M00_T1w.json").read_text()


def test_person_and_visits_are_in_the_tables_and_what_is_there_is_kept(tmp_path: Path) -> None:
    bids = tmp_path / "bids"
    bids.mkdir()
    (bids / "participants.tsv").write_text('participant_id\tage\tsex\tnote\nsub-00\t70\tM\t5"\n')
    for session, age in (("M00", "071Y"), ("M24", "073Y")):
        source = write_series(tmp_path / session, "T1_MPRAGE_sag", age)
        convert_dicom(source, bids, participant="01", session=session)
    assert (bids / "participants.tsv").read_text().splitlines() == [
        "participant_id\tage\tsex\tnote\tdiagnosis",
        'sub-00\t70\tM\t5"\tn/a',
        "sub-01\t71\tF\tn/a\tn/a",
    ]
    visits = (bids / "sub-01" / "sub-01_sessions.tsv").read_text().splitlines()
    assert visits[0] == "session_id\tage\tfield_strength\tmanufacturer\tscanner_model"
    assert [line.split("\t")[:3] for line in visits[1:]] == [
        ["ses-M00", "71", "3"],
        ["ses-M24", "73", "3"],
    ]
    assert "Jane" not in "".join(path.read_text() for path in bids.rglob("*.tsv"))


def test_a_converted_dataset_can_be_read(tmp_path: Path) -> None:
    for session, age in (("M00", "071Y"), ("M24", "073Y")):
        source = write_series(tmp_path / session, "T1_MPRAGE_sag", age)
        convert_dicom(source, tmp_path / "bids", participant="01", session=session)
    cohort = load_cohort(tmp_path / "bids", diagnosis="CN")
    assert cohort.participants[["age_years", "sex"]].to_numpy().tolist() == [[71.0, "F"]]
    assert cohort.visits["months_from_baseline"].tolist() == [0.0, 24.0]
    assert cohort.participants["field_strength"].tolist() == [3.0]


def test_a_converted_dataset_is_one_for_the_official_validator(
    tmp_path: Path, find_bids_issues: Callable[[Path], set[tuple[str, str, str]]]
) -> None:
    source = write_series(tmp_path / "dicom", "T1_MPRAGE_sag")
    convert_dicom(source, tmp_path / "bids", participant="01", session="M00")
    found = find_bids_issues(tmp_path / "bids")
    assert [issue for issue in found if issue[0] == "error"] == []
    # what is left is what these files do not say of their scanner, and who the authors are
    recommended = {"SIDECAR_KEY_RECOMMENDED", "JSON_KEY_RECOMMENDED"}
    assert {code for _, code, _ in found} <= {*recommended, "NO_AUTHORS", "TOO_FEW_AUTHORS"}
    (tmp_path / "bids" / "dataset_description.json").write_text("{}")
    convert_dicom(source, tmp_path / "bids", participant="01", session="M12")
    assert (tmp_path / "bids" / "dataset_description.json").read_text() == "{}"


def test_another_series_is_named_with_the_command_to_run(tmp_path: Path) -> None:
    source = write_series(tmp_path / "dicom", "ep2d_bold")
    with pytest.raises(CohortError, match=r"ep2d_bold.*dcm2niix -b y .*sub-01_ses-1_T1w\.nii\.gz"):
        convert_dicom(source, tmp_path / "bids", participant="sub-01", session="1")
    assert not (tmp_path / "bids").exists()


def test_the_command_prints_where_the_scan_is(tmp_path: Path) -> None:
    source = write_series(tmp_path / "dicom", "T1_MPRAGE_sag")
    words = ["cohort", "from-dicom", str(source), str(tmp_path / "bids"), "--participant", "01"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert Path(done.stdout.strip()).name == "sub-01_ses-M000_T1w.nii.gz"


def test_a_folder_without_dicom_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="dcm2niix found no series"):
        convert_dicom(tmp_path, tmp_path / "bids", participant="1", session="1")
