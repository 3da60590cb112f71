"""What DICOM files say of the person, kept in the tables of a BIDS dataset."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from cohorts.files.atomic import write_file
from cohorts.files.bids_output import BIDS_VERSION, find_version, write_json
from cohorts.sources.tables.text import read_text_table

_ABSENT: Final = "n/a"
_SCANNED: Final = {
    "MagneticFieldStrength": "field_strength",
    "Manufacturer": "manufacturer",
    "ManufacturersModelName": "scanner_model",
}
"""The sidecar's words, and the columns of a visit that they become."""

_OF_PEOPLE: Final = {
    "age": {"Description": "age at the first visit that was converted", "Units": "years"},
    "sex": {"Levels": {"F": "female", "M": "male"}},
    "diagnosis": {"Description": "diagnosis at baseline: CN, MCI or AD"},
}
_OF_VISITS: Final = {
    "age": {"Description": "age at the visit", "Units": "years"},
    "field_strength": {"Description": "field strength of the scanner", "Units": "T"},
    "manufacturer": {"Description": "manufacturer of the scanner"},
    "scanner_model": {"Description": "the manufacturer's name of the scanner's model"},
}
_README: Final = """\
T1w scans that `trialsim cohort from-dicom` converted from DICOM series by dcm2niix, without names
and dates. `participants.tsv` holds people, `sub-*/sub-*_sessions.tsv` their visits. The diagnosis
is for you to fill in.
"""


def read_person(source: Path, program: str) -> dict[str, str]:
    """Return age (years) and sex as the files of a visit state them.

    They are read from a sidecar that holds names, too, in a folder that is removed at once.

    Parameters
    ----------
    source
        A folder of DICOM files.
    program
        dcm2niix.

    Returns
    -------
    dict
        `age` and `sex`, "n/a" where the files do not say.
    """
    options = ["-b", "o", "-ba", "n", "-f", "series-%s"]
    with tempfile.TemporaryDirectory() as folder:
        command = [program, *options, "-o", folder, str(source)]
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        texts = [path.read_text("utf-8", "replace") for path in Path(folder).glob("*.json")]
    said = {key: value for text in texts for key, value in json.loads(text).items()}
    sex = str(said.get("PatientSex", ""))
    return {"age": _find_age(said), "sex": sex if sex in ("F", "M") else _ABSENT}


def record_visit(
    bids: Path, person: str, session: str, known: Mapping[str, str], sidecar: Mapping[str, Any]
) -> None:
    """Add a visit to `participants.tsv` and the person's `sessions.tsv`; keep what is there.

    Parameters
    ----------
    bids
        The dataset.
    person, session
        With `sub-` and `ses-`.
    known
        From `read_person`.
    sidecar
        Of the scan, without names.
    """
    first = {"participant_id": person, **known, "diagnosis": _ABSENT}
    _add_row(bids / "participants.tsv", first)
    scanned = {column: str(sidecar.get(word, _ABSENT)) for word, column in _SCANNED.items()}
    visit = {"session_id": session, "age": known["age"], **scanned}
    _add_row(bids / person / f"{person}_sessions.tsv", visit)


def describe_converted(bids: Path, sidecar: Mapping[str, Any]) -> None:
    """Write what a BIDS dataset says of itself, where it does not yet.

    Parameters
    ----------
    bids
        The dataset.
    sidecar
        Of a scan, which names the program that converted it.
    """
    converted = {
        "Name": sidecar.get("ConversionSoftware", "dcm2niix"),
        "Version": sidecar.get("ConversionSoftwareVersion", "unknown"),
    }
    description = {
        "Name": bids.absolute().name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [converted, {"Name": "trialsim", "Version": find_version()}],
    }
    said: dict[str, Mapping[str, Any]] = {
        "dataset_description.json": description,
        "participants.json": _OF_PEOPLE,
        "sessions.json": _OF_VISITS,
    }
    for name, content in said.items():
        if not (bids / name).exists():
            write_json(bids / name, content)
    if not any(bids.glob("README*")):
        write_file(bids / "README", _README.encode())


def _find_age(said: Mapping[str, Any]) -> str:
    days = [str(said.get(key, ""))[:10] for key in ("PatientBirthDate", "AcquisitionDateTime")]
    try:
        born, scanned = map(date.fromisoformat, days)
    except ValueError:
        return str(said.get("PatientAge", _ABSENT))
    return f"{(scanned - born).days / 365.25:.2f}"


def _add_row(path: Path, row: Mapping[str, str]) -> None:
    """Add a row to a table, unless its first column is there already."""
    columns = list(row)
    rows: list[Mapping[str, str]] = []
    if path.is_file():
        table = read_text_table(path)
        columns = [*table.columns, *(name for name in row if name not in table)]
        cells = table.fillna("").astype("str").to_dict("records")
        rows = [{str(name): value for name, value in one.items()} for one in cells]
    key = next(iter(row))
    if any(one.get(key) == row[key] for one in rows):
        return
    lines = [columns, *([one.get(name) or _ABSENT for name in columns] for one in [*rows, row])]
    # no cell holds a tab, and a quote is a letter in a TSV of BIDS
    write_file(path, "".join("\t".join(cells) + "\n" for cells in lines).encode())
