"""Figures of an evaluation of a model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.figures.model_evaluation import (
    plot_model_changes,
    plot_model_ranking,
    plot_uncertainty,
    write_evaluation_figures,
)


@pytest.mark.parametrize(("horizons", "legends"), [([48.0], 0), ([24.0, 48.0], 1)])
def test_one_horizon_is_said_once(horizons: list[float], legends: int) -> None:
    people = pd.DataFrame(
        {
            "region": "hippocampus",
            "predicted_mm3": [900.0, 950.0],
            "start_mm3": 1000.0,
            "true_mm3": [880.0, 940.0],
            "baseline_mm3": 1000.0,
        }
    )
    tables = [people.assign(method=name, horizon_months=at) for name in "ab" for at in horizons]
    figure = plot_model_changes(pd.concat(tables))
    assert len(figure.legends) == legends
    labels = {axes.get_xlabel() for axes in figure.axes}
    assert labels == {"True hippocampus change, %" if legends else
                      "True hippocampus change by month 48, %"}  # fmt: skip


def _make_ranking(values: dict[float, float]) -> pd.DataFrame:
    """Return the rank correlation at each horizon, which few people have none of."""
    return pd.DataFrame(
        {
            "horizon_months": list(values),
            "subgroup": "all",
            "method": "BrLP",
            "measure": "Spearman",
            "value": list(values.values()),
            "lower": list(values.values()),
            "upper": list(values.values()),
        }
    )


def _make_images(related: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": "BrLP",
            "horizon_months": 24.0,
            "mse": [0.01, 0.02],
            "global_uncertainty": [0.1, 0.2],
            "voxel_spearman": related,
        }
    )


def test_no_figure_is_drawn_of_what_is_not_known(tmp_path: Path) -> None:
    moves = pd.DataFrame(
        {"diagnosis": "CN", "told": "AD", "told_to": "all", "value": [np.nan]}
    ).assign(lower=np.nan, upper=np.nan)
    tables = {
        "ranking": _make_ranking({24.0: np.nan, 48.0: np.nan}),
        "images": _make_images(np.nan).assign(mse=np.nan),
        "wrong_diagnosis": moves,
    }
    assert write_evaluation_figures(tables, tmp_path / "figures", is_synthetic=True) == []


def test_a_horizon_without_a_rank_correlation_has_no_panel() -> None:
    figure = plot_model_ranking(_make_ranking({24.0: 0.5, 48.0: np.nan}))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["24 months"]


@pytest.mark.parametrize(("related", "panels"), [(0.3, 2), (np.nan, 1)])
def test_voxels_without_a_correlation_have_no_panel(related: float, panels: int) -> None:
    assert len(plot_uncertainty(_make_images(related)).axes) == panels
