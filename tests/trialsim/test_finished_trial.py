"""A finished trial: read from its table, estimated by every estimator, refused where it must be."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from trialsim.analysis import fit_random_slope
from trialsim.errors import DesignError
from trialsim.finished import (
    add_twins,
    estimate_effects,
    estimate_twin_gain,
    read_trial,
    tabulate_effects,
)

MONTHS = np.array([0.0, 6, 12, 24])


def simulate(n: int = 120, seed: int = 20260101) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A treatment that saves 3 mm3 a month; twins that know half of each person's slope."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"p{i:03d}" for i in range(n)])
    arm = np.arange(n) % 2
    age = rng.normal(73, 7, n)
    known = rng.normal(size=n)
    base = 7000 + 600 * rng.normal(size=n) - 10 * (age - 73)
    slope = -9 - 4 * known + 3 * arm + 3 * rng.normal(size=n)
    volume = base[:, None] + slope[:, None] * MONTHS + 70 * rng.normal(size=(n, 4))
    stays = rng.exponential(90, n)[:, None] >= MONTHS
    long = pd.DataFrame(
        {
            "participant_id": np.repeat(ids, 4),
            "arm": np.repeat(np.where(arm == 1, "treatment", "control"), 4),
            "months": np.tile(MONTHS, n),
            "hippocampus_mm3": volume.ravel(),
            "age_years": np.repeat(age, 4),
            "sex": np.repeat(np.where(rng.random(n) < 0.5, "F", "M"), 4),
        }
    )
    predicted = volume[:, :1] + (-9 - 4 * known)[:, None] * MONTHS
    twins = pd.DataFrame(
        {
            "participant_id": np.repeat(ids, 4),
            "months": np.tile(MONTHS, n),
            "predicted_mm3": predicted.ravel(),
            "sd_mm3": np.repeat(60 + 20 * np.abs(known), 4),
        }
    )
    return long[stays.ravel()].sample(frac=1, random_state=1), twins


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    return simulate()


def test_estimates_are_those_of_statsmodels(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    long, twins = tables
    found = tabulate_effects(estimate_effects(add_twins(read_trial(long), twins)))
    found = found.set_index("estimator")
    wide = long.pivot_table(
        index=["participant_id", "arm", "age_years", "sex"], columns="months",
        values="hippocampus_mm3",
    ).reset_index()  # fmt: skip
    wide.columns = ["id", "arm", "age", "sex", "y0", "y6", "y12", "y24"]
    last = twins[twins["months"] == 24].set_index("participant_id")
    wide["twin"] = last["predicted_mm3"].loc[wide["id"]].to_numpy()
    wide["w"] = last["sd_mm3"].loc[wide["id"]].to_numpy() ** -2.0
    for name, formula in (
        ("unadjusted", "y24 ~ arm"),
        ("ancova", "y24 ~ arm + y0 + age + sex"),
        ("procova", "y24 ~ arm + y0 + age + sex + twin"),
    ):
        peer = smf.ols(formula, wide).fit()
        assert found.loc[name, "estimate"] == pytest.approx(peer.params["arm[T.treatment]"])
        assert found.loc[name, "se_model"] == pytest.approx(peer.bse["arm[T.treatment]"])
        robust = peer.get_robustcov_results("HC2").bse[1]
        assert found.loc[name, "se"] == found.loc[name, "se_robust"] == pytest.approx(robust)
    weighted = smf.wls("y24 ~ arm + y0 + age + sex + twin", wide, weights=wide["w"]).fit()
    assert found.loc["weighted_procova", "estimate"] == pytest.approx(weighted.params.iloc[1])


def test_slope_is_that_of_the_random_slope_model_a_year(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    trial = read_trial(tables[0])
    found = estimate_effects(trial, primary="random_slope")[0]
    monthly = fit_random_slope(trial.outcome[None], trial.arms, MONTHS, trial.covariates.to_numpy())
    assert (found.effect, found.unit) == ("slope", "mm3 a year")
    assert found.estimate == pytest.approx(12 * monthly.estimate[0], rel=1e-6)
    assert found.se == pytest.approx(12 * monthly.se[0], rel=1e-6)


def test_primary_comes_first_and_is_the_only_one(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    long, twins = tables
    plain = read_trial(long)
    assert [e.estimator for e in estimate_effects(plain) if e.is_primary] == ["ancova"]
    found = estimate_effects(add_twins(plain, twins), primary="procova_mmrm")
    assert [e.is_primary for e in found] == [True] + [False] * (len(found) - 1)
    assert found[0].estimator == "procova_mmrm"
    assert "weighted" in next(e for e in found if e.estimator == "weighted_procova").estimand


@pytest.mark.parametrize("covariates", [["site"], None])
def test_one_site_is_told_and_not_adjusted_for(
    covariates: list[str] | None, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    alone = covariates or ["age_years", "sex"]
    trial = read_trial(tables[0].assign(site="Oslo"), covariates=covariates)
    plain = read_trial(tables[0], covariates=() if covariates else alone)
    assert "site=Oslo is the same for everyone: not used." in trial.notes
    assert trial.covariates.equals(plain.covariates)
    (one, *_), (other, *_) = estimate_effects(trial), estimate_effects(plain)
    assert one.estimate == other.estimate


def test_unequal_arms_get_a_twin_by_arm_term(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    long, twins = tables
    people = sorted(long["participant_id"].unique())
    few = long[~long["participant_id"].isin(people[0:60:2])]
    found = estimate_effects(add_twins(read_trial(few), twins))
    assert found[0].estimator == "procova_interacted"
    assert found[0].standard_error == "robust"


def test_percent_is_the_logarithm(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    long, _ = tables
    logged = long.assign(log_volume_mm3=100 * np.log(long["hippocampus_mm3"])).drop(
        columns="hippocampus_mm3"
    )
    percent = estimate_effects(read_trial(long, unit="log_percent"))[0]
    direct = estimate_effects(read_trial(logged, endpoint="log_volume"))[0]
    assert percent.estimate == pytest.approx(direct.estimate)
    assert percent.unit == "log_percent"
    with pytest.raises(DesignError, match='unit "percent" is "log_percent" now'):
        read_trial(long, unit="percent")


def test_twin_gain_is_the_ratio_of_residual_variances(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    long, twins = tables
    trial = add_twins(read_trial(long, covariates=["age_years"]), twins)
    seen = ~np.isnan(trial.outcome[:, -1])
    known = np.column_stack(
        [np.ones(trial.size), trial.arms, trial.outcome[:, 0], trial.covariates.to_numpy()]
    )
    both = np.column_stack([known, trial.twins.predicted[:, -1]])
    squares = [sm.OLS(trial.outcome[seen, -1], x[seen]).fit().ssr for x in (known, both)]
    gain = estimate_twin_gain(trial)
    assert gain.gain == pytest.approx(squares[0] / squares[1], rel=1e-6)
    assert 1 < gain.gain_lower < gain.gain < gain.gain_upper


def test_twins_that_were_made_of_the_outcomes_are_told(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    long, twins = tables
    seen = twins.merge(long, on=["participant_id", "months"], how="left")["hippocampus_mm3"]
    own = twins.assign(predicted_mm3=seen.fillna(twins["predicted_mm3"]).to_numpy())
    with pytest.raises(DesignError, match="they were made of the outcomes"):
        estimate_twin_gain(add_twins(read_trial(long), own))


def test_rows_count_for_the_nearest_planned_visit() -> None:
    long, _ = simulate()
    rng = np.random.default_rng(1)
    shift = np.where(long["months"] > 0, rng.uniform(-1, 1, len(long)), 0)
    moved = long.assign(months=long["months"] + shift)
    found = read_trial(moved, visits_months=[0, 6, 12, 24])
    assert found.outcome == pytest.approx(read_trial(long).outcome, nan_ok=True)
    with pytest.raises(DesignError, match="name the planned visits"):
        read_trial(moved)


Change = Callable[[pd.DataFrame], object]


def carry_forward(table: pd.DataFrame, loss_per_month: float) -> pd.DataFrame:
    """Return the trial with everybody's baseline at each visit, less the same loss."""
    start = table.query("months == 0").set_index("participant_id")["hippocampus_mm3"]
    carried = table["participant_id"].map(start) - loss_per_month * table["months"]
    return table.assign(hippocampus_mm3=carried)


