"""What each choice would need, and whom a threshold takes: the figures that follow the sliders."""

import json
from collections.abc import Mapping
from math import cbrt, ceil
from typing import Any

import numpy as np
import pandas as pd
from shiny import ui
from shiny.ui import Tag

from reports.figures.labels import percent, strategy_label
from reports.figures.style import INK, MUTED, strategy_styles
from trialsim.explorer.drawing import HEIGHT, WIDTH, Floats, Panel, Scale, list_looks
from trialsim.explorer.wording import find_choice

_EVERYONE, _FRACTION = "random", "fraction_enrolled"
_N_BARS = 40
_FEW_POINTS = 500


def draw_choices(
    choices: pd.DataFrame,
    *,
    simulated: pd.DataFrame | None,
    looked_at: tuple[str, float],
    currency: str,
) -> Tag:
    """Return the control arm (and the cost) against the fraction enrolled, a line a strategy.

    Parameters
    ----------
    choices
        Columns `strategy`, `fraction_enrolled`, `n_control`, `cost`; NaN where no trial reaches
        the power.
    simulated
        Rows of `sample_sizes` of the same design, drawn as points; none when None.
    looked_at
        Strategy and fraction that are marked.
    currency
        Of the cost, whose panel is left out where nothing costs.
    """
    columns = [("n_control", "Control arm, people", 1.0)]
    if (choices["cost"] > 0).any():
        unit, words = (1e6, "million ") if choices["cost"].max() >= 1e6 else (1.0, "")
        columns.append(("cost", f"Cost, {words}{currency}".rstrip(), unit))
    styles = strategy_styles(list(dict.fromkeys(choices["strategy"])))
    seen = choices.head(0) if simulated is None else simulated
    lines = {name: choices[choices["strategy"] == name].sort_values(_FRACTION) for name in styles}
    points = {name: seen[seen["strategy"] == name] for name in styles}
    row = find_choice(choices, *looked_at)
    panels = [
        _draw_needs(lines, points, row, column, title, unit) for column, title, unit in columns
    ]
    looks = [
        ("Everyone" if name == _EVERYONE else strategy_label(name), look.color, look.line)
        for name, look in styles.items()
    ]
    looks += [("Simulated", INK, "o")] if simulated is not None else []
    return ui.div(ui.div(*panels, class_="panels"), list_looks(looks))


def _draw_needs(
    lines: Mapping[str, pd.DataFrame],
    points: Mapping[str, pd.DataFrame],
    looked_at: Mapping[str, Any] | None,
    column: str,
    title: str,
    unit: float,
) -> Tag:
    values = [own[column].to_numpy() / unit for own in (*lines.values(), *points.values())]
    panel = Panel(
        Scale(0.0, 1.0, "Fraction of the screened enrolled", percent),
        Scale.over(np.concatenate(values), title, from_0=True),
    )
    # many points are small, so that the line stays seen
    width = 9 if sum(map(len, points.values())) <= 40 else 5
    parts = []
    for strategy, look in strategy_styles(list(lines)).items():
        own, seen = lines[strategy], points[strategy]
        x, y = own[_FRACTION].to_numpy(), own[column].to_numpy() / unit
        if strategy == _EVERYONE:
            x, y = np.array([0.0, 1.0]), np.repeat(y[-1], 2)
        parts.append(panel.draw_line(x, y, look.color, look.line))
        parts.append(
            panel.draw_points(
                seen[_FRACTION], seen[column] / unit, look.color, width=width, opacity=0.55
            )
        )
    if looked_at is not None:
        at = looked_at[_FRACTION]
        parts += [panel.draw_upright(float(panel.place_x(at)))]
        parts += [panel.draw_ring(at, looked_at[column] / unit)]
    return panel.draw(parts, f"{title}, by fraction enrolled: the table below")


def find_thresholds(scores: "pd.Series[float]") -> Floats:
    """Return the score from which the best 1, 2, ... 100 percent of the screened lie, (100,)."""
    shares = np.arange(1, 101) / 100
    return np.quantile(scores.dropna(), 1 - shares, method="higher")


def draw_threshold(
    scores: "pd.Series[float]",
    percent_selected: int,
    *,
    beside: "pd.Series[float]",
    titles: tuple[str, str],
    moved_by: str,
) -> Tag:
    """Return the distribution of a score, and the score against a baseline value.

    The threshold is a line and the edge of what is colored; the browser moves both without asking.

    Parameters
    ----------
    scores
        One value a person, NaN where unknown.
    percent_selected
        Where the threshold begins, a whole number from 1 to 100.
    beside
        A baseline value of the same people.
    titles
        Of the score, of that value.
    moved_by
        The slider whose place is the percentage.
    """
    known = scores.notna()
    heights, edges = np.histogram(scores[known], bins=min(_N_BARS, _count_bars(int(known.sum()))))
    axis = Scale.over(scores, titles[0])
    counts = Panel(axis, Scale.over(heights, "People", from_0=True))
    places = Panel(axis, Scale.over(beside[known], titles[1]))
    at = counts.place_x(find_thresholds(scores))
    look = strategy_styles(["regression"])["regression"]
    edge = at[percent_selected - 1]
    bars = counts.list_bars(edges, heights.astype(float))
    points = places.list_points(scores, beside)
    width = 6 if known.sum() <= _FEW_POINTS else 2
    drawn = [
        counts.draw(
            _split(counts, bars, "split-0", edge, look.color, width=2), "Distribution of the score"
        ),
        places.draw(
            _split(places, points, "split-1", edge, look.color, width=width),
            f"{titles[1]} by the score",
        ),
    ]
    return ui.div(
        ui.div(*drawn, class_="panels"),
        list_looks([("Not selected", MUTED, "o"), ("Selected", look.color, "o")]),
        data_moved_by=moved_by,
        data_places=json.dumps([round(float(place), 1) for place in at]),
    )


def _count_bars(n_people: int) -> int:
    """Return how many bars show the shape of so many people's scores, and not their noise."""
    return max(1, ceil(2 * cbrt(n_people)))  # Rice's rule


def _split(panel: Panel, path: str, name: str, at: float, color: str, *, width: int) -> list[str]:
    """Return a path that is muted before a place and has a color from there on."""
    # ten thousand squares are painted in half the time of discs, and look the same at this size
    cap = "square" if width <= 2 else "round"
    look = f'stroke-width="{width}" stroke-linecap="{cap}"'
    return [
        f'<defs><path id="{name}" d="{path}"/><clipPath id="{name}-from">'
        f'<rect class="from-threshold" x="{at:.1f}" y="0" width="{WIDTH}" height="{HEIGHT}"/>'
        "</clipPath></defs>",
        f'<use href="#{name}" fill="{MUTED}" stroke="{MUTED}" {look} opacity="0.6"/>',
        f'<g clip-path="url(#{name}-from)">'
        f'<use href="#{name}" fill="{color}" stroke="{color}" {look}/></g>',
        panel.draw_upright(at, "threshold"),
    ]
