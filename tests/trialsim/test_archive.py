"""An archive that stands for screened people who were not followed."""

import re

import numpy as np
import pandas as pd
import pytest

from trialsim.comparison import Comparison, compare_strategies
from trialsim.comparison.archive import ScreenedPeople, Target, build_target
from trialsim.design import TrialDesign
from trialsim.errors import DesignError

DESIGN = TrialDesign(
    visits_months=(0, 12, 24), unit="log_percent", slowing=0.3, analyses=("ancova",)
)
SIZES = [100, 200]


def draw_people(n: int, rng: np.random.Generator, *, older: float = 0.0, label: str = "a"):
    """Return trajectories, score, baseline of people who decline faster with age and a marker."""
    age = rng.normal(72 + older, 6, n)
    marker = rng.normal(0, 1, n)
    speed = np.maximum(2 + 0.15 * (age - 72) + 1.0 * marker + rng.normal(0, 1, n), -1)
    start = np.log(3500) - 0.01 * (age - 72) + rng.normal(0, 0.1, n)
    months = np.array([0, 12, 24])
    log_volume = start[:, None] - speed[:, None] / 100 * months / 12 + rng.normal(0, 0.01, (n, 3))
    index = pd.Index([f"{label}{k}" for k in range(n)], name="participant_id")
    trajectories = pd.DataFrame(np.exp(log_volume), index=index, columns=[0.0, 12.0, 24.0])
    baseline = pd.DataFrame({"age_years": age}, index=index)
    scores = pd.DataFrame({"random": rng.random(n), "marker": marker}, index=index)
    return trajectories, scores, baseline


def find_sizes(n_bootstrap: int = 0, **options) -> pd.DataFrame:
    found = compare_strategies(
        sample_sizes=SIZES, fractions_enrolled=[0.5], n_simulations=400, n_bootstrap=n_bootstrap,
        design=DESIGN, seed=1, **options,
    )  # fmt: skip
    table = found.tables["sample_sizes"].set_index(["strategy", "fraction_enrolled"])
    return table.loc[[("random", 1.0), ("marker", 0.5)]]


def compare_with_archive(older: float, *, weighted: bool, n_bootstrap: int = 0) -> pd.Series:
    archive = draw_people(3000, np.random.default_rng(1), label="a")
    screened = draw_people(3000, np.random.default_rng(2), older=older, label="s")
    stands_for = ScreenedPeople(screened[1], screened[2])
    truth = find_sizes(trajectories=screened[0], scores=screened[1], baseline=screened[2])
    options = {"stands_for": stands_for} if weighted else {}
    mine = find_sizes(
        trajectories=archive[0], scores=archive[1], baseline=archive[2],
        n_bootstrap=n_bootstrap, **options,
    )  # fmt: skip
    return mine["closed_form_n_control"] / truth["closed_form_n_control"]


def test_an_archive_of_the_same_people_gives_the_same_sizes() -> None:
    ratio = compare_with_archive(0.0, weighted=True)
    # sd of ln n with 3,000 and 1,500 people is about .04 each
    assert ratio.between(0.88, 1.14).all()


def test_weights_mend_an_archive_of_younger_people() -> None:
    weighted = np.log(compare_with_archive(5.0, weighted=True))
    plain = np.log(compare_with_archive(5.0, weighted=False))
    assert (plain > 0.3).all()
    assert (weighted.abs() < 0.17).all()


def test_the_cut_off_is_that_of_the_screened_people() -> None:
    archive = draw_people(400, np.random.default_rng(3), label="a")
    screened = draw_people(400, np.random.default_rng(4), label="s")
    higher = screened[1].assign(marker=screened[1]["marker"] + 0.5)
    found = compare_strategies(
        archive[0], archive[1], DESIGN, sample_sizes=SIZES, fractions_enrolled=[0.5],
        n_simulations=100, n_bootstrap=0, seed=1, baseline=archive[2],
        stands_for=ScreenedPeople(higher, screened[2]),
    )  # fmt: skip
    balance = found.tables["archive_balance"].set_index(["strategy", "covariate"])
    score = balance.loc[("marker", "score")]
    assert score["difference_unweighted"] == pytest.approx(-0.5, abs=0.2)
    assert abs(score["difference_weighted"]) < 0.01
    assert balance["effective_size"].between(100, 400).all()


