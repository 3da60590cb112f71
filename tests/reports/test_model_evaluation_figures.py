"""Figures of an evaluation of a model."""

import pandas as pd
import pytest

from reports.figures.model_evaluation import plot_model_changes


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
