"""What the way through autoencoder and segmenter costs, before anything is predicted."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
import torch

from brlp_models.evaluation.scans import VisitImage
from brlp_models.evaluation.statistics import (
    Array,
    Estimate,
    compute_mean,
    compute_median_absolute,
    compute_sd,
    estimate,
)
from brlp_models.model import BrlpModel
from brlp_models.segmentation import choose_segmenter, compute_label_maps
from cohorts.labels import get_codes

REGIONS = ("hippocampus", "amygdala", "lateral_ventricle", "thalamus", "csf")
Truth = Mapping[tuple[str, str, str], float]
"""Volume in the person's own space by participant, session, region."""


def measure_floor(
    model: BrlpModel, people: Iterable[list[VisitImage]], truth: Truth
) -> pd.DataFrame:
    """Return each visit's volumes, true, segmented in the scan, and after decode(encode(scan)).

    Returns
    -------
    DataFrame
        `participant_id`, `session_id`, `months`, `determinant`, `region`, `true_mm3`, `input_mm3`,
        `reconstructed_mm3` (in the person's own space), `dice` of the segmented scan where the
        visit has labels, `reconstruction_error` (mean absolute difference within the brain).
    """
    segmenter = choose_segmenter(model)
    rows = []
    for visits in people:
        for visit in visits:
            images = _reconstruct(model, visit)
            found = segmenter.measure(torch.cat(list(images.values())), list(images))
            measured = dict(zip(images, found, strict=True))
            difference = (images["reconstructed"][0] - visit.image).abs()
            dice = _compute_dice(model, visit)
            rows += [
                {
                    "participant_id": visit.participant_id,
                    "session_id": visit.session_id,
                    "months": visit.months,
                    "determinant": visit.determinant,
                    "region": region,
                    "true_mm3": truth[visit.participant_id, visit.session_id, region],
                    **{f"{k}_mm3": v[region] / visit.determinant for k, v in measured.items()},
                    "dice": dice.get(region, np.nan),
                    "reconstruction_error": float(difference[visit.image > 0].mean()),
                }
                for region in REGIONS
                if (visit.participant_id, visit.session_id, region) in truth
                and region in measured["input"]
            ]
    return pd.DataFrame(rows)


def _reconstruct(model: BrlpModel, visit: VisitImage) -> dict[str, torch.Tensor]:
    decoded = model.decode(model.encode(visit.image[None])).clamp(0, 1).cpu()
    return {"input": visit.image[None], "reconstructed": decoded}


def summarize_floor(
    floor: pd.DataFrame, *, rng: np.random.Generator, n_bootstrap: int = 1000
) -> pd.DataFrame:
    """Return the floor's summary by region.

    Returns
    -------
    DataFrame
        `region`, `measure`, `value`, `lower`, `upper`, `n`. Measures: median absolute error in
        percent of the volume (`input`, `reconstructed`), mean Dice, and the sd of the
        error of the paired change between the first and each later visit, in percent of the
        volume, together and by month.
    """
    rows = []
    for region, own in floor.groupby("region"):
        for kind in ("input", "reconstructed"):
            error = (100 * (own[f"{kind}_mm3"] / own["true_mm3"] - 1)).to_numpy(float)
            found = estimate(compute_median_absolute, error, rng=rng, n_bootstrap=n_bootstrap)
            rows.append(_row(region, f"median absolute error, {kind} (%)", found))
            for when, change in _iterate_change_errors(own, kind):
                found = estimate(compute_sd, change, rng=rng, n_bootstrap=n_bootstrap)
                rows.append(_row(region, f"sd of paired change error, {kind}{when} (%)", found))
        dice = own["dice"].dropna().to_numpy(float)
        if len(dice):
            found = estimate(compute_mean, dice, rng=rng, n_bootstrap=n_bootstrap)
            rows.append(_row(region, "Dice of the segmented scan", found))
    return pd.DataFrame(rows)


def _row(region: object, measure: str, found: Estimate) -> dict[str, object]:
    return {
        "region": region,
        "measure": measure,
        "value": found.value,
        "lower": found.lower,
        "upper": found.upper,
        "n": found.n,
    }


def _iterate_change_errors(own: pd.DataFrame, kind: str) -> Iterator[tuple[str, Array]]:
    """Yield the errors of the paired change, of all later visits and of each month's."""
    errors = _compute_change_error(own, kind)
    groups = [("", errors)]
    groups += [
        (f", {months:.0f} months", rows)
        for months, rows in errors.groupby(own["months"].reindex(errors.index).round())
    ]
    for when, rows in groups:
        if len(rows) > 1:
            yield when, np.asarray(rows, dtype=float)


def _compute_change_error(own: pd.DataFrame, kind: str) -> "pd.Series[float]":
    """Return the error in percent of the first volume, by the rows of later visits."""
    ordered = own.sort_values("months")
    first = ordered.groupby("participant_id").transform("first", numeric_only=True)
    later = ordered["months"] > first["months"]
    through = ordered[f"{kind}_mm3"] / first[f"{kind}_mm3"]
    true = ordered["true_mm3"] / first["true_mm3"]
    return (100 * (through - true))[later]


def _compute_dice(model: BrlpModel, visit: VisitImage) -> dict[str, float]:
    config = model.config.segmenter
    if visit.labels is None or config is None:
        return {}
    found = compute_label_maps(model, visit.image[None])[0]
    dice = {}
    for region in REGIONS:
        codes = list(get_codes(region))
        mine, true = np.isin(found, codes), np.isin(visit.labels, codes)
        if mine.any() or true.any():
            dice[region] = float(2 * (mine & true).sum() / (mine.sum() + true.sum()))
    return dice
