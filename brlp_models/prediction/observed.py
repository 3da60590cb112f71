"""A follow-up scan that was acquired, where the predicted scan of its time lies."""

from dataclasses import dataclass
from typing import Any

from brlp_models.errors import ModelError
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.start import find_start_visit, load_start_scan
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.check import reconstruct_image
from cohorts.cohort import Cohort


@dataclass(frozen=True)
class ObservedScan:
    """One person's follow-up scan as NIfTI images on the voxels of the predicted one.

    Parameters
    ----------
    session_id, months
        Its visit, months since baseline.
    image
        The brain of the T1w, intensities 0 to 1.
    decoded
        The same after the model's autoencoder, there and back: beside a predicted scan, what
        decoding leaves out is then no difference.
    """

    session_id: str
    months: float
    image: Any
    decoded: Any


def load_observed_scan(
    model: BrlpModel,
    cohort: Cohort,
    participant_id: str,
    cache: ScanCache,
    *,
    months: float,
    window_months: float,
) -> ObservedScan:
    """Return the scan acquired near a month, through the affine of the person's first scan.

    Parameters
    ----------
    model
        Whose predictions it stands beside.
    cohort
        Its visits hold the baseline scan and the follow-up.
    participant_id
        Whose.
    cache
        Of preprocessed scans.
    months
        Since baseline.
    window_months
        How far from it the scan may be.

    Raises
    ------
    ModelError
        No scan near that month, or one that the input check refuses.
    """
    own = cohort.select([participant_id])
    first = find_start_visit(own, participant_id, until_months=0.0)
    visit = find_start_visit(own, participant_id, until_months=months + window_months)
    if visit.session_id == first.session_id or visit.months < months - window_months:
        raise ModelError(
            f"{participant_id} has no scan within {window_months:g} months of month {months:g}."
        )
    restore = load_start_scan(model, own, first, cache).restore
    voxels = load_start_scan(model, own, visit, cache).image.numpy()
    decoded = restore(reconstruct_image(model, voxels)[0])
    return ObservedScan(visit.session_id, visit.months, restore(voxels[0]), decoded)
