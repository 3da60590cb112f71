"""The search for a design: grid, front, run-in, against known answers."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohorts.synthetic.tabular import synthesize_table
from trialsim import analytic
from trialsim.comparison.candidates import EVERYONE
from trialsim.comparison.closed_form import compute_model_moments, compute_sample_size
from trialsim.comparison.screened import Screened, read_screened
from trialsim.costs import Costs
from trialsim.design import DropOut, TrialDesign
from trialsim.errors import DesignError
from trialsim.optimization.aims import compute_aims
from trialsim.optimization.assurance import require_assurance
from trialsim.optimization.choices import list_run_in_choices, list_strategy_choices
from trialsim.optimization.confirmation import DrawnVisits
from trialsim.optimization.courses import Courses
from trialsim.optimization.design_grid import DesignGrid, Setting, compute_sizes
from trialsim.optimization.front import find_front
from trialsim.optimization.ranges import SearchRanges, build_ranges
from trialsim.optimization.representation import list_groups
from trialsim.optimization.run_in import choose_by_run_in, fit_lines
from trialsim.optimization.screening_stages import (
    ScreeningStage,
    list_thresholds,
)
from trialsim.optimization.search import Optimization, optimize_design, prepare_search
from trialsim.simulation import build_trajectories
from trialsim.simulation.outcomes import GrowthModel
from trialsim.simulation.streams import draw_arm
from trialsim.workers.digest import compute_digest
from trialsim.workers.spread import Arrays

TIMES = np.array([0.0, 12.0, 24.0])
DESIGN = TrialDesign(
    (0, 12, 24), unit="log_percent", slowing=0.3, dropout=DropOut(0.2), analyses=("ancova", "mmrm")
)
COSTS = Costs(screening=1500, participant=25_000, visit=2500)


def make_model(slope: float = -0.3, slope_sd: float = 0.15, noise: float = 1.0) -> GrowthModel:
    scores = np.resize([-1.0, 1.0], 200)
    lines = np.array([[100.0, 0.1], [0.1, slope_sd**2]])
    return GrowthModel(800.0, slope, 1.0, 0.05, lines, noise**2, TIMES, scores)


@pytest.mark.parametrize(
    "setting",
    [
        Setting((0.0, 12.0, 24.0), "ancova", 1.0),
        Setting((0.0, 24.0), "ancova_score", 2.0),
        Setting((0.0, 6.0, 18.0), "mmrm", 1.0),
        Setting((0.0, 3.0, 9.0, 24.0), "random_slope", 1.5),
        Setting((0.0, 12.0, 18.0), "mmrm_score", 1.0),
    ],
    ids=str,
)
def test_a_size_of_the_grid_is_that_of_the_single_closed_form(setting: Setting) -> None:
    model, design = make_model(), setting.apply(DESIGN)
    there = GrowthModel(**{**vars(model), "times": design.times})
    single = compute_sample_size(setting.analysis, compute_model_moments(there), design)
    found = compute_sizes(Courses.of(model), [setting], DESIGN)[0, 0]
    # what covariates and the t distribution add is approximated
    assert found == pytest.approx(single, abs=0.5, rel=0.005)


def test_people_leave_a_shorter_trial_at_the_same_hazard() -> None:
    half = Setting((0.0, 12.0), "ancova", 1.0).apply(DESIGN)
    assert half.dropout.control == pytest.approx(1 - 0.8**0.5)
    assert half.compute_hazard(0) == pytest.approx(DESIGN.compute_hazard(0))


def test_every_subset_of_months_that_ends_in_a_duration_is_a_schedule() -> None:
    ranges = SearchRanges(visits_months=(6, 12, 24), n_visits=(2, 3), durations_months=(12, 24))
    found = ranges.list_schedules((0.0, 12.0, 24.0))
    assert found == [(0, 12), (0, 24), (0, 6, 12), (0, 6, 24), (0, 12, 24)]
    by_default = SearchRanges(n_visits=(2,)).list_schedules((0.0, 9.0, 18.0))
    assert by_default == [(0, 6), (0, 9), (0, 12), (0, 18)]


def test_the_front_holds_what_nothing_beats() -> None:
    rng = np.random.default_rng(0)
    amounts, shares = rng.integers(1, 9, (400, 2)) * 10.0, rng.integers(0, 5, (400, 1)) / 5
    front = find_front(amounts, shares)
    everything = np.column_stack([amounts, shares])
    beaten = [
        bool(((everything <= one).all(axis=1) & (everything < one).any(axis=1)).any())
        for one in everything
    ]
    expected = {tuple(row) for row, lost in zip(everything, beaten, strict=True) if not lost}
    assert {tuple(row) for row in everything[front]} == expected
    assert len(front) == len(expected)


def test_within_one_percent_the_cheapest_stands_for_all_and_unknown_shares_lose() -> None:
    amounts = np.array([[100.4, 5.0], [100.2, 5.0], [np.inf, 1.0], [300.0, 5.0]])
    shares = np.array([[0.1], [0.1], [0.0], [np.nan]])
    assert find_front(amounts, shares).tolist() == [1]


def test_a_run_in_leaves_the_people_whom_its_slope_chooses() -> None:
    rng, months, fraction = np.random.default_rng(1), 9.0, 0.3
    model = make_model()
    found = choose_by_run_in(Courses.of(model), months, fraction)
    n = 400_000
    lines = rng.multivariate_normal([0, 0], model.total_covariance, n)
    slope = model.slope + lines[:, 1]
    times = np.array([-months, 0.0, 12.0, 24.0])
    seen = lines[:, :1] + slope[:, None] * (times + months) + rng.normal(size=(n, 4))
    steepest = np.argsort(seen[:, 1] - seen[:, 0])[: int(fraction * n)]
    chosen = seen[steepest, 1:]
    covariance = found.build_covariance(TIMES)[0, :3, :3]
    error = 4 * np.abs(covariance).max() * np.sqrt(2 / len(chosen))
    assert np.allclose(np.cov(chosen.T), covariance, atol=error)
    mean = found.expect_change(24.0)[0]
    assert slope[steepest].mean() * 24 == pytest.approx(mean, abs=0.01 * abs(mean))


def test_drawn_visits_have_the_change_and_the_covariance_of_their_lines() -> None:
    visits, n = DrawnVisits.of(Courses.of(make_model()), DESIGN), 100_000
    people = visits.simulate(
        draw_arm(range(1), seed=1, arm=0, n_people=n, n_normals=visits.n_normals)
    )
    found = np.column_stack([people.outcome[0], people.score[0]])
    # four standard errors
    error = 4 * np.abs(visits.covariance).max() * np.sqrt(2 / n)
    assert np.allclose(np.cov(found.T), visits.covariance, atol=error)
    error = 4 * np.sqrt(np.diag(visits.covariance) / n)
    assert (np.abs(found.mean(axis=0) - [*visits.true_change, 0.0]) < error).all()


def test_lines_are_found_again_in_their_own_covariance() -> None:
    model = make_model()
    courses = model.total_covariance
    basis = np.column_stack([np.ones(3), TIMES])
    visits = basis @ courses @ basis.T + np.eye(3)
    assert np.allclose(fit_lines(visits[None], TIMES, 1.0)[0], courses)


def cohort_people() -> pd.Index:
    cohort, _ = synthesize_table(160, rng=np.random.default_rng(5))
    return pd.Index(cohort.participants["participant_id"])


@pytest.fixture(scope="module")
def screened() -> Screened:
    cohort, _ = synthesize_table(160, rng=np.random.default_rng(5))
    people = cohort.participants.set_index("participant_id")
    trajectories = build_trajectories(cohort, DESIGN)
    scores = people[["age_years"]].rename(columns={"age_years": "older"})
    scores = scores.assign(random=np.random.default_rng(6).random(len(scores)))
    return read_screened(trajectories, scores.loc[trajectories.index], DESIGN)


@pytest.fixture(scope="module")
def found(screened: Screened) -> Optimization:
    cohort, _ = synthesize_table(160, rng=np.random.default_rng(5))
    people = build_trajectories(cohort, DESIGN).index
    stages = (
        ScreeningStage("blood", cost=150, correlation=0.4, share_passing=(0.4, 0.7)),
        ScreeningStage("scan", cost=1500, measure="older", share_passing=(0.5, 1.0)),
    )
    ranges = SearchRanges(
        (0.4, 0.7, 1.0), n_visits=(2, 3), stages=stages, run_in_months=(6,), n_confirmed=2
    )
    return optimize_design(
        screened, DESIGN, COSTS, ranges, groups=list_groups(cohort.participants, people),
        n_simulations=200, n_bootstrap=200, workers=1,
    )  # fmt: skip


def test_designs_simulated_by_workers_elsewhere_have_the_same_power(screened: Screened) -> None:
    asked: set[str] = set()

    def spread(work: Callable[[Any], Arrays], blocks: Sequence[Any]) -> Iterator[Arrays]:
        asked.add(compute_digest(work))
        for block in blocks:
            yield pickle.loads(pickle.dumps(work))(block)

    ranges = SearchRanges((0.5, 1.0), n_confirmed=2)
    cohort, _ = synthesize_table(160, rng=np.random.default_rng(5))
    groups = list_groups(cohort.participants, build_trajectories(cohort, DESIGN).index)
    here, elsewhere = (
        optimize_design(
            screened, DESIGN, COSTS, ranges, groups=groups, n_simulations=100, n_bootstrap=0,
            workers=workers,
        ).front
        for workers in (1, spread)
    )  # fmt: skip
    pd.testing.assert_frame_equal(here, elsewhere)
    assert len(asked) == here["simulated_power"].notna().sum() == 2


def test_enrolling_everyone_needs_no_score(screened: Screened) -> None:
    ranges = SearchRanges((0.5, 1.0), n_confirmed=0)
    cohort, _ = synthesize_table(160, rng=np.random.default_rng(5))
    groups = list_groups(cohort.participants, build_trajectories(cohort, DESIGN).index)
    others = {name: score for name, score in screened.scores.items() if name != "random"}
    assert len(others) < len(screened.scores)
    with_score, without = (
        optimize_design(people, DESIGN, COSTS, ranges, groups=groups, n_bootstrap=200)
        for people in (screened, replace(screened, scores=others))
    )
    assert "random" in {*without.front["strategy"]}
    pd.testing.assert_frame_equal(with_score.front, without.front)


def test_of_people_with_equal_scores_a_part_is_compared_with_those_screened(
    screened: Screened,
) -> None:
    thirds = np.resize([0.0, 1.0, 2.0], len(screened.outcome))
    tied = replace(screened, scores=screened.scores | {"older": thirds})
    ranges, rng = SearchRanges((0.5,)), np.random.default_rng(1)
    choices, _ = list_strategy_choices(tied, ranges, DESIGN, COSTS, rng)
    (enrolled,) = (one.enrolled for one in choices if one.strategy == "older")
    assert enrolled is not None
    of_score = pd.Series(enrolled).groupby(thirds).agg(["min", "max"])
    assert (of_score["min"] == of_score["max"]).all()
    assert enrolled.sum() == pytest.approx(len(thirds) / 2)


def test_everything_follows_from_whole_people(found: Optimization) -> None:
    for row in found.front.to_dict("records"):
        n = row["n_control"] + row["n_treatment"]
        assert row["n_treatment"] >= row["n_control_found"] * row["allocation_ratio"]
        n_visits = len(row["visits_months"].split(","))
        scans = {"older": 1500, "random": 0, "run-in of 6 months": 3000}.get(row["strategy"])
        if scans is None:
            continue
        expected = int(np.ceil(n / row["fraction_enrolled"] - 1e-9))
        assert row["n_to_screen"] == expected
        assert row["cost"] == n * (25_000 + (n_visits - 1) * 2500) + expected * scans


def test_the_best_of_many_is_raised(found: Optimization) -> None:
    front = found.front
    assert (front["optimism_factor"] > 1).all()
    assert (front["n_control"] > front["n_control_found"]).all()
    assert (front["n_control_lower"] < front["n_control_upper"]).all()
    assert (front["cost_lower"] < front["cost_upper"]).all()
    assert front["closed_form_power"].min() > 0.8
    assert found.n_designs > 500


def test_the_front_names_the_best_and_simulates_some(found: Optimization) -> None:
    front = found.front
    assert "cost" in front["best_in"].iloc[0]
    assert "share_left_out" in front.loc[front["strategy"] == "random", "best_in"].iloc[0]
    simulated = front.dropna(subset=["simulated_power"])
    assert len(simulated) == 2
    errors = np.sqrt(0.8 * 0.2 / 200)
    assert (simulated["simulated_power"] - simulated["closed_form_power"]).abs().max() < 4 * errors


def test_whom_a_choice_leaves_out_is_compared_with_those_screened() -> None:
    cohort, _ = synthesize_table(50, rng=np.random.default_rng(5))
    table = cohort.participants.assign(race=["a", "b"] * 25)
    groups = list_groups(table, table["participant_id"])
    assert groups.names == ("women", "over 75", "race a", "race b")
    difference, words = groups.compare((table["race"] == "a").to_numpy(float))
    assert difference == 0.5
    assert words == "race a: 100% of those enrolled, 50% screened"


def test_a_strategy_that_knows_the_future_is_not_searched(screened: Screened) -> None:
    scores = {**screened.scores, "oracle": screened.scores["older"]}
    with_oracle = replace(screened, scores=scores)
    choices, _ = list_strategy_choices(
        with_oracle, SearchRanges((0.5,)), DESIGN, COSTS, np.random.default_rng(0)
    )
    assert [one.strategy for one in choices] == ["random", "older"]
    assert EVERYONE in screened.expected


def test_a_run_in_costs_two_scans_and_its_months() -> None:
    ranges = SearchRanges((0.5,), run_in_months=(6, 12), run_in_dropout=0.2)
    first, second = list_run_in_choices(Courses.of(make_model()), ranges, Costs(screening=100))
    assert first.path.stages[0].share_passing == 0.4
    assert first.path.stages[0].cost == 200
    assert (first.path.delay_months, second.path.delay_months) == (6, 12)
    # how fast people come is not known: of one person, run-in and trial
    grid = DesignGrid(np.full((2, 2), 50.0), np.full((2, 2), 50.0))
    settings = [Setting((0, 12), "ancova", 1.0), Setting((0, 12, 24), "ancova", 1.0)]
    aims = compute_aims([first, second], settings, grid, COSTS)
    assert aims.months_to_last_visit.tolist() == [[18, 30], [24, 36]]
    assert np.isnan(aims.months_to_enroll).all()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"fractions_enrolled": [0, 0.5]}, "above 0 and at most at 1, got 0, 0.5"),
        ({"n_visits": [1]}, "whole numbers from 2, got 1"),
        ({"analyses": ["anova"]}, "analyses may hold change"),
        ({"run_in_dropout": 1.0}, "from 0 to below 1"),
        ({"speed": 1}, "speed is not known; there are fractions_enrolled"),
        ({"allocation_ratios": []}, "at least one ratio, got none"),
        ({"visits_months": "soon"}, "wrong type"),
        ({"stages": [{"cost": 1}]}, "optimize.stages: name is missing"),
        ({"stages": [{"name": "PET"}]}, "give exactly one of measure"),
        ({"stages": [{"name": "PET", "correlation": 1.0}]}, "between -1 and 1"),
        ({"stages": [{"name": "PET", "correlation": 0.1, "cost": 1e308}]}, "at most 1e.12"),
        ({"run_in_cost": 1e308}, "run_in_cost must be 0 or more and at most 1e.12"),
        ({"stages": [{"name": "PET", "correlation": 0.1, "price": 1}]}, "price is not known"),
    ],
)
def test_ranges_that_cannot_be_are_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        build_ranges(values)


def test_what_nobody_has_seen_is_not_searched() -> None:
    with pytest.raises(DesignError, match="36 lie beyond month 24"):
        SearchRanges(visits_months=(12, 36)).list_schedules(DESIGN.visits_months)
    with pytest.raises(DesignError, match="no schedule ends at durations_months 18"):
        SearchRanges(visits_months=(12, 24), durations_months=(18,)).list_schedules((0.0, 24.0))


def test_more_designs_than_can_be_searched_are_refused_before(
    screened: Screened, monkeypatch: pytest.MonkeyPatch
) -> None:
    months = tuple(float(month) for month in range(1, 25))
    with pytest.raises(DesignError, match="2,496,144 schedules come of 24 visits_months"):
        SearchRanges(visits_months=months, n_visits=(12,)).list_schedules((0.0, 24.0))
    monkeypatch.setattr("trialsim.optimization.search._MOST_DESIGNS", 5)
    with pytest.raises(DesignError, match="are more than 5 designs"):
        prepare_search(screened, DESIGN, COSTS, SearchRanges(), columns={}, seed=1)


def test_stages_that_cannot_be_searched_say_so(screened: Screened) -> None:
    shares = tuple(np.linspace(0.1, 1, 30))
    many = [ScreeningStage(name, measure=name, share_passing=shares) for name in "ab"]
    with pytest.raises(DesignError, match="900 combinations"):
        list_thresholds(many)
    unknown = SearchRanges(stages=(ScreeningStage("PET", measure="amyloid"),))
    one = list_groups(
        synthesize_table(160, rng=np.random.default_rng(5))[0].participants,
        cohort_people(),
    )
    with pytest.raises(DesignError, match="nobody has amyloid; there are older, random"):
        optimize_design(screened, DESIGN, COSTS, unknown, groups=one, n_bootstrap=0)


def test_designs_without_a_formula_are_refused(screened: Screened) -> None:
    design = DESIGN.change(dropout=DropOut(0.2, decline_hazard_ratio=2.0))
    groups = list_groups(
        synthesize_table(160, rng=np.random.default_rng(5))[0].participants,
        cohort_people(),
    )
    with pytest.raises(DesignError, match="no formula answers the analysis ancova"):
        optimize_design(screened, design, COSTS, SearchRanges(), groups=groups)
    two = DESIGN.change(visits_months=(0, 24))
    with pytest.raises(DesignError, match="need three visits or more"):
        optimize_design(screened, two, COSTS, SearchRanges(), groups=groups)


def test_a_size_for_an_assurance_has_it_over_what_is_believed() -> None:
    wanted = require_assurance(DESIGN.change(target_power=0.75), 0.12).target_power
    # a decline of 1 with a standard deviation of 1: effects are slowings
    n = analytic.means(delta=0.3, sd=1.0, power=wanted).n_control
    belief = analytic.NormalPrior(0.3, 0.12)
    found = analytic.assure(delta=belief, sd=1.0, n_control=float(n))
    assert found.assurance == pytest.approx(0.75, abs=0.002)
    with pytest.raises(DesignError, match="no trial has an assurance of 80%"):
        require_assurance(DESIGN, 0.4)
