"""Scans of single people: what the model predicts for single people."""

import warnings
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import pandas as pd

from reports.figures.labels import label_text
from reports.figures.scans import plot_scan_panel
from reports.page.content import Block, Paragraph, Picture
from reports.page.gather import StudyFacts
from reports.page.privacy import Privacy, person_name

_SHOWN: Final = ("fastest", "median", "slowest")
_REGION: Final = "hippocampus"


def describe_scans(facts: StudyFacts, privacy: Privacy) -> list[Block]:
    """Return a panel of scans for the fastest, the median and the slowest predicted decline."""
    images = facts.tables["prediction_images"]
    if images.empty:
        return []
    chosen = _choose(facts.study.read("predictions"), images)
    names = [
        label_text(str(row["participant_id"])) if privacy.identify else person_name(place)
        for place, (_, row) in enumerate(chosen)
    ]
    return [
        _panel(facts, images, row, words, person)
        for (words, row), person in zip(chosen, names, strict=True)
    ]


def _choose(predictions: pd.DataFrame, images: pd.DataFrame) -> list[tuple[str, dict[Any, Any]]]:
    keys = ["participant_id", "horizon_months"]
    rows = predictions[predictions["region"] == _REGION].merge(images[keys].drop_duplicates())
    if rows.empty:
        return []
    change = 100 * (rows["volume_mm3"] / rows["baseline_volume_mm3"] - 1)
    ordered = rows.assign(change=change).sort_values("change", kind="stable").to_dict("records")
    places = dict.fromkeys((0, len(ordered) // 2, len(ordered) - 1))
    return [(words, ordered[place]) for words, place in zip(_SHOWN, places, strict=False)]


def _panel(
    facts: StudyFacts, images: pd.DataFrame, row: dict[Any, Any], words: str, person: str
) -> Picture | Paragraph:
    mine = images[
        (images["participant_id"] == row["participant_id"])
        & (images["horizon_months"] == row["horizon_months"])
    ]
    paths = {str(kind): Path(path) for kind, path in mine[["kind", "path"]].to_numpy()}
    sources = facts.sources("prediction_images")
    absent = [path for path in paths.values() if not path.is_file()]
    if absent or not {"reconstructed", "predicted"} <= set(paths):
        return Paragraph(f"The predicted scans of {person} are no longer where they were.", sources)
    title = f"Predicted scan of {person}, {words} of those with scans"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nilearn tells of its own defaults
        figure = plot_scan_panel(
            _read(paths["reconstructed"]),
            _read(paths["predicted"]),
            _read(paths["uncertainty"]) if "uncertainty" in paths else None,
        )
    description = (
        f"Baseline as the model decodes it, the scan predicted {row['horizon_months']:g} months "
        f"later, their difference and the uncertainty; predicted hippocampal change "
        f"{row['change']:.1f} %."
    )
    return Picture(f"scans-{words}", title, description, figure, {}, sources)


def _read(path: Path) -> Any:
    return nib.load(path)
