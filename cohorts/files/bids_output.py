"""What every BIDS dataset that we write has in common: its description, its images, its labels."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from cohorts.files.atomic import write_file

BIDS_VERSION: Final = "1.10.0"

SCANNER: Final = 1
"""NIfTI's code of a space: the scanner's."""

ALIGNED: Final = 2
"""NIfTI's code of a space: that of another image."""

DESCRIP_BYTES: Final = 79
"""How much a NIfTI header's `descrip` holds."""


def describe_dataset(
    name: str,
    *,
    kind: Literal["raw", "derivative"],
    description: str,
    is_synthetic: bool,
    made_with: Mapping[str, Any],
    sources: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """Return the content of a `dataset_description.json`.

    Parameters
    ----------
    name
        Of the dataset; people read it.
    kind
        Whether it holds scans, or what was made of scans.
    description
        The command, or what made it.
    is_synthetic
        Whether any person is simulated.
    made_with
        Further keys of `GeneratedBy`.
    sources
        Entries of `SourceDatasets`.
    """
    generated = {"Name": "trialsim", "Version": find_version(), "Description": description}
    return {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": kind,
        "License": "CC0" if is_synthetic else "as of the source datasets",
        "Authors": ["trialsim"],
        "IsSynthetic": is_synthetic,
        "Keywords": ["synthetic"] if is_synthetic else ["predicted"],
        "GeneratedBy": [{**generated, **made_with}],
        "SourceDatasets": [dict(source) for source in sources],
    }


def find_version() -> str:
    """Return the version of this package."""
    try:
        return version("trialsim")
    except PackageNotFoundError:
        return "unknown"


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    """Write `content` as JSON; the old file stays until the end."""
    return write_file(path, (json.dumps(content, indent=2) + "\n").encode())


def make_image(
    data: npt.NDArray[Any], affine: npt.NDArray[np.float64], *, descrip: str, space: int
) -> Any:
    """Return a NIfTI image in millimeters whose sform and qform agree.

    Parameters
    ----------
    data
        (x, y, z).
    affine
        (4, 4), voxel indices to mm.
    descrip
        What the header says that the image is; 79 bytes of it are kept.
    space
        `SCANNER` or `ALIGNED`. Axes that are not at right angles, which a qform cannot hold, are
        in the sform alone.
    """
    import nibabel as nib

    image: Any = nib.Nifti1Image(data, affine)  # type: ignore[no-untyped-call]
    image.header["descrip"] = descrip.encode("ascii", "replace")[:DESCRIP_BYTES]
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(affine, code=space)
    image.set_qform(affine, code=space)
    if not np.allclose(image.get_qform(), affine, atol=1e-3):
        image.set_qform(None, code=0)
    return image


def format_label(text: str) -> str:
    """Return a name as a BIDS label, letters and digits; the names of two people stay two.

    Examples
    --------
    >>> format_label("sub-01"), format_label("ses-M006")
    ('01', 'M006')
    >>> format_label("002_S_0295")
    '002S0295xdc27c8'
    """
    plain = re.sub(r"^(sub|ses)-", "", text)
    letters = re.sub(r"[^0-9A-Za-z]", "", plain)
    if letters == plain and letters:
        return letters
    return f"{letters}x{hashlib.sha256(text.encode()).hexdigest()[:6]}"
