"""`trialsim samplesize` prints what the closed forms say."""

import json
from math import ceil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trialsim.cli.app import app

MEANS = ["means", "--delta", "0.5", "--sd", "1", "--power", "0.8"]
SLOPE = ["slope", "--delta", "20", "--visit-times", "0,0.5,1,1.5,2", "--slope-variance", "4900"]
SLOPE += ["--residual-variance", "3600", "--power", "0.8"]
MMRM = ["mmrm", "--delta", "0.5", "--sd", "1", "--n-visits", "4", "--rho", "0.25"]
MMRM += ["--correlation", "exchangeable", "--retention", "1,0.9,0.8,0.7", "--power", "0.8"]
ANCOVA = ["ancova", "--delta", "0.4", "--sd", "1", "--correlation", "0.5", "--power", "0.8"]
ENRICHMENT = ["enrichment", "--mean-decline", "100", "--sd-decline", "100", "--power", "0.8"]
ENRICHMENT += ["--score-correlation", "0.5", "--slowing", "0.25"]
ENDINGS = (".svg", ".png", ".csv")
COSTS = ["--screening-cost", "1000", "--participant-cost", "20000"]


def run(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["samplesize", *words])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("words", "n_control"),
    [(MEANS, 64), (SLOPE, 249), (MMRM, 87), ([*ANCOVA, "--distribution", "z"], 74)],
)
def test_json_holds_exact_and_whole_people(words: list[str], n_control: int) -> None:
    code, out, _ = run(*words, "--json")
    row = json.loads(out)[0]
    assert code == 0
    assert row["n_control_rounded"] == n_control
    assert n_control - 1 < row["n_control"] <= n_control
    assert "rounded up" in row["rounding"]


def test_correlation_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "correlation.csv"
    path.write_text("1,0.25\n0.25,1\n", encoding="utf-8")
    words = ["mmrm", "--delta", "0.5", "--sd", "1", "--power", "0.8", "--json"]
    _, from_file, _ = run(*words, "--correlation", str(path), "--retention", "1,0.7")
    _, named, _ = run(*words, "--rho", "0.25", "--n-visits", "2", "--retention", "1,0.7")
    assert from_file == named
    code, _, err = run(*words, "--correlation", str(tmp_path / "absent.csv"))
    assert code == 1
    assert "absent.csv cannot be read" in err


def test_historical_correlation_may_be_deflated() -> None:
    plain, cautious = (
        json.loads(run(*ANCOVA, "--json", *more)[1])[0]["n_control"]
        for more in ([], ["--deflation", "0.8", "--inflation", "1.1"])
    )
    assert cautious > plain


def test_table_names_its_rounding_rule() -> None:
    _, out, _ = run(*MEANS)
    assert "63.7656" in out
    assert "Rounded: each arm" in out


def test_enrichment_finds_the_cheapest_fraction() -> None:
    _, out, _ = run(*ENRICHMENT, *COSTS, "--json")
    rows = json.loads(out)
    cheapest = [row for row in rows if row["is_cheapest"]]
    assert len(rows) == 11
    assert len(cheapest) == 1
    assert cheapest[0]["fraction_enrolled"] == pytest.approx(0.1224, abs=1e-3)


@pytest.mark.parametrize(
    ("words", "name"), [(MEANS, "power"), (ENRICHMENT, "sizes"), ([*ENRICHMENT, *COSTS], "cost")]
)
def test_curve_is_drawn_with_its_data(words: list[str], name: str, tmp_path: Path) -> None:
    code, _, _ = run(*words, "--plot", str(tmp_path / name))
    assert code == 0
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}{end}" for end in ENDINGS}


def test_every_problem_is_one_sentence_and_exit_code_1() -> None:
    code, out, err = run("means", "--delta", "0", "--sd", "-1", "--power", "2")
    assert code == 1
    assert out == ""
    assert {line.split(" must")[0] for line in err.splitlines()} == {
        "Error: delta",
        "Error: sd",
        "Error: power",
    }


def test_numbers_that_are_none_are_wrong_usage() -> None:
    code, _, err = run("slope", "--visit-times", "0,x", *SLOPE[5:])
    assert code == 2
    assert "expected numbers" in err


def test_twins_are_simulated_with_the_sides_that_are_asked_for() -> None:
    command = ["samplesize", "twins", "--delta", "0.4", "--sd", "1", "--n-control", "40", "--json"]
    command += ["--twin-correlation", "0.4,0.5", "--allocation-ratios", "1"]
    command += ["--n-simulations", "100"]
    one, two = (
        json.loads(CliRunner().invoke(app, [*command, "--sides", sides, "--alpha", alpha]).stdout)
        for sides, alpha in (("1", "0.1"), ("2", "0.2"))
    )
    assert [row["simulated_power"] for row in one] == [row["simulated_power"] for row in two]


def test_people_of_a_plan_with_twins_are_those_of_its_arms() -> None:
    command = ["samplesize", "twins", "--delta", "0.4", "--sd", "1", "--power", "0.8"]
    done = CliRunner().invoke(app, [*command, "--twin-correlation", "0.5"])
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert len(rows) == 21
    for row in rows:
        control, treatment, total = (int(text.replace(",", "")) for text in row[2:5])
        assert total == control + treatment


