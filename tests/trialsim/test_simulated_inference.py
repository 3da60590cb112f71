"""The design's words for mixed models reach the simulated trials."""

import numpy as np
import pytest

from trialsim.analysis import fit_mmrm, fit_random_slope
from trialsim.analysis.inputs import Trials
from trialsim.design import DropOut, TrialDesign, build_design
from trialsim.errors import DesignError
from trialsim.simulation.fitting import Observed, find_patterns, fit_analysis
from trialsim.simulation.outcomes import GrowthModel
from trialsim.simulation.trials import SimulatedTrials, simulate_trials

MONTHS = (0.0, 12.0, 24.0)
SIZES = [(20, 20), (30, 30)]
MIXED = ("random_slope", "mmrm", "random_slope_score", "mmrm_score")
WORDS = [
    {},
    {"degrees_of_freedom": "kenward_roger"},
    {"covariance": "by_arm"},
    {"standard_error": "cr0"},
    {"standard_error": "cr2", "covariance": "by_arm"},
]
MODEL = GrowthModel(
    intercept=0.0,
    slope=-0.2,
    score_intercept=0.3,
    score_slope=-0.08,
    covariance=np.array([[4.0, 0.02], [0.02, 0.01]]),
    residual_variance=0.5,
    times=np.array(MONTHS),
    scores=np.linspace(-1.7, 1.7, 51),
)


def run(*, batch_size: int | None = None, **words: str) -> SimulatedTrials:
    design = TrialDesign(
        MONTHS,
        slowing=0.3,
        dropout=DropOut(0.3),
        trajectories="parametric",
        analyses=MIXED,
        **words,  # type: ignore[arg-type]
    )
    return simulate_trials(
        MODEL, design, SIZES, seed=1, replicates=range(12), batch_size=batch_size
    )


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("name", MIXED)
def test_a_simulated_trial_is_analysed_as_a_finished_one(name: str, words: dict[str, str]) -> None:
    design = TrialDesign(MONTHS, analyses=(name,), **words)  # type: ignore[arg-type]
    rng = np.random.default_rng(20260101)
    arm, score = np.arange(60) % 2, rng.normal(size=(4, 60, 1))
    y = (rng.normal(size=(4, 60, 3)) - 0.5 * score).cumsum(axis=2)
    y[rng.exponential(30, size=(4, 60, 1)) < np.array(MONTHS)] = np.nan
    ones = np.ones((4, 60, 1))
    people = Trials(y, np.concatenate([ones, arm[:, None] * ones, score], axis=2), design.times)
    statistics = people.summarize(find_patterns(design, []), by_arm=design.inference.by_arm)
    groups = [people] if design.inference.is_clustered else []
    found = fit_analysis(name, Observed(statistics, groups), design)
    known = score if name.endswith("_score") else np.empty((4, 60, 0))
    if name.startswith("mmrm"):
        known = np.concatenate([known, y[..., :1]], axis=2)
        expected = fit_mmrm(y[..., 1:], arm, MONTHS[1:], known, **words)  # type: ignore[arg-type]
    else:
        expected = fit_random_slope(y, arm, MONTHS, known, covariate_slopes=True, **words)  # type: ignore[arg-type]
    assert expected.converged.all()
    assert found.estimate == pytest.approx(expected.estimate, rel=1e-6)
    assert found.se == pytest.approx(expected.se, rel=1e-6)
    assert found.df == pytest.approx(expected.df, rel=1e-4)


@pytest.mark.parametrize("words", WORDS[2:])
def test_results_do_not_depend_on_batches(words: dict[str, str]) -> None:
    expected, found = run(**words), run(batch_size=5, **words)
    for name in MIXED:
        assert np.array_equal(found.effect[name].se, expected.effect[name].se)


def test_the_words_change_the_standard_errors_that_they_should() -> None:
    plain, adjusted = run(), run(degrees_of_freedom="kenward_roger")
    clustered, by_arm = run(standard_error="cr2"), run(covariance="by_arm")
    for name in MIXED:
        se = plain.effect[name].se
        assert (adjusted.effect[name].se > se).all()
        assert not np.isclose(clustered.effect[name].se, se).any()
        assert np.array_equal(clustered.effect[name].estimate, plain.effect[name].estimate)
        assert not np.isclose(by_arm.effect[name].estimate, plain.effect[name].estimate).any()


def test_a_score_that_explains_decline_makes_mixed_models_more_precise() -> None:
    fits = run().effect
    for name in ("random_slope", "mmrm"):
        ratio = fits[f"{name}_score"].se[1] / fits[name].se[1]
        assert np.median(ratio) < 0.95


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"analyses": ["ancova"], "degrees_of_freedom": "kenward_roger"},
            'degrees_of_freedom = "kenward_roger" is for mixed models .*, got ancova',
        ),
        (
            {"degrees_of_freedom": "kenward_roger", "standard_error": "cr2"},
            'with standard_error "cr2" use "satterthwaite"',
        ),
        ({"covariance": "ar1"}, "covariance must be one of pooled, by_arm, got 'ar1'"),
        ({"analyses": ["random_slope_score"]}, "random_slope_score needs at least 3 visits, got 2"),
    ],
)
def test_words_that_cannot_be_are_refused_in_one_sentence(
    values: dict[str, object], words: str
) -> None:
    with pytest.raises(DesignError, match=words) as refused:
        build_design({"visits_months": [0, 12], **values})
    assert len(refused.value.problems) == 1
