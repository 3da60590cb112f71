"""Figures that answer a slider: SVG drawn from the numbers, in a few milliseconds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from shiny import ui
from shiny.ui import HTML, Tag

from reports.figures.style import INK, MUTED, RULE

Floats = npt.NDArray[np.float64]

WIDTH: Final = 460
HEIGHT: Final = 300
"""Of a panel, in its own units; on the page it is as wide as its place."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 30, 48
_DASHES: Final = {"-": "", "--": "6 3", "-.": "7 3 2 3", ":": "2 3"}


@dataclass(frozen=True)
class Scale:
    """One axis: what lies at its ends, and how its numbers are written."""

    low: float
    high: float
    title: str
    show: Callable[[float], str]

    @classmethod
    def over(cls, values: npt.ArrayLike, title: str, *, from_0: bool = False) -> "Scale":
        """Return the axis that holds all values, those that are missing left out."""
        known = np.asarray(values, dtype=float)
        known = known[np.isfinite(known)]
        low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
        low = min(low, 0.0) if from_0 else low
        high = high if high > low else low + 1.0
        return cls(float(low), float(high), title, lambda value: f"{value:,.6g}")

    def find_ticks(self) -> list[float]:
        """Return round numbers inside, about five: steps of 1, 2 or 5.

        Examples
        --------
        >>> Scale(0.0, 1.04, "", str).find_ticks()
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        """
        rough = (self.high - self.low) / 5
        power = 10.0 ** floor(log10(rough))
        steps = (power * part for part in (1, 2, 5, 10))
        step = min(steps, key=lambda one: abs(log10(one / rough)))
        places = range(ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9) + 1)
        return [float(f"{place * step:.12g}") for place in places]


