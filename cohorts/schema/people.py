"""Who is screened, and what was asked of them."""

from typing import Final

import pandera.pandas as pa

from cohorts.schema.columns import count, factor, number, table, text
from cohorts.schema.names import SEXES

PEOPLE_TABLES: Final[tuple[pa.DataFrameSchema, ...]] = (
    table(
        "participants",
        "trialsim cohort import",
        ["participant_id"],
        {
            "participant_id": text(),
            "sex": text(values=SEXES),
            "age_years": number(0, 120),
            "diagnosis": text(),
        },
    ),
    table(
        "visits",
        "trialsim cohort import",
        ["participant_id", "session_id"],
        {
            "participant_id": text(),
            "session_id": text(),
            "age_years": number(0, 120),
            "months_from_baseline": number(0),
            "diagnosis": text(nullable=True),
            "image_path": text(nullable=True),
            "segmentation_path": text(nullable=True),
            # 1 where it is not given; of the scan and the label map alike
            "determinant": factor(),
        },
    ),
    table(
        "volumes",
        "trialsim cohort import",
        ["participant_id", "session_id", "region", "source"],
        {
            "participant_id": text(),
            "session_id": text(),
            "region": text(),
            "volume_mm3": number(0),
            "source": text(),
        },
    ),
    table(
        "screening_flow",
        "trialsim cohort import",
        ["step"],
        {
            "step": count(),
            "criterion": text(),
            "n_entering": count(),
            "n_failed": count(),
            "n_remaining": count(),
        },
    ),
    table(
        "study_description",
        "trialsim rank",
        ["key"],
        {
            # a key of the protocol with its section: design.slowing; under `resolved.` what
            # follows from others where it is not stated
            "key": text(),
            # as JSON
            "value": text(),
        },
    ),
)
