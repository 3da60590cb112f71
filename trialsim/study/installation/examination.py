"""What an installation is made of, and what may keep trialsim from working on this machine."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd

from trialsim import __version__

ROOMS: Final = ("cohorts", "brlp_models", "trialsim", "reports")
EXTRAS: Final = {
    "imaging": ("torch", "monai", "einops", "safetensors", "SimpleITK", "nilearn"),
    "train": ("accelerate", "tensorboard"),
    "documents": ("typst", "docx"),
    "tables": ("pyreadstat", "openpyxl"),
    "dicom": ("dcm2niix",),
    "explore": ("shiny",),
    "cluster": ("dask", "dask_jobqueue", "distributed", "fsspec"),
}
_LEAST_MEMORY_GIB: Final = 4.0
_LEAST_DISK_GIB: Final = 2.0
_THREAD_SETTINGS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Finding(NamedTuple):
    """One thing that was looked at: `fine`, `note` or `problem`."""

    what: str
    found: str
    verdict: str
    advice: str = ""


def examine_installation() -> pd.DataFrame:
    """Look at packages, extras, processors, memory, disk and GPU; nothing is changed.

    Returns
    -------
    pandas.DataFrame
        `what`, `found`, `verdict` (`fine`, `note`, `problem`), `advice`; one row a finding.
    """
    findings = [
        Finding("trialsim", f"{__version__}, Python {platform.python_version()}", "fine"),
        Finding("system", platform.platform(), "fine"),
        *_examine_rooms(),
        *_examine_extras(),
        _examine_threads(),
        _examine_memory(),
        _examine_disk(Path.cwd()),
        _examine_gpu(),
    ]
    return pd.DataFrame(findings, columns=list(Finding._fields))


def _examine_rooms() -> Iterator[Finding]:
    """Find packages of others that have the name of one of ours: the first on the path wins."""
    home = Path(__file__).parents[3]
    distributions = packages_distributions()
    for room in ROOMS:
        spec = find_spec(room)
        place = Path(spec.origin).parent if spec and spec.origin else None
        others = sorted({name for name in distributions.get(room, []) if name != "trialsim"})
        if place is None or place.resolve() != (home / room).resolve():
            where = "nowhere" if place is None else str(place)
            advice = f"Another package is called {room}: use an environment of its own."
            yield Finding(f"package {room}", where, "problem", advice)
        elif others:
            advice = "Uninstall it, or use an environment of its own."
            yield Finding(f"package {room}", f"also of {', '.join(others)}", "problem", advice)
    yield Finding("packages", f"{', '.join(ROOMS)} in {home}", "fine")


def _examine_extras() -> Iterator[Finding]:
    for extra, packages in EXTRAS.items():
        absent = [name for name in packages if find_spec(name) is None]
        if absent:
            advice = f"pip install 'trialsim[{extra}]', if you need it."
            yield Finding(f"extra {extra}", f"without {', '.join(absent)}", "note", advice)
        else:
            yield Finding(f"extra {extra}", "installed", "fine")


def _examine_threads() -> Finding:
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    set_here = [f"{name}={os.environ[name]}" for name in _THREAD_SETTINGS if name in os.environ]
    found = f"{usable} processors{', ' if set_here else ''}{', '.join(set_here)}"
    too_many = any(
        value.isdigit() and int(value) > usable
        for value in (os.environ.get(name, "") for name in _THREAD_SETTINGS)
    )
    if too_many:
        return Finding("threads", found, "problem", "More threads than processors are slow.")
    return Finding("threads", found, "fine")


def _examine_memory() -> Finding:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return Finding("memory", "unknown on this system", "note")
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    if gib < _LEAST_MEMORY_GIB:
        advice = f"Prediction from scans needs about {_LEAST_MEMORY_GIB:g} GiB."
        return Finding("memory", f"{gib:.1f} GiB", "note", advice)
    return Finding("memory", f"{gib:.1f} GiB", "fine")


def _examine_disk(folder: Path) -> Finding:
    gib = shutil.disk_usage(folder).free / 2**30
    if not os.access(folder, os.W_OK):
        return Finding("working folder", str(folder), "problem", "It cannot be written to.")
    if gib < _LEAST_DISK_GIB:
        return Finding("working folder", f"{gib:.1f} GiB free", "problem", "Make room on the disk.")
    return Finding("working folder", f"{gib:.1f} GiB free", "fine")


def _examine_gpu() -> Finding:
    if find_spec("torch") is None:
        return Finding("GPU", "not looked for: PyTorch is not installed", "fine")
    from brlp_models.model.devices import describe_device

    return Finding("GPU", describe_device(), "fine")
