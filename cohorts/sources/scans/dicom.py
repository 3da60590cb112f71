"""DICOM series to a BIDS dataset, by dcm2niix (the extra `dicom`)."""

import json
import re
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from cohorts.errors import CohortError
from cohorts.files.atomic import write_file
from cohorts.files.bids_output import format_label
from cohorts.sources.scans.dicom_people import describe_converted, read_person, record_visit

_T1W: Final = re.compile(r"t1|mp-?rage|spgr|bravo|tfl|vibe", re.IGNORECASE)
_OTHER: Final = re.compile(r"localizer|scout|t1rho|map|flair|post|gad", re.IGNORECASE)


def convert_dicom(source: Path, bids: Path, *, participant: str, session: str) -> list[Path]:
    """Convert a visit's DICOM files, and keep its T1w scans in a BIDS dataset.

    `participants.tsv` gets the person (age, sex; the diagnosis is left open), and the person's
    `sessions.tsv` the visit, with field strength and scanner, unless they are there already; a
    dataset that does not describe itself yet is described.

    Parameters
    ----------
    source
        A folder of DICOM files, in any order and depth.
    bids
        The dataset; made when absent.
    participant, session
        Whose visit, and which, with or without `sub-` and `ses-`.

    Returns
    -------
    list of pathlib.Path
        The scans, one a T1w series.

    Raises
    ------
    CohortError
        Where the folder holds no DICOM series, or none that its description calls T1-weighted.
    ModuleNotFoundError
        Where dcm2niix is not installed.
    """
    import dcm2niix

    if not source.is_dir():
        raise CohortError(f"{source} is no folder of DICOM files.")
    prefix = f"sub-{format_label(participant)}_ses-{format_label(session)}"
    with tempfile.TemporaryDirectory() as folder:
        command = build_command(source, Path(folder), program=str(dcm2niix.bin))
        # every word is an argument of its own, no shell reads them
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        series = {path: _read_sidecar(path) for path in sorted(Path(folder).glob("*.json"))}
        if not series:
            told = (done.stdout + done.stderr).strip().splitlines()
            raise CohortError(
                f"dcm2niix found no series in {source} ({told[-1] if told else 'no message'}); the "
                f"command was {shlex.join(command)}."
            )
        found = [path for path, said in series.items() if _is_t1w(said)]
        if not found:
            names = ", ".join(sorted({_name_series(said) for said in series.values()}))
            raise CohortError(
                f"None of the series in {source} is called T1-weighted ({names}): convert it with "
                f"{shlex.join(build_command(source, bids))} and name the scan "
                f"{prefix}_T1w.nii.gz."
            )
        person, visit = prefix.split("_")
        record_visit(bids, person, visit, read_person(source, str(dcm2niix.bin)), series[found[0]])
        describe_converted(bids, series[found[0]])
        return [
            _keep(path, bids / person / visit / "anat", prefix, run, len(found))
            for run, path in enumerate(found, start=1)
        ]


def build_command(source: Path, out: Path, *, program: str = "dcm2niix") -> list[str]:
    """Return the command that converts a folder of DICOM files, without names and dates.

    Examples
    --------
    >>> " ".join(build_command(Path("dicom"), Path("out")))
    'dcm2niix -b y -ba y -z y -f series-%s -o out dicom'
    """
    options = ["-b", "y", "-ba", "y", "-z", "y", "-f", "series-%s"]
    return [program, *options, "-o", str(out), str(source)]


def _keep(sidecar: Path, anat: Path, prefix: str, run: int, n_runs: int) -> Path:
    stem = f"{prefix}_run-{run}_T1w" if n_runs > 1 else f"{prefix}_T1w"
    image = sidecar.with_suffix(".nii.gz")
    write_file(anat / f"{stem}.json", sidecar.read_bytes())
    return write_file(anat / f"{stem}.nii.gz", image.read_bytes())


def _read_sidecar(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8", errors="replace")))


def _name_series(said: dict[str, Any]) -> str:
    return str(said.get("SeriesDescription") or said.get("ProtocolName") or "without a name")


def _is_t1w(said: dict[str, Any]) -> bool:
    name = f"{said.get('SeriesDescription', '')} {said.get('ProtocolName', '')}"
    return bool(_T1W.search(name)) and not _OTHER.search(name)
