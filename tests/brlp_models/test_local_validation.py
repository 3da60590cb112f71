"""Whether a model may choose people here: stated beforehand, judged once, signed."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brlp_models.errors import ModelError
from brlp_models.evaluation.local_validation.judgement import (
    RECORD,
    Validation,
    judge,
    open_plan,
    read_validation,
)
from brlp_models.evaluation.local_validation.plan import ValidationPlan, load_plan
from brlp_models.evaluation.methods import MODEL, REFERENCE
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.model.config import ModelConfig
from trialsim.study.evaluation.local_validation import PAGE, write_validation

PLAN = """
stated_by = "Site 12 <b>"
stated_on = 2026-01-02
horizon_months = 24
calibration_slope = [0.7, 1.3]
coverage_95 = [0.85, 1.0]
spearman = 0.5
spearman_gain = 0.0
refused_share = 0.1
false_atrophy_percent = 1.0
"""


def make_plan(folder: Path, text: str = PLAN) -> ValidationPlan:
    path = folder / "plan.toml"
    path.write_text(text)
    return load_plan(path)


def make_tables(
    n: int, *, noise: float = 1.0, refused: int = 0, retest_bias: float = 0.0
) -> dict[str, pd.DataFrame]:
    """Return people whose predicted change is the true one with noise, sd as it is told."""
    rng = np.random.default_rng(5)
    names, true = [f"sub-{k}" for k in range(n)], rng.normal(-6, 3, n)
    rows = []
    for method, sd in ((MODEL, noise), (REFERENCE, 6.0)):
        # a prediction that is the expectation of the truth has a slope of 1
        shrink = 9 / (9 + sd**2)
        shown = -6 + shrink * (true + 6 + rng.normal(0, sd, n))
        left = np.sqrt(9 * (1 - shrink))
        rows.append(
            pd.DataFrame(
                {
                    "participant_id": names,
                    "horizon_months": 24.0,
                    "region": "hippocampus",
                    "predicted_mm3": 70 * (100 + shown),
                    "sd_mm3": 70 * left,
                    "start_mm3": 7000.0,
                    "true_mm3": 70 * (100 + true),
                    "baseline_mm3": 7000.0,
                    "method": method,
                }
            )
        )
    retest = pd.DataFrame(
        {
            "participant_id": np.repeat(names, 3),
            "region": "hippocampus",
            "months": np.tile([0.0, 0.3, 24.0], n),
            "input_mm3": 7000.0 * (1 + rng.normal(0, 0.01, 3 * n)),
        }
    )
    retest.loc[retest["months"] == 0.3, "input_mm3"] *= 1 + retest_bias / 100
    failures = pd.DataFrame(
        {"participant_id": [*(f"bad-{k}" for k in range(refused)), "sub-without-scan"]}
    )
    return {"predicted": pd.concat(rows, ignore_index=True), "floor": retest, "failures": failures}


def decide(plan: ValidationPlan, tables: dict[str, pd.DataFrame]) -> Validation:
    everyone = {*tables["predicted"]["participant_id"], *tables["failures"]["participant_id"]}
    scanned = everyone - {"sub-without-scan"}
    return judge(tables, plan, scanned=scanned, rng=np.random.default_rng(0), n_bootstrap=200)


def test_good_model_is_for_use_and_few_people_do_not_tell(tmp_path: Path) -> None:
    plan = make_plan(tmp_path)
    found = decide(plan, make_tables(150))
    assert found.decision == "use", found.criteria
    assert list(found.criteria["criterion"]) == list(plan.limits)
    few = decide(plan, make_tables(12))
    assert few.decision == "too few people to tell", few.criteria
    assert decide(plan, make_tables(6)).criteria["value"].isna().any()


@pytest.mark.parametrize(
    ("change", "criterion"),
    [
        ({"refused": 60}, "refused_share"),
        ({"retest_bias": 3.0}, "false_atrophy_percent"),
        ({"noise": 30.0}, "spearman"),
    ],
)
def test_one_criterion_that_is_not_met_decides(
    tmp_path: Path, change: dict[str, float], criterion: str
) -> None:
    found = decide(make_plan(tmp_path), make_tables(150, **change))  # type: ignore[arg-type]
    assert found.decision == "do not use"
    verdict = found.criteria.set_index("criterion")["verdict"]
    assert verdict[criterion] == "not met"


def test_numbers_are_those_of_the_people(tmp_path: Path) -> None:
    tables = make_tables(100, refused=10)
    found = decide(make_plan(tmp_path), tables).criteria.set_index("criterion")
    assert found.loc["refused_share", "value"] == pytest.approx(10 / 110)
    mine = tables["predicted"].query("method == @MODEL")
    z = (mine["true_mm3"] - mine["predicted_mm3"]).abs() / mine["sd_mm3"]
    assert found.loc["coverage_95", "value"] == pytest.approx((z < 1.96).mean())
    own = tables["floor"].pivot_table(index="participant_id", columns="months", values="input_mm3")
    change = 100 * (own[0.3] / own[0.0] - 1)
    assert found.loc["false_atrophy_percent", "value"] == pytest.approx(change.mean())
    slope = np.polyfit(mine["predicted_mm3"], mine["true_mm3"], 1)[0]
    assert found.loc["calibration_slope", "value"] == pytest.approx(slope)


@pytest.mark.slow
def test_who_lacks_another_method_is_judged_all_the_same(tmp_path: Path) -> None:
    plan, tables = make_plan(tmp_path), make_tables(100)
    alone = decide(plan, tables).criteria
    predicted = tables["predicted"]
    other = predicted[predicted["method"] == REFERENCE].head(12).assign(method="mrextrap")
    beside = {**tables, "predicted": pd.concat([predicted, other])}
    pd.testing.assert_frame_equal(decide(plan, beside).criteria, alone)


def test_share_refused_is_that_of_everyone_with_a_scan(tmp_path: Path) -> None:
    plan, tables = make_plan(tmp_path), make_tables(40, refused=10)
    # whose later volume is not known is predicted all the same, and counts
    scanned = [f"sub-{k}" for k in range(90)] + [f"bad-{k}" for k in range(10)]
    found = judge(tables, plan, scanned=scanned, rng=np.random.default_rng(0), n_bootstrap=20)
    refused = found.criteria.set_index("criterion").loc["refused_share"]
    assert (refused["value"], refused["n"]) == (pytest.approx(0.1), 100)


def test_people_are_judged_by_one_plan_and_the_record_is_signed(
    tmp_path: Path, tiny_config: ModelConfig
) -> None:
    plan, out = make_plan(tmp_path), tmp_path / "evaluation"
    facts = {"model": "m-1", "cohort": "site, 150 people", "settings": "4 draws, seed 1"}
    found = decide(plan, make_tables(150))
    page = write_validation(found, out, facts, is_synthetic=True)
    record = read_validation(out / RECORD)
    assert {name: record[name] for name in facts} == facts
    assert page.is_synthetic
    text = (out / PAGE).read_text()
    assert record["sha256"] in text
    assert "Use: the model fulfils every criterion" in text
    assert "Site 12 &lt;b&gt;" in text
    assert str(tmp_path) not in text
    first = (out / RECORD).read_bytes()
    write_validation(found, out, facts, is_synthetic=True)
    assert (out / RECORD).read_bytes() == first
    with pytest.raises(ModelError, match=r"judged before with another criteria, .* 'use'"):
        write_validation(decide(plan, make_tables(140)), out, facts, is_synthetic=True)
    path = tmp_path / "plan.toml"
    assert open_plan(path, EvaluationSettings(), out, tiny_config, facts) == plan
    again = {**facts, "settings": "4 draws, seed 2"}
    with pytest.raises(ModelError, match="judged before with another settings"):
        open_plan(path, EvaluationSettings(), out, tiny_config, again)
    make_plan(tmp_path, PLAN.replace("spearman = 0.5", "spearman = 0.1"))
    with pytest.raises(ModelError, match="criteria are stated before"):
        open_plan(path, EvaluationSettings(), out, tiny_config, facts)
    assert (out / RECORD).read_bytes() == first
    (out / RECORD).write_text(json.dumps({**record, "decision": "do not use"}))
    with pytest.raises(ModelError, match="changed after it was signed"):
        read_validation(out / RECORD)


@pytest.mark.parametrize(
    ("text", "samples", "words"),
    [
        (PLAN.replace("2026-01-02", "2999-01-01"), 4, "stated_on: 2999-01-01 is still to come"),
        (PLAN.replace("= 24", "= 12"), 4, "judges month 12; predict it with --horizon 12"),
        (PLAN + "region = 'csf'", 4, "region: tiny reports hippocampus, .* got 'csf'"),
        (PLAN + "region = 'lateral_ventricle'", 4, "spearman_gain: .* the hippocampus, not of"),
        (PLAN, 1, "coverage_95: one draw of this model has no sd"),
    ],
)
def test_what_no_number_of_people_tells_is_refused_before_anybody_is_predicted(
    tmp_path: Path, tiny_config: ModelConfig, text: str, samples: int, words: str
) -> None:
    make_plan(tmp_path, text)
    settings = EvaluationSettings(samples=samples)
    with pytest.raises(ModelError, match=words):
        open_plan(tmp_path / "plan.toml", settings, tmp_path / "out", tiny_config, {})


def test_a_criterion_of_later_scans_is_refused_where_none_is_read(
    tmp_path: Path, tiny_config: ModelConfig
) -> None:
    make_plan(tmp_path, PLAN)
    settings = EvaluationSettings(volumes_only=True, n_compared=0)
    with pytest.raises(ModelError, match="false_atrophy_percent: it is measured in later scans"):
        open_plan(tmp_path / "plan.toml", settings, tmp_path / "out", tiny_config, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stated_by = 'a'\nstated_on = 2026-01-02\nhorizon_months = 24", "at least one criterion"),
        (PLAN + "spearmen = 1", "spearmen: Extra inputs"),
        (PLAN.replace("[0.7, 1.3]", "[1.3, 0.7]"), "calibration_slope = .* must rise"),
        ("= 3", "cannot be read"),
    ],
)
def test_mistake_in_a_plan_is_told(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        make_plan(tmp_path, text)
