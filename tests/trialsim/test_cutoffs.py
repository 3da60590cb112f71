"""People with equal scores at a cut-off count in part, alike wherever people are counted."""

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialsim.analytic.binary import compute_observed_event_rate
from trialsim.analytic.cutoffs import count_selected, find_cutoffs
from trialsim.analytic.events.conversion import conversion_enrichment
from trialsim.comparison.archive import Target

Scores = st.lists(st.sampled_from([1.0, 2.0, 3.0, np.nan]), min_size=1, max_size=5)


def take_whole(scores: list[float], n: int) -> np.ndarray:
    """Return who is enrolled in each way in which chance may order those with equal scores."""
    value = np.nan_to_num(scores, nan=-np.inf)
    orders = [list(order) for order in permutations(range(len(scores)))]
    chosen = np.zeros((len(orders), len(scores)))
    for row, order in zip(chosen, orders, strict=True):
        row[np.array(order)[np.argsort(-value[order], kind="stable")[:n]]] = 1
    return chosen


@settings(max_examples=40)
@given(scores=Scores, data=st.data())
def test_the_part_of_a_person_is_the_mean_over_who_chance_may_enroll(
    scores: list[float], data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, len(scores)))
    found = find_cutoffs(scores, n).admit(scores)
    assert found == pytest.approx(take_whole(scores, n).mean(axis=0))
    assert found.sum() == pytest.approx(n)


@settings(max_examples=40)
@given(scores=Scores, data=st.data())
def test_the_part_of_a_person_is_the_same_in_whichever_order_people_stand(
    scores: list[float], data: st.DataObject
) -> None:
    n = data.draw(st.integers(1, len(scores)))
    order = data.draw(st.permutations(range(len(scores))))
    shuffled = np.array(scores)[order]
    expected = find_cutoffs(scores, n).admit(scores)[order]
    assert find_cutoffs(shuffled, n).admit(shuffled).tolist() == expected.tolist()


def test_people_whose_scores_all_differ_are_enrolled_whole() -> None:
    scores = np.random.default_rng(1).permutation(np.arange(7.0))
    for n in range(1, 8):
        found = find_cutoffs(scores, n).admit(scores)
        assert found.tolist() == (scores >= 7 - n).astype(float).tolist()


def test_someone_who_is_in_a_sample_twice_is_enrolled_twice() -> None:
    scores = [3.0, 2.0, 2.0, 1.0]
    counts = np.array([[1, 1, 1, 1], [2, 0, 1, 1], [0, 2, 1, 1]])
    found = find_cutoffs(scores, 2, counts).admit(scores)
    assert found.tolist() == [[1, 0.5, 0.5, 0], [1, 0, 0, 0], [1, 2 / 3, 2 / 3, 0]]


@pytest.mark.parametrize(("fraction", "n"), [(0.5, 3), (0.1, 1), (0.7, 4), (1, 5)])
def test_a_fraction_of_people_is_the_same_number_in_every_calculator(
    fraction: float, n: int
) -> None:
    scores, months = np.arange(5.0), np.full(5, 12.0)
    table = conversion_enrichment(months, [0, 0, 0, 0, 1], scores, [fraction], **TRIAL)
    assert table["n_archive"].item() == count_selected(fraction, 5) == n
    rate = compute_observed_event_rate(
        scores=scores, events=[0, 0, 0, 0, 1], fraction_enrolled=fraction
    )
    assert rate == pytest.approx(1 / n)


EVENTS, MONTHS = np.array([1, 0, 1, 1]), np.array([6.0, 12, 24, 36])
TRIAL: dict[str, float] = {"hazard_ratio": 0.7, "accrual_months": 12, "followup_months": 24}


def measure_event_rate(scores: np.ndarray) -> float:
    return float(compute_observed_event_rate(scores=scores, events=EVENTS, fraction_enrolled=0.5))


def count_conversions(scores: np.ndarray) -> float:
    table = conversion_enrichment(MONTHS, EVENTS, scores, [0.5], **TRIAL)
    return float(table["n_conversions"].item()) / 2


def select_screened(scores: np.ndarray) -> float:
    target = Target({"mine": scores}, {})
    return float(target.select(0.5, np.ones((1, 4)), scores)[0] @ EVENTS) / 2


@pytest.mark.parametrize("count", [measure_event_rate, count_conversions, select_screened])
def test_whoever_counts_people_takes_equal_scores_in_part(
    count: Callable[[np.ndarray], float],
) -> None:
    scores = [2.0, 1.0, 1.0, 1.0]
    expected = (take_whole(scores, 2) @ EVENTS).mean() / 2
    assert count(np.array(scores)) == pytest.approx(expected)
