"""Simulated cohorts whose truth is known, labelled synthetic wherever they are written."""

from importlib import import_module
from typing import Any

_HOMES = {
    "synthesize_table": "cohorts.synthetic.tabular",
    "synthesize_images": "cohorts.synthetic.images",
    "Truth": "cohorts.synthetic.truth",
    "read_truth": "cohorts.synthetic.truth",
    "write_truth": "cohorts.synthetic.truth",
    "GeneratorParameters": "cohorts.synthetic.parameters",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
