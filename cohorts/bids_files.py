"""Where a BIDS dataset keeps the files of one visit."""

from pathlib import Path

_IMAGE_ENDINGS = ("_T1w.nii.gz", "_T1w.nii", "_T1w.mgz")
_MAP_ENDINGS = ("_dseg.nii.gz", "_dseg.nii", "_dseg.mgz")


def list_sessions(root: Path, person: str) -> list[str]:
    """Return the names of a person's session folders, in order."""
    return sorted(path.name for path in (root / person).glob("ses-*/"))


def find_t1w(root: Path, person: str, session: str | None) -> list[Path]:
    """Return the T1w images of a visit; the first is the one to use."""
    return _list_files(_visit_folder(root, person, session) / "anat", _IMAGE_ENDINGS)


def find_segmentation(root: Path, person: str, session: str | None) -> list[Path]:
    """Return the label maps of a visit in the space of its T1w image, over all pipelines.

    Where a pipeline also writes tissue classes (fMRIPrep's plain `_dseg`), its `desc-aseg` is
    the one with structures.
    """
    found = [
        path
        for pipeline in sorted((root / "derivatives").glob("*/"))
        for path in _list_files(_visit_folder(pipeline, person, session) / "anat", _MAP_ENDINGS)
    ]
    found += _list_files(
        _visit_folder(root / "derivatives", person, session) / "anat", _MAP_ENDINGS
    )
    native = [path for path in found if "_space-" not in path.name or "_space-T1w" in path.name]
    structures = [path for path in native if "_desc-aseg_" in path.name]
    return structures or [path for path in native if "_desc-aparc" not in path.name]


def find_aseg_stats(root: Path, person: str, session: str | None) -> Path | None:
    """Return FreeSurfer's volumes of a visit, if there are any."""
    subject = person if session is None else f"{person}_{session}"
    places = [
        pipeline / name / "stats" / "aseg.stats"
        for pipeline in sorted((root / "derivatives").glob("*/"))
        for name in (subject, f"{subject}.long.{person}")
    ]
    return next((path for path in places if path.is_file()), None)


def _visit_folder(root: Path, person: str, session: str | None) -> Path:
    return root / person / session if session else root / person


def _list_files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.name.endswith(endings))
