"""The moments of each choice, kept in the study, give the closed form's sizes again."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from trialsim.analyses import ANALYSES
from trialsim.comparison import compare_strategies
from trialsim.comparison.closed_form import Moments, compute_sample_size, compute_sample_sizes
from trialsim.comparison.pool_moments import list_months, read_pools
from trialsim.costs import Costs
from trialsim.design import TrialDesign
from trialsim.explorer.scenario import AssumedSource, Scenario, StudySource

DESIGN = TrialDesign(
    (0, 12, 24), analyses=("ancova", "ancova_score", "mmrm", "random_slope", "random_slope_score")
)


@pytest.fixture(scope="module")
def comparison() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(4)
    decline, start = rng.normal(100, 60, 150), rng.normal(3400, 400, 150)
    noise = rng.normal(0, 40, (150, 3))
    people = pd.Index([f"p{i}" for i in range(150)], name="participant_id")
    volumes = start[:, None] - decline[:, None] * np.array([0, 1, 2]) + noise
    trajectories = pd.DataFrame(volumes, index=people, columns=[0.0, 12.0, 24.0])
    scores = pd.DataFrame(
        {"random": rng.random(150), "mine": decline + rng.normal(0, 60, 150)}, index=people
    )
    found = compare_strategies(
        trajectories, scores, DESIGN, sample_sizes=[60, 120], fractions_enrolled=[0.5],
        n_simulations=100, n_bootstrap=0, seed=1, workers=1,
    )  # fmt: skip
    return dict(found.tables)


def test_sizes_from_the_table_are_those_of_the_comparison(
    comparison: dict[str, pd.DataFrame],
) -> None:
    sizes = comparison["sample_sizes"].set_index(["strategy", "fraction_enrolled", "analysis"])
    source = StudySource.read(comparison["pool_moments"])
    for (strategy, fraction), rows in source.pools.items():
        [moments] = read_pools([rows])
        for analysis in DESIGN.analyses:
            key = (strategy, fraction, analysis)
            if key in sizes.index:
                expected = sizes.loc[key, "closed_form_n_control"]
                assert compute_sample_size(analysis, moments, DESIGN) == pytest.approx(expected)
    assert len(source.pools) == 2


def take_answer_away(analysis: str, moments: Moments) -> Moments:
    """Return people for whom the analysis's closed form refuses to answer."""
    if moments.growth is not None and ANALYSES[analysis].compares_slopes:
        return replace(moments, growth=replace(moments.growth, residual_variance=0.0))
    # the last visit repeats the one before, or the baseline that is adjusted for
    repeated = [0, 1, 1, 3] if analysis == "mmrm" else [0, 1, 0, 3]
    return replace(moments, covariance=moments.covariance[np.ix_(repeated, repeated)])


@pytest.mark.parametrize("analysis", DESIGN.analyses)
def test_pools_are_solved_at_once_as_one_by_one(
    comparison: dict[str, pd.DataFrame], analysis: str
) -> None:
    source = StudySource.read(comparison["pool_moments"])
    [mine] = read_pools([source.pools["mine", 0.5]])
    faster = replace(mine, true_change=1.3 * mine.true_change)
    gaining = replace(mine, true_change=-mine.true_change)
    hopeless = take_answer_away(analysis, mine)
    pools = [mine, gaining, hopeless, faster, mine]
    found = compute_sample_sizes(analysis, pools, DESIGN)
    expected = [compute_sample_size(analysis, moments, DESIGN) for moments in pools]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert list(np.isnan(found)) == [False, True, True, False, False]
    assert compute_sample_sizes(analysis, [], DESIGN).shape == (0,)


def test_a_choice_is_that_of_whole_people(comparison: dict[str, pd.DataFrame]) -> None:
    source = StudySource.read(comparison["pool_moments"])
    costs = Costs(screening=1000, participant=20_000)
    asked = Scenario(DESIGN.change(analyses=("mmrm",)), costs, "mine", 0.5)
    table = source.compute_choices(asked).set_index("strategy")
    mine = table.loc["mine"]
    assert mine["n_to_screen"] == np.ceil((mine["n_control"] + mine["n_treatment"]) / 0.5)
    assert mine["cost"] == 20_000 * 2 * mine["n_control"] + 1000 * mine["n_to_screen"]
    # people of faster decline need fewer
    assert mine["n_control"] < table.loc["random", "n_control"]


def test_leaving_a_visit_out_is_the_design_without_it(
    comparison: dict[str, pd.DataFrame],
) -> None:
    rows = StudySource.read(comparison["pool_moments"]).pools["mine", 0.5]
    assert list_months(rows) == [0, 12, 24]
    [short], [whole] = read_pools([rows], (0, 24)), read_pools([rows])
    design = TrialDesign((0, 24), analyses=("ancova",))
    kept = [0, 2, 3]
    by_hand = Moments(whole.true_change[[0, 2]], whole.covariance[np.ix_(kept, kept)], None)
    expected = compute_sample_size("ancova", by_hand, design)
    assert compute_sample_size("ancova", short, design) == pytest.approx(expected)


def test_the_calculator_enrolls_everyone_without_a_scan() -> None:
    costs = Costs(screening=1000, participant=20_000)
    design = TrialDesign((0, 24), unit="log_percent", analyses=("change",))
    table = AssumedSource(4.0, 4.0, 0.5).compute_choices(Scenario(design, costs, "score", 0.5))
    everyone = table[table["fraction_enrolled"] == 1].iloc[0]
    assert everyone["cost"] == 20_000 * (everyone["n_control"] + everyone["n_treatment"])
    # d = .25 x 4 / 4: 2 (1.96 + .84)^2 / .0625 = 251, with the t distribution one or two more
    assert 251 <= everyone["n_control"] <= 253
