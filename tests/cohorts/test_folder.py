"""Volumes of a cohort's folder are the same however the file holds its names."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.files.folder import read_cohort_tables
from cohorts.synthetic.tabular import synthesize_table

IDS = ["0001", "1e3", "None", "nan", "x" * 60, "É-7"]
NAMES = ["participant_id", "session_id", "region", "source"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cohort = synthesize_table(len(IDS), rng=np.random.default_rng(3))[0]
    renamed = dict(zip(cohort.participants["participant_id"], IDS, strict=True))
    tables = {
        name: getattr(cohort, name).replace({"participant_id": renamed})
        for name in ("participants", "visits", "volumes")
    }
    Cohort(**tables).write(tmp_path)
    # as folders of earlier versions are, so that a file may be written anew
    description = json.loads((tmp_path / "cohort.json").read_text())
    (tmp_path / "cohort.json").write_text(json.dumps(description | {"files": {}}))
    return tmp_path


def encode(column: pa.ChunkedArray) -> pa.Array:
    """Return names as a dictionary in another order, with one that no row has."""
    names = ["nobody", *sorted(set(column.to_pylist()), reverse=True)]
    numbers = [names.index(name) for name in column.to_pylist()]
    return pa.DictionaryArray.from_arrays(pa.array(numbers, pa.int16()), pa.array(names))


WRITINGS: dict[str, Callable[[pa.ChunkedArray], pa.Array | pa.ChunkedArray]] = {
    "text": lambda column: column.cast(pa.string()),
    "long text": lambda column: column.cast(pa.large_string()),
    "categories": lambda column: column.cast(pa.string()).dictionary_encode(),
    "categories in another order": encode,
}


@pytest.mark.parametrize("rows", [4, 1_000_000])
@pytest.mark.parametrize("writing", WRITINGS)
def test_names_are_read_the_same_however_they_are_written(
    folder: Path, writing: str, rows: int
) -> None:
    expected = Cohort.read(folder)
    path = folder / "volumes.parquet"
    table = pq.read_table(path)
    for place, name in enumerate(table.column_names):
        if name in NAMES:
            table = table.set_column(place, name, WRITINGS[writing](table[name]))
    pq.write_table(table, path, row_group_size=rows)
    found = Cohort.read(folder)
    assert_frame_equal(found.volumes, expected.volumes)
    numbered = found.numbered_volumes
    assert numbered.names["participant_id"].to_pylist() == IDS
    assert len(numbered.numbers["participant_id"]) == len(expected.volumes)
    assert found.baseline().index.tolist() == IDS


def test_names_that_are_numbers_are_read_as_text(folder: Path) -> None:
    expected = Cohort.read(folder)
    numbers = {name: place for place, name in enumerate(IDS)}
    for table in ("participants", "visits", "volumes"):
        path = folder / f"{table}.parquet"
        frame = pd.read_parquet(path)
        frame["participant_id"] = frame["participant_id"].map(numbers)
        frame.to_parquet(path)
    found = Cohort.read(folder)
    assert found.volumes["participant_id"].unique().tolist() == list("012345")
    same = found.volumes["volume_mm3"] == expected.volumes["volume_mm3"]
    assert same.all()


def test_further_columns_are_kept(folder: Path) -> None:
    path = folder / "volumes.parquet"
    frame = pd.read_parquet(path)
    frame["note"] = pd.Series(["seen", None] * len(frame), dtype="str")[: len(frame)]
    frame["run"] = pd.array([1, None] * (len(frame) // 2) + [1] * (len(frame) % 2), dtype="Int64")
    frame.to_parquet(path)
    found = Cohort.read(folder).volumes
    assert_frame_equal(found, frame)
    assert found["note"].isna().sum() == len(frame) // 2


def test_every_file_that_cannot_be_read_is_told_at_once(folder: Path) -> None:
    (folder / "visits.parquet").unlink()
    (folder / "volumes.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(CohortError) as refused:
        read_cohort_tables(folder)
    first, second = refused.value.problems
    assert "has no visits.parquet" in first
    assert "volumes.parquet could not be read as Parquet" in second


@pytest.mark.parametrize("missing", NAMES)
def test_a_table_without_a_column_of_names_is_refused(folder: Path, missing: str) -> None:
    path = folder / "volumes.parquet"
    frame = pd.read_parquet(path)
    frame.drop(columns=missing).to_parquet(path)
    with pytest.raises(CohortError, match=f"no column {missing}; import the cohort again"):
        Cohort.read(folder)
    frame.assign(**{missing: frame[missing].where(frame.index != 3)}).to_parquet(path)
    with pytest.raises(CohortError, match="volumes"):
        Cohort.read(folder)


def test_a_person_who_is_twice_in_the_table_of_people_is_told(folder: Path) -> None:
    people = pd.read_parquet(folder / "participants.parquet")
    pd.concat([people, people[3:4]]).to_parquet(folder / "participants.parquet", index=False)
    with pytest.raises(CohortError, match=rf"twice; once is expected \(participant {IDS[3]}"):
        Cohort.read(folder)


def test_volumes_stay_those_of_their_visits_when_a_person_is_left_out(folder: Path) -> None:
    expected = Cohort.read(folder).visit_volumes()
    visits = pd.read_parquet(folder / "visits.parquet")
    visits.loc[visits["participant_id"] == IDS[2], "age_years"] = 400.0
    visits.to_parquet(folder / "visits.parquet", index=False)
    found = Cohort.read(folder, quarantine=True).visit_volumes()
    others = expected[expected["participant_id"] != IDS[2]]
    assert_frame_equal(found, others.reset_index(drop=True))