def test_a_plan_with_twins_of_few_people_says_that_it_is_simulated() -> None:
    command = ["samplesize", "twins", "--delta", "1.5", "--sd", "1", "--twin-correlation", "0.5"]
    command += ["--retention", "0.5", "--allocation-ratios", "1"]
    said = "Simulated: fewer than 20 people of an arm are expected at the last visit"
    few, many = (
        CliRunner().invoke(app, [*command, "--n-control", size]).stdout for size in ("12", "80")
    )
    assert said in few
    assert said not in many
    done = CliRunner().invoke(app, [*command, "--n-control", "12", "--json"])
    plan = {row["estimator"]: row for row in json.loads(done.stdout)}
    # the closed form says .64; a third of such trials leave fewer than 5 of an arm
    assert plan["procova"]["method"] == "simulated"
    assert plan["procova"]["power"] < 0.5
    # the least sure of them, by 4,000 trials
    widest = max(1.96 * (row["power"] * (1 - row["power"]) / 4000) ** 0.5 for row in plan.values())
    assert f"Power is that of 4,000 trials, known within {widest:.3f} (95 %)." in few


def test_twins_spare_controls() -> None:
    command = ["samplesize", "twins", "--delta", "0.4", "--sd", "1", "--power", "0.8"]
    command += ["--distribution", "z"]
    done = CliRunner().invoke(app, [*command, "--twin-correlation", "0.4,0.5", "--json"])
    assert done.exit_code == 0, done.output
    plan = {(row["estimator"], row["allocation_ratio"]): row for row in json.loads(done.stdout)}
    assert plan["procova", 1.0]["n_control"] == pytest.approx(
        0.75 * plan["ancova", 1.0]["n_control"]
    )
    none = CliRunner().invoke(
        app, [*command, "--twin-correlation", "0.5", "--allocation-ratios", "inf"]
    )
    assert none.exit_code == 1
    assert "without concurrent controls" in none.stderr


def test_doses_and_endpoints_show_closed_form_and_simulation() -> None:
    doses = DOSES
    scales = ["endpoints", "--deltas", "0.35,0.3", "--sds", "1,1", "--correlation", "0.4"]
    scales += ["--procedure", "hierarchical", "--power", "0.8"]
    for words, wanted in ((doses, "power_any"), (scales, "power_all")):
        code, out, _ = run(*words, "--n-simulations", "4000", "--json")
        row = json.loads(out)[0]
        assert code == 0
        assert row[wanted] == pytest.approx(0.8, abs=1e-4)
        assert row[f"simulated_{wanted}"] == pytest.approx(0.8, abs=4 * 0.0064)
        assert row["n_treatment_rounded"] == row["n_control_rounded"] == ceil(row["n_control"])
        n_arms = 3 if words is doses else 2
        assert row["n_total_rounded"] == n_arms * row["n_control_rounded"]
    code, _, problem = run(*doses[:2], "0.2", *doses[3:])
    assert (code, problem) == (1, "Error: deltas must hold 2 to 4 doses, got 1.\n")


DOSES = ["doses", "--deltas", "0.2,0.4", "--sd", "1", "--power", "0.8"]
TWINS = ["twins", "--delta", "0.4", "--sd", "1", "--twin-correlation", "0.5", "--power", "0.8"]
SCALES = ["endpoints", "--deltas", "0.3,0.3", "--sds", "1,1", "--correlation", "inf"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (
            ["means", "--sd", "1e300", "--delta", "1"],
            "sd must be greater than 0, from 1e-15 to 1e+15 in size",
        ),
        (["means", "--delta", "1e-8", *MEANS[3:]], "people, more than there are"),
        ([*ANCOVA[:6], "1.5", "--power", "0.8"], "correlation must be between -1 and 1"),
        ([*SLOPE[:8], "1e-9", *SLOPE[9:], "--intercept-variance", "1e14"], "too far apart"),
        ([*SLOPE[:4], "", *SLOPE[5:]], "at least two numbers"),
        (
            [*SCALES[:2], "0.35,-0.3", *SCALES[3:-1], "0.4", "--n-control", "200"],
            "deltas must be 0 or more, each counted so that more is benefit",
        ),
        ([*DOSES, "--n-simulations", "-1"], "n_simulations must be between 0 and 10,000,000"),
        ([*DOSES, "--n-simulations", "1000000000000"], "n_simulations must be between"),
        ([*DOSES, "--n-control", "50"], "Exactly one of n_control and power"),
        ([*DOSES[:2], "1e-9,0", *DOSES[3:]], "more people than there are"),
        ([*SCALES, "--power", "0.8"], "correlation must be between -1 and 1"),
        (["sequential", "--alpha", "1e-300"], "alpha must be between 0 and 1"),
        (["twins", *MEANS[1:], "--twin-correlation", "1e300"], "must be between -1 and 1"),
    ],
)
def test_numbers_that_cannot_be_computed_with_are_a_sentence(
    words: list[str], problem: str
) -> None:
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert problem in err
    assert "fault" not in err


def test_doses_that_two_people_an_arm_show_have_more_power_than_asked() -> None:
    code, out, _ = run("doses", "--deltas", "50,100", "--sd", "1", "--power", "0.8", "--json")
    row = json.loads(out)[0]
    assert (code, row["n_control"]) == (0, 2)
    assert row["power_any"] > 0.999


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("distribution", ["t", "z"])
def test_an_effect_of_next_to_nothing_is_one_sentence(distribution: str) -> None:
    words = "samplesize means --delta 1e-300 --sd 1 --power 0.8 --distribution"
    done = CliRunner().invoke(app, [*words.split(), distribution])
    assert done.exit_code == 1
    assert done.stderr == (
        "Error: No value reaches the power asked for: check the effect and the power.\n"
    )