def set_first(column: str, value: object, *, place: int = 0) -> Change:
    def change(long: pd.DataFrame) -> pd.DataFrame:
        first = long.sort_values(["participant_id", "months"]).index[place]
        changed = long.astype({column: object})
        changed.loc[first, column] = value
        return changed

    return change


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


BAD_TWINS: list[tuple[Change, str]] = [
    (lambda t: t.drop(columns="predicted_mm3"), "no column predicted_mm3"),
    (lambda t: t.assign(participant_id="x" + t["participant_id"]), "120 of the 120 people"),
    (lambda t: t[t["participant_id"] != "p007"], "1 of the 120 people .*first: p007"),
    (
        lambda t: t.assign(months=t["months"] + 1),
        "at months 6, 12 and 24 for 120 of .*, the twins are of months 1, 7, 13",
    ),
    (lambda t: t.assign(sd_mm3=0.0), "sd_mm3 of the twins must be greater than 0"),
    (
        lambda t: t.rename(columns={"sd_mm3": "predicted_sd_mm3"}),
        "no column sd_mm3 but predicted_sd_mm3: call the standard deviation",
    ),
    (lambda t: t.rename(columns={"sd_mm3": "SE"}), "no column sd_mm3 but SE"),
    (lambda t: t.assign(predicted_mm3=5000.0), "same volume for everyone at months 6, "),
    (set_first("predicted_mm3", "?"), "predicted_mm3 of the twins must be a volume"),
    (set_first("predicted_mm3", ""), "greater than 0, got nothing"),
    (lambda t: pd.concat([t, t.head(1)]), "1 row too many"),
    (lambda t: t.assign(region="amygdala"), "no rows of the region hippocampus"),
]


