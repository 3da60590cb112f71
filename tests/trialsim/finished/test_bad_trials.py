"""A bad table of a finished trial is refused with what would be right."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.trialsim.finished.made_trial import Change, set_first, simulate
from trialsim.errors import DesignError
from trialsim.finished import (
    estimate_effects,
    read_trial,
)


def carry_forward(table: pd.DataFrame, loss_per_month: float) -> pd.DataFrame:
    """Return the trial with everybody's baseline at each visit, less the same loss."""
    start = table.query("months == 0").set_index("participant_id")["hippocampus_mm3"]
    carried = table["participant_id"].map(start) - loss_per_month * table["months"]
    return table.assign(hippocampus_mm3=carried)


def first_to_leave(long: pd.DataFrame) -> str:
    stayed = long.loc[long["months"] == 24, "participant_id"]
    return str(sorted(set(long["participant_id"]) - set(stayed))[0])


BAD_TRIALS: list[tuple[Change, str]] = [
    (lambda t: t.drop(columns="months"), "no column months, time since randomization: give one"),
    (
        lambda t: t.rename(columns={"months": "months_from_baseline"}),
        "no column months, time since randomization: rename months_from_baseline",
    ),
    (lambda t: t.drop(columns="hippocampus_mm3"), "no column hippocampus_mm3; its columns are"),
    (lambda t: t.replace({"arm": {"control": "placebo"}}), "got placebo, treatment: say which"),
    (
        lambda t: t.assign(arm=t["arm"].where(t["age_years"] < 75, "high dose")),
        "got 3: control, high dose, treatment",
    ),
    (set_first("arm", "treatment"), "1 person is in both arms"),
    (set_first("arm", "treatment", place=1), "1 person is in both arms"),
    (set_first("arm", None), "arm is missing for 1 person .*every row of a person names it"),
    (set_first("months", -3), r"months must be 0 \(randomization\) or later, got -3"),
    (set_first("months", "soon"), "months must be a number, got soon"),
    (set_first("hippocampus_mm3", "?"), "hippocampus_mm3 must be a number, got ?"),
    (set_first("hippocampus_mm3", -1), "hippocampus_mm3 must be a volume greater than 0, got -1"),
    (
        set_first("hippocampus_mm3", 68_810),
        r"hippocampus_mm3 must be a volume in mm3 \(1000 to 14500\), got 68810 \(participant p000",
    ),
    (set_first("hippocampus_mm3", 6.881, place=2), r"must be a volume in mm3 .*, got 6\.881"),
    (
        set_first("hippocampus_mm3", 9999, place=2),
        r"holds 9999 in 1 row .first: participant p0.*which looks like a code for a missing value",
    ),
    (
        lambda t: t.assign(hippocampus_mm3=t["hippocampus_mm3"].where(t["months"] < 24, 8888.0)),
        r"holds 8888 in \d+ rows .*leave the cell empty, or write a volume with its decimals",
    ),
    (set_first("hippocampus_mm3", 1e308), r"must be a volume in mm3 .*, got 1e\+308"),
    (
        lambda t: t.assign(apoe4=t["participant_id"].map({"p003": 999, "p005": -4}).fillna(1)),
        r"apoe4 must be a number from 0 to 2, got 999.* \(participant p003, and 1 person more\)",
    ),
    (
        lambda t: t.assign(age_years=t["age_years"].where(t["participant_id"] > "p003", 840)),
        "age_years must be a number from 0 to 120, got 840.* and 3 people more",
    ),
    (
        lambda t: t.assign(head_size_mm3=t["participant_id"].map({"p003": 1.5}).fillna(1.5e6)),
        r"head_size_mm3 must be a number from 600000 to 3e\+06, got 1\.5 .participant p003",
    ),
    (
        lambda t: t.assign(tau=t["participant_id"].map({"p003": -4}).fillna(t["age_years"] / 7)),
        r"tau holds -4.* \(participant p003\), which looks like a code for a missing value: fill",
    ),
    (
        lambda t: t.assign(race=t["participant_id"].map({"p003": "-4"}).fillna(t["sex"] + "x")),
        "race holds -4 .participant p003., which looks like a code for a missing value",
    ),
    (lambda t: pd.concat([t, t.head(2)]), "two rows for one visit"),
    (set_first("participant_id", "P000", place=1), "000 differ from each other only in upper or"),
    (lambda t: t[t["months"] > 0], "needs a visit at month 0"),
    (lambda t: t.assign(mmse=t["months"]), "mmse changes after baseline, so the treatment may"),
    (lambda t: t.assign(apoe4=np.where(t["age_years"] < 75, 1, np.nan)), "apoe4 is missing for"),
    (lambda t: t.assign(clinic=t["participant_id"]), "clinic has 120 different words"),
    (
        lambda t: t.query('months < 24 or arm == "treatment" or participant_id == "p000"'),
        "Only 1 of the control arm has an outcome at month 24",
    ),
    (
        lambda t: t[(t["months"] != 12) | (t["arm"] == "treatment")],
        "Nobody of the control arm has an outcome at month 12",
    ),
    (lambda t: t.assign(hippocampus_mm3=7000.0), "hippocampus is the same for everyone at month"),
    (lambda t: carry_forward(t, 0), "changes by the same 0 mm3 in everyone to month 24, as where"),
    (lambda t: carry_forward(t, 5), "changes by the same -120 mm3 in everyone to month 24"),
    (  # the baseline is to blame, and no covariate
        lambda t: t.assign(hippocampus_mm3=t["hippocampus_mm3"].where(t["months"] > 0, 7000.0)),
        "The primary analysis ancova could not be fitted",
    ),
    (lambda t: t.assign(half=t["age_years"] / 2), r"half: .* \(--covariates age_years,sex\)"),
    (
        lambda t: t.assign(
            clinic=t["participant_id"].map({first_to_leave(t): "X"}).fillna("A")
        ),
        r"clinic: .* \(--covariates age_years,sex\)",
    ),
    (lambda t: t.assign(z=np.inf), r"z must hold finite numbers: .* \(--covariates age_years"),
    (set_first("months", np.inf), "months must be a number, got inf"),
    (lambda t: t[t["months"] == 0].assign(months=0), "a visit at month 0 and a later one"),
    (
        lambda t: t.assign(hippocampus_mm3=t["hippocampus_mm3"].where(t["months"] == 0)),
        "Nobody has hippocampus_mm3 after month 0",
    ),
    (lambda t: t.iloc[:0], "table has no rows"),
    (lambda t: pd.concat([t, t[["sex"]]], axis=1), "two columns sex: keep one"),
    (lambda t: t.drop(columns="arm"), "arms of this trial are blinded"),
    (lambda t: t.assign(arm="blinded"), "arms of this trial are blinded"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), BAD_TRIALS, ids=[words for _, words in BAD_TRIALS])
