"""Dates with the day or the month first are read where the column tells which."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from cohorts.sources.visit_times.dates import parse_dates

DAYS = [("2020", "03", "04"), ("2021", "03", "05"), ("2019", "11", "09"), ("2020", "12", "31")]
"""Two people with two visits: only the last tells day from month."""


def read(
    folder: Path,
    form: str,
    days: list[tuple[str, str, str]] = DAYS,
    names: Mapping[str, str] | None = None,
) -> Cohort:
    rows = ["participant_id,age_bl,sex,diagnosis,hippocampus_mm3,visit_date"]
    for number, (year, month, day) in enumerate(days):
        name = (names or {}).get(month, month)
        person, date = f"sub-{number // 2}", form.format(y=year, m=month, d=day, name=name)
        rows.append(f"{person},70,F,MCI,{6000 - number},{date}")
    table = folder / "people.csv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return load_cohort(table)


@pytest.mark.parametrize(
    ("form", "order"), [("{d}/{m}/{y}", "day"), ("{m}/{d}/{y}", "month"), ("{d}.{m}.{y}", "day")]
)
def test_months_are_those_of_iso_dates(tmp_path: Path, form: str, order: str) -> None:
    iso, local = read(tmp_path, "{y}-{m}-{d}"), read(tmp_path, form)
    times = [one.visits["months_from_baseline"].tolist() for one in (iso, local)]
    assert times[0] == times[1]
    assert any(f"with the {order} first" in note for note in local.notes)


@pytest.mark.parametrize(
    "form",
    ["{y}/{m}/{d}", "{y}.{m}.{d}", "{d}{name}{y}", "{d}-{name}-{y}", "{d} {name} {y}",
     '"{name} {d}, {y}"', "{y}/{m}/{d} 08:30:00"],
)  # fmt: skip
def test_dates_that_tell_their_order_by_themselves_need_no_day_above_12(
    tmp_path: Path, form: str
) -> None:
    days = [*DAYS[:3], ("2020", "11", "12")]
    names = {"03": "MAR", "11": "November"}
    iso = read(tmp_path, "{y}-{m}-{d}", days)
    own = read(tmp_path, form, days, names)
    assert (
        own.visits["months_from_baseline"].tolist() == iso.visits["months_from_baseline"].tolist()
    )
    assert not [note for note in own.notes if "first" in note]


def test_rows_of_two_tables_may_count_alike() -> None:
    written = ["2011/09/01", "02SEP2011:08:30:00", "2011-09-03", "no date", None]
    found = parse_dates(pd.Series(written, index=[0, 1, 0, 1, 0])).days
    assert found.dt.day.tolist()[:3] == [1, 2, 3]
    assert found.iloc[3:].isna().all()


@pytest.mark.parametrize("name", ["Sept", "sep", "SEPTEMBER"])
def test_months_have_names_of_three_letters_or_more(name: str) -> None:
    found = parse_dates(pd.Series([f"5{name}2011", "31SEP2011", "5Xyz2011", "2011/13/01", None]))
    assert found.days.iloc[0] == pd.Timestamp("2011-09-05", tz="UTC")
    assert found.days.iloc[1:].isna().all()
    assert found.fault is None


@pytest.mark.parametrize(
    ("form", "days", "words"),
    [
        ("{d}/{m}/{y}", [*DAYS[:3], ("2020", "11", "12")], "day and month cannot be told apart"),
        ("{d}/{m}/{y}", [*DAYS[:3], ("2020", "11", "45")], "day and month cannot be told apart"),
        ("{d}/{m}/{y}", [*DAYS[:3], ("2020", "31", "12")], None),
        ("{d}/{m}/{y}", [("2020", "31", "01"), *DAYS[1:]], "in some the month"),
        ("{d}/{m}/{y}", [*DAYS[:3], ("2021", "02", "30")], "got '30/02/2021', a date is expected"),
        ("4{y}{m}", DAYS, "none of 4 values is a date like 2024-03-31"),
    ],
)
def test_what_could_be_another_day_is_refused(
    tmp_path: Path, form: str, days: list[tuple[str, str, str]], words: str | None
) -> None:
    if words is None:  # the same digits, and then the month comes first
        assert any("month first" in note for note in read(tmp_path, form, days).notes)
        return
    with pytest.raises(CohortError, match=words):
        read(tmp_path, form, days)


def test_dots_are_read_with_the_day_first_though_nothing_else_tells(tmp_path: Path) -> None:
    cohort = read(tmp_path, "{d}.{m}.{y}", DAYS[:2] + DAYS[:2])
    assert cohort.visits["months_from_baseline"].max() == pytest.approx(12.02, abs=0.05)


def write_dates(folder: Path, *rows: str) -> Path:
    """Write visits of whoever is named at the start of each row, with a date."""
    table = folder / "people.csv"
    lines = [
        f"{person},70,F,MCI,6000,{date}" for person, _, date in (r.partition(" ") for r in rows)
    ]
    header = "participant_id,age_bl,sex,diagnosis,hippocampus_mm3,visit_date"
    table.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return table


def test_a_date_that_is_missing_hides_no_order(tmp_path: Path) -> None:
    cohort = load_cohort(write_dates(tmp_path, "a 03.04.2020", "a 03.04.2021", "b "))
    assert cohort.visits["months_from_baseline"].round().tolist() == [0, 12, 0]
    assert parse_dates(pd.Series(["15/03/2020", None])).first == "day"


@pytest.mark.parametrize("other", ["15.03.2021", "14-03-2022"])
def test_dates_of_several_conventions_are_refused(tmp_path: Path, other: str) -> None:
    path = write_dates(tmp_path, "a 03/04/2020", f"a {other}")
    with pytest.raises(CohortError, match=rf"'03/04/2020' and some like '{other}'.* --ignore"):
        load_cohort(path)


@pytest.mark.parametrize("form", ["{y}/{d}/{m}", "{y}-{d}-{m}", "{y}{d}{m}"])
def test_dates_with_the_day_second_are_refused_and_no_month_is_taken_for_a_day(
    tmp_path: Path, form: str
) -> None:
    days = [("2020", "31", "03"), ("2022", "15", "03"), ("2020", "05", "06"), ("2022", "05", "07")]
    rows = [f"{'ab'[k // 2]} {form.format(y=y, d=d, m=m)}" for k, (y, d, m) in enumerate(days)]
    for quarantine in (False, True):
        with pytest.raises(CohortError, match="the day before the month"):
            load_cohort(write_dates(tmp_path, *rows), quarantine=quarantine)


def test_one_date_with_the_day_second_is_a_slip_of_its_row(tmp_path: Path) -> None:
    rows = ("a 2020-03-31", "a 2022-03-31", "b 2020-31-03", "b 2022-03-31")
    cohort = load_cohort(write_dates(tmp_path, *rows), quarantine=True)
    assert cohort.participants["participant_id"].tolist() == ["a"]
    assert cohort.visits["months_from_baseline"].round().tolist() == [0, 24]
    many = pd.Series(["2020-03-31"] * 60 + ["2020-31-03"] * 3)
    assert parse_dates(many).fault is None
    assert "day before the month" in str(parse_dates(many[20:]).fault)


def test_dates_of_single_visits_need_no_order(tmp_path: Path) -> None:
    cohort = load_cohort(write_dates(tmp_path, "a 03/04/2020", "b 05/06/2020"))
    assert cohort.visits["months_from_baseline"].tolist() == [0, 0]
