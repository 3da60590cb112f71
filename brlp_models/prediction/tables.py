"""Rows of the `predictions` table."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.model.config import RelativeSd
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.draws import PersonAtHorizon
from brlp_models.scans.segmentation import NetworkSegmenter, Volumes
from cohorts.schema import SIDES, join_sides, validate_table

Found = TypeVar("Found")
_NO_ERROR = RelativeSd(at_baseline=0, per_year=0)
_UNKNOWN = float("nan")
KEY = ["participant_id", "model_id", "horizon_months", "region"]


def build_rows(
    model: BrlpModel,
    target: PersonAtHorizon,
    *,
    predicted: Volumes,
    reconstructed: Volumes,
    warnings: str,
) -> list[dict[str, Any]]:
    """Return one row for each region of one prediction.

    The predicted volume is the volume measured in the input scan times (predicted / reconstructed
    baseline), where both of these went through the same decoder and segmenter, so that their bias
    cancels; the relative change is divided by the share of a true change that the model renders
    (`volume_gain`), and weighed (`shown_weight`) with the change that the context tells. Its sd
    combines the sd over draws (of one draw `draw_sd`) with what all draws get wrong alike
    (`volume_error`), and with the spread between contrasts of a starting scan that the model's own
    segmenter measured, as independent. The raw volumes and their sd over draws (mm3 in the model's
    space) are kept beside it, and what the context tells.

    Raises
    ------
    ModelError
        Where no region can be reported, or one is absent from the reconstructed baseline.
    """
    person, measured = target.person, target.person.volumes
    regions = [r for r in _with_sides(model.config.regions) if r in measured and r in predicted]
    if not regions:
        raise ModelError(
            f"None of the regions {', '.join(model.config.regions)} of {person.participant_id} is "
            "measured both in the input scan and in the predicted one."
        )
    _check_reconstruction(person.participant_id, reconstructed, regions)
    sd = target.draws.compute_volume_sd() if target.draws.volumes else {}
    common = {
        "participant_id": person.participant_id,
        "session_id": person.start.session_id,
        "model_id": model.model_id,
        "horizon_months": target.horizon_months,
        "age_years": target.age_years,
        "n_samples": target.draws.n_samples,
        "global_uncertainty": target.draws.global_uncertainty,
        "baseline_source": person.volume_source,
        "brain_mask": person.scan.brain_mask,
        "verdict": "warn" if warnings else "pass",
        "warnings": warnings,
    }
    years, config = target.age_years - person.start.age_years, model.config
    # volumes from elsewhere do not hang on the scan's contrast
    is_own = config.segmenter is not None and person.volume_source == NetworkSegmenter(model).name
    spread = person.scan.contrast_spread if is_own else {}
    return [
        {
            **common,
            **_volumes(
                region,
                measured,
                predicted,
                reconstructed,
                sd,
                told=_find_told(target.told, measured, region),
                weight=_find(config.shown_weight, region, 1.0),
                gain=_find(config.volume_gain, region, 1.0),
                years=years,
                draw_sd=_find(config.draw_sd, region, None),
                error=_find(config.volume_error, region, _NO_ERROR),
                contrast_sd=_find(spread, region, 0.0),
            ),
        }
        for region in regions
    ]


def find_change_error(
    model: BrlpModel, target: PersonAtHorizon, rows: Sequence[Mapping[str, Any]]
) -> float:
    """Return the sd of what every draw gets wrong alike, as a share of the change, 0 to 1.

    It is that of the endpoint (`volume_error`), of which `rows` (`build_rows`) hold the predicted
    change, over the root of the mean square of the true change, sqrt(predicted^2 + sd^2): over the
    predicted one alone it would be without end where next to none is predicted. 0 where the rows do
    not hold it, or nothing is known of the error.
    """
    row = next((row for row in rows if row["region"] == model.config.endpoint), None)
    if row is None or row["baseline_volume_mm3"] == 0:
        return 0.0
    change = row["volume_mm3"] / row["baseline_volume_mm3"] - 1
    years = target.age_years - target.person.start.age_years
    error = _find(model.config.volume_error, model.config.endpoint, _NO_ERROR)
    sd = error.compute_sd(years, change)
    return sd / math.hypot(change, sd) if sd > 0 else 0.0


def build_predictions_table(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return rows of several people each as one `predictions` table, sorted by its key."""
    columns = [*KEY, "volume_mm3", "volume_sd_mm3", "told_volume_mm3"]
    columns += ["n_samples", "baseline_volume_mm3"]
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
    return validate_table(frame.sort_values(KEY, ignore_index=True), "predictions")


def _volumes(
    region: str,
    measured: Volumes,
    predicted: Volumes,
    reconstructed: Volumes,
    sd: Mapping[str, float],
    *,
    told: float,
    weight: float,
    gain: float,
    years: float,
    draw_sd: RelativeSd | None,
    error: RelativeSd,
    contrast_sd: float,
) -> dict[str, Any]:
    per_raw = measured[region] / reconstructed[region]
    change = per_raw * (predicted[region] - reconstructed[region]) / gain
    draws_sd = per_raw * sd.get(region, _UNKNOWN) / gain
    if weight < 1 and not math.isnan(told):
        change = weight * change + (1 - weight) * (told - measured[region])
        draws_sd *= weight
    relative = change / measured[region] if measured[region] > 0 else 0.0
    if math.isnan(draws_sd) and draw_sd is not None:
        draws_sd = draw_sd.compute_sd(years, relative) * measured[region]
    error_sd = math.hypot(error.compute_sd(years, relative), contrast_sd) * measured[region]
    return {
        "region": region,
        "volume_mm3": max(0.0, measured[region] + change),
        "volume_sd_mm3": math.hypot(draws_sd, error_sd),
        "baseline_volume_mm3": measured[region],
        "raw_volume_mm3": predicted[region],
        "raw_volume_sd_mm3": sd.get(region, _UNKNOWN),
        "raw_baseline_volume_mm3": reconstructed[region],
        "told_volume_mm3": told,
    }


def _find(by_region: Mapping[str, Found], region: str, default: Found) -> Found:
    """Return what is known of a region; one side has that of both."""
    return by_region.get(join_sides(region), default)


def _find_told(told: Volumes, measured: Volumes, region: str) -> float:
    """Return the later volume that is told; one side changes as both do, NaN where none is."""
    whole = join_sides(region)
    if whole not in told or not measured.get(whole, 0) > 0:
        return _UNKNOWN
    return told[whole] / measured[whole] * measured[region]


def _check_reconstruction(participant_id: str, found: Volumes, regions: Iterable[str]) -> None:
    problems = [
        f"The {region} of {participant_id} is absent from the reconstructed baseline scan; the "
        "input was probably not understood."
        for region in regions
        if not found.get(region, 0) > 0
    ]
    if problems:
        raise ModelError(*problems)


def _with_sides(regions: Iterable[str]) -> Iterator[str]:
    for region in regions:
        yield region
        yield from (f"{side}_{region}" for side in SIDES)
