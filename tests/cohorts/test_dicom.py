"""A DICOM series becomes a scan of a BIDS dataset, or a sentence with the command to run."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from typer.testing import CliRunner

from cohorts.errors import CohortError
from cohorts.sources.dicom import convert_dicom
from trialsim.cli.app import app

VOXELS = np.arange(4 * 8 * 6, dtype=np.uint16).reshape(4, 8, 6)


def write_series(folder: Path, description: str) -> Path:
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
