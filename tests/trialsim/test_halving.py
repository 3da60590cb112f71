"""How many people would halve the interval of a size; which scores are no better than chance."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.trialsim.test_archive import DESIGN, draw_people
from trialsim.comparison import compare_strategies
from trialsim.comparison.archive import ScreenedPeople
from trialsim.comparison.halving import find_halving
from trialsim.comparison.relation import list_unrelated
from trialsim.comparison.screened import read_screened


def test_the_error_of_both_groups_falls_with_their_numbers() -> None:
    # variances of .04 by 100 people screened and .01 by 300 in the archive
    found = find_halving(np.sqrt(0.05), 0.1, 100, 300)
    assert 0.04 * 100 / found.n_screened + 0.01 == pytest.approx(0.05 / 4, rel=0.01)
    assert np.isnan(found.n_archive)
    none = find_halving(np.sqrt(0.05), np.sqrt(0.025), 100, 300)
    assert np.isnan([none.n_screened, none.n_archive]).all()


def note_halving(n_archive: int, n_screened: int) -> str:
    archive = draw_people(n_archive, np.random.default_rng(1), label="a")
    screened = draw_people(n_screened, np.random.default_rng(2), label="s")
    found = compare_strategies(
        archive[0], archive[1], DESIGN, sample_sizes=[100, 200], fractions_enrolled=[0.5],
        n_simulations=100, n_bootstrap=200, seed=1, baseline=archive[2],
        stands_for=ScreenedPeople(screened[1], screened[2]),
    )  # fmt: skip
    return next(note for note in found.notes if "half as wide" in note)


def test_a_small_archive_is_what_must_grow() -> None:
    small, large = note_halving(80, 1000), note_halving(2000, 100)
    assert "in the archive in place of 80" in small
    assert "screened in place of" not in small
    assert "screened in place of 100" in large
    assert "in the archive in place of" not in large


def test_people_who_were_followed_themselves_must_be_four_times_as_many() -> None:
    people = draw_people(120, np.random.default_rng(3))
    found = compare_strategies(
        people[0], pd.DataFrame(people[1]["random"]), DESIGN, sample_sizes=[100, 200],
        fractions_enrolled=[1.0], n_simulations=100, n_bootstrap=200, seed=1,
    )  # fmt: skip
    assert any("about 480 people screened in place of 120." in note for note in found.notes)


def test_a_score_without_relation_to_decline_is_told() -> None:
    people = draw_people(300, np.random.default_rng(4))
    screened, rng = read_screened(people[0], people[1], DESIGN), np.random.default_rng(5)
    marker = screened.scores["marker"]
    scores = {"random": marker, "coin": rng.random(300), "against": -marker, "marker": marker}
    told = list_unrelated(replace(screened, scores=scores))
    assert [text.split(":")[0] for text in told] == ["coin", "against"]
    assert "nothing tells its score from chance" in told[0]
    # of scores that have no relation, one in forty is not told
    coins = {f"coin {k}": rng.random(300) for k in range(400)}
    share = len(list_unrelated(replace(screened, scores=coins))) / 400
    assert share == pytest.approx(0.975, abs=3 * np.sqrt(0.975 * 0.025 / 400))
