"""`trialsim samplesize sequential` plans looks, `trialsim monitor` judges them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import norm
from typer.testing import CliRunner

from trialsim.analytic import group_sequential, means
from trialsim.cli.app import app
from trialsim.errors import DesignError
from trialsim.interim.judging import judge_look
from trialsim.interim.monitoring import read_monitoring_plan

PLACED = ["--delta", "20", "--sd", "60", "--visits-months", "6,12", "--dropout", "0.2"]


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.stdout, result.stderr


def plan_file(folder: Path, *words: str) -> str:
    path = folder / "plan.json"
    code, _, err = run("samplesize", "sequential", *words, "--write", str(path))
    assert code == 0, err
    return str(path)


def judge(*words: str) -> dict[str, Any]:
    code, out, err = run("monitor", *words, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def write_trial(path: Path, n: int, effect: float, last: int) -> Path:
    """People 0..last-1 have had the last visit."""
    rng = np.random.default_rng(6)
    level = rng.normal(3000, 300, n)
    rows = []
    for i in range(n):
        arm = "treatment" if i % 2 else "control"
        for month in (0, 6, 12):
            if month == 12 and i >= last:
                continue
            gain = effect * month / 12 * (arm == "treatment")
            volume = level[i] - 5 * month + gain + rng.normal(0, 40)
            rows.append((f"p{i:03}", arm, month, volume))
    names = ["participant_id", "arm", "months", "hippocampus_mm3"]
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)
    return path


def test_bounds_printed_are_those_of_the_closed_form() -> None:
    words = ["--looks", "0.5,0.75,1", "--power", "0.9", "--futility", "z=0,1", "--json"]
    code, out, _ = run("samplesize", "sequential", *words)
    design = group_sequential([0.5, 0.75, 1], power=0.9, futility={"z": [0, 1]})
    found = json.loads(out)
    assert code == 0
    assert found["efficacy_z"] == pytest.approx(design.efficacy_z.tolist())
    assert found["futility_z"][:2] == [0, 1]
    assert found["inflation_factor"] == pytest.approx(design.inflation_factor)


def test_a_trial_of_two_sides_stops_on_both() -> None:
    code, out, _ = run("samplesize", "sequential", "--sides", "2", "--alpha", "0.05")
    assert code == 0
    rows = [line.split() for line in out.splitlines() if line.split()[:1] in (["1"], ["2"])]
    stops = [float(row[5]) for row in rows]
    assert out.split("\n")[0].split()[-6:] == ["stops", "no", "stops", "half", "stops", "whole"]
    assert stops[0] == pytest.approx(0.00305, abs=1e-4)
    assert sum(stops) == pytest.approx(0.05, abs=1e-4)
    assert "With no effect: rejects 2.5% in its direction, 2.5% in the other, exp" in out


def test_looks_are_placed_in_months_and_people() -> None:
    code, out, _ = run("samplesize", "sequential", *PLACED, "--json")
    found = json.loads(out)
    assert code == 0
    first, last = found["looks"]
    assert first["calendar_months"] < last["calendar_months"]
    assert last["information_rate"] == 1
    assert [row["effect"] for row in found["expectations"]] == [0, 0.5, 1]


def test_paragraph_names_boundary_information_and_software() -> None:
    _, out, _ = run("samplesize", "sequential", *PLACED, "--paragraph")
    for words in (
        "at most 2 times, at 50.0% and 100.0% of the maximum information",
        "Lan-DeMets spending function of O'Brien-Fleming type",
        "z of 2.963 and 1.969",
        "There is no stopping for futility",
        "with trialsim",
    ):
        assert words in out


def test_a_look_is_judged_by_the_information_it_had(tmp_path: Path) -> None:
    plan = plan_file(tmp_path, "--looks", "0.5,1", "--power", "0.9", "--futility", "z=0")
    design = group_sequential([0.5, 1], power=0.9, futility={"z": [0.0]})
    found = judge(plan, "--z", "1.5", "--information", "0.6")
    assert found["decision"] == "go on"
    assert found["efficacy_z"] == pytest.approx(design.adjust([0.6]).efficacy_z[0])
    assert "conditional_power" not in found
    assert "z" not in found
    assert judge(plan, "--z", "3.2", "--information", "0.6")["decision"] == "stop for efficacy"
    assert judge(plan, "--z", "-1", "--information", "0.6")["decision"] == "stop for futility"
    assert (
        judge(plan, "--z", "1.5,2.2", "--information", "0.6,0.95")["decision"] == "efficacy shown"
    )


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("alpha", "x", "is no monitoring plan"),
        ("boundaries", {"bindings": True}, "is no monitoring plan"),
        ("alpha", 0.7, "plan.json: alpha of one side must be below 0.5"),
        ("visits_months", 3, "visits_months must be months above 0 that increase, got 3"),
        ("visits_months", ["a"], "visits_months must be months above 0 that increase"),
        ("maximum_information", 0, "maximum_information must be a number above 0, got 0"),
        ("maximum_information", -1, "maximum_information must be a number above 0, got -1"),
        ("delta", "20", "delta must be a number other than 0, got '20'"),
        ("allocation_ratio", None, "allocation_ratio must be a number above 0, got None"),
        ("boundaries", [], "boundaries must be an object with keys, got []"),
        ("looks", 1, "looks is not known"),
        ("information_rates", [k / 101 for k in range(1, 102)], "may hold 100 looks at most"),
    ],
)
def test_a_plan_that_cannot_be_is_one_sentence(
    tmp_path: Path, key: str, value: object, words: str
) -> None:
    path = Path(plan_file(tmp_path))
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    code, _, err = run("monitor", str(path), "--z", "1", "--information", "0.5")
    assert code == 1
    assert words in " ".join(err.split())
    assert "fault of trialsim" not in err


def test_a_file_nested_without_end_is_no_plan(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("[" * 100_000)
    code, _, err = run("monitor", str(path), "--z", "1", "--information", "0.5")
    assert (code, "is no monitoring plan" in err) == (1, True)


def test_an_early_look_takes_the_place_of_the_one_planned(tmp_path: Path) -> None:
    plan = plan_file(tmp_path, "--looks", "0.5,1")
    found = judge(plan, "--z", "1.5", "--information", "0.4")
    assert (found["look"], found["n_looks"]) == (1, 2)
    assert found["next_look"]["information_share"] == pytest.approx(1)
    assert "last_because" not in found
    # what is told of the next look holds at it
    last = judge(plan, "--z", "1.5,1.5", "--information", "0.4,1")
    assert last["efficacy_z"] == pytest.approx(found["next_look"]["efficacy_z"])


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (["--z", "1", "--information", "1.1"], "the planned information is reached"),
        (["--z", "1,1", "--information", "0.4,0.6"], "2 looks were planned"),
        (["--z", "1", "--information", "0.3", "--final"], "it was stated to be the last (--final)"),
    ],
)
def test_the_last_look_says_why_it_is_the_last(
    tmp_path: Path, words: list[str], because: str
) -> None:
    plan = plan_file(tmp_path, "--looks", "0.5,1")
    assert judge(plan, *words)["last_because"] == because
    assert f"This look is the last one, because {because}" in run("monitor", plan, *words)[1]


def test_a_look_that_is_given_on_its_own_is_a_look_more(tmp_path: Path) -> None:
    plan = plan_file(tmp_path, "--looks", "0.5,0.8,1")
    together = judge(plan, "--z", "2.5,2.2", "--information", "0.5,0.8")
    apart = judge(plan, "--z", "2.5", "--information", "0.5", "--z=2.2", "--information=0.8")
    assert apart == together
    assert apart["look"] == 2


def test_a_look_whose_information_fell_tests_nothing(tmp_path: Path) -> None:
    plan = plan_file(tmp_path, "--looks", "0.3,0.6,1")
    design = group_sequential([0.3, 0.6, 1])
    fallen = ["--z", "1,9", "--information", "0.4,0.38"]
    found = judge(plan, *fallen, "--show", "all")
    assert (found["look"], found["n_looks"], found["decision"]) == (2, 4, "go on")
    assert (found["efficacy_z"], found["no_more_information_than_look"]) == (None, 1)
    assert not {"stopped", "last_because"} & {*found}
    planned = design.adjust([0.4])
    assert found["next_look"]["efficacy_z"] == pytest.approx(planned.efficacy_z[1])
    assert found["next_look"]["information_share"] == pytest.approx(0.6)
    assert "no more information than look 1: it tests nothing" in run("monitor", plan, *fallen)[1]
    # nor has it taken the place of one that was planned
    later = judge(plan, "--z", "1,9,1", "--information", "0.4,0.38,0.7")
    assert (later["look"], later["n_looks"]) == (3, 4)
    assert later["efficacy_z"] == pytest.approx(design.adjust([0.4, 0.7]).efficacy_z[1])
    last = judge(plan, "--z", "1,9,1,2", "--information", "0.4,0.38,0.7,0.9")
    assert last["last_because"] == "3 looks were planned"


@pytest.mark.parametrize("sides", [1, 2])
def test_a_last_look_whose_information_fell_spends_what_is_left(sides: int) -> None:
    design = group_sequential([0.5, 1], alpha=0.025 * sides, sides=sides, efficacy="pocock")
    spent = norm.sf(design.efficacy_z[0])
    judged = judge_look(design, [1.0, 2.2], [0.5, 0.45], is_final=True)
    assert judged.efficacy_z == pytest.approx(norm.isf(0.025 - spent), abs=1e-6)
    assert (judged.decision, judged.stopped, judged.n_looks) == ("efficacy not shown", None, 2)
    higher = judge_look(design, [1.0, 2.5], [0.5, 0.45], is_final=True)
    assert higher.decision == "efficacy shown"
    with pytest.raises(DesignError, match="Look 1 was the last one by the plan"):
        judge_look(design, [1.0, 2.5], [1.05, 1.0])


def test_no_more_is_shown_than_asked(tmp_path: Path) -> None:
    plan = plan_file(tmp_path, "--looks", "0.5,1", "--power", "0.9")
    chances = judge(plan, "--z", "1.5", "--information", "0.5", "--show", "chances")
    design = group_sequential([0.5, 1], power=0.9)
    assert chances["conditional_power"]["as planned"] == pytest.approx(
        design.conditional_power(1, 1.5)
    )
    assert chances["predictive_power"] == pytest.approx(design.predictive_power(1, 1.5))
    assert "z" not in chances
    everything = judge(plan, "--z", "3.1", "--information", "0.5", "--show", "all")
    assert everything["stopped"]["stagewise_p"] == pytest.approx(0.000968, abs=1e-6)
    _, text, _ = run("monitor", plan, "--z", "3.1", "--information", "0.5", "--show", "all")
    assert "Stage-wise p 0.00097" in text


def test_the_data_so_far_are_a_look(tmp_path: Path) -> None:
    plan = plan_file(tmp_path, *PLACED)
    table = write_trial(tmp_path / "trial.csv", 120, 60.0, 90)
    found = judge(plan, "--data", str(table), "--show", "all")
    assert found["look"] == 1
    assert 0.2 < found["information_share"] < 1
    assert found["z"] > 2
    harmed = judge(plan, "--data", str(table), "--show", "all", "--benefit", "lower")
    assert harmed["z"] == pytest.approx(-found["z"])
    named = tmp_path / "named.csv"
    pd.read_csv(table).replace({"arm": {"control": "placebo"}}).to_csv(named, index=False)
    code, _, told = run("monitor", plan, "--data", str(named))
    assert (code, "(--control NAME)" in " ".join(told.split())) == (1, True)
    assert judge(plan, "--data", str(named), "--show", "all", "--control", "placebo") == found


@pytest.mark.parametrize("delta", [20, -20])
def test_a_negative_design_effect_says_that_lower_outcomes_help(delta: int, tmp_path: Path) -> None:
    placed = [f"--delta={delta}", *PLACED[2:]]
    plan = plan_file(tmp_path, *placed)
    table = write_trial(tmp_path / "trial.csv", 120, -90.0, 90)
    lower = () if delta < 0 else ("--benefit", "lower")
    found = judge(plan, "--data", str(table), "--show", "all", *lower)
    assert (found["decision"], found["z"] > 5) == ("stop for efficacy", True)
    low, high = found["difference_interval"]
    assert low < -90 < high < 0
    assert low < found["median_unbiased_difference"] < high
    _, text, _ = run("monitor", plan, "--data", str(table), "--show", "all", *lower)
    assert f"treatment minus control: {found['median_unbiased_difference']:.4g}, inter" in text
    code, text, told = run("monitor", plan, "--data", str(table), "--benefit", "higher")
    if delta < 0:
        assert (code, text) == (1, "")
        assert "contradicts the plan, by whose design effect of -20 lower" in " ".join(told.split())
    else:
        assert "stop for efficacy" not in text
    _, out, _ = run("samplesize", "sequential", *placed, "--futility", "z=0.5", "--json")
    first = json.loads(out)["looks"][0]
    assert delta * first["efficacy_effect"] > delta * first["futility_effect"] > 0


def test_blinded_look_needs_no_arm(tmp_path: Path) -> None:
    plan = plan_file(tmp_path, *PLACED)
    table = write_trial(tmp_path / "trial.csv", 120, 0.0, 90)
    frame = pd.read_csv(table)
    blind = tmp_path / "blind.csv"
    frame.drop(columns="arm").to_csv(blind, index=False)
    coded = tmp_path / "coded.csv"
    frame.replace({"arm": {"control": "A", "treatment": "B"}}).to_csv(coded, index=False)
    paths = (table, blind, coded)
    found = [judge(plan, "--data", str(path), "--show", "blinded") for path in paths]
    assert found[0] == found[1] == found[2]
    assert found[0]["people_at_last_visit"] == 90
    # sd of the last visit given baseline, the same noise at both
    assert found[0]["pooled_sd_given_baseline"] == pytest.approx(40 * np.sqrt(2), rel=0.2)
    wide = frame.pivot_table(index="participant_id", columns="months", values="hippocampus_mm3")
    first, last = wide.loc[wide[12].notna(), [0, 12]].to_numpy().T
    regression = sm.OLS(last, sm.add_constant(first)).fit()
    assert found[0]["pooled_sd_given_baseline"] == pytest.approx(regression.mse_resid**0.5)
    planned = read_monitoring_plan(Path(plan))
    single = means(
        delta=20,
        sd=regression.mse_resid**0.5,
        alpha=planned.alpha,
        sides=planned.sides,
        power=planned.power,
        distribution="z",
    )
    people = single.n_total * planned.build().inflation_factor
    assert found[0]["n_total_with_endpoint"] == pytest.approx(people)


def test_blinded_people_are_those_of_the_allocation(tmp_path: Path) -> None:
    table = write_trial(tmp_path / "trial.csv", 120, 0.0, 90)
    asked = {}
    for ratio in ("1", "3"):
        plan = plan_file(tmp_path, *PLACED, "--allocation-ratio", ratio)
        found = judge(plan, "--data", str(table), "--show", "blinded")
        asked[ratio] = found["n_total_with_endpoint"]
    # (1 + r)^2 / r of 3 and of 1, 16/3 against 4
    assert asked["3"] / asked["1"] == pytest.approx(4 / 3, rel=1e-3)


def test_a_binding_bound_had_to_be_obeyed() -> None:
    design = group_sequential([0.5, 1], futility={"z": [0.0]}, binding=True)
    judged = judge_look(design, [-0.5], [0.5])
    assert judged.decision == "stop for futility"
    assert judged.conditional_power == {}
    two_sided = group_sequential([0.5, 1], alpha=0.05, sides=2)
    assert judge_look(two_sided, [-3.2], [0.5]).decision == "stop for harm"
    assert judge_look(two_sided, [0.1, -2.5], [0.5, 1.0]).decision == "efficacy not shown"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--z", "1.5"], "one value a look, got 1 and 0"),
        (["--z", "3.5,1", "--information", "0.5,1"], "crossed its efficacy bound at look 1"),
        (["--z", "1,1", "--information", "0.5,-0.1"], "above 0 at every look, got -0.1"),
        (["--z", "3.5,1", "--information", "0.5,0.4"], "crossed its efficacy bound at look 1"),
        (["--z", "1", "--information", "0.5", "--se", "2"], "not both"),
        (["--z", "1", "--se", "0"], "--se must be greater than 0"),
        (["--z", "1", "--se", "1e-200"], "Information is a share of the planned maximum"),
        (["--z", "1", "--information", "52"], "such as 0.52, got 52: no percentage"),
        (["--z", "1", "--information", "0.5", "--show", "arms"], "--show must be"),
        (["--show", "blinded"], "--show blinded needs --data"),
        ([], "Give the looks held"),
        (["--z", "1", "--information", "0.5", "--benefit", "more"], "--benefit must be"),
        (["--z", "-1", "--information", "0.5", "--benefit", "lower"], "--benefit is of --data"),
    ],
)
def test_impossible_questions_end_in_one_sentence(
    tmp_path: Path, words: list[str], sentence: str
) -> None:
    plan = plan_file(tmp_path, *PLACED)
    code, _, err = run("monitor", plan, *words)
    assert code == 1
    assert sentence in err


def test_a_look_is_adjusted_for_baseline_whatever_columns_stand_beside_it(tmp_path: Path) -> None:
    table = write_trial(tmp_path / "trial.csv", 60, 30.0, 40)
    frame = pd.read_csv(table)
    numbers = pd.factorize(frame["participant_id"])[0]
    many = tmp_path / "many.csv"
    frame.assign(clinic=[f"c{k % 12}" for k in numbers], mmse=frame["months"]).to_csv(many)
    plan = plan_file(tmp_path, *PLACED)
    found = [run("monitor", plan, "--data", str(path), "--show", "all") for path in (table, many)]
    assert found[0][0] == 0
    assert found[0] == found[1]


def test_a_plan_without_people_cannot_read_data(tmp_path: Path) -> None:
    plan = plan_file(tmp_path, "--looks", "0.5,1")
    table = write_trial(tmp_path / "trial.csv", 60, 0.0, 40)
    for words, sentence in (
        (["--data", str(table)], "holds no maximum information"),
        (["--data", str(table), "--show", "blinded"], "holds no design effect"),
        (["--data", str(table), "--show", "blinded", "--z", "1"], "leave --z"),
        (["--data", str(table), "--show", "blinded", "--control", "A"], "leave --control out"),
    ):
        code, _, err = run("monitor", plan, *words)
        assert code == 1
        assert sentence in err
    early = write_trial(tmp_path / "early.csv", 60, 0.0, 0)
    placed = plan_file(tmp_path, *PLACED)
    code, _, err = run("monitor", placed, "--data", str(early))
    assert code == 1
    assert "month 12" in err
    code, _, err = run("monitor", str(table), "--z", "1", "--information", "0.5")
    assert code == 1
    assert "is no monitoring plan" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--looks", "0.5,0.9"], "end at 1"),
        (["--by", "months", "--looks", "20"], "need --delta and --sd"),
        (["--delta", "20"], "--delta and --sd go together"),
        ([*PLACED, "--by", "months", "--looks", "3"], "before anyone has the visit at month 12"),
        (["--delta", "20", "--sd", "60", "--dropout", "1"], "dropout must be a share"),
        (["--efficacy", "z=1.9,1.9"], "must not spend more than alpha"),
    ],
)
def test_impossible_plans_end_in_one_sentence(words: list[str], sentence: str) -> None:
    code, _, err = run("samplesize", "sequential", *words)
    assert code == 1
    assert sentence in err
