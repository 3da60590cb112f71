import numpy as np
import pandas as pd
import pytest

from tests.trialsim.test_archive import DESIGN, draw_people
from trialsim.comparison import compare_strategies
from trialsim.comparison.decision import compute_regret, weigh_cheapest
from trialsim.costs import Costs
from trialsim.design import TrialDesign


def test_probabilities_are_shares_of_samples_with_ties_shared() -> None:
    samples = np.array([[1.0, 5.0, 2.0, 4.0], [2.0, 3.0, 2.0, np.inf]])
    assert weigh_cheapest(samples).tolist() == [0.625, 0.375]


def test_regret_is_what_a_choice_costs_above_the_best_of_the_same_sample() -> None:
    samples = np.array([[1.0, 5.0, 2.0], [2.0, 3.0, 2.0]])
    assert compute_regret(samples) == pytest.approx([2 / 3, 1 / 3])


def test_a_choice_that_never_reaches_the_power_is_regretted_without_end() -> None:
    samples = np.array([[1.0, 2.0, np.inf], [np.inf, 3.0, np.inf]])
    assert compute_regret(samples).tolist() == [0.0, np.inf]


@pytest.mark.parametrize("costs", [Costs(), Costs(screening=1500, participant=25_000)])
def test_a_useful_score_is_likely_the_cheapest_and_saves(costs: Costs) -> None:
    trajectories, scores, baseline = draw_people(300, np.random.default_rng(11))
    found = compare_strategies(
        trajectories, scores, DESIGN, costs, sample_sizes=[100, 200], fractions_enrolled=[0.5],
        n_simulations=200, n_bootstrap=200, seed=1, baseline=baseline,
    )  # fmt: skip
    table = found.tables["decisions"].set_index(["strategy", "fraction_enrolled"])
    assert table["probability_cheapest"].sum() == pytest.approx(1)
    marker, everyone = table.loc[("marker", 0.5)], table.loc[("random", 1.0)]
    assert marker["probability_cheapest"] > 0.9
    assert marker["probability_saves"] > 0.9
    assert marker["is_least_regret"]
    assert marker["expected_regret"] < everyone["expected_regret"]
    assert np.isnan(everyone["probability_saves"])
    # people are no money
    assert table[["cost", "expected_cost"]].notna().to_numpy().all() == costs.is_priced
    assert table[["cost", "expected_cost"]].notna().to_numpy().any() == costs.is_priced
    size = found.tables["sample_sizes"].set_index(table.index.names).loc[("marker", 0.5)]
    assert marker["expected_n_control"] == pytest.approx(size["n_control"], rel=0.2)


@pytest.mark.parametrize(
    ("costs", "less"),
    [(Costs(), "takes fewer people"), (Costs(screening=1500, participant=25_000), "costs less")],
)
def test_what_may_not_be_saved_is_what_the_choice_was_made_by(costs: Costs, less: str) -> None:
    rng = np.random.default_rng(16)
    trajectories, scores, baseline = draw_people(30, rng)
    scores["marker"] += rng.normal(0, 2, 30)
    found = compare_strategies(
        trajectories, scores, DESIGN, costs, sample_sizes=[100, 200], fractions_enrolled=[0.5],
        n_simulations=100, n_bootstrap=200, seed=1, baseline=baseline,
    )  # fmt: skip
    (proposed,) = found.tables["proposed_sizes"].to_dict("records")
    assert proposed["strategy"] == "marker"
    if costs.is_priced:
        assert proposed["saving_cost_lower"] <= 0
    else:  # people are no money
        assert np.isnan([proposed[f"saving_cost{end}"] for end in ("", "_lower", "_upper")]).all()
    savings = found.tables["sample_size_savings"].set_index("strategy").loc["marker"]
    assert savings["saving_n_control_lower"] <= 0
    assert f"Whether the cheapest choice {less} than enrolling everyone" in proposed["doubts"]


def test_without_samples_enough_nothing_is_decided() -> None:
    trajectories, scores, baseline = draw_people(60, np.random.default_rng(12))
    found = compare_strategies(
        trajectories, scores, DESIGN, sample_sizes=[100, 200], fractions_enrolled=[0.5],
        n_simulations=100, n_bootstrap=20, seed=1, baseline=baseline,
    )  # fmt: skip
    assert found.tables["decisions"].empty


def test_without_samples_the_cheapest_trial_of_whole_people_is_proposed() -> None:
    rng = np.random.default_rng(8)
    people = pd.Index([f"p{i}" for i in range(400)], name="participant_id")
    decline = rng.normal(100, 60, 400)
    volumes = 3400 - decline[:, None] * np.array([0, 1]) + rng.normal(0, 40, (400, 2))
    found = compare_strategies(
        pd.DataFrame(volumes, index=people, columns=[0.0, 12.0]),
        pd.DataFrame({"random": rng.random(400), "mine": decline}, index=people),
        TrialDesign((0, 12), analyses=("change",), slowing=0.5),
        Costs(screening=1500, participant=25_000),
        sample_sizes=[10, 20, 40, 80], fractions_enrolled=[place / 40 for place in range(4, 41)],
        n_simulations=100, n_bootstrap=0, seed=1, workers=1,
    )  # fmt: skip
    sizes, proposed = found.tables["sample_sizes"], found.tables["proposed_sizes"]
    assert proposed["cost"].item() == sizes.loc[sizes["is_attainable"], "cost"].min()
