"""What lies outside of what a model was trained on; goes along with a MONAI bundle.

It stands in the bundle as `scripts/ranges.py`, where this package is not.
"""

import warnings
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any


def describe_outside(what: str, value: float, span: Sequence[float], model: str) -> str:
    """Return the sentence that tells a value outside of the lowest and highest of training."""
    low, high = span
    return f"{what} is {value:g}, outside the training range of {model} ({low:g} to {high:g})."


def warn_outside(
    values: Mapping[str, Any], ranges: Mapping[str, Sequence[float]], model: str
) -> list[str]:
    """Return a sentence for each value that lies outside of training, and warn of it.

    Parameters
    ----------
    values
        By what each is called; what is no number is not judged.
    ranges
        The lowest and highest of training, by the same names.
    model
        Its name.
    """
    numbers = {what: float(value) for what, value in values.items() if isinstance(value, Real)}
    told = [
        describe_outside(what, value, ranges[what], model)
        for what, value in numbers.items()
        if not ranges[what][0] <= value <= ranges[what][1]
    ]
    for text in told:
        warnings.warn(text, stacklevel=2)
    return told
