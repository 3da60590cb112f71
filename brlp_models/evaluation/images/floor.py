"""What the way through autoencoder and segmenter costs, before anything is predicted."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
import torch

from brlp_models.evaluation.images.scans_on_grid import VisitImage
from brlp_models.evaluation.statistics import (
    Array,
    compute_mean,
    compute_median_absolute,
    compute_sd,
    estimate,
)
from brlp_models.model.model import BrlpModel
from brlp_models.scans.segmentation import choose_segmenter, compute_label_maps
from cohorts.labels import get_codes

REGIONS = ("hippocampus", "amygdala", "lateral_ventricle", "thalamus", "csf")
Statistic = Callable[[Array], float]
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
    regions = dict.fromkeys((*REGIONS, *model.config.regions))
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
                for region in regions
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
        volume, together and by month. Intervals and `n` are over people: visits of one person are
        alike.
    """
    rows = []
    for region, own in floor.groupby("region"):
        people = own["participant_id"]
        for measure, statistic, values in _iterate_measures(own):
            table = _arrange_by_person(values, people)
            found = estimate(_skip_missing(statistic), table, rng=rng, n_bootstrap=n_bootstrap)
            rows.append({"region": region, "measure": measure, **vars(found)})
    return pd.DataFrame(rows)


def _iterate_measures(own: pd.DataFrame) -> Iterator[tuple[str, Statistic, "pd.Series[float]"]]:
    """Yield what is said of one region: the measure, its statistic, and its values by row."""
    for kind in ("input", "reconstructed"):
        error = 100 * (own[f"{kind}_mm3"] / own["true_mm3"] - 1)
        yield f"median absolute error, {kind} (%)", compute_median_absolute, error
        for when, change in _iterate_change_errors(own, kind):
            yield f"sd of paired change error, {kind}{when} (%)", compute_sd, change
    dice = own["dice"].dropna()
    if len(dice):
        yield "Dice of the segmented scan", compute_mean, dice


def _arrange_by_person(values: "pd.Series[float]", people: "pd.Series[str]") -> Array:
    """Return the values as (people, visits), NaN where a person has fewer visits than another."""
    table = pd.DataFrame({"person": people.reindex(values.index), "value": values})
    table["visit"] = table.groupby("person").cumcount()
    return table.pivot_table(index="person", columns="visit", values="value").to_numpy(float)


def _skip_missing(statistic: Statistic) -> Statistic:
    return lambda values: statistic(values[~np.isnan(values)])


def _iterate_change_errors(
    own: pd.DataFrame, kind: str
) -> Iterator[tuple[str, "pd.Series[float]"]]:
    """Yield the errors of the paired change, of all later visits and of each month's."""
    errors = _compute_change_error(own, kind)
    groups = [("", errors)]
    groups += [
        (f", {months:.0f} months", rows)
        for months, rows in errors.groupby(own["months"].reindex(errors.index).round())
    ]
    yield from (group for group in groups if len(group[1]) > 1)


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
