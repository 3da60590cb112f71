"""Which outcomes and covariates are read from the table of a finished trial."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.trialsim.finished.made_trial import MONTHS, simulate
from trialsim.errors import DesignError
from trialsim.finished import (
    read_trial,
)


def test_rows_count_for_the_nearest_planned_visit() -> None:
    long, _ = simulate()
    rng = np.random.default_rng(1)
    shift = np.where(long["months"] > 0, rng.uniform(-1, 1, len(long)), 0)
    moved = long.assign(months=long["months"] + shift)
    found = read_trial(moved, visits_months=[0, 6, 12, 24])
    assert found.outcome == pytest.approx(read_trial(long).outcome, nan_ok=True)
    with pytest.raises(DesignError, match="name the planned visits"):
        read_trial(moved)


def test_rows_long_after_the_last_visit_count_for_none() -> None:
    long, _ = simulate()
    found = read_trial(long, visits_months=[0, 6, 12])
    assert found.outcome == pytest.approx(read_trial(long).outcome[:, :3], nan_ok=True)
    n_late = int((long["months"] == 24).sum())
    assert f"Left out: {n_late} rows long after the last visit, month 12." in found.notes


@pytest.mark.parametrize(
    "name", ["hippocampus_m{:02.0f}_mm3", "hippocampus_mm3_m{:.0f}", "hippocampus_month{:.0f}_mm3"]
)
def test_a_table_of_one_row_a_person_is_the_one_of_its_visits(name: str) -> None:
    long, _ = simulate()
    known = ["participant_id", "arm", "age_years", "sex"]
    wide = long.pivot_table(index=known, columns="months", values="hippocampus_mm3")
    wide.columns = [name.format(month) for month in wide.columns]
    found, expected = read_trial(wide.reset_index()), read_trial(long)
    assert found.outcome == pytest.approx(expected.outcome, nan_ok=True)
    assert found.participant_id.tolist() == expected.participant_id.tolist()
    assert found.months.tolist() == expected.months.tolist()
    assert found.covariates.equals(expected.covariates)
    assert "became rows" in found.notes[0]


def test_waves_without_a_time_are_told_and_with_one_are_read() -> None:
    long, _ = simulate()
    wide = long.pivot_table(
        index=["participant_id", "arm"], columns="months", values="hippocampus_mm3"
    )
    wide.columns = [f"hippocampus_mm3_W{k}" for k in range(1, 5)]
    wide = wide.reset_index()
    with pytest.raises(DesignError, match="visits W1, W2, W3, W4 tell no months since"):
        read_trial(wide)
    timed = wide.assign(**{f"months_W{k}": month for k, month in enumerate(MONTHS, 1)})
    assert read_trial(timed).outcome == pytest.approx(read_trial(long).outcome, nan_ok=True)


def test_sites_in_digits_are_names() -> None:
    long, _ = simulate()
    site = long["participant_id"].str[-1].astype(int) % 3
    trial = read_trial(long.assign(site=site))
    assert [*trial.covariates] == ["age_years", "sex=M", "site=1", "site=2"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"covariates": ["hippocampus_mm3"]}, "hippocampus_mm3 is no covariate: it changes"),
        ({"covariates": ["arm"]}, "arm is no covariate: it says who"),
        ({"visits_months": [0, float("nan")]}, "visits_months must be finite numbers"),
    ],
)
def test_wrong_readings_are_told(
    options: dict[str, Any], words: str, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    with pytest.raises(DesignError, match=words):
        read_trial(tables[0], **options)


def test_other_endpoints_are_no_covariates() -> None:
    long, _ = simulate()
    trial = read_trial(long.assign(amygdala_mm3=long["hippocampus_mm3"] / 3))
    assert list(trial.covariates) == ["age_years", "sex=M"]
    assert "amygdala_mm3 changes after baseline" in trial.notes[0]


def test_what_identifies_people_is_not_adjusted_for_unless_it_is_named(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    number = tables[0]["participant_id"].str[-1]
    own = tables[0].assign(plz=number, city=number.map({"1": "Ulm"}).fillna("Bonn"))
    trial = read_trial(own)
    assert [*trial.covariates] == [*read_trial(tables[0]).covariates]
    assert "Not adjusted for, because they identify people: plz, city." in trial.notes
    assert [*read_trial(own, covariates=["city"]).covariates] == ["city=Ulm"]


_SHORT = "a trial this short may be meant; if months are years, multiply them by 12."


@pytest.mark.parametrize(
    ("divisor", "told"),
    [
        # 24 months as 2 years, then a trial of 12 weeks, whose people decline as others do
        (
            12,
            f"The last visit is at month 2, and hippocampus_mm3 falls by .* % a year, .*: {_SHORT}",
        ),
        (8, f"The last visit is at month 3: {_SHORT}"),
        (4, None),
    ],
)
def test_times_as_short_as_years_are_told(divisor: float, told: str | None) -> None:
    long, _ = simulate()
    start = long.groupby("participant_id")["hippocampus_mm3"].transform("first")
    if divisor == 8:
        long["hippocampus_mm3"] = start + (long["hippocampus_mm3"] - start) / divisor
    found = read_trial(long.assign(months=long["months"] / divisor))
    notes = [note for note in found.notes if "The last visit" in note]
    if told is None:
        assert notes == []
        return
    assert len(notes) == 1
    assert re.fullmatch(told, notes[0])


def test_years_where_the_plan_is_in_months_are_refused() -> None:
    long, _ = simulate()
    years = long.assign(months=long["months"] / 12)
    with pytest.raises(DesignError) as caught:
        read_trial(years, visits_months=[0, 6, 12, 24])
    assert list(caught.value.problems) == [
        "The months of the table end at 2, where the last visit is planned at month 24: they look "
        "like years; multiply them by 12."
    ]
    assert read_trial(long, visits_months=[0, 6, 12, 24]).months[-1] == 24