@dataclass(frozen=True)
class Panel:
    """The place of one set of axes."""

    x: Scale
    y: Scale

    def place_x(self, values: npt.ArrayLike) -> Floats:
        """Return where values of the lower axis lie, in the panel's units."""
        share = (np.asarray(values, dtype=float) - self.x.low) / (self.x.high - self.x.low)
        return np.asarray(_LEFT + share * (WIDTH - _LEFT - _RIGHT))

    def place_y(self, values: npt.ArrayLike) -> Floats:
        """Return where values of the upright axis lie; up is less."""
        share = (np.asarray(values, dtype=float) - self.y.low) / (self.y.high - self.y.low)
        return np.asarray(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM))

    def draw_line(self, x: npt.ArrayLike, y: npt.ArrayLike, color: str, dash: Any = "-") -> str:
        """Return a line through points in their order, broken where one is missing."""
        left, top = self.place_x(x), self.place_y(y)
        known = np.isfinite(left) & np.isfinite(top)
        begins = known & ~np.concatenate([[False], known[:-1]])
        path = [
            f"{'M' if begin else 'L'}{a:.1f},{b:.1f}"
            for begin, a, b in _zip(begins[known], left[known], top[known])
        ]
        dashes = f' stroke-dasharray="{_dash(dash)}"' if _dash(dash) else ""
        return (
            f'<path d="{"".join(path)}" fill="none" stroke="{color}" stroke-width="1.8"{dashes}/>'
        )

    def draw_points(
        self, x: npt.ArrayLike, y: npt.ArrayLike, color: str, *, width: float, opacity: float = 1.0
    ) -> str:
        """Return round points, all of them one path: ten thousand are one thing to draw."""
        return (
            f'<path d="{self.list_points(x, y)}" stroke="{color}" stroke-width="{width:g}" '
            f'stroke-linecap="round" opacity="{opacity:g}"/>'
        )

    def list_points(self, x: npt.ArrayLike, y: npt.ArrayLike) -> str:
        """Return the path of points, those that are missing left out."""
        left, top = self.place_x(x), self.place_y(y)
        known = np.isfinite(left) & np.isfinite(top)
        return "".join(f"M{a:.1f},{b:.1f}h0" for a, b in _zip(left[known], top[known]))

    def list_bars(self, edges: Floats, heights: Floats) -> str:
        """Return the path of bars between edges that follow each other."""
        left, top, floor_y = self.place_x(edges), self.place_y(heights), self.place_y(0.0)
        return "".join(
            f"M{a + 0.5:.1f},{floor_y:.1f}V{b:.1f}H{c - 0.5:.1f}V{floor_y:.1f}Z"
            for a, b, c in _zip(left[:-1], top, left[1:])
        )

    def draw_upright(self, at: float, name: str = "") -> str:
        """Return a dashed line from top to bottom at a place in the panel's units."""
        return (
            f'<line class="{name}" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}" '
            f'stroke="{INK}" stroke-width="1.2" stroke-dasharray="5 3"/>'
        )

    def draw_ring(self, x: float, y: float) -> str:
        """Return a ring around a point; nothing where the point is missing."""
        if not np.isfinite(y):
            return ""
        left, top = float(self.place_x(x)), float(self.place_y(y))
        return (
            f'<circle cx="{left:.1f}" cy="{top:.1f}" r="6" fill="none" stroke="{INK}" '
            'stroke-width="1.6"/>'
        )

    def draw(self, parts: Iterable[str], description: str) -> Tag:
        """Return the panel with its axes and what is in it, as a picture with a name."""
        inner = "".join([*self._draw_axes(), *parts])
        return ui.tags.svg(
            HTML(inner),
            viewBox=f"0 0 {WIDTH} {HEIGHT}",
            role="img",
            aria_label=description,
            class_="panel",
        )

    def _draw_axes(self) -> list[str]:
        base, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT
        drawn = [
            f'<line x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{RULE}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{escape(self.y.show(value))}</text>"
            for value in self.y.find_ticks()
            for y in [float(self.place_y(value))]
        ]
        drawn += [
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{base}" y2="{base + 4}" stroke="{MUTED}"/>'
            f'<text x="{x:.1f}" y="{base + 17}" text-anchor="middle">'
            f"{escape(self.x.show(value))}</text>"
            for value in self.x.find_ticks()
            for x in [float(self.place_x(value))]
        ]
        drawn += [
            f'<line x1="{_LEFT}" x2="{right}" y1="{base}" y2="{base}" stroke="{MUTED}"/>',
            f'<text x="{(_LEFT + right) / 2:.0f}" y="{HEIGHT - 10}" text-anchor="middle">'
            f"{escape(self.x.title)}</text>",
            f'<text x="2" y="14" class="title">{escape(self.y.title)}</text>',
        ]
        return drawn


def _zip(*columns: npt.NDArray[Any]) -> Iterable[tuple[Any, ...]]:
    """Return rows of plain numbers, which are written several times as fast as NumPy's."""
    return zip(*(column.tolist() for column in columns), strict=True)


def list_looks(looks: Sequence[tuple[str, str, Any]]) -> Tag:
    """Return a legend: words, color and dash of each line; a dash of "o" is a point."""
    return ui.tags.ul(
        *(ui.tags.li(HTML(_swatch(color, dash)), words) for words, color, dash in looks),
        class_="legend-list",
    )


def _swatch(color: str, dash: Any) -> str:
    if dash == "o":
        inner = f'<circle cx="13" cy="6" r="4" fill="{color}" opacity="0.55"/>'
    else:
        dashes = f' stroke-dasharray="{_dash(dash)}"' if _dash(dash) else ""
        inner = f'<line x1="0" x2="26" y1="6" y2="6" stroke="{color}" stroke-width="2"{dashes}/>'
    return f'<svg width="26" height="12" aria-hidden="true">{inner}</svg>'


def _dash(line: Any) -> str:
    """Return a line's form, which matplotlib names or lists, as SVG wants it."""
    if isinstance(line, str):
        return _DASHES[line]
    return " ".join(f"{1.8 * length:g}" for length in line[1])
