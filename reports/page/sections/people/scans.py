"""Scans of single people: what the model predicts for them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
import pandas as pd

from cohorts.images import read_image
from reports.figures.labels import label_text
from reports.figures.scan_panels import Hippocampi, ScanScale, measure_scale, plot_scan_panel
from reports.page.content import Block, Paragraph, Picture
from reports.page.formats import is_blank, show_interval, show_number
from reports.page.gather import StudyFacts
from reports.page.privacy import Privacy, person_name
from reports.page.units import show_region

_SHOWN: Final = ("fastest", "median", "slowest")
_Z_95: Final = 1.959964


@dataclass(frozen=True)
class _Person:
    """Someone whose scans are shown: the name on the page, the prediction, the files."""

    name: str
    which: str
    row: dict[Any, Any]
    paths: dict[str, Path]

    @property
    def is_whole(self) -> bool:
        """Whether every file that a panel needs is where it was."""
        present = all(path.is_file() for path in self.paths.values())
        return present and {"reconstructed", "predicted"} <= set(self.paths)

    def read(self, kind: str) -> Any:
        """Return an image, None where there is none of this kind."""
        if kind not in self.paths:
            return None
        nifti: Any = nib
        image = read_image(self.paths[kind])
        return nifti.Nifti1Image(np.asarray(image.voxels, dtype=np.float32), image.affine)


def describe_scans(facts: StudyFacts, privacy: Privacy) -> list[Block]:
    """Return a panel of scans for the fastest, the median and the slowest predicted decline."""
    images = facts.tables["prediction_images"]
    if images.empty:
        return []
    region = facts.describe("scores").endpoint or "hippocampus"
    predictions = facts.study.read("predictions")
    people = _find_people(predictions[predictions["region"] == region], images, privacy)
    scales = [
        measure_scale(
            person.read("reconstructed"), person.read("predicted"), person.read("uncertainty")
        )
        for person in people
        if person.is_whole
    ]
    # one scale for all, so that the slowest does not look like the fastest
    scale = ScanScale(*np.max(scales, axis=0)) if scales else None
    return [_panel(facts, person, scale) for person in people]


def _find_people(
    predictions: pd.DataFrame, images: pd.DataFrame, privacy: Privacy
) -> list[_Person]:
    found = []
    for place, (which, row) in enumerate(_choose(predictions, images)):
        mine = images[
            (images["participant_id"] == row["participant_id"])
            & (images["horizon_months"] == row["horizon_months"])
        ]
        paths = {str(kind): Path(path) for kind, path in mine[["kind", "path"]].to_numpy()}
        own = label_text(str(row["participant_id"]))
        found.append(_Person(own if privacy.identify else person_name(place), which, row, paths))
    return found


def _choose(predictions: pd.DataFrame, images: pd.DataFrame) -> list[tuple[str, dict[Any, Any]]]:
    keys = ["participant_id", "horizon_months"]
    rows = predictions.merge(images[keys].drop_duplicates())
    if rows.empty:
        return []
    change = 100 * (rows["volume_mm3"] / rows["baseline_volume_mm3"] - 1)
    ordered = rows.assign(change=change).sort_values("change", kind="stable").to_dict("records")
    places = dict.fromkeys((0, len(ordered) // 2, len(ordered) - 1))
    return [(words, ordered[place]) for words, place in zip(_SHOWN, places, strict=False)]


def _panel(facts: StudyFacts, person: _Person, scale: ScanScale | None) -> Picture | Paragraph:
    sources = facts.sources("prediction_images")
    if not person.is_whole:
        text = f"The predicted scans of {person.name} are no longer where they were."
        return Paragraph(text, sources)
    baseline, scan = person.read("reconstructed"), person.read("baseline")
    is_on_grid = scan is not None and scan.shape == baseline.shape
    figure = plot_scan_panel(
        baseline,
        person.read("predicted"),
        person.read("uncertainty"),
        scan=scan if is_on_grid and np.allclose(scan.affine, baseline.affine) else None,
        hippocampi=_find_hippocampi(person, baseline),
        scale=scale,
    )
    title = (
        f"Predicted scan of {person.name}, {person.which} of those with scans, "
        f"{person.row['horizon_months']:g} months after baseline: "
        f"{show_region(str(person.row['region']))} {_describe_change(person.row)}"
    )
    description = (
        "Three planes through the hippocampi: baseline, its zoom, the predicted scan, their "
        "difference (predicted minus baseline) and the uncertainty, both smoothed (4 mm); outlines "
        "of the hippocampus at baseline and as predicted; one color scale for all people."
    )
    return Picture(f"scans-{person.which}", title, description, figure, {}, sources)


def _find_hippocampi(person: _Person, baseline: Any) -> Hippocampi | None:
    """Return where the hippocampi lie before and after; predictions of before 0.2 lack it."""
    found = [person.read(f"{scan}_hippocampus") for scan in ("reconstructed", "predicted")]
    if any(image is None or image.shape != baseline.shape for image in found):
        return None
    return Hippocampi(*found)


def _describe_change(row: dict[Any, Any]) -> str:
    def show(change: float) -> str:
        return show_number(change, digits=2) + "\u00a0%"

    if is_blank(row["volume_sd_mm3"]):
        return show(row["change"])
    half = 100 * _Z_95 * row["volume_sd_mm3"] / row["baseline_volume_mm3"]
    interval = show_interval(row["change"] - half, row["change"] + half, show)
    return f"{show(row['change'])} (95\u00a0% interval {interval})"
