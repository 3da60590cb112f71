"""A comparison pairs strategies, charges each its screening, tells both layers of error."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.schema import BREAK_EVEN, validate_table
from trialsim.comparison import candidate_runs
from trialsim.comparison.candidates import EVERYONE, Candidate
from trialsim.comparison.comparison import Comparison, compare_strategies
from trialsim.comparison.pools import PoolGatherer, find_enrolled, gather_pool
from trialsim.comparison.screened import read_screened
from trialsim.comparison.tables import compare_later_decline
from trialsim.design import Costs, DropOut, Sites, TrialDesign
from trialsim.enrichment.selection import rank_scores
from trialsim.enrichment.strategies.folds import Samples
from trialsim.errors import DesignError
from trialsim.simulation.effects import compute_normal_change
from trialsim.simulation.trajectories import build_trajectories, convert_unit
from trialsim.simulation.trials import SimulatedTrials, simulate_trials

MONTHS = (0.0, 12.0, 24.0)
DESIGN = TrialDesign(
    MONTHS, slowing=0.3, dropout=DropOut(0.2), analyses=("mmrm", "ancova", "ancova_score")
)
COSTS = Costs(screening=1000, participant=20_000)
N = 160


def build_people(n: int = N) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(20260101)
    slope = -14 + 5 * rng.normal(size=n)
    volumes = 6500 + 700 * rng.normal(size=(n, 1)) + slope[:, None] * MONTHS
    volumes = volumes + 70 * rng.normal(size=(n, 3))
    people = pd.Index([f"sub-{i:03d}" for i in range(n)], name="participant_id")
    noise = rng.normal(size=(n, 3))
    scores = {"random": noise[:, 0], "mine": 4 * noise[:, 1] - slope, "oracle": -slope}
    return pd.DataFrame(volumes, people, list(MONTHS)), pd.DataFrame(scores, people)


def compare(**changes: Any) -> Comparison:
    trajectories, scores = build_people()
    options: dict[str, Any] = {
        "trajectories": trajectories,
        "scores": scores,
        "design": DESIGN,
        "costs": COSTS,
        "sample_sizes": [60, 120, 240],
        "fractions_enrolled": [0.4, 1.0],
        "n_simulations": 200,
        "n_bootstrap": 200,
        "seed": 20260101,
        **changes,
    }
    return compare_strategies(**options)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return compare()


def pick(table: pd.DataFrame, strategy: str, fraction: float, analysis: str = "mmrm") -> Any:
    rows = table[(table["strategy"] == strategy) & (table["analysis"] == analysis)]
    return rows[rows["fraction_enrolled"] == fraction].iloc[0]


def test_every_table_fits_the_schema(comparison: Comparison) -> None:
    for name, table in comparison.tables.items():
        assert len(validate_table(table, name))


def test_random_enrollment_screens_nobody_out(comparison: Comparison) -> None:
    table = comparison.tables["sample_sizes"]
    assert set(table.loc[table["strategy"] == "random", "fraction_enrolled"]) == {1.0}
    row = pick(table, "random", 1.0)
    assert row["n_to_screen"] == 2 * np.ceil(row["n_control"])
    assert row["cost"] == 2 * np.ceil(row["n_control"]) * 20_000


def test_a_strategy_that_screens_pays_for_everyone_it_screens(comparison: Comparison) -> None:
    for fraction in (0.4, 1.0):
        row = pick(comparison.tables["sample_sizes"], "mine", fraction)
        n = row["n_control_whole"] + row["n_treatment_whole"]
        assert row["n_to_screen"] == np.ceil(n / fraction)
        assert row["cost"] == 20_000 * n + 1000 * row["n_to_screen"]


def test_enrolling_everyone_is_the_same_trial_whatever_the_score(comparison: Comparison) -> None:
    table = comparison.tables["operating_characteristics"]
    powers = {pick(table, name, 1.0)["power"] for name in ("random", "mine", "oracle")}
    assert len(powers) == 1
    differences = comparison.tables["power_differences"]
    same = differences[
        (differences["fraction_enrolled"] == 1) & (differences["analysis"] == "mmrm")
    ]
    assert (same["difference"] == 0).all()


def test_differences_are_those_of_the_powers_with_a_smaller_error(comparison: Comparison) -> None:
    table = comparison.tables["operating_characteristics"]
    mine, base = pick(table, "mine", 0.4), pick(table, "random", 1.0)
    row = pick(comparison.tables["power_differences"], "mine", 0.4)
    assert row["difference"] == pytest.approx(mine["power"] - base["power"])
    assert row["mcse"] < np.hypot(mine["mcse"], base["mcse"])


def test_the_oracle_needs_fewest_people_and_is_never_chosen(comparison: Comparison) -> None:
    sizes = comparison.tables["sample_sizes"]
    n = [pick(sizes, name, f)["n_control"] for name, f in
         (("oracle", 0.4), ("mine", 0.4), ("random", 1.0))]  # fmt: skip
    assert n[0] < n[1] < n[2]
    cheapest = comparison.tables["cheapest_fractions"]
    chosen = cheapest[cheapest["choice"] == "strategy and fraction"]
    assert set(chosen["strategy"]) == {"mine"}


def test_savings_are_differences_of_the_whole_trials_that_are_shown(
    comparison: Comparison,
) -> None:
    sizes = comparison.tables["sample_sizes"]
    saving = pick(comparison.tables["sample_size_savings"], "mine", 0.4)
    base, mine = pick(sizes, "random", 1.0), pick(sizes, "mine", 0.4)
    expected = base["n_control_whole"] - mine["n_control_whole"]
    assert saving["saving_n_control"] == expected
    assert saving["saving_cost"] == pytest.approx(base["cost"] - mine["cost"])
    assert saving["saving_n_control_lower"] < expected < saving["saving_n_control_upper"]


def test_the_two_layers_of_error_are_apart(comparison: Comparison) -> None:
    row = pick(comparison.tables["sample_sizes"], "mine", 0.4)
    assert row["n_control_lower"] < row["n_control"] < row["n_control_upper"]
    assert row["n_control_lower_cohort"] < row["n_control_upper_cohort"]
    assert row["n_control_lower_cohort"] != row["n_control_lower"]


def test_the_score_is_adjusted_for_only_where_there_is_one(comparison: Comparison) -> None:
    table = comparison.tables["operating_characteristics"]
    assert set(table.loc[table["analysis"] == "ancova_score", "strategy"]) == {"mine", "oracle"}
    assert any("random: it has no score" in note for note in comparison.notes)


def test_results_are_the_same_for_any_number_of_workers(comparison: Comparison) -> None:
    again = compare(workers=1)
    for name, table in comparison.tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name])


def test_a_target_outside_the_sample_sizes_is_searched_for(comparison: Comparison) -> None:
    outside = compare(sample_sizes=[500, 600], n_bootstrap=0)
    found = pick(outside.tables["sample_sizes"], "random", 1.0)
    expected = pick(comparison.tables["sample_sizes"], "random", 1.0)
    assert found["n_control"] == pytest.approx(expected["n_control"], rel=0.15)


@pytest.mark.parametrize(("slowing", "sized"), [(0.6, True), (0.95, False)])
def test_choices_too_small_to_be_simulated_are_not_passed_over(slowing: float, sized: bool) -> None:
    design = TrialDesign(MONTHS, slowing=slowing, analyses=("ancova",))
    found = compare(design=design, sample_sizes=[40, 80], n_bootstrap=0, n_simulations=300)
    sizes = found.tables["sample_sizes"].query("strategy != 'oracle'").set_index("strategy")
    assert np.isnan(sizes.query("fraction_enrolled == 0.4")["n_control"]).all()
    assert np.isfinite(sizes.loc["random", "n_control"]) == sized
    (said,) = [note for note in found.notes if "Not compared" in note]
    assert "simulated of (8 an arm)" in said
    assert "mine, 40% enrolled" in said
    assert ("random, 100% enrolled" in said) != sized
    proposed = found.tables["proposed_sizes"]
    assert len(proposed) == sized
    assert all(text.startswith("Not compared") for text in proposed["doubts"])


def test_strategies_are_fitted_again_to_each_bootstrap_sample() -> None:
    _, scores = build_people()
    drawn: list[int] = []

    class Rescore:
        n_training = 0

        def __call__(self, samples: Samples, rng: np.random.Generator) -> dict[str, np.ndarray]:
            assert samples.people is not None
            drawn.append(len(samples.people))
            noise = rng.uniform(0, 20, (len(samples.people), 1)) * rng.normal(size=N)
            return {"mine": scores["mine"].to_numpy() + noise}

    kept = compare(fractions_enrolled=[0.4], rescore=None)
    refitted = compare(fractions_enrolled=[0.4], rescore=Rescore())
    assert sum(drawn) == 200
    wide, narrow = (
        pick(one.tables["sample_sizes"], "mine", 0.4)["n_control_upper_cohort"]
        for one in (refitted, kept)
    )
    assert wide > narrow
    assert any("keeps the scores as given" in note for note in kept.notes)
    assert not any("keeps the scores as given" in note for note in refitted.notes)


def test_small_pools_and_people_left_out_are_told() -> None:
    trajectories, _ = build_people()
    trajectories.iloc[:20, 1] = np.nan
    found = compare(trajectories=trajectories, fractions_enrolled=[0.2], n_bootstrap=0)
    assert any("Fewer than 50 people" in note and "mine at 20%" in note for note in found.notes)
    assert any("20 people of a choice lack a visit" in note for note in found.notes)


@pytest.mark.slow
def test_outcomes_may_come_from_a_model_in_percent() -> None:
    design = DESIGN.change(
        trajectories="parametric", unit="log_percent", analyses=("random_slope",)
    )
    found = compare(design=design, n_bootstrap=0)
    row = pick(found.tables["operating_characteristics"], "mine", 1.0, "random_slope")
    assert abs(row["difference_in_mcse"]) < 4


PEOPLE, SCORES = build_people()
SLOPE = (PEOPLE[24.0] - PEOPLE[0.0]) / 24
STRAIGHT = pd.DataFrame({month: PEOPLE[0.0] + SLOPE * month for month in MONTHS})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fractions_enrolled": [0.0]}, "must lie above 0 and at most at 1, got 0"),
        ({"fractions_enrolled": [1.5]}, "must lie above 0 and at most at 1, got 1.5"),
        ({"fractions_enrolled": []}, "got none"),
        ({"fractions_enrolled": [0.001]}, "needs at least 10 people"),
        ({"scores": SCORES.assign(mine=1.0)}, "mine: every score is 1, so it cannot choose"),
        ({"scores": SCORES.assign(mine=np.nan)}, "mine: nobody has a score"),
        ({"scores": SCORES.iloc[:9]}, "at least 10 screened people, got 9"),
        ({"scores": SCORES.iloc[:10]}, "mine, 40% enrolled: only 4 people"),
        ({"scores": SCORES.rename({"sub-000": "x"})}, "1 scored participants have no trajectory"),
        ({"trajectories": PEOPLE[[0.0, 12.0]]}, "visit at month 24, but nobody in the cohort"),
        ({"trajectories": PEOPLE.assign(**{"24.0": 0})[[0.0, 12.0]]}, "visits at 0, 12"),
        ({"trajectories": -PEOPLE}, "greater than 0 mm3"),
        ({"trajectories": PEOPLE[[24.0, 12.0, 0.0]].set_axis([0.0, 12.0, 24.0], axis=1)},
         "no decline to slow"),
        ({"trajectories": STRAIGHT, "n_simulations": 20},
         "random, 100% enrolled: mmrm has a fit in none of the 60 simulated trials"),
        ({"n_simulations": 1}, "n_simulations must be at least 2"),
        ({"n_bootstrap": -1}, "n_bootstrap must be 0 or more"),
        ({"seed": -1}, "seed must lie between"),
        ({"sample_sizes": []}, "at least one number of people"),
        ({"sample_sizes": [6]}, "Each arm needs at least 5 people"),
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_answered_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        compare(**changes)


def test_outcomes_on_straight_lines_are_simulated() -> None:
    design = DESIGN.change(analyses=("ancova",))
    found = compare(trajectories=STRAIGHT, design=design, n_simulations=50, n_bootstrap=0)
    power = found.tables["operating_characteristics"]["power"]
    assert ((power > 0) & (power <= 1)).all()


def build_cohort() -> Cohort:
    rows = [
        (f"sub-{person}", f"ses-{visit}", months, 5000.0 - 10 * months)
        for person in range(12)
        for visit, months in enumerate((0.0, 11.0, 13.0, 24.5))
    ]
    names = ["participant_id", "session_id", "months_from_baseline", "volume_mm3"]
    table = pd.DataFrame(rows, columns=names)
    people = pd.DataFrame({"participant_id": table["participant_id"].unique()})
    return Cohort(
        people.assign(sex="F", age_years=70.0, diagnosis="MCI"),
        table[names[:3]].assign(
            age_years=70.0, diagnosis="MCI", image_path=None, segmentation_path=None
        ),
        table.drop(columns=names[2]).assign(region="hippocampus", source="x"),
    )


def test_the_nearest_visit_within_the_window_stands_for_the_planned_one() -> None:
    cohort = build_cohort()
    table = build_trajectories(cohort, DESIGN, window_months=2)
    assert table.iloc[0].tolist() == [5000, 4890, 4755]
    with pytest.raises(DesignError, match=r"month 12, but nobody .* within 0.5 months"):
        build_trajectories(cohort, DESIGN, window_months=0.5)
    with pytest.raises(CohortError, match="no volumes of amygdala: it has hippocampus"):
        build_trajectories(cohort, DESIGN.change(endpoint="amygdala"))


def test_percent_is_relative_to_the_volume_it_starts_from() -> None:
    cohort = build_cohort()
    table = build_trajectories(cohort, DESIGN, window_months=2)
    percent = convert_unit(table, DESIGN.change(unit="log_percent"))
    assert percent[0, 2] - percent[0, 0] == pytest.approx(100 * np.log(4755 / 5000))


def test_random_sites_are_fixed_where_the_estimands_impute() -> None:
    sites = Sites(4, randomization="stratified", effect="random")
    design = DESIGN.change(analyses=("mmrm",), sites=sites)
    found = compare(
        design=design, fractions_enrolled=[1.0], sample_sizes=[120, 240], n_simulations=20
    )
    table = found.tables["estimands"]
    assert {"mmrm", "jump_to_reference", "missing_at_random"} <= set(table["analysis"])
    assert table["power"].notna().all()


def test_each_estimand_has_its_truth_bias_and_power(comparison: Comparison) -> None:
    table = validate_table(comparison.tables["estimands"], "estimands")
    rows = table[table["imputed_delta"] == 0].set_index(["estimand", "analysis"])
    assert set(rows.index.get_level_values(0)) == {"hypothetical", "treatment_policy"}
    whole = rows.loc[("hypothetical", "mmrm")]
    policy = rows.loc["treatment_policy"]
    # 20 % leave and lose the effect at once
    error = 4 * 0.5 / np.sqrt(200 * whole["n_treatment"])
    assert policy.loc["mmrm", "true_difference"] == pytest.approx(
        0.8 * whole["true_difference"], rel=error
    )
    assert policy.loc["mmrm", "bias"] > 4 * policy.loc["mmrm", "bias_mcse"]
    jump = policy.loc["jump_to_reference"]
    assert abs(jump["bias"]) < 4 * jump["bias_mcse"]
    tipping = table["tipping_delta"].dropna().unique()
    deltas = table.loc[table["imputed_delta"] != 0, "imputed_delta"]
    assert len(tipping) == 1
    assert deltas.min() < tipping[0] < 0


def test_the_saving_vanishes_at_the_ratio_that_is_told(comparison: Comparison) -> None:
    table = comparison.tables["sensitivity"].set_index("parameter")
    row = table.loc[BREAK_EVEN]
    assert row["low_value"] < row["high_value"] == 1
    everyone = pick(comparison.tables["sample_sizes"], "random", 1.0)
    line = COSTS.compute_cost_line(
        fraction_enrolled=row["fraction_enrolled"], is_screened=True, months=24, n_visits=3
    )
    # the ratio is told with 3 digits, and the size goes with its square
    assert line[1] * 2 * row["n_control_at_low"] == pytest.approx(everyone["cost"], rel=0.01)


def test_more_measurement_error_takes_more_people(comparison: Comparison) -> None:
    table = comparison.tables["sensitivity"].set_index("parameter")
    rows = [table.loc[f"measurement error {ends} % of volume"] for ends in ("1 or 2", "3 or 5")]
    sizes = [row[f"n_control_at_{end}"] for row in rows for end in ("low", "high")]
    assert sizes == sorted(sizes)
    # the people are measured with an error of about 1 %
    assert sizes[0] == pytest.approx(rows[0]["n_control_at_base"], rel=0.4)
    assert sizes[3] > 3 * sizes[0]


def test_whoever_enrolls_everyone_draws_as_if_they_were_ranked() -> None:
    screened = read_screened(*build_people(), DESIGN)
    own, other = np.random.default_rng(4), np.random.default_rng(4)
    everyone = find_enrolled(Candidate("mine", 1.0), screened, own)
    assert everyone.tolist() == list(range(N))
    ranks = rank_scores(screened.scores["mine"], other)
    assert len(ranks) == N
    assert own.random() == other.random()


def test_what_is_drawn_after_everyone_does_not_depend_on_how_often_they_are_enrolled() -> None:
    trajectories, scores = build_people()
    trajectories.iloc[::3, 1] = np.nan
    screened = read_screened(trajectories, scores, DESIGN)
    candidates = [Candidate("random", 1.0), Candidate("mine", 1.0), Candidate("mine", 0.4)]
    once, again = np.random.default_rng(4), np.random.default_rng(4)
    gatherer = PoolGatherer(screened, once)
    found = [gatherer.gather(one) for one in candidates]
    each = [gather_pool(one, screened, again) for one in candidates]
    assert (found[2].outcome == each[2].outcome).all()
    assert (found[1].outcome == found[0].outcome).all()
    assert not (found[1].outcome == each[1].outcome).all()


@pytest.mark.parametrize(("analyses", "expected"), [(("mmrm",), 3), (("mmrm", "ancova_score"), 5)])
def test_trials_of_everyone_are_simulated_again_only_for_another_score(
    analyses: tuple[str, ...], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: list[object] = []

    def simulate(model: Any, *args: Any, **options: Any) -> SimulatedTrials:
        models.append(model)
        return simulate_trials(model, *args, **options)

    monkeypatch.setattr(candidate_runs, "simulate_trials", simulate)
    design = DESIGN.change(analyses=analyses)
    compare(design=design, n_simulations=20, n_bootstrap=0)
    assert len({*map(id, models)}) == expected


@pytest.mark.parametrize("fraction", [0.5, 1.0])
def test_what_was_measured_is_held_once_for_all_pools(fraction: float) -> None:
    trajectories, scores = build_people()
    trajectories.iloc[::4, 1] = np.nan
    known = pd.DataFrame({"age_years": np.arange(N, dtype=float)}, scores.index)
    screened = read_screened(trajectories, scores, DESIGN, baseline=known)
    shared = [one.refit.predictors.shared for one in screened.expected.values() if one.refit]
    assert len(shared) == 3  # of everyone, and of both strategies that look at people
    assert all(np.shares_memory(one, shared[0]) for one in shared)
    pool = gather_pool(Candidate("mine", fraction), screened, np.random.default_rng(4))
    assert pool.measured is screened.outcome
    chosen = find_enrolled(Candidate("mine", fraction), screened, np.random.default_rng(4))
    assert sorted(pool.people) == chosen.tolist()
    change = pool.observed[:, -1] - pool.observed[:, 0]
    assert (np.diff(change) >= 0).all()
    assert pool.n_incomplete == (chosen % 4 == 0).sum()
    everyone = screened.expected[EVERYONE]
    assert everyone.refit is not None, "a pool must not change what is expected of everyone"


def test_decline_from_the_next_visit_on_is_that_of_the_people_of_the_pool() -> None:
    trajectories, scores = build_people()
    screened = read_screened(trajectories, scores, DESIGN)
    pool = gather_pool(Candidate("mine", 0.4), screened, np.random.default_rng(4))
    run: Any = SimpleNamespace(pool=pool, design=DESIGN)
    own = trajectories.iloc[pool.people]
    later, normal = 2 * (own[24.0] - own[12.0]).mean(), compute_normal_change(DESIGN)[-1]
    expected = ((pool.true_change[-1] - normal) / (later - normal)) ** 2
    assert compare_later_decline(run) == pytest.approx(expected)


def test_people_are_found_whatever_their_order() -> None:
    trajectories, scores = build_people()
    screened = read_screened(trajectories.iloc[::-1], scores.iloc[5:], DESIGN)
    np.testing.assert_array_equal(screened.outcome, trajectories.to_numpy()[5:])


@pytest.mark.parametrize("first", ["missing_at_random", "jump_to_reference"])
def test_a_trial_that_imputes_has_each_estimand_once(first: str) -> None:
    design = DESIGN.change(analyses=(first,))
    found = compare(
        design=design, fractions_enrolled=[1.0], sample_sizes=[120, 240], n_simulations=20,
        n_bootstrap=0,
    )  # fmt: skip
    rows = found.tables["estimands"].query("analysis == @first and imputed_delta == 0")
    assert sorted(rows["estimand"]) == ["hypothetical", "treatment_policy"]
