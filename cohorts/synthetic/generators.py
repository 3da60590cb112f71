"""The frozen generators: which numbers each of them has."""

from dataclasses import replace
from typing import Final, Literal

from cohorts.errors import CohortError
from cohorts.synthetic.parameters import (
    AppearanceParameters,
    CohortParameters,
    GeneratorParameters,
    SignParameters,
)

Signal = Literal["strong", "literature", "null"]

SIGNALS: Final = ("strong", "literature", "null")
"""How much the signs in a scan of generator 2 tell of the course."""

_STRONG: Final = SignParameters(
    onset_stage_years=-9.0,
    onset_width_years=1.5,
    contrast_loss=(0.04, 0.06, 0.09, 0.02),
    lobe_contrast_sd=0.015,
    lesion_mm3=3000.0,
    lesion_sd=0.8,
    lesion_per_year=0.04,
    lesion_gain=1.4,
    lesion_depth=0.22,
    head_sd_mm=0.5,
    ca1_sd_mm=0.4,
    pattern_sd_mm=0.3,
    shape_correlation=0.6,
    pattern_correlation=0.6,
)


def choose_generator(number: int = 1, signal: str = "strong") -> GeneratorParameters:
    """Return the parameters of a generator.

    Parameters
    ----------
    number
        1: a scan shows the tabled volumes and nothing else of the course. 2: contrast, lesions,
        hippocampal shape and cortical pattern are in the scan.
    signal
        Of generator 2: `literature`, effects as published; `strong`, stronger than life, to
        prove that a model can use them; `null`, the same pictures, independent of the course.

    Raises
    ------
    CohortError
        For another number or signal.

    Examples
    --------
    >>> choose_generator(2, "null").signs.is_independent
    True
    """
    if number == 1:
        return GeneratorParameters()
    if number != 2 or signal not in SIGNALS:
        raise CohortError(
            f"There are generators 1 and 2, and of 2 the signals {', '.join(SIGNALS)}; "
            f"got generator {number} with signal {signal!r}."
        )
    signs = {
        "strong": _STRONG,
        "literature": replace(
            _STRONG,
            contrast_loss=(0.01, 0.015, 0.02, 0.005),
            lesion_gain=0.5,
            shape_correlation=0.2,
            pattern_correlation=0.2,
        ),
        "null": replace(_STRONG, is_independent=True),
    }
    return GeneratorParameters(
        cohort=_resize_hippocampus(),
        appearance=AppearanceParameters(person_contrast_sd=0.02, person_tissue_sd=0.015),
        signs=signs[signal],
    )


def recognize_generator(digest: str) -> GeneratorParameters | None:
    """Return the frozen parameters of a digest; None where it is of no generator here.

    Examples
    --------
    >>> recognize_generator(choose_generator(2, "null").digest()).signs.is_independent
    True
    """
    known = [choose_generator(1), *(choose_generator(2, signal) for signal in SIGNALS)]
    return next((own for own in known if own.digest() == digest), None)


def _resize_hippocampus() -> CohortParameters:
    """Return people whose hippocampus has 6,700 mm3 on average at 75, both sides together."""
    first = CohortParameters()
    regions = tuple(
        replace(own, volume_mm3=8150.0) if own.region == "hippocampus" else own
        for own in first.regions
    )
    return replace(first, regions=regions, speed_sd=0.65)
