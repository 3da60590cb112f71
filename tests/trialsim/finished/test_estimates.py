"""What every estimator says of a finished trial."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

from tests.trialsim.finished.made_trial import MONTHS, simulate
from trialsim.analysis import fit_random_slope
from trialsim.errors import DesignError
from trialsim.finished import (
    add_twins,
    analyze,
    estimate_effects,
    estimate_twin_gain,
    read_trial,
    tabulate_effects,
)


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


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"primary": "magic"}, "magic is no estimator; there are unadjusted"),
        ({"primary": "procova"}, "procova needs twins"),
        ({"primary": "weighted_procova"}, "weighted_procova needs twins and their sd_mm3"),
        ({"alpha": 5.0}, "alpha must lie between 0 and 1, both excluded, got 5"),
    ],
)
def test_wrong_choices_are_told(
    options: dict[str, object], words: str, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    with pytest.raises(DesignError, match=words):
        estimate_effects(read_trial(tables[0]), **options)


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


def test_an_estimator_that_fails_beside_the_primary_one_is_told() -> None:
    # five treated: a line of baseline and three covariates has nothing left in their arm
    long, _ = simulate(40)
    ids = sorted(long.loc[long["months"] == 24, "participant_id"])
    treated = [name for name in ids if int(name[1:]) % 2 == 1][:5]
    few = long[long["participant_id"].isin([*treated, *(set(ids) - set(treated))])]
    few = few.assign(arm=np.where(few["participant_id"].isin(treated), "treatment", "control"))
    few = few.assign(score=few["participant_id"].str[1:].astype(int) ** 2 % 7)
    found = analyze(few, n_imputations=20)
    effects = found.tables["trial_effects"].set_index("estimator")["estimate"]
    assert effects.index[effects.isna()].tolist() == ["aipw"]
    assert found.left_out[0].startswith("aipw could not be fitted to this trial")
