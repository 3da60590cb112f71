"""Rows of asegstats2table: one processing stream a person, never a template."""

from functools import partial
from pathlib import Path

import pytest

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from tests.counted_calls import count_calls

HEADER = "Measure:volume\tage\tsex\tdiagnosis\tLeft-Hippocampus\tRight-Hippocampus\n"


def load(tmp_path: Path, names: dict[str, tuple[float, int]], header: str = HEADER) -> Cohort:
    rows = [f"{n}\t{age}\tF\tCN\t{left}\t{left}\n" for n, (age, left) in names.items()]
    (tmp_path / "aseg.tsv").write_text(header + "".join(rows))
    return load_cohort(tmp_path / "aseg.tsv")


def get_left(found: Cohort) -> list[tuple[str, str, float, str]]:
    rows = found.volumes[found.volumes["region"] == "left_hippocampus"]
    return list(
        rows[["participant_id", "session_id", "volume_mm3", "source"]].itertuples(
            index=False, name=None
        )
    )


def test_the_longitudinal_stream_is_taken_where_it_has_every_visit(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        {
            "sub-01_ses-1": (70, 3500),
            "sub-01_ses-2": (72, 3300),
            "sub-01_ses-1.long.sub-01": (70, 3600),
            "sub-01_ses-2.long.sub-01": (72, 3450),
            "sub-01": (70, 3555),
        },
    )
    source = "table aseg.tsv, longitudinal"
    assert get_left(found) == [
        ("sub-01", "ses-1", 3600.0, source),
        ("sub-01", "ses-2", 3450.0, source),
    ]
    assert any("templates of a longitudinal run" in note for note in found.notes)


def test_the_other_stream_is_taken_where_the_longitudinal_one_lacks_a_visit(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        {
            "a_v1": (70, 3500),
            "a_v2": (72, 3300),
            "a_v1.long.a_base": (70, 3600),
            "sub-02_ses-1": (66, 3700),
        },
    )
    assert [row[:3] for row in get_left(found)] == [
        ("a", "v1", 3500.0),
        ("a", "v2", 3300.0),
        ("sub-02", "ses-1", 3700.0),
    ]
    assert set(found.volumes["source"]) == {"table aseg.tsv"}


def test_a_person_of_two_streams_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="one stream for all visits is expected"):
        load(tmp_path, {"sub-01_ses-1.long.sub-01": (70, 3500), "sub-01_ses-2": (72, 3300)})


def test_cross_sectional_names_say_person_and_visit(tmp_path: Path) -> None:
    found = load(tmp_path, {"sub-01_ses-1": (70, 3500), "sub-01_ses-2": (72, 3300)})
    assert [row[:3] for row in get_left(found)] == [
        ("sub-01", "ses-1", 3500.0),
        ("sub-01", "ses-2", 3300.0),
    ]


def test_the_stream_is_known_where_other_columns_name_the_person(tmp_path: Path) -> None:
    rows = [
        ("sub-01_ses-1", 3500), ("sub-01_ses-1.long.sub-01", 3600), ("sub-01_ses-2", 3300),
        ("sub-01_ses-2.long.sub-01", 3450),
    ]  # fmt: skip
    header = HEADER.replace("Measure:volume", "participant_id\tsession_id\tMeasure:volume")
    lines = [
        f"sub-01\t{name[7:12]}\t{name}\t{70 + 2 * ('ses-2' in name)}\tF\tCN\t{left}\t{left}\n"
        for name, left in rows
    ]
    (tmp_path / "aseg.tsv").write_text(header + "".join(lines))
    found = load_cohort(tmp_path / "aseg.tsv", column_map={"participant_id": "participant_id"})
    assert [row[2] for row in get_left(found)] == [3600.0, 3450.0]


def test_four_times_as_many_people_of_both_streams_take_four_times_the_work(tmp_path: Path) -> None:
    """Each visit without a template was held against everybody's name."""
    calls = {}
    for n in (10, 100, 400):  # the first time modules are loaded
        names = [f"p{k:03d}_v{visit}" for k in range(n) for visit in (1, 2)]
        followed = [f"{name}.long.{name[:4]}" for name in names[::2]]
        rows = {name: (70 + k % 2, 3500) for k, name in enumerate(names)}
        rows |= dict.fromkeys(followed, (70, 3600))
        found, calls[n] = count_calls(partial(load, tmp_path, rows))
        assert len(found.participants) == n
    assert calls[400] < 5 * calls[100]
