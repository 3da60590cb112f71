"""The names of a protocol's keys where it is written flat: options, keyword arguments."""

from collections.abc import Mapping
from typing import Final

_BY_SECTION: Final = {
    "study": ("title", "seed", "output"),
    "cohort": (
        "age_unit",
        "sex_coding",
        "diagnosis_coding",
        "diagnosis",
        "quarantine",
        "ignore",
        "top_coded_age",
        "missing",
        "pipeline",
        "bids_filters",
        "eligibility",
        "training",
    ),
    "prediction": (
        "model",
        "horizons_months",
        "samples",
        "device",
        "save_images",
        "measure",
        "segmentations",
        "until_months",
        "tolerance_percent",
        "sampler",
        "num_inference_steps",
        "precision",
        "batch_size",
        "memory_gb",
    ),
    "selection": (
        "strategies",
        "scores",
        "predictions",
        "fractions_enrolled",
        "folds",
        "n_selected",
        "truth",
    ),
    "selection.fast_progressor": ("top_fraction", "rate_below", "horizon_months", "window_months"),
    "design": (
        "endpoint",
        "unit",
        "visits_months",
        "arms",
        "allocation_ratio",
        "alpha",
        "sides",
        "target_power",
        "slowing",
        "relative_to",
        "normal_change_per_year",
        "effect",
        "effect_model",
        "outcomes",
        "trajectories",
        "dropout",
        "analyses",
        "common_baseline",
    ),
    "costs": ("currency", "screening", "participant", "per_month", "screening_rate_per_month"),
    "simulation": ("sample_sizes", "n_simulations", "n_bootstrap", "workers"),
}

KEYS: Final[Mapping[str, str]] = {
    "cohort": "cohort.path",
    "column_map": "cohort.map",
    "interim": "interim",
    "decline_unit": "selection.fast_progressor.unit",
    **{name: f"{section}.{name}" for section, names in _BY_SECTION.items() for name in names},
}
"""The dotted key of each flat name."""
