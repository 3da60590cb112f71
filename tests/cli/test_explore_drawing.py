"""The explorer's figures: what is drawn where, and what is left out."""

import json
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("shiny", reason="the extra `explore` is not installed")

from reports.figures.style import MUTED
from trialsim.costs import Costs
from trialsim.design import DropOut, TrialDesign
from trialsim.explorer.contents import Contents
from trialsim.explorer.drawing import HEIGHT, WIDTH, Panel, Scale
from trialsim.explorer.moving_figures import draw_choices, draw_threshold, find_thresholds
from trialsim.explorer.paging import ROWS, find_page
from trialsim.explorer.people_view import show_value
from trialsim.explorer.scenario import Scenario
from trialsim.explorer.simulated import Simulated, describe_unlike, find_simulated
from trialsim.explorer.trial_view import list_findings

DESIGN = TrialDesign((0, 12, 24), analyses=("ancova",), slowing=0.3, dropout=DropOut(0.2))
COSTS = Costs(screening=1000, participant=20_000)
ASKED = Scenario(DESIGN, COSTS, "regression", 0.5)
SIZES = pd.DataFrame(
    {
        "strategy": ["regression"],
        "fraction_enrolled": [0.5],
        "analysis": ["ancova"],
        "n_control": [99.5],
        "cost": [4e6],
    }
)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (1999, 10_500, [2000, 4000, 6000, 8000, 10_000])],
)
def test_ticks_are_round_and_inside(low: float, high: float, ticks: list[float]) -> None:
    assert Scale(low, high, "", str).find_ticks() == ticks


def test_a_line_is_broken_where_a_value_is_missing() -> None:
    panel = Panel(Scale(0, 1, "", str), Scale(0, 10, "", str))
    line = panel.draw_line([0, 0.5, 0.75, 1], [0, np.nan, 10, 0], "#000")
    path = re.findall(r'd="([^"]*)"', line)[0]
    points = re.findall(r"([ML])([\d.]+),([\d.]+)", path)
    assert [pen for pen, _, _ in points] == ["M", "M", "L"]
    assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for _, x, y in points)
    # up is less
    assert float(points[1][2]) < float(points[0][2])


def test_a_threshold_leaves_the_share_that_is_asked_for() -> None:
    scores = pd.Series(np.random.default_rng(0).normal(size=1000))
    scores[::10] = np.nan
    for share, threshold in enumerate(find_thresholds(scores), start=1):
        assert (scores >= threshold).sum() == pytest.approx(900 * share / 100, abs=1)
    drawn = str(
        draw_threshold(scores, 25, beside=scores**2, titles=("Score", "Square"), moved_by="x")
    )
    places = json.loads(re.findall(r'data-places="([^"]*)"', drawn)[0])
    assert places == sorted(places, reverse=True)
    assert drawn.count(f'class="from-threshold" x="{places[24]}') == 2


@pytest.mark.parametrize(("n_people", "n_bars", "width"), [(40, 7, 6), (10_000, 40, 2)])
def test_few_people_have_few_bars_and_points_that_are_seen(
    n_people: int, n_bars: int, width: int
) -> None:
    scores = pd.Series(np.random.default_rng(1).normal(size=n_people))
    drawn = str(
        draw_threshold(scores, 25, beside=scores**2, titles=("Score", "Square"), moved_by="x")
    )
    (bars,) = re.findall(r'<path id="split-0" d="([^"]*)"', drawn)
    assert bars.count("Z") == n_bars
    assert f'href="#split-1" fill="{MUTED}" stroke="{MUTED}" stroke-width="{width}"' in drawn


def test_what_nobody_knows_is_a_dash() -> None:
    shown = [show_value(value) for value in (float("nan"), -0.544, 9268.6, "F")]
    assert shown == ["\u2013", "\u22120.544", "9,269", "F"]


def test_what_was_typed_stays_text() -> None:
    choices = pd.DataFrame(
        {
            "strategy": ["random", "<script>alert(1)</script>"],
            "fraction_enrolled": [1.0, 0.5],
            "n_control": [100.0, 80.0],
            "cost": [5.0, 4.0],
        }
    )
    looked_at = ("<script>alert(1)</script>", 0.5)
    drawn = str(draw_choices(choices, simulated=None, looked_at=looked_at, currency="<b>"))
    assert "<script" not in drawn
    assert "<b>" not in drawn


def test_pages_end_where_the_table_ends() -> None:
    assert find_page(99, 2 * ROWS) == (1, 1)
    assert find_page(-1, 2 * ROWS + 1) == (0, 2)
    assert find_page(0, 0) == (0, 0)


def test_simulated_sizes_are_shown_for_their_own_design_at_the_prices_that_are_set() -> None:
    known = [Simulated("the study's", ASKED, SIZES)]
    found = find_simulated(known, ASKED)
    assert found is not None
    assert found["cost"].item() == 4e6
    dearer = Scenario(DESIGN, Costs(screening=2000, participant=20_000), "regression", 0.5)
    found = find_simulated(known, dearer)
    assert found is not None
    assert found["cost"].item() == 200 * 20_000 + 400 * 2000


def test_what_differs_is_said_of_the_nearest() -> None:
    design = DESIGN.change(slowing=0.4, alpha=0.1)
    near = Scenario(DESIGN.change(slowing=0.4), COSTS, "regression", 0.5)
    asked = Scenario(design, COSTS, "regression", 0.5)
    known = [
        Simulated("your", ASKED, SIZES),
        Simulated("your", near, SIZES),
        Simulated("the study's", ASKED, SIZES),
    ]
    assert find_simulated(known, asked) is None
    assert describe_unlike(known, asked) == [
        "Your simulated sizes are not shown: they were simulated for type I error 0.05, not for "
        "what is set (type I error 0.1).",
        "The study's simulated sizes are not shown: they were simulated for slowing 30\u00a0%, "
        "type I error 0.05, not for what is set (slowing 40\u00a0%, type I error 0.1).",
    ]


def test_figures_of_a_trial_have_its_unit_where_the_primary_analysis_is_a_slope() -> None:
    effects = pd.DataFrame(
        {
            "estimator": ["random_slope", "ancova"],
            "effect": ["slope", "last visit"],
            "is_primary": [True, False],
            "unit": ["log_percent a year", "log_percent"],
            "estimate": [0.5, 1.0],
            "lower": [0.1, 0.2],
            "upper": [0.9, 1.8],
        }
    )
    contents: Any = SimpleNamespace(
        read={"trial_effects": effects}.__getitem__,
        has="trial_effects".__eq__,
        protocol=SimpleNamespace(design=SimpleNamespace(unit="mm3")),
    )
    ((_, _, draw),) = list_findings(contents)
    assert draw().axes[0].get_xlabel().endswith("at the last visit, % (100 ln)")


def test_people_are_found_by_what_is_known_of_them() -> None:
    people = pd.DataFrame(
        {"person": ["Person 0", "Person 1"], "sex": ["M", "F"], "diagnosis": [None, "MCI"]}
    ).assign(score=1.0)
    found = Contents.searched.func(SimpleNamespace(people=people))
    assert found == [{"person", "0", "m"}, {"person", "1", "f", "mci"}]
