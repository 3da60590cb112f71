"""A cohort that was written is the one that is read, or is refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from cohorts.synthetic.tabular import synthesize_table
from tests.cohorts.loading.made_table import TABLES, make_table


def test_folder_gives_back_what_was_written(tmp_path: Path) -> None:
    make_table().to_csv(tmp_path / "p.csv", index=False)
    cohort = load_cohort(tmp_path / "p.csv")
    cohort.write(tmp_path / "cohort")
    again = load_cohort(tmp_path / "cohort")
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(cohort, table), getattr(again, table))
    assert (again.name, again.notes, again.sources) == (cohort.name, cohort.notes, cohort.sources)


def test_synthetic_people_are_sound_and_stay_synthetic(tmp_path: Path) -> None:
    cohort, _ = synthesize_table(400, rng=np.random.default_rng(3))
    cohort.write(tmp_path / "cohort")
    again = load_cohort(tmp_path / "cohort")
    assert again.is_synthetic
    assert len(again.participants) == 400


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("participants", {"age_years": None}, "no column age_years; import the cohort again"),
        ("visits", {"age_years": 800.0}, "got 800, an age in years"),
        ("volumes", {"volume_mm3": -1.0}, "got -1, a volume above 0 mm3"),
        ("volumes", {"session_id": "ses-9"}, "no visit ses-9 in visits.parquet"),
        ("visits", {"participant_id": "x"}, "no such person in participants.parquet"),
        ("participants", {"diagnosis": "AD"}, "'MCI' at the baseline visit and 'AD' in the table"),
    ],
)
def test_folder_that_was_changed_is_refused(
    table: str, change: dict[str, object], words: str, tmp_path: Path
) -> None:
    make_table().to_csv(tmp_path / "p.csv", index=False)
    load_cohort(tmp_path / "p.csv").write(tmp_path / "cohort")
    path = tmp_path / "cohort" / f"{table}.parquet"
    frame = pd.read_parquet(path)
    for column, value in change.items():
        frame = frame.drop(columns=column) if value is None else frame.assign(**{column: value})
    frame.to_parquet(path)
    with pytest.raises(CohortError, match=f"{table}.parquet is not the one that was imported"):
        load_cohort(tmp_path / "cohort")
    forget_checksums(tmp_path / "cohort")
    with pytest.raises(CohortError, match=words):
        load_cohort(tmp_path / "cohort")


def forget_checksums(folder: Path) -> None:
    """Make the folder one of an earlier version, which recorded none."""
    path = folder / "cohort.json"
    description = json.loads(path.read_text())
    del description["files"]
    path.write_text(json.dumps(description))
