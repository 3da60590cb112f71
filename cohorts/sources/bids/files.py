"""Files of a BIDS dataset by their entities: which image a visit has, which label map is of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cohorts.errors import CohortError

IMAGE_ENDINGS: Final = (".nii.gz", ".nii", ".mgz")

NATIVE_SPACES: Final = frozenset({"T1w", "orig", "native", "scanner", "individual"})
"""Values of `space` that mean the space of the visit's own T1w image; so does none."""

_IMAGE_ENTITIES: Final = ("acq", "ce", "rec", "dir", "run", "echo", "flip", "inv", "part", "chunk")
"""Entities that tell images of one visit apart; a map made from one carries them on."""

_LONG_NAMES: Final = {
    "subject": "sub",
    "session": "ses",
    "acquisition": "acq",
    "ceagent": "ce",
    "reconstruction": "rec",
    "direction": "dir",
    "description": "desc",
    "resolution": "res",
    "density": "den",
    "label": "label",
}

Filter = Mapping[str, str | int | Sequence[str | int] | None]
"""Entity -> the value that a file must have, one of several, or None for no such entity."""


@dataclass(frozen=True)
class BidsFile:
    """A file and what its name says.

    Parameters
    ----------
    path
        Where it is.
    entities
        `sub`, `ses`, `acq`, `run`, `desc` ... and their values, numbers without leading zeros.
    suffix
        `T1w`, `dseg`.
    """

    path: Path
    entities: dict[str, str]
    suffix: str

    @property
    def is_native(self) -> bool:
        """Whether the file is in the space of the visit's T1w image."""
        return self.entities.get("space") in (None, *NATIVE_SPACES)

    def meets(self, wanted: Filter) -> bool:
        """Return whether the file has the entities that a filter asks for."""
        return all(
            self._has(_LONG_NAMES.get(entity, entity), value)
            for entity, value in wanted.items()
            if entity not in ("datatype", "suffix", "extension")
        )

    def _has(self, entity: str, value: str | int | Sequence[str | int] | None) -> bool:
        own = self.entities.get(entity)
        if value is None:
            return own is None
        values = [value] if isinstance(value, str | int) else value
        return own in {_plain(str(one)) for one in values}

    def get_image_entities(self) -> dict[str, str]:
        """Return the entities that say which image of the visit it is, or was made from."""
        return {name: self.entities[name] for name in _IMAGE_ENTITIES if name in self.entities}

    def get_other_entities(self) -> dict[str, str]:
        """Return the entities that say of whom and of which visit it is, and in which space."""
        own = self.entities.items()
        return {name: value for name, value in own if name not in _IMAGE_ENTITIES}


@dataclass
class Pair:
    """The image and the label map of one visit.

    Parameters
    ----------
    image, segmentation
        None where there is none.
    problem
        Why no pair can be told.
    note
        What was chosen where there was a choice.
    """

    image: Path | None = None
    segmentation: Path | None = None
    problem: str | None = None
    note: str | None = field(default=None)


def list_images(folder: Path, suffix: str, wanted: Filter | None = None) -> list[BidsFile]:
    """Return the images in `folder` with a suffix, in order; hidden files (`._x`) are none."""
    files = [
        parse_name(path)
        for path in sorted(folder.glob("*"))
        if not path.name.startswith(".") and path.name.endswith(IMAGE_ENDINGS)
    ]
    return [file for file in files if file.suffix == suffix and file.meets(wanted or {})]


def parse_name(path: Path) -> BidsFile:
    """Return what the name of a file says.

    Examples
    --------
    >>> parse_name(Path("sub-01_run-02_desc-aseg_dseg.nii.gz")).entities
    {'sub': '01', 'run': '2', 'desc': 'aseg'}
    """
    *parts, suffix = path.name.split(".")[0].split("_")
    named = [part.partition("-") for part in parts]
    entities = {name: _plain(value) if name == "run" else value for name, _, value in named}
    return BidsFile(path, entities, suffix)


def find_contrast(image: Path, suffix: str) -> Path:
    """Return the image of another contrast that was acquired at the visit of an image.

    It lies in the same folder. Of several, the one is meant whose name differs in the suffix alone;
    an only one may also differ in how it was acquired (`acq`, `run` and the like).

    Parameters
    ----------
    image
        `sub-01_ses-1_T1w.nii.gz`.
    suffix
        `FLAIR`.

    Raises
    ------
    CohortError
        Where there is none, or several that may be meant.
    """
    own = parse_name(image)
    files = [
        file
        for file in list_images(image.parent, suffix)
        if file.get_other_entities() == own.get_other_entities()
    ]
    found = [file for file in files if file.entities == own.entities] or files
    if len(found) != 1:
        names = f"several ({', '.join(file.path.name for file in found)})" if found else "none"
        raise CohortError(
            f"{image.name}: one {suffix} image of the same visit is expected beside it, "
            f"named alike but for the suffix; got {names}."
        )
    return found[0].path


def pair_files(images: Sequence[BidsFile], maps: Sequence[BidsFile]) -> Pair:
    """Return the image of a visit with the label map that was made from it.

    Parameters
    ----------
    images
        The T1w images of the visit.
    maps
        Its label maps in native space, of one pipeline.
    """
    images = [image for image in images if image.entities.get("part", "mag") == "mag"]
    if not maps:
        return Pair(images[0].path if images else None, None, note=_note_choice(images, 0))
    matched = [
        (i, labels)
        for i, image in enumerate(images)
        for labels in maps
        if labels.get_image_entities() == image.get_image_entities()
    ]
    if not matched and len(images) <= 1:
        # One image: a map may leave out what only told images apart, never say something else.
        matched = [(0, labels) for labels in maps if _may_be_of(labels, images)]
    if not matched:
        names = ", ".join(labels.path.name for labels in maps)
        return Pair(
            images[0].path if images else None,
            problem=f"no T1w image goes with the segmentation {names}: run, acq and the like must "
            f"be the same; got {', '.join(image.path.name for image in images) or 'no image'}",
        )
    chosen = matched[0][0]
    of_chosen = [labels for i, labels in matched if i == chosen]
    if len(of_chosen) > 1:
        names = ", ".join(labels.path.name for labels in of_chosen)
        return Pair(
            problem=f"several segmentations ({names}); one is expected, --bids-filter-file chooses"
        )
    image = images[chosen].path if images else None
    return Pair(image, of_chosen[0].path, note=_note_choice(images, chosen))


def choose_structures(maps: Sequence[BidsFile]) -> list[BidsFile]:
    """Return the maps with structures, where a pipeline also writes tissues or parcels.

    fMRIPrep's plain `_dseg` holds tissue classes, its `desc-aparcaseg` parcels of the cortex.
    """
    structures = [labels for labels in maps if labels.entities.get("desc") == "aseg"]
    return structures or [
        labels for labels in maps if not labels.entities.get("desc", "").startswith("aparc")
    ]


def _may_be_of(labels: BidsFile, images: Sequence[BidsFile]) -> bool:
    own = labels.get_image_entities()
    return not images or own.items() <= images[0].get_image_entities().items()


def _note_choice(images: Sequence[BidsFile], chosen: int) -> str | None:
    if len(images) < 2:
        return None
    return f"has {len(images)} T1w images; {images[chosen].path.name} was read."


def _plain(value: str) -> str:
    return str(int(value)) if value.isdecimal() else value
