"""Long tables whose names are numbered give back what they were made of, and find the same rows."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from cohorts.cohort import Cohort
from cohorts.errors import CohortValidationError
from cohorts.keys import is_in_order, number_names
from cohorts.numbered import NumberedTable
from cohorts.schema import validate_table
from cohorts.synthetic.tabular import synthesize_table

NAMES = st.lists(st.sampled_from(["a", "b", "é", "", None]), min_size=1, max_size=12)


def make_table(names: list[str | None]) -> pd.DataFrame:
    n = len(names)
    columns = {
        "person": pd.Series(names, dtype="str"),
        "volume": pd.Series(np.arange(n, dtype=float)),
        "region": pd.Series((["csf", "brain"] * n)[:n], dtype="str"),
        "run": pd.Series(([None, 1] * n)[:n], dtype="Int64"),
    }
    return pd.DataFrame(columns).set_axis(np.arange(5, 5 + n))


@settings(max_examples=40, deadline=None)
@given(NAMES)
def test_a_table_comes_back_as_it_was(names: list[str | None]) -> None:
    frame = make_table(names)
    numbered = NumberedTable.of(frame)
    assert_frame_equal(numbered.to_frame(), frame)
    odd = np.arange(len(frame)) % 2 == 1
    assert_frame_equal(numbered.keep(odd).to_frame(), frame[odd])


@settings(max_examples=40, deadline=None)
@given(NAMES)
def test_rows_are_found_by_name_as_in_the_table_itself(names: list[str | None]) -> None:
    frame = make_table(names)
    numbered = NumberedTable.of(frame)
    for name in ("a", "é", "nobody"):
        assert (numbered.find("person", name) == (frame["person"] == name)).all()
    assert (numbered.is_among("person", {"a", ""}) == frame["person"].isin(["a", ""])).all()
    counts = frame["person"].value_counts(sort=False)
    assert numbered.count_names("person").to_dict() == counts.to_dict()
    assert list(numbered.count_names("person").index) == list(counts.index)
    key = ["person", "region"]
    assert numbered.has_repeated(key) == frame.duplicated(key).any()


@settings(max_examples=40, deadline=None)
@given(NAMES, NAMES)
def test_rows_are_placed_among_those_of_another_table(
    names: list[str | None], others: list[str | None]
) -> None:
    frame, among = make_table(names), make_table(others).drop_duplicates(["person", "region"])
    places = NumberedTable.of(frame).locate(among, ["person", "region"])
    for place, row in zip(places, frame.itertuples(), strict=True):
        own = among["region"] == row.region
        own &= among["person"].isna() if pd.isna(row.person) else among["person"] == row.person
        assert place == (np.flatnonzero(own)[0] if own.any() else -1)


@settings(max_examples=40, deadline=None)
@given(NAMES)
def test_names_are_numbered_as_they_come(names: list[str | None]) -> None:
    column = pd.Series(names, dtype="str")
    numbers, found = number_names(column)
    expected, kinds = pd.factorize(column)
    assert (numbers == expected).all()
    assert found.to_pylist() == list(kinds)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 1.0, np.nan])), max_size=6))
def test_rows_in_order_stay_where_they_are(rows: list[tuple[str, float]]) -> None:
    frame = pd.DataFrame(rows, columns=["person", "months"]).astype({"person": "str"})
    key = ["person", "months"]
    if is_in_order(frame, key):
        assert_frame_equal(frame.sort_values(key, kind="stable"), frame)
    elif frame["months"].notna().all():
        assert not frame.sort_values(key, kind="stable").index.equals(frame.index)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return synthesize_table(30, rng=np.random.default_rng(1))[0]


def test_the_volumes_of_a_cohort_are_the_same_whenever_they_are_asked_for(cohort: Cohort) -> None:
    volumes = cohort.volumes
    assert_frame_equal(replace(cohort, name="other").volumes, volumes)
    assert_frame_equal(pickle.loads(pickle.dumps(cohort)).volumes, volumes)
    with pytest.raises(AttributeError, match="no attribute 'volume'"):
        cohort.volume  # type: ignore[attr-defined]  # noqa: B018


def test_a_cohort_at_a_time_places_its_volumes_as_one_made_anew(cohort: Cohort) -> None:
    known = cohort.until(12)
    anew = Cohort(known.participants, known.visits, known.volumes)
    assert_frame_equal(known.visit_volumes(), anew.visit_volumes())
    assert (
        known.visits["months_from_baseline"].max()
        <= 12
        < cohort.visits["months_from_baseline"].max()
    )


PEOPLE, _ = synthesize_table(4, rng=np.random.default_rng(2))
VOLUMES = PEOPLE.volumes


def test_names_are_checked_without_being_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    numbered = NumberedTable.of(VOLUMES)
    monkeypatch.delattr(NumberedTable, "to_frame")
    assert len(numbered.validate("volumes")) == len(VOLUMES)


@pytest.mark.parametrize(
    "wrong",
    [
        VOLUMES.assign(volume_mm3=-1.0),
        VOLUMES.assign(volume_mm3="much"),
        VOLUMES.assign(source=pd.Series([None] * len(VOLUMES), dtype="str")),
        VOLUMES.assign(session_id="ses-1"),
        VOLUMES.drop(columns="region"),
        VOLUMES.drop(columns="volume_mm3"),
    ],
)
def test_a_wrong_table_is_refused_in_the_words_of_a_plain_one(wrong: pd.DataFrame) -> None:
    with pytest.raises(CohortValidationError) as plain:
        validate_table(wrong, "volumes")
    with pytest.raises(CohortValidationError) as numbered:
        NumberedTable.of(wrong).validate("volumes")
    assert numbered.value.problems == plain.value.problems


def test_names_that_may_not_be_are_refused() -> None:
    people = PEOPLE.participants
    assert_frame_equal(NumberedTable.of(people).validate("participants").to_frame(), people)
    with pytest.raises(CohortValidationError, match="sex"):
        NumberedTable.of(people.assign(sex="unknown")).validate("participants")


def test_text_that_is_not_of_its_type_becomes_it() -> None:
    loose = VOLUMES.astype({"region": "category", "source": object, "volume_mm3": "str"})
    assert_frame_equal(
        NumberedTable.of(loose).validate("volumes").to_frame(), validate_table(loose, "volumes")
    )
