"""Scans of one person: baseline, prediction, difference and uncertainty, through the hippocampi."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import nibabel as nib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from reports.errors import ReportError
from reports.figures.labels import label_text
from reports.figures.style import INK, ORANGE, SKY, new_figure, shared_style

_ROW_INCHES: Final = 1.55
_HIPPOCAMPUS_MM: Final = (27.0, -21.0, -15.0)
"""The middle of the right hippocampus in MNI152; a coronal and an axial cut show both."""

_AROUND_MM: Final = ((-58.0, 58.0), (-66.0, 26.0), (-52.0, 26.0))
_MARGIN_MM: Final = 14.0
_HALF: Final = 0.5
_SMOOTHING_MM: Final = 4.0
_SD_OF_FWHM: Final = 2.3548
_PLANES: Final = (("Sagittal", 0), ("Coronal", 1), ("Axial", 2))


class ScanScale(NamedTuple):
    """The ends of the color scales, one for all people of a page, in the unit of the scans."""

    intensity: float
    difference: float
    uncertainty: float


class Hippocampi(NamedTuple):
    """The share of each voxel that the hippocampi fill, on the grid of the scans."""

    before: nib.Nifti1Image
    after: nib.Nifti1Image


class _Row(NamedTuple):
    name: str
    values: NDArray[np.float64]
    colors: str
    low: float
    high: float
    is_whole: bool = False
    is_smooth: bool = False
    outlines: tuple[str, ...] = ()


class _Cuts(NamedTuple):
    """Where planes are cut, and what part of each a zoom shows; world millimeters by axis."""

    at: tuple[float, ...]
    around: tuple[tuple[float, float], ...]


class _Look(NamedTuple):
    words: str
    color: str
    line: str


_OUTLINES: Final = {
    "before": _Look("Hippocampus at baseline", SKY, "-"),
    "after": _Look("Hippocampus as predicted", ORANGE, "-"),
}


def measure_scale(
    baseline: nib.Nifti1Image, predicted: nib.Nifti1Image, uncertainty: nib.Nifti1Image | None
) -> ScanScale:
    """Return the scale that one person's images need; the largest of several fits all of them.

    Raises
    ------
    ReportError
        If the images are not on one grid.
    """
    _require_one_grid(baseline, predicted, uncertainty)
    before, after = _values(baseline), _values(predicted)
    spread = 1.0 if uncertainty is None else _reach(_smooth(uncertainty))
    return ScanScale(_reach(before), _reach(_smooth(predicted, after - before)), spread)


def plot_scan_panel(
    baseline: nib.Nifti1Image,
    predicted: nib.Nifti1Image,
    uncertainty: nib.Nifti1Image | None = None,
    *,
    scan: nib.Nifti1Image | None = None,
    hippocampi: Hippocampi | None = None,
    scale: ScanScale | None = None,
    title: str = "",
) -> Figure:
    """Return three planes through the hippocampi of each image, in world space, left on the left.

    The first row is the whole brain with the cuts, the others are a zoom. Difference and
    uncertainty are smoothed (4 mm full width at half maximum), so that they can be read.
    Coronal and axial planes are cut through the middle of both hippocampi at baseline, the
    sagittal one through that of the right; the outlines are where a voxel is half filled.

    Parameters
    ----------
    baseline, predicted
        3-D images of one person in MNI152 on one grid, intensities in the same unit; the baseline
        as the model decodes it, so that what decoding leaves out is no difference.
    uncertainty
        Standard deviation of the predicted intensity at each voxel, in the same unit.
    scan
        The scan that the prediction started from, on the same grid; shown as the baseline, its
        intensities, whatever their unit, made to reach as far as those of `baseline`.
    hippocampi
        Before and after, outlined; without them the cuts are where hippocampi lie in MNI152.
    scale
        The color scales; by default those of this person.
    title
        For example the person and the horizon.

    Raises
    ------
    ReportError
        If the images are not on one grid.
    """
    _require_one_grid(baseline, predicted, uncertainty, scan, *(hippocampi or ()))
    ends = scale or measure_scale(baseline, predicted, uncertainty)
    shown = _values(baseline) if scan is None else _match(_values(scan), _values(baseline))
    after = _values(predicted)
    difference = _smooth(predicted, after - _values(baseline))
    rows = [
        _Row("Baseline", shown, "gray", 0.0, ends.intensity, is_whole=True),
        _Row("Baseline,\nzoom", shown, "gray", 0.0, ends.intensity, outlines=("before",)),
        _Row("Predicted", after, "gray", 0.0, ends.intensity, outlines=("before", "after")),
        _Row("Difference", difference, "RdBu_r", -ends.difference, ends.difference,
             is_smooth=True, outlines=("before",)),
    ]  # fmt: skip
    if uncertainty is not None:
        spread = _smooth(uncertainty)
        rows.append(_Row("Uncertainty,\nSD", spread, "cividis", 0.0, ends.uncertainty,
                         is_smooth=True, outlines=("before",)))  # fmt: skip
    places = _list_places(baseline)
    shares = (
        {}
        if hippocampi is None
        else {name: _values(image) for name, image in hippocampi._asdict().items()}
    )
    cuts = _find_cuts(shares["before"], places) if shares else _CUTS_OF_MNI152
    return _draw_rows(rows, places, cuts, title, shares)


def plot_twin_panel(
    observed: nib.Nifti1Image,
    twin: nib.Nifti1Image,
    uncertainty: nib.Nifti1Image,
    *,
    scan: nib.Nifti1Image,
    scale: ScanScale | None = None,
) -> Figure:
    """Return three planes of an observed follow-up scan, its twin, their difference, its error.

    Parameters
    ----------
    observed
        The follow-up scan as the model decodes it, so that what decoding leaves out is no
        difference; on one grid with the others, intensities in the same unit.
    twin
        The scan that was predicted, untreated, for the same time.
    uncertainty
        Standard deviation of the predicted intensity at each voxel.
    scan
        The follow-up scan itself, which is shown.
    scale
        The color scales; by default those of this person.

    Raises
    ------
    ReportError
        If the images are not on one grid.
    """
    _require_one_grid(observed, twin, uncertainty, scan)
    ends = scale or measure_scale(twin, observed, uncertainty)
    difference = _smooth(observed, _values(observed) - _values(twin))
    rows = [
        _Row("Observed", _values(scan), "gray", 0.0, ends.intensity, is_whole=True),
        _Row("Observed,\nzoom", _values(scan), "gray", 0.0, ends.intensity),
        _Row("Twin", _values(twin), "gray", 0.0, ends.intensity),
        _Row("Observed\nminus twin", difference, "RdBu_r", -ends.difference, ends.difference,
             is_smooth=True),
        _Row("Twin's error,\nSD", _smooth(uncertainty), "cividis", 0.0, ends.uncertainty,
             is_smooth=True),
    ]  # fmt: skip
    return _draw_rows(rows, _list_places(twin), _CUTS_OF_MNI152, "", {})


def _draw_rows(
    rows: list[_Row],
    places: list[NDArray[np.float64]],
    cuts: _Cuts,
    title: str,
    shares: Mapping[str, NDArray[np.float64]],
) -> Figure:
    with shared_style():
        figure = new_figure(6.4, _ROW_INCHES * len(rows) + 0.3)
        grid = figure.subplots(len(rows), 3, squeeze=False)
        for line, row in zip(grid, rows, strict=True):
            for axes, (plane, axis) in zip(line, _PLANES, strict=True):
                drawn = _draw_slice(axes, row, places, axis, cuts)
                for name in row.outlines if shares else ():
                    _draw_outline(axes, shares[name], _OUTLINES[name], places, axis, cuts)
                if row.is_whole:
                    axes.set_title(f"{plane}, {'xyz'[axis]} = {cuts.at[axis]:.0f} mm", fontsize=8)
                    _name_sides(axes, axis)
            line[0].set_ylabel(row.name, color=INK, fontsize=8.5)
            figure.colorbar(drawn, ax=list(line), shrink=0.8, pad=0.01).ax.tick_params(labelsize=7)
        if shares:
            looks = [Line2D([], [], color=look.color, ls=look.line, label=look.words)
                     for look in _OUTLINES.values()]  # fmt: skip
            figure.legend(handles=looks, loc="outside lower center", ncols=2, fontsize=8)
        figure.suptitle(label_text(title, limit=80), fontsize=10, color=INK)
    return figure


def _draw_slice(
    axes: Axes,
    row: _Row,
    places: list[NDArray[np.float64]],
    axis: int,
    cuts: _Cuts,
) -> Any:
    across, up = (other for other in range(3) if other != axis)
    nearest = int(np.abs(places[axis] - cuts.at[axis]).argmin())
    step = [abs(float(place[1] - place[0])) / 2 for place in places]
    extent = (
        places[across][0] - step[across],
        places[across][-1] + step[across],
        places[up][0] - step[up],
        places[up][-1] + step[up],
    )
    drawn = axes.imshow(
        np.take(row.values, nearest, axis=axis).T,
        origin="lower",
        extent=extent,
        cmap=row.colors,
        vmin=row.low,
        vmax=row.high,
        interpolation="bilinear" if row.is_smooth else "nearest",
    )
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    if row.is_whole:
        axes.axvline(cuts.at[across], color=SKY, lw=0.5)
        axes.axhline(cuts.at[up], color=SKY, lw=0.5)
    else:
        axes.set(xlim=cuts.around[across], ylim=cuts.around[up])
    return drawn


def _draw_outline(
    axes: Axes,
    share: NDArray[np.float64],
    look: _Look,
    places: list[NDArray[np.float64]],
    axis: int,
    cuts: _Cuts,
) -> None:
    across, up = (other for other in range(3) if other != axis)
    nearest = int(np.abs(places[axis] - cuts.at[axis]).argmin())
    plane = np.take(share, nearest, axis=axis).T
    if plane.max() > _HALF:
        axes.contour(places[across], places[up], plane, levels=[_HALF], colors=[look.color],
                     linestyles=[look.line], linewidths=1.1)  # fmt: skip


def _name_sides(axes: Axes, axis: int) -> None:
    """Write which side of the person is which; the sagittal plane shows back and front."""
    for x, text in ((0.03, "P" if axis == 0 else "L"), (0.97, "A" if axis == 0 else "R")):
        axes.text(x, 0.04, text, transform=axes.transAxes, color="white", fontsize=7,
                  ha="left" if x < _HALF else "right")  # fmt: skip


def _find_cuts(share: NDArray[np.float64], places: list[NDArray[np.float64]]) -> _Cuts:
    """Return the middle of the hippocampi, of the right one from left to right, and their box."""
    filled = np.argwhere(share > _HALF)
    if not len(filled):
        return _CUTS_OF_MNI152
    points = np.stack([places[axis][filled[:, axis]] for axis in range(3)], axis=1)
    middle = points.mean(axis=0)
    right = points[points[:, 0] >= middle[0], 0].mean()
    ends = zip(points.min(axis=0) - _MARGIN_MM, points.max(axis=0) + _MARGIN_MM, strict=True)
    around = tuple((float(low), float(high)) for low, high in ends)
    return _Cuts((float(right), float(middle[1]), float(middle[2])), around)


_CUTS_OF_MNI152: Final = _Cuts(_HIPPOCAMPUS_MM, _AROUND_MM)


def _list_places(image: nib.Nifti1Image) -> list[NDArray[np.float64]]:
    """Return the world coordinates along each axis of the image in canonical orientation."""
    canonical = _canonical(image)
    return [
        canonical.affine[axis, 3] + canonical.affine[axis, axis] * np.arange(size)
        for axis, size in enumerate(canonical.shape[:3])
    ]


def _canonical(image: nib.Nifti1Image) -> nib.Nifti1Image:
    """Return the image with its axes from left to right, back to front, bottom to top."""
    turned: nib.Nifti1Image = nib.funcs.as_closest_canonical(image)  # type: ignore[no-untyped-call]
    return turned


def _values(image: nib.Nifti1Image) -> NDArray[np.float64]:
    canonical = _canonical(image)
    return np.asarray(canonical.dataobj, dtype=np.float64)


def _smooth(
    image: nib.Nifti1Image, values: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    array = np.nan_to_num(_values(image) if values is None else values)
    voxel = np.diag(_canonical(image).affine)[:3]
    smoothed: NDArray[np.float64] = gaussian_filter(array, _SMOOTHING_MM / _SD_OF_FWHM / voxel)
    return smoothed


def _reach(values: NDArray[np.float64]) -> float:
    inside = np.abs(values[np.isfinite(values) & (np.abs(values) > 1e-6)])
    return float(np.percentile(inside, 99.5)) if inside.size else 1.0


def _match(scan: NDArray[np.float64], like: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a scan in the unit of another: scanners count as they like, a model from 0 to 1."""
    return scan * (_reach(like) / _reach(scan))


def _require_one_grid(*images: nib.Nifti1Image | None) -> None:
    given = [image for image in images if image is not None]
    for image in given[1:]:
        if image.shape != given[0].shape or not np.allclose(image.affine, given[0].affine):
            raise ReportError(
                f"The images of a panel must be on one grid: the baseline has shape "
                f"{given[0].shape}, another has {image.shape} or another affine."
            )
