"""What a bundle refuses, since nothing it answered would mean anything; goes along with it.

It stands in the bundle as `scripts/checks.py`, where this package is not.
"""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, Final

import nibabel
import torch
from nibabel.filebasedimages import ImageFileError

_TOLERANCE: Final = 1e-3
"""By which a voxel may lie outside 0 to 1, as rounding in a file makes it."""

_MOST_STEPS: Final = 1000
"""Of the published schedule."""

_SEEDS: Final = 2**63
"""Below it, as in a protocol."""

_OLDEST: Final = 120
"""In years at the scan, as in a cohort's tables."""

_NUMBERS: Final = "biuf"
"""Kinds of NumPy's types: without colors, which are records, and complex numbers."""

_UNREADABLE: Final = (OSError, EOFError, ValueError, TypeError, zlib.error, ImageFileError)
"""What nibabel raises of a file that is not there, damaged or no image."""


def check_asked(
    scans: Mapping[str, Any],
    numbers: Mapping[str, Any],
    choices: Mapping[str, Sequence[Any]],
    draws: Mapping[str, Any],
    can_be_guided: bool,
    may_lack: Sequence[str] = (),
) -> bool:
    """Return True where everything was given that a prediction needs.

    Parameters
    ----------
    scans, numbers
        What each option was given: files, and covariates that are numbers.
    choices
        What each other covariate was given, and what it may be.
    draws
        `samples`, `num_inference_steps`, `seed` and `guidance`.
    can_be_guided
        Whether the networks are known to have been trained with context dropout.
    may_lack
        Covariates that the model knows what to do without.

    Raises
    ------
    ValueError
        With a sentence for each option that is missing or wrong.
    """
    wrong = [f"--{name} is missing" for name, given in scans.items() if given is None]
    for name, given in numbers.items():
        least = 0 if name.startswith("volume") else -math.inf
        if given is None and name in may_lack:
            continue
        if given is None:
            wrong.append(f"--{name} is missing")
        elif not (_is_number(given) and given > least):
            kind = "number above 0" if least == 0 else "number"
            wrong.append(f"--{name} must be a {kind}, got {given}")
        elif name == "baseline_age" and not 0 <= given <= _OLDEST:
            wrong.append(f"--{name} must be from 0 to {_OLDEST} years, got {given}")
    for name, (given, allowed) in choices.items():
        if str(given) not in allowed and not (given is None and name in may_lack):
            told = f"one of {', '.join(allowed)}"
            missing = f"--{name} is missing, {told} is expected"
            wrong.append(missing if given is None else f"--{name} must be {told}, got {given}")
    start, end = (numbers.get(name, math.nan) for name in ("baseline_age", "age"))
    if _is_number(start) and _is_number(end) and end < start:
        wrong.append(f"--age must not be before --baseline_age, got {end} and {start}")
    for name, most in (("samples", math.inf), ("num_inference_steps", _MOST_STEPS)):
        count = draws[name]
        if not (_is_number(count) and count == int(count) and 1 <= count <= most):
            until = "on" if most == math.inf else f"to {most}"
            wrong.append(f"--{name} must be a whole number from 1 {until}, got {count}")
    seed = draws["seed"]
    if not (_is_number(seed) and seed == int(seed) and 0 <= seed < _SEEDS):
        wrong.append(f"--seed must be a whole number from 0 on, below 2^63, got {seed}")
    weight = draws["guidance"]
    if weight is not None and not (_is_number(weight) and weight >= 0):
        wrong.append(f"--guidance must be a number from 0 on, got {weight}")
    elif weight not in (None, 1) and not can_be_guided:
        wrong.append(
            "--guidance must be 1, since the networks are not known to have been trained with "
            f"context dropout, got {weight}"
        )
    _refuse(wrong)
    return True


def load_scans(load: Callable[[Any], torch.Tensor], files: Mapping[str, Any]) -> list[torch.Tensor]:
    """Return the scans in files, in their order.

    Parameters
    ----------
    load
        Reads one.
    files
        What each option that names a scan was given.

    Raises
    ------
    ValueError
        With a sentence for each that cannot be read, or has no single number a voxel.
    """
    scans, wrong = [], []
    for name, file in files.items():
        try:
            kind = nibabel.load(file).get_data_dtype()  # type: ignore[attr-defined]
            if kind.kind in _NUMBERS:
                scans.append(load(file))
            else:
                told = "colors" if kind.names else f"numbers of the kind {kind}"
                wrong.append(f"--{name} must have one real number a voxel, got {told}: {file}")
        except _UNREADABLE as error:
            wrong.append(f"--{name} cannot be read as a scan ({error}): {file}")
    _refuse(wrong)
    return scans


def check_scans(scans: Sequence[torch.Tensor], names: Sequence[str]) -> torch.Tensor:
    """Return the scans of a visit as a batch of one.

    Parameters
    ----------
    scans
        Each (1, x, y, z) on the model's grid.
    names
        Of the options that named them.

    Raises
    ------
    ValueError
        With a sentence for each that is none, or has voxels outside 0 to 1.
    """
    wrong = []
    for name, scan in zip(names, scans, strict=True):
        if scan.dim() != 4 or len(scan) != 1:
            shape = tuple(scan.shape[1:])
            wrong.append(f"--{name} must be one volume, got {len(scan)} of {shape} voxels")
        elif not bool(torch.isfinite(scan).all()):
            wrong.append(f"--{name} has voxels that are no number")
        elif float(scan.min()) < -_TOLERANCE or float(scan.max()) > 1 + _TOLERANCE:
            span = f"{float(scan.min()):g} to {float(scan.max()):g}"
            wrong.append(f"--{name} must have intensities from 0 to 1, got {span}")
        elif not bool(scan.any()):
            wrong.append(f"--{name} shows nothing where the model looks")
    _refuse(wrong)
    return torch.cat(list(scans))[None]


def check_answer(prediction: torch.Tensor) -> bool:
    """Return True where a predicted scan is one.

    Raises
    ------
    ValueError
        Where a voxel is no number.
    """
    if not bool(torch.isfinite(prediction).all()):
        raise ValueError("The predicted scan has voxels that are no number: nothing is written.")
    return True


def _is_number(given: Any) -> bool:
    return isinstance(given, Real) and not isinstance(given, bool) and math.isfinite(given)


def _refuse(wrong: Sequence[str]) -> None:
    if wrong:
        raise ValueError("; ".join(wrong) + ".")
