"""What the model says of a scan, now and later."""

from typing import Final

import pandera.pandas as pa

from cohorts.schema.columns import count, number, table, text
from cohorts.schema.names import IMAGE_KINDS

_PREDICTED: Final = {
    "participant_id": text(),
    "model_id": text(),
    "horizon_months": number(0),
    "region": text(),
    "volume_mm3": number(0),
    "volume_sd_mm3": number(0, nullable=True),
    "n_samples": count(1),
    "baseline_volume_mm3": number(0),
}

PREDICTIONS_TABLES: Final[tuple[pa.DataFrameSchema, ...]] = (
    table(
        "scan_volumes",
        "trialsim predict",
        ["participant_id", "session_id", "region"],
        {
            "participant_id": text(),
            "session_id": text(),
            "region": text(),
            "volume_mm3": number(0),
            "source": text(),
        },
    ),
    table(
        "scan_checks",
        "trialsim predict",
        ["participant_id", "session_id", "model_id"],
        {
            "participant_id": text(),
            "session_id": text(),
            "model_id": text(),
            "verdict": text(values=("pass", "warn", "fail")),
            "reasons": text(),
        },
    ),
    table(
        "predictions",
        "trialsim predict",
        ["participant_id", "model_id", "horizon_months", "region"],
        _PREDICTED,
    ),
    table(
        "archive_predictions",
        "trialsim run",
        ["participant_id", "model_id", "horizon_months", "region"],
        _PREDICTED,
    ),
    table(
        "prediction_images",
        "trialsim predict",
        ["participant_id", "model_id", "horizon_months", "kind"],
        {
            "participant_id": text(),
            "model_id": text(),
            "horizon_months": number(0),
            "kind": text(values=IMAGE_KINDS),
            "path": text(),
        },
    ),
)
