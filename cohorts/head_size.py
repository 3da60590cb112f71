"""Volumes seen against the size of the head or of the brain."""

import numpy as np
import numpy.typing as npt

from cohorts.errors import CohortError

Volumes = npt.NDArray[np.float64]


def compute_percent_of_brain(volume_mm3: Volumes, brain_mm3: Volumes) -> Volumes:
    """Return volumes as a percentage of the brain's, the unit of the BrLP paper's errors.

    Raises
    ------
    CohortError
        Where a brain volume is not above 0.
    """
    _require_positive(brain_mm3, "brain_mm3")
    return np.asarray(100 * np.asarray(volume_mm3) / brain_mm3)


def adjust_proportionally(
    volume_mm3: Volumes, head_size_mm3: Volumes, *, reference_mm3: float | None = None
) -> Volumes:
    """Return the volumes of heads scaled to one size: V x reference / head size.

    Parameters
    ----------
    volume_mm3, head_size_mm3
        One value a person.
    reference_mm3
        The size to scale to; None takes the mean.

    Raises
    ------
    CohortError
        Where a head size is not above 0.
    """
    _require_positive(head_size_mm3, "head_size_mm3")
    reference = float(np.mean(head_size_mm3)) if reference_mm3 is None else reference_mm3
    return np.asarray(np.asarray(volume_mm3) * reference / head_size_mm3)


def adjust_by_residual(
    volume_mm3: Volumes,
    head_size_mm3: Volumes,
    *,
    reference: npt.NDArray[np.bool_] | None = None,
) -> Volumes:
    """Return V - b (head size - mean head size), b the slope in the reference people.

    Jack et al. 1989, Radiology 172:549; Voevodskaya et al. 2014, Front Aging Neurosci 6:264.

    Parameters
    ----------
    volume_mm3, head_size_mm3
        One value a person.
    reference
        The people who give slope and mean, usually the cognitively normal; None takes all.

    Raises
    ------
    CohortError
        With fewer than three reference people, or heads of one size.
    """
    volume, head = np.asarray(volume_mm3, dtype=float), np.asarray(head_size_mm3, dtype=float)
    kept = np.ones(head.shape, dtype=bool) if reference is None else np.asarray(reference)
    if kept.sum() < 3 or np.ptp(head[kept]) == 0:
        raise CohortError(
            "The residual adjustment needs at least 3 reference people with different head sizes, "
            f"got {int(kept.sum())}."
        )
    centered = head - head[kept].mean()
    slope = float(np.cov(head[kept], volume[kept])[0, 1] / head[kept].var(ddof=1))
    return np.asarray(volume - slope * centered)


def _require_positive(values: Volumes, name: str) -> None:
    array = np.asarray(values, dtype=float)
    if not (array > 0).all():
        raise CohortError(f"{name} must be above 0, got {array[~(array > 0)].flat[0]:g}.")
