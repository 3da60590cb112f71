"""How long the steps take that are quick for each person, from how many people there are.

The seconds were measured on one core of a server; see `simulation_timing` and `prediction_timing`
for the steps that take most of the time, which are measured where they will run.
"""

from typing import Final

from trialsim.study.job import Job
from trialsim.study.protocol import Protocol

_READING: Final = 0.5
_PER_SCAN: Final = 0.2
_PER_SCORE: Final = 4e-4
_PER_SELECTION: Final = 0.01
_PER_FIT: Final = {"regression": 0.05, "boosting": 0.15, "stacked": 0.1}
"""Seconds of a fit to 800 people, which hardly takes longer than one to 100."""

_REPORT: Final = 6.0


def estimate_loading(job: Job) -> float:
    """Return the seconds of reading the cohort with its scans."""
    return _READING + _PER_SCAN * len(job.census.scans)


def estimate_scoring(job: Job) -> float:
    """Return the seconds of scoring everyone with every strategy once."""
    return _READING + estimate_fits(job.protocol)


def estimate_fits(protocol: Protocol) -> float:
    """Return the seconds of fitting each strategy once; cross-fitting fits it in every fold."""
    section = protocol.selection
    folds = 1 if protocol.cohort.training else section.folds
    return sum(folds * _PER_FIT.get(name, 0.0) + _PER_SELECTION for name in section.strategies)


def estimate_comparing(job: Job) -> float:
    """Return the seconds of measuring capture rates with their bootstrap."""
    n_scores = job.census.n_people * len(job.protocol.selection.strategies)
    return _READING + _PER_SCORE * n_scores


def estimate_report() -> float:
    """Return the seconds of drawing and writing the report."""
    return _REPORT


def show_seconds(seconds: float) -> str:
    """Return a duration in words, as exact as an estimate is: `40 s`, `12 min`, `3 h`."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
