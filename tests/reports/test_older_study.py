"""A study of an older version, opened for reading, stays as it is."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.store import migrations, study_file
from reports.store.study import Study

PEOPLE = pd.DataFrame(
    {"participant_id": ["a"], "sex": ["F"], "age_years": [70.0], "diagnosis": ["CN"]}
)


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Return a study that lacks the last step of the schema."""
    path = tmp_path / "older.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        for module in (migrations, study_file):
            patch.setattr(module, "MIGRATIONS", migrations.MIGRATIONS[:-1])
        with Study.open(path).run(command="x", config={}) as run:
            run.write("participants", PEOPLE)
    return path


def test_a_reader_leaves_the_file_as_it_is(older: Path) -> None:
    before = hashlib.sha256(older.read_bytes()).hexdigest()
    opened = Study.open(older, read_only=True)
    pd.testing.assert_frame_equal(opened.read("participants"), PEOPLE)
    assert hashlib.sha256(older.read_bytes()).hexdigest() == before
    copy = opened.source
    assert copy != older
    del opened
    assert not copy.exists()
    assert Study.open(older).source == older
    assert hashlib.sha256(older.read_bytes()).hexdigest() != before


def test_costs_that_nothing_has_go_into_an_older_file(older: Path) -> None:
    decision = {
        "analysis": "mmrm", "strategy": "random", "fraction_enrolled": 1.0, "cost": np.nan,
        "probability_cheapest": 1.0, "expected_n_control": 70.0, "expected_cost": np.nan,
        "expected_regret": 0.0, "probability_saves": np.nan, "is_least_regret": True,
    }  # fmt: skip
    study = Study.open(older)
    with study.run(command="x", config={}) as run:
        run.write("decisions", pd.DataFrame([decision]))
    pd.testing.assert_frame_equal(study.read("decisions"), pd.DataFrame([decision]))
