"""Head-size adjustments, annualized change."""

import numpy as np
import pytest

from cohorts.errors import CohortError
from cohorts.head_size import adjust_by_residual, adjust_proportionally, compute_percent_of_brain
from cohorts.volumetry import compute_annual_change

HEAD = np.array([1.3e6, 1.4e6, 1.5e6, 1.7e6])


def test_percent_of_brain_is_a_share_times_a_hundred() -> None:
    assert compute_percent_of_brain(np.array([8000.0]), np.array([1e6])) == pytest.approx(0.8)


def test_proportional_adjustment_makes_scaled_heads_equal() -> None:
    adjusted = adjust_proportionally(0.005 * HEAD, HEAD, reference_mm3=1.5e6)
    assert adjusted == pytest.approx(7500)


def test_residual_adjustment_removes_the_correlation_with_head_size() -> None:
    rng = np.random.default_rng(1)
    head = rng.normal(1.5e6, 1e5, 200)
    volume = 3000 + 0.003 * head + rng.normal(0, 500, 200)
    adjusted = adjust_by_residual(volume, head)
    assert np.corrcoef(adjusted, head)[0, 1] == pytest.approx(0, abs=1e-9)
    assert adjusted.mean() == pytest.approx(volume.mean())


def test_residual_adjustment_uses_the_reference_peoples_slope() -> None:
    volume = np.array([4000.0, 4100, 4200, 9000])
    adjusted = adjust_by_residual(volume, HEAD, reference=np.array([True, True, True, False]))
    assert adjusted == pytest.approx([4100, 4100, 4100, 9000 - 0.001 * 3e5])


@pytest.mark.parametrize(
    ("formula", "expected"),
    [("simple", -10.0), ("symmetrized", -100 * 0.2 / 1.8), ("compound", 100 * (0.8**0.5 - 1))],
)
def test_annual_change_of_a_fifth_lost_in_two_years(formula: str, expected: float) -> None:
    assert compute_annual_change(4000, 3200, 2, formula=formula) == pytest.approx(expected)


def test_symmetrized_change_ignores_the_order_of_visits() -> None:
    there = compute_annual_change(4000, 3200, 2, formula="symmetrized")
    assert compute_annual_change(3200, 4000, 2, formula="symmetrized") == pytest.approx(-there)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: compute_annual_change(0, 1, 1, formula="simple"), "first_mm3 must be above 0"),
        (lambda: compute_annual_change(1, 1, 0, formula="simple"), "years must be above 0"),
        (lambda: compute_annual_change(1, 1, 1, formula="log"), "got 'log'"),
        (lambda: adjust_by_residual(HEAD[:2], HEAD[:2]), "at least 3 reference people"),
        (lambda: adjust_proportionally(HEAD, HEAD * 0), "head_size_mm3 must be above 0"),
        (lambda: compute_percent_of_brain(HEAD, -HEAD), "brain_mm3 must be above 0"),
    ],
)
def test_impossible_values_are_refused(call: object, words: str) -> None:
    with pytest.raises(CohortError, match=words):
        call()