@pytest.mark.parametrize(("change", "words"), BAD_TWINS, ids=[words for _, words in BAD_TWINS])
def test_bad_twins_are_told(
    change: Change, words: str, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    with pytest.raises(DesignError, match=words) as told:
        add_twins(read_trial(tables[0]), change(tables[1]))
    assert len(told.value.problems) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"primary": "magic"}, "magic is no estimator; there are unadjusted"),
        ({"primary": "procova"}, "procova needs twins"),
        ({"primary": "weighted_procova"}, "weighted_procova needs twins and their sd_mm3"),
        ({"alpha": 5.0}, "alpha must lie between 0 and 1, got 5"),
    ],
)
def test_wrong_choices_are_told(
    options: dict[str, object], words: str, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    with pytest.raises(DesignError, match=words):
        estimate_effects(read_trial(tables[0]), **options)


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


def test_one_visit_after_baseline_is_enough() -> None:
    rng = np.random.default_rng(0)
    start = rng.normal(3500, 300, 60)
    arms = np.repeat(["control", "treatment"], 30)
    end = start - 150 + 60 * (arms == "treatment") + rng.normal(0, 30, 60)
    table = pd.DataFrame(
        {
            "participant_id": np.tile([f"p{k}" for k in range(60)], 2),
            "arm": np.tile(arms, 2),
            "months": np.repeat([0, 24], 60),
            "hippocampus_mm3": np.concatenate([start, end]),
        }
    )
    found = {effect.estimator for effect in estimate_effects(read_trial(table))}
    assert {"ancova", "change", "unadjusted"} <= found
    assert "mmrm" not in found


def test_what_identifies_people_is_not_adjusted_for_unless_it_is_named(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    number = tables[0]["participant_id"].str[-1]
    own = tables[0].assign(plz=number, city=number.map({"1": "Ulm"}).fillna("Bonn"))
    trial = read_trial(own)
    assert [*trial.covariates] == [*read_trial(tables[0]).covariates]
    assert "Not adjusted for, because they identify people: plz, city." in trial.notes
    assert [*read_trial(own, covariates=["city"]).covariates] == ["city=Ulm"]
