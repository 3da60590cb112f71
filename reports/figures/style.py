"""The look that all figures share.

Colors are those of Okabe & Ito (2008), which stay apart for color-blind readers; each strategy
also has its own marker and line, so that a gray print can be read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from reports.figures.labels import percent

INK: Final = "#1a1a1a"
MUTED: Final = "#5f6368"
RULE: Final = "#d0d4d9"
BLUE: Final = "#0072B2"
ORANGE: Final = "#E69F00"
VERMILLION: Final = "#D55E00"
SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
PURPLE: Final = "#CC79A7"

_RC: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "text.parse_math": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "trialsim",
}


@contextmanager
def shared_style() -> Iterator[None]:
    """Draw and save inside the shared look; the caller's matplotlib settings are left alone."""
    with mpl.rc_context(_RC):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, that lays itself out and touches no global state."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
    return Figure(figsize=(width, height), layout=layout, facecolor="white")


@dataclass(frozen=True)
class StrategyStyle:
    """How one strategy is drawn."""

    color: str
    marker: str
    line: Any


_KNOWN: Final = {
    "random": StrategyStyle("#767676", "o", "--"),
    "baseline_volume": StrategyStyle(ORANGE, "^", "-."),
    "regression": StrategyStyle(GREEN, "s", "-"),
    "boosting": StrategyStyle(PURPLE, "P", (0, (5, 1))),
    "auxiliary": StrategyStyle(SKY, "v", (0, (3, 1, 1, 1))),
    "brlp": StrategyStyle(VERMILLION, "D", "-"),
    "stacked": StrategyStyle(BLUE, "X", "-"),
    "oracle": StrategyStyle("#000000", "*", ":"),
}
_OTHERS: Final = (
    StrategyStyle(PURPLE, "h", "-"),
    StrategyStyle(SKY, "p", (0, (5, 2))),
    StrategyStyle("#8B5A00", "<", "-."),
    StrategyStyle("#44546A", ">", (0, (1, 1))),
)


def strategy_styles(strategies: list[str]) -> dict[str, StrategyStyle]:
    """Return a look for each strategy; the built-in ones look the same in every figure."""
    unknown = sorted(set(strategies) - set(_KNOWN))
    others = {name: _OTHERS[place % len(_OTHERS)] for place, name in enumerate(unknown)}
    return {name: _KNOWN.get(name) or others[name] for name in dict.fromkeys(strategies)}


def add_legend_below(figure: Figure, axes: Axes, *, columns: int = 3) -> None:
    """Put one legend under the whole figure, which grows by as much as the legend needs."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.set_figheight(figure.get_figheight() + 0.2 * ceil(len(handles) / columns))
        figure.legend(handles, labels, loc="outside lower center", ncols=columns)


def mark_synthetic(figure: Figure) -> None:
    """Write on the figure that its data are synthetic, for where it travels without its page."""
    mark = figure.text(0.998, 0.5, "SYNTHETIC DATA", rotation=270, ha="right", va="center")
    mark.set(fontsize=6, color="#7a3d00", in_layout=False)


def use_percent(axis: Any) -> None:
    """Show shares of an axis as percent."""
    axis.set_major_formatter(lambda value, _place: percent(value))


def use_thousands(axis: Any) -> None:
    """Show large numbers of an axis with a thin space between thousands."""
    axis.set_major_formatter(lambda value, _place: f"{value:,.6g}".replace(",", "\u2009"))