def test_what_no_weights_can_mend_is_told() -> None:
    archive = draw_people(300, np.random.default_rng(3), label="a")
    screened = draw_people(300, np.random.default_rng(4), label="s")
    women = np.arange(300) % 2.0
    told = [
        compare_strategies(
            archive[0], archive[1], DESIGN, sample_sizes=SIZES, fractions_enrolled=[0.5],
            n_simulations=50, n_bootstrap=0, seed=1,
            baseline=archive[2].assign(is_female=of_archive),
            stands_for=ScreenedPeople(screened[1], screened[2].assign(is_female=women)),
        ).notes
        for of_archive in (1.0, women)
    ]  # fmt: skip
    unlike = [[note for note in notes if "No weights make" in note] for notes in told]
    (said,) = unlike[0]
    assert "in is_female by 1.00 (archive_balance)" in said
    # the 150 men, and whoever is older or younger than all of the archive
    assert re.search(r"1[5-6]\d people screened are beyond its range", said)
    assert not unlike[1]


def test_intervals_hold_the_error_of_both_groups() -> None:
    archive = draw_people(150, np.random.default_rng(5), label="a")
    screened = draw_people(150, np.random.default_rng(6), label="s")
    options = {"trajectories": archive[0], "scores": archive[1], "baseline": archive[2]}
    own = find_sizes(n_bootstrap=200, **options)
    both = find_sizes(
        n_bootstrap=200, **options, stands_for=ScreenedPeople(screened[1], screened[2])
    )
    for table in (own, both):
        assert np.isfinite(table["n_control_lower_cohort"]).all()
    width = [np.log(t["n_control_upper_cohort"] / t["n_control_lower_cohort"]) for t in (own, both)]
    # the archive's own error is in both; drawing the screened people again adds some
    assert (width[1] > 0.85 * width[0]).all()


def test_few_effective_people_beyond_a_cut_off_are_refused_with_the_number() -> None:
    archive = draw_people(60, np.random.default_rng(7), label="a")
    screened = draw_people(300, np.random.default_rng(8), label="s")
    above = screened[1].assign(marker=screened[1]["marker"] + 2.5)
    with pytest.raises(DesignError, match=r"say as much as \d+; at least 20 are needed"):
        compare_strategies(
            archive[0], archive[1][["marker"]], DESIGN, sample_sizes=SIZES,
            fractions_enrolled=[0.25], n_simulations=100, n_bootstrap=0, workers=1,
            baseline=archive[2], stands_for=ScreenedPeople(above, screened[2]),
        )  # fmt: skip


def test_an_archive_unlike_the_screened_people_is_refused_once() -> None:
    archive = draw_people(150, np.random.default_rng(7), label="a")
    screened = draw_people(300, np.random.default_rng(8), older=25, label="s")
    with pytest.raises(DesignError, match="too unlike the people screened") as refused:
        compare_strategies(
            archive[0], archive[1], DESIGN, sample_sizes=SIZES,
            fractions_enrolled=[0.25, 0.5], n_simulations=100, n_bootstrap=0, workers=1,
            baseline=archive[2], stands_for=ScreenedPeople(screened[1], screened[2]),
        )  # fmt: skip
    assert len(refused.value.problems) == 1


def test_a_strategy_that_scores_the_archive_alone_is_refused() -> None:
    archive = draw_people(100, np.random.default_rng(9), label="a")
    screened = draw_people(100, np.random.default_rng(10), label="s")
    with pytest.raises(DesignError, match="marker: it scores the archive, but not the screened"):
        compare_strategies(
            archive[0], archive[1], DESIGN, sample_sizes=SIZES, fractions_enrolled=[0.5],
            baseline=archive[2], stands_for=ScreenedPeople(screened[1][["random"]], screened[2]),
        )  # fmt: skip


def target_of(scores: list[float], archive: list[float]) -> Target:
    people = pd.DataFrame(index=pd.RangeIndex(len(scores)))
    own = pd.DataFrame(index=pd.RangeIndex(len(archive)))
    screened = ScreenedPeople(people.assign(marker=scores), people)
    return build_target({"marker": np.array(archive)}, own, screened, everyone="everyone")


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (0.5, [1, 1, 0, 0]),
        (0.75, [1, 1, 1, 0]),  # the cut-off is the lowest score that is known
        (7 / 8, [1, 1, 1, 0.5]),  # of the two without a score one is enrolled, whoever it is
        (1.0, [1, 1, 1, 1]),
    ],
)
def test_people_without_a_score_are_enrolled_last_in_part(
    fraction: float, expected: list[float]
) -> None:
    target = target_of([6, 5, 4, np.nan, 3, 2, np.nan, 1], [7, 3, 1, np.nan])
    score, one_each = target.scores["marker"], np.ones((1, 8))
    cutoffs = target.find_cutoffs(fraction, one_each, score)
    assert cutoffs.admit(np.array([7, 3, 1, np.nan]))[0].tolist() == expected
    assert target.select(fraction, one_each, score).sum() == pytest.approx(8 * fraction)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [
        (0.25, [1, 2 / 3, 0, 0]),  # of three who share a score chance enrolls two
        (3 / 8, [1, 1, 0, 0]),
        (0.5, [1, 1, 1 / 4, 0]),
        (7 / 8, [1, 1, 1, 0]),
        (1.0, [1, 1, 1, 1]),
    ],
)
def test_of_people_who_share_the_score_of_a_cut_off_a_part_is_enrolled(
    fraction: float, expected: list[float]
) -> None:
    target = target_of([3, 3, 3, 2, 2, 2, 2, 1], [4, 3, 2, 1])
    score, one_each = target.scores["marker"], np.ones((1, 8))
    found = target.find_cutoffs(fraction, one_each, score).admit(np.array([4, 3, 2, 1]))
    assert found[0] == pytest.approx(expected)
    # somebody who is in a sample twice may be in it once among the enrolled
    twice = np.array([[2, 0, 1, 1, 2, 0, 1, 1]])
    assert target.select(fraction, twice, score).sum() == pytest.approx(8 * fraction)


