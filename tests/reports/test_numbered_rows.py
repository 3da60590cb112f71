"""Volumes go into a study and out of it with their names numbered, as if written out each time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

from cohorts.cohort import Cohort
from cohorts.files.folder import COHORT_TABLES
from cohorts.numbered import NumberedTable
from cohorts.synthetic.tabular import synthesize_table
from reports.store import rows
from reports.store.study import Study
from trialsim.study.steps.cohort import read_cohort

MEASURED, _ = synthesize_table(12, rng=np.random.default_rng(3))
PLAIN = MEASURED.volumes
N = len(PLAIN)

TABLES = {
    "plain": PLAIN,
    "nothing measured": PLAIN.iloc[:0],
    "several tools, out of order": pd.concat([PLAIN.assign(source="étool"), PLAIN])
    .sample(frac=1, random_state=4)
    .reset_index(drop=True),
    "missing values": PLAIN.assign(
        note=pd.Series([None, "a", "", "ü"] * N, dtype="str")[:N],
        nobody=pd.Series([None] * N, dtype="str"),
        slices=pd.array(([None, 160] * N)[:N], dtype="Int64"),
        sound=pd.array(([None, True] * N)[:N], dtype="boolean"),
        snr=([np.nan, 2.5] * N)[:N],
    ),
    "categories": PLAIN.assign(
        scanner=pd.Categorical((["b", None, "a"] * N)[:N], categories=["unused", "b", "a"]),
        site=([2, 1] * N)[:N],
    ),
}


def assert_same(found: NumberedTable, expected: NumberedTable) -> None:
    assert found.columns == expected.columns
    assert_frame_equal(found.others, expected.others)
    assert found.names.keys() == found.numbers.keys() == expected.names.keys()
    for name, names in expected.names.items():
        assert found.names[name].equals(names)
        np.testing.assert_array_equal(found.numbers[name], expected.numbers[name], strict=True)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rows come seven at a time, as those of millions come in batches."""
    whole = rows.iterate_batches

    def iterate(*of: object) -> pa.RecordBatchReader:
        read = whole(*of)  # type: ignore[arg-type]

        def cut() -> Iterator[pa.RecordBatch]:
            for batch in read:
                yield from (batch.slice(start, 7) for start in range(0, len(batch), 7))

        return pa.RecordBatchReader.from_batches(read.schema, cut())

    monkeypatch.setattr(rows, "iterate_batches", iterate)


# the others hold what it holds
PLAINLY = pytest.param("plain", marks=pytest.mark.slow)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("kind", [PLAINLY, *sorted({*TABLES} - {"plain"})])
def test_numbered_rows_are_those_that_were_written_out(kind: str, tmp_path: Path) -> None:
    study = Study.open(tmp_path / "study.duckdb")
    with study.run(command="c", config={}) as earlier:  # whose site is text, and so for all
        earlier.write("volumes", PLAIN.iloc[:1].assign(site="Ulm"))
    with study.run(command="c", config={}) as first:
        first.write("volumes", TABLES[kind])
    written_out = study.read("volumes")
    assert_same(study.read_numbered("volumes"), NumberedTable.of(written_out))
    with study.run(command="c", config={}) as second:
        second.write("volumes", NumberedTable.of(TABLES[kind]))
    assert_frame_equal(study.read("volumes"), written_out)
    kept = study.query("SELECT * FROM run_tables ORDER BY run_id").drop(columns="run_id")
    assert kept.iloc[1].astype(str).equals(kept.iloc[2].astype(str))


@pytest.mark.parametrize("kind", [PLAINLY, *sorted({*TABLES} - {"plain", "nothing measured"})])
def test_a_cohort_read_from_a_study_is_the_one_of_its_tables(kind: str, tmp_path: Path) -> None:
    study = Study.open(tmp_path / "study.duckdb")
    with study.run(command="c", config={}) as run:
        for table in COHORT_TABLES:
            run.write(table, TABLES[kind] if table == "volumes" else getattr(MEASURED, table))
    found, expected = read_cohort(study), Cohort(*map(study.read, COHORT_TABLES))
    for table in COHORT_TABLES:
        assert_frame_equal(getattr(found, table), getattr(expected, table))
    assert_same(found.numbered_volumes, expected.numbered_volumes)
