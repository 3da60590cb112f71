"""Figures of a training."""

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from brlp_models.training.metrics_log import METRICS


def write_loss_curves(folder: Path) -> Path:
    """Write `losses.png` with the loss of every stage that a training's folder holds."""
    curves = {
        path.parent.relative_to(folder).as_posix(): pd.read_csv(path)
        for path in sorted(folder.glob(f"*/*/{METRICS}"))
    }
    target = folder / "losses.png"
    plot_loss_curves(curves).savefig(target, dpi=120)
    return target


def plot_loss_curves(curves: dict[str, pd.DataFrame]) -> Figure:
    """Return one panel a stage with its loss, smoothed over a fiftieth of its steps.

    Parameters
    ----------
    curves
        `step`, `metric`, `value` by the stage's name.
    """
    figure = Figure(figsize=(3.6 * max(1, len(curves)), 3.2), layout="constrained")
    panels = figure.subplots(1, max(1, len(curves)), squeeze=False)[0]
    for panel, (name, table) in zip(panels, curves.items(), strict=False):
        loss = table[table["metric"] == "loss"].set_index("step")["value"]
        window = max(1, len(loss) // 50)
        panel.plot(loss.index, loss.rolling(window, min_periods=1).mean(), lw=1.2)
        panel.set(title=name, xlabel="step", ylabel="loss", yscale="log")
    return figure
