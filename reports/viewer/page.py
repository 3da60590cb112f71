"""A page with one person's baseline and predicted scans, which needs nothing but itself."""

import base64
import gzip
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

import nibabel as nib
import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cohorts.images import VolumeImage
from reports.errors import ReportError

NIIVUE_SHA256: Final = "47b896b77ec4a5be3ef1949c33ad393b6f45629921f326c279000bcf51bdb4af"
"""Of the vendored NiiVue, so that no other code is ever put into a page."""

SHOWN: Final = ("baseline", "predicted", "difference", "uncertainty")
_SMOOTHING_VOXELS: Final = 0.85
"""Standard deviation; 4 mm full width at half maximum in voxels of 2 mm."""


@dataclass(frozen=True)
class Layer:
    """One image of a person.

    Attributes
    ----------
    kind
        Of `SHOWN`.
    horizon_months
        Of the prediction; 0 for the baseline.
    image
        Its voxels.
    """

    kind: str
    horizon_months: float
    image: VolumeImage


def render_viewer(
    person: str, layers: list[Layer], course: pd.DataFrame, *, is_synthetic: bool
) -> str:
    """Return the page; it makes no request to anywhere.

    Parameters
    ----------
    person
        Who it is, as shown.
    layers
        The baseline and, a horizon, the prediction with its difference and uncertainty, on one
        grid.
    course
        Columns `region`, `horizon_months`, `volume_mm3`, `volume_sd_mm3`, `baseline_volume_mm3` of
        one region.
    is_synthetic
        Whether the person is simulated.

    Raises
    ------
    ReportError
        Where there is no baseline, images differ in their grid, or the vendored viewer was altered.
    """
    grids = {(one.image.voxels.shape, one.image.affine.tobytes()) for one in layers}
    if "baseline" not in {one.kind for one in layers} or len(grids) > 1:
        raise ReportError(f"{person} has no scans on one grid: predict with images saved.")
    reach = {kind: _find_reach(layers, kind) for kind in SHOWN}
    images = [
        {
            "kind": one.kind,
            "months": one.horizon_months,
            "reach": reach[one.kind],
            "data": _encode(one, reach[one.kind]),
        }
        for one in layers
    ]
    horizons = sorted({one.horizon_months for one in layers if one.kind != "baseline"})
    scripts = [_read_niivue(), _fill(images, horizons), _read("viewer.js")]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    return (
        _environment()
        .get_template("viewer.html.j2")
        .render(
            person=person,
            is_synthetic=is_synthetic,
            horizons=horizons,
            course=course.sort_values("horizon_months").to_dict("records"),
            # text of this package, numbers, and base64
            scripts=[Markup(text) for text in scripts],  # noqa: S704
            hashes=hashes,
            style=Markup(_read("viewer.css")),  # noqa: S704
        )
    )


def _find_reach(layers: list[Layer], kind: str) -> float:
    """Return the largest value of a kind that is worth a color, one for all horizons."""
    values = [np.abs(_smooth(one)) for one in layers if one.kind == kind]
    high = max((float(np.percentile(value[value > 0], 99.5)) for value in values
                if (value > 0).any()), default=1.0)  # fmt: skip
    return high or 1.0


def _smooth(layer: Layer) -> NDArray[np.float64]:
    voxels = np.nan_to_num(np.asarray(layer.image.voxels, dtype=np.float64))
    if layer.kind in ("difference", "uncertainty"):
        return np.asarray(gaussian_filter(voxels, _SMOOTHING_VOXELS))
    return voxels


def _encode(layer: Layer, reach: float) -> str:
    """Return the image as a compressed NIfTI of 8 bits in base64, its header made anew."""
    steps = 127.0
    voxels = np.clip(np.round(_smooth(layer) / reach * steps), -steps, steps).astype(np.int8)
    nifti: Any = nib
    image = nifti.Nifti1Image(voxels, layer.image.affine)
    image.header.set_slope_inter(reach / steps, 0.0)
    content = io.BytesIO()
    image.to_file_map({"image": nifti.FileHolder(fileobj=content)})
    return base64.b64encode(gzip.compress(content.getvalue(), mtime=0)).decode()


def _fill(images: list[dict[str, Any]], horizons: list[float]) -> str:
    # `<` cannot end the script early
    data = json.dumps({"images": images, "horizons": horizons}).replace("<", "\\u003c")
    return f"const trialsim = {data};"


@cache
def _read_niivue() -> str:
    text = _read("niivue.umd.js")
    if hashlib.sha256(text.encode()).hexdigest() != NIIVUE_SHA256:
        raise ReportError("The vendored NiiVue was altered: install trialsim again.")
    return text


def _read(name: str) -> str:
    return files("reports.viewer").joinpath(name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("reports", "viewer"), autoescape=True, undefined=StrictUndefined
    )


def collect_layers(paths: Mapping[tuple[str, float], VolumeImage]) -> list[Layer]:
    """Return the layers of images by kind and horizon; the decoded baseline stands for the scan.

    The difference is that of the prediction and the decoded baseline, so that what the autoencoder
    alone changes is not taken for change over time.
    """
    start = next((image for (kind, _), image in paths.items() if kind == "reconstructed"), None)
    if start is None:
        return []
    layers = [Layer("baseline", 0.0, start)]
    for (kind, months), image in paths.items():
        if kind == "predicted":
            change = np.asarray(image.voxels, float) - np.asarray(start.voxels, float)
            layers += [
                Layer("predicted", months, image),
                Layer("difference", months, VolumeImage(change, image.affine)),
            ]
        elif kind == "uncertainty":
            layers.append(Layer(kind, months, image))
    return layers
