"""Designs and costs say what cannot be, in one sentence each."""

from typing import Any

import numpy as np
import pytest

from trialsim.design import Costs, DropOut, TrialDesign, build_design
from trialsim.errors import DesignError

FOLLOW = {"months": 24, "n_visits": 3}
MONTHS = (0, 12, 24)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"visits_months": [6, 12]}, "visits_months must start at 0 and increase"),
        ({"visits_months": [0, 12, 12]}, "visits_months must start at 0 and increase"),
        ({"visits_months": [0, 12], "analyses": ["random_slope"]}, "needs at least 3 visits"),
        ({"slowing": 0.0}, "slowing must lie between 0 and 1, both excluded, got 0"),
        ({"slowing": 1.2}, "slowing must lie between 0 and 1, both excluded, got 1.2"),
        ({"alpha": 5}, "alpha must lie between 0 and 1, both excluded, got 5"),
        ({"sides": 3}, "sides must be one of 1, 2, got 3"),
        ({"unit": "ml"}, "unit must be one of mm3, log_percent, got 'ml'"),
        ({"unit": "percent"}, 'unit "percent" is "log_percent" now'),
        ({"analyses": ["mmrm", "anova"]}, "analyses may hold .* got 'anova'"),
        ({"analyses": []}, "analyses must list each analysis once"),
        ({"allocation_ratio": 0}, "allocation_ratio must be greater than 0"),
        ({"dropout": 1.0}, "dropout.control must be a share from 0 to below 1, got 1"),
        ({"dropout": {"treatment": -0.1}}, "dropout.treatment must be a share"),
        ({"dropout": {"decline_hazard_ratio": 0}}, "decline_hazard_ratio must be greater than 0"),
        ({"dropout": {"rate": 0.1}}, "rate is not known; there are control, treatment"),
        ({"effect_model": "proportional"}, "no treatment slows noise"),
        ({"visit_months": [0, 12]}, "visit_months is not known; there are visits_months"),
        ({"alpha": "small"}, "a value has the wrong type"),
    ],
)
def test_a_design_that_cannot_be_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        build_design({"visits_months": MONTHS, **values})


@pytest.mark.parametrize("months", [(), (0,), (24, 12, 0)])
def test_visits_that_are_no_schedule_are_one_problem(months: tuple[float, ...]) -> None:
    with pytest.raises(DesignError) as caught:
        TrialDesign(months, analyses=("ancova",))
    assert caught.value.problems == (
        f"visits_months must start at 0 and increase, got {list(map(float, months))}.",
    )


def test_every_problem_of_a_design_is_told_at_once() -> None:
    with pytest.raises(DesignError) as caught:
        TrialDesign(MONTHS, slowing=2.0, alpha=0.0, sides=4)
    assert len(caught.value.problems) == 3


def test_retention_has_a_constant_hazard_and_ends_at_the_stated_share() -> None:
    design = TrialDesign(MONTHS, dropout=DropOut(0.36, 0.19))
    assert design.compute_retention(0) == pytest.approx([1, 0.8, 0.64])
    assert design.compute_retention(1) == pytest.approx([1, 0.9, 0.81])
    assert np.exp(-design.compute_hazard(0) * 24) == pytest.approx(0.64)


@pytest.mark.parametrize(("ratio", "arms"), [(1.0, (50, 50)), (2.0, (33, 67)), (0.5, (67, 33))])
def test_people_are_split_by_the_allocation_ratio(ratio: float, arms: tuple[int, int]) -> None:
    assert TrialDesign(MONTHS, allocation_ratio=ratio).split(100) == arms


def test_cost_counts_everyone_screened_every_enrolled_person_every_month() -> None:
    costs = Costs(screening=10, participant=100, per_month=7, screening_rate_per_month=20)
    found = costs.compute_enrollment(
        50, fraction_enrolled=0.5, is_screened=True, months=24, n_visits=3
    )
    assert (found.n_to_screen, found.months_to_enroll) == (100, 5)
    assert found.cost == 50 * 100 + 100 * 10 + 7 * (5 + 24)


def test_people_who_are_not_chosen_by_a_scan_cost_no_scan() -> None:
    costs = Costs(screening=10, participant=100)
    found = costs.compute_enrollment(
        50, fraction_enrolled=0.5, is_screened=False, months=24, n_visits=3
    )
    assert (found.n_to_screen, found.cost) == (50, 5000)
    assert np.isnan(found.months_to_enroll)


def test_months_that_cost_need_their_number() -> None:
    with pytest.raises(DesignError, match=r"needs costs\.screening_rate"):
        Costs(per_month=5).compute_months(100)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"screening": -1}, "costs.screening must be 0 or more"),
        ({"participant": 1e308}, "costs.participant must be 0 or more and at most 1e.12"),
        ({"failure_rate": 1}, "from 0 to below 1"),
        ({"screening_rate_per_month": 0}, "must be greater than 0"),
    ],
)
def test_costs_that_cannot_be_are_refused(values: dict[str, float], words: str) -> None:
    with pytest.raises(DesignError, match=words):
        Costs(**values)
