"""A table of people written down, and the problems that loading it tells."""

from pathlib import Path

import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort


def write(path: Path, text: str) -> Path:
    path.write_text("participant_id\tsex\tdiagnosis\t" + text.replace(" ", "\t"), encoding="utf-8")
    return path


def list_problems(path: Path, **stated: object) -> list[str]:
    with pytest.raises(CohortError) as caught:
        load_cohort(path, **stated)  # type: ignore[arg-type]
    return list(caught.value.problems)