def compare_scored(screened_scores: pd.DataFrame, archive, screened, **options) -> Comparison:
    return compare_strategies(
        archive[0], archive[1], DESIGN, sample_sizes=SIZES, n_simulations=50, seed=1, workers=1,
        baseline=archive[2], stands_for=ScreenedPeople(screened_scores, screened[2]), **options,
    )  # fmt: skip


def test_a_cut_off_among_people_without_a_score_is_near_everyone() -> None:
    archive = draw_people(120, np.random.default_rng(3), label="a")
    screened = draw_people(100, np.random.default_rng(4), label="s")
    lacking = screened[1].assign(marker=screened[1]["marker"].where(np.arange(100) >= 10))
    found = compare_scored(
        lacking, archive, screened, fractions_enrolled=[0.9, 0.95, 1.0], n_bootstrap=200
    )
    assert not [note for note in found.notes if "cut-off" in note]
    sizes = found.tables["sample_sizes"].set_index(["strategy", "fraction_enrolled"])
    marker = sizes.loc["marker"]
    # nobody of the archive lacks a score, so that leaving out people without one leaves out nobody
    assert marker.loc[0.95, "closed_form_n_control"] == pytest.approx(
        marker.loc[0.9, "closed_form_n_control"]
    )
    ends = marker[["n_control_lower_cohort", "n_control_upper_cohort"]]
    assert np.isfinite(ends).all(axis=None)


def test_scores_that_nobody_screened_has_choose_nobody() -> None:
    archive = draw_people(60, np.random.default_rng(3), label="a")
    screened = draw_people(60, np.random.default_rng(4), label="s")
    found = compare_scored(
        screened[1].assign(marker=np.nan), archive, screened, fractions_enrolled=[0.5],
        n_bootstrap=0,
    )  # fmt: skip
    assert "marker: nobody screened has a score, so it cannot choose whom to enroll." in found.notes


def test_enrolling_everyone_is_the_same_by_every_strategy() -> None:
    archive = draw_people(90, np.random.default_rng(3), label="a")
    archive[0].iloc[::4, 2] = np.nan  # what they lack is drawn
    screened = draw_people(80, np.random.default_rng(4), label="s")
    found = compare_scored(
        screened[1], archive, screened, fractions_enrolled=[0.6, 1.0], n_bootstrap=200
    )
    names = ["n_control", "n_control_upper_cohort", "closed_form_n_control"]
    sizes = found.tables["sample_sizes"].set_index(["strategy", "fraction_enrolled"])[names]
    assert sizes.loc[("marker", 1.0)].tolist() == sizes.loc[("random", 1.0)].tolist()
    saves = found.tables["decisions"].set_index(["strategy", "fraction_enrolled"])
    assert np.isnan(saves.loc[("marker", 1.0), "probability_saves"])
    assert saves.loc[("marker", 0.6), "probability_saves"] > 0


def test_a_small_archive_is_told_in_its_own_people() -> None:
    archive = draw_people(100, np.random.default_rng(3), label="a")
    screened = draw_people(300, np.random.default_rng(4), older=3, label="s")
    found = compare_scored(
        screened[1], archive, screened, fractions_enrolled=[0.3], n_bootstrap=200
    )
    (doubt,) = [note for note in found.notes if note.startswith("Only ")]
    row = found.tables["proposed_sizes"].iloc[0]
    told = re.search(
        r"Only (\d+) effective people \((\d+) before weighting\) .*; an archive of about (\d+) "
        "people instead of 100 would give the 50", doubt,
    )  # fmt: skip
    assert told is not None
    effective, heads, wanted = map(int, told.groups())
    assert effective < heads == row["pool_size"]
    assert wanted == pytest.approx(100 * 50 / effective, rel=0.03)
    (small,) = [note for note in found.notes if note.startswith("Fewer than 50 effective people")]
    assert f"marker at 30% {effective} ({heads} heads)" in small