def test_a_bad_table_is_told(
    change: Change, words: str, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    with pytest.raises(DesignError, match=words) as told:
        estimate_effects(read_trial(change(tables[0])))
    assert len(told.value.problems) == 1


Reading = dict[str, Any]


def read_advice(sentence: str) -> Reading:
    """The options that a refusal names, as `read_trial` takes them."""
    named = dict(re.findall(r"--(covariates|visits-months|control) ([^ ;:)]+)", sentence))
    found: Reading = {"control": named["control"]} if "control" in named else {}
    if "covariates" in named:
        words = named["covariates"].removeprefix("none")
        found["covariates"] = [word for word in words.split(",") if word]
    if "visits-months" in named:
        found["visits_months"] = [float(month) for month in named["visits-months"].split(",")]
    return found


def lose_late_controls(long: pd.DataFrame) -> pd.DataFrame:
    return long[(long["months"] < 24) | (long["arm"] == "treatment")]


ADVISED: dict[str, tuple[Change, Reading]] = {
    "ten sites": (
        lambda t: t.assign(clinic="c" + t["participant_id"].str[-1]),
        {"covariates": ["age_years", "sex"]},
    ),
    "gaps": (
        lambda t: t.assign(apoe4=np.where(t["age_years"] < 75, 1, np.nan)),
        {"covariates": ["age_years", "sex"]},
    ),
    "both": (
        lambda t: t.assign(
            apoe4=np.where(t["age_years"] < 75, 1, np.nan), clinic="c" + t["participant_id"].str[-1]
        ),
        {"covariates": ["age_years", "sex"]},
    ),
    "changing": (lambda t: t.assign(mmse=t["months"]), {"covariates": ["age_years", "sex"]}),
    "alone": (
        lambda t: t.drop(columns=["age_years", "sex"]).assign(mmse=t["months"]),
        {"covariates": []},
    ),
    "an arm that is empty at the end": (lose_late_controls, {"visits_months": [0, 6, 12]}),
}


@pytest.mark.parametrize(("change", "advised"), ADVISED.values(), ids=ADVISED)
def test_what_a_refusal_advises_is_accepted(
    change: Change, advised: Reading, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    changed: Any = change(tables[0])
    with pytest.raises(DesignError) as told:
        estimate_effects(read_trial(changed))
    for problem in told.value.problems:
        assert read_advice(problem) == advised
    assert estimate_effects(read_trial(changed, **advised))[0].is_primary


def test_a_planned_visit_that_nobody_had_is_named_with_the_others() -> None:
    long, _ = simulate()
    with pytest.raises(DesignError, match="at month 18: an analysis takes the") as told:
        read_trial(long, visits_months=[0, 6, 12, 18, 24])
    advised = read_advice(told.value.problems[0])
    assert advised == {"visits_months": [0, 6, 12, 24]}
    assert read_trial(long, **advised).outcome.shape[1] == 4
