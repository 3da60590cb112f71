"""Simulated cohorts whose truth is known, labelled synthetic wherever they are written."""

from typing import TYPE_CHECKING

from cohorts.lazy import attach

if TYPE_CHECKING:
    from cohorts.synthetic.images import synthesize_images
    from cohorts.synthetic.parameters import GeneratorParameters
    from cohorts.synthetic.tabular import synthesize_table
    from cohorts.synthetic.truth import Truth, read_truth, write_truth
else:
    __getattr__, __dir__ = attach(__name__)

__all__ = [
    "GeneratorParameters",
    "Truth",
    "read_truth",
    "synthesize_images",
    "synthesize_table",
    "write_truth",
]
