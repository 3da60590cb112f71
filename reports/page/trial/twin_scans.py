"""Observed follow-up scans of a trial beside their twins."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd

from cohorts.images import read_image
from reports.figures.scan_panels import ScanScale, measure_scale, plot_twin_panel
from reports.page.content import Block, Paragraph, Picture
from reports.page.gather import StudyFacts
from reports.page.trial.findings import get_unit, show_effect

_NEEDED = ("scan", "observed", "twin", "uncertainty")


def describe_observed_scans(facts: StudyFacts) -> list[Block]:
    """Return a panel a person whose observed scan was brought beside the predicted one."""
    shown = facts.tables["observed_images"]
    people = shown[["participant_id", "arm", "months"]].drop_duplicates().to_dict("records")
    found = [_find_paths(facts, person) for person in people]
    present = [
        set(paths) == set(_NEEDED) and all(path.is_file() for path in paths.values())
        for paths in found
    ]
    images = [
        {kind: _read(path) for kind, path in paths.items()} if there else {}
        for paths, there in zip(found, present, strict=True)
    ]
    scales = [measure_scale(i["twin"], i["observed"], i["uncertainty"]) for i in images if i]
    scale = ScanScale(*np.max(scales, axis=0)) if scales else None
    return [_panel(facts, person, own, scale) for person, own in zip(people, images, strict=True)]


def _find_paths(facts: StudyFacts, person: dict[Any, Any]) -> dict[str, Path]:
    shown, predicted = facts.tables["observed_images"], facts.tables["prediction_images"]
    mine = shown[shown["participant_id"] == person["participant_id"]].set_index("kind")["path"]
    at = predicted["horizon_months"] == person["months"]
    twin = predicted[at & (predicted["participant_id"] == person["participant_id"])]
    by_kind = twin.drop_duplicates("kind").set_index("kind")["path"]
    named = {
        "scan": mine.get("observed"),
        "observed": mine.get("decoded"),
        "twin": by_kind.get("predicted"),
        "uncertainty": by_kind.get("uncertainty"),
    }
    return {kind: Path(str(path)) for kind, path in named.items() if path is not None}


def _read(path: Path) -> Any:
    nifti: Any = nib
    image = read_image(path)
    return nifti.Nifti1Image(np.asarray(image.voxels, dtype=np.float32), image.affine)


def _panel(
    facts: StudyFacts, person: dict[Any, Any], images: dict[str, Any], scale: ScanScale | None
) -> Picture | Paragraph:
    sources = facts.sources("observed_images", "prediction_images")
    who = "A treated person" if person["arm"] == "treatment" else "A person of the control arm"
    if not images:
        text = f"{who}: the observed or the predicted scan is no longer where it was."
        return Paragraph(text, sources)
    figure = plot_twin_panel(
        images["observed"],
        images["twin"],
        images["uncertainty"],
        scan=images["scan"],
        scale=scale,
    )
    title = f"{who} at month {person['months']:g}: observed scan and twin" + _describe_volume(
        facts, person
    )
    description = (
        "The person of median predicted volume of the arm. Three planes: the observed scan, its "
        "zoom, the scan predicted from baseline alone, the observed one (decoded) minus it, and "
        "the standard deviation of the prediction, both smoothed; one color scale for both people."
    )
    return Picture(f"twin-scans-{person['arm']}", title, description, figure, {}, sources)


def _describe_volume(facts: StudyFacts, person: dict[Any, Any]) -> str:
    rows = facts.tables["twin_outcomes"]
    mine = rows[
        (rows["participant_id"] == person["participant_id"]) & (rows["months"] == person["months"])
    ]
    if mine.empty or pd.isna(mine["observed"].iloc[0]):
        return ""
    observed, twin = float(mine["observed"].iloc[0]), float(mine["twin"].iloc[0])
    return (
        f"; {show_effect(observed)} and {show_effect(twin)} {get_unit(facts)}, "
        f"difference {show_effect(observed - twin)}"
    )
