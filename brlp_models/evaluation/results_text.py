"""An evaluation's summaries as Markdown, for a model card."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from brlp_models.evaluation.methods import MODEL

INTERVAL: Final = "95 % bootstrap intervals in brackets."
_MISSING = "–"


def render_results(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the summaries of `evaluate_model` as Markdown tables; what is absent is left out.

    Parameters
    ----------
    tables
        `floor_summary`, `accuracy`, `ranking`, `calibration`, `comparisons`, `wrong_diagnosis`,
        `several_visits`, `uncertainty`, `voxel_uncertainty`.
    """
    layouts = {
        "Floor: through autoencoder and segmenter": _render_floor,
        "Accuracy": _render_accuracy,
        "Ranking of people by their change of hippocampal volume": _render_ranking,
        "Coverage of intervals": _render_calibration,
        "Ablation, draws, steps": _render_comparisons,
        "A wrong diagnosis": _render_wrong_diagnosis,
        "From the second visit, or the first": _render_several_visits,
        "Global uncertainty (mixed model)": _render_uncertainty,
        "Voxel uncertainty and voxel error, Spearman correlation": _render_voxels,
    }
    parts = [f"### {title}\n\n{text}" for title, make in layouts.items() if (text := make(tables))]
    return "\n\n".join(parts) + "\n"


def _render_floor(tables: Mapping[str, pd.DataFrame]) -> str:
    return _render(tables, "floor_summary", ["measure"], "region")


def _render_accuracy(tables: Mapping[str, pd.DataFrame]) -> str:
    table = tables.get("accuracy")
    if table is None or table.empty:
        return ""
    rows = ["region", "measure", "horizon_months"]
    better = _show_estimates(
        table[table["method"] == MODEL],
        ("improvement_percent", "improvement_lower", "improvement_upper"),
    )
    shown = pd.concat([_show_estimates(table), better.assign(method="better by, %")])
    return _as_markdown(_widen(shown, rows, "method"))


def _render_ranking(tables: Mapping[str, pd.DataFrame]) -> str:
    return _render(tables, "ranking", ["horizon_months", "subgroup", "measure"], "method")


def _render_calibration(tables: Mapping[str, pd.DataFrame]) -> str:
    table = tables.get("calibration")
    if table is None or table.empty:
        return ""
    kinds = {"as predicted": "coverage", "recalibrated": "recalibrated"}
    shown = [
        _show_estimates(table, (name, f"{name}_lower", f"{name}_upper")).assign(interval=kind)
        for kind, name in kinds.items()
    ]
    rows = ["region", "horizon_months", "level"]
    (fitted_on,) = table["fitted_on"].unique()
    text = _as_markdown(_widen(pd.concat(shown), rows, "interval"))
    return f"{text}\n\nRecalibrated on {fitted_on}; Wilson's intervals."


def _render_comparisons(tables: Mapping[str, pd.DataFrame]) -> str:
    return _render(tables, "comparisons", ["comparison", "variant"], "measure")


def _render_wrong_diagnosis(tables: Mapping[str, pd.DataFrame]) -> str:
    return _render(tables, "wrong_diagnosis", ["diagnosis"], "told")


def _render_several_visits(tables: Mapping[str, pd.DataFrame]) -> str:
    return _render(tables, "several_visits", ["region", "measure", "horizon_months"], "method")


def _render_uncertainty(tables: Mapping[str, pd.DataFrame]) -> str:
    return _render(tables, "uncertainty", ["outcome"], "term")


def _render_voxels(tables: Mapping[str, pd.DataFrame]) -> str:
    table = tables.get("voxel_uncertainty")
    if table is None or table.empty:
        return ""
    return _as_markdown(table[["horizon_months", "mean", "sd", "n"]].map(_show))


def _render(
    tables: Mapping[str, pd.DataFrame], name: str, rows: Sequence[str], columns: str
) -> str:
    table = tables.get(name)
    if table is None or table.empty:
        return ""
    return _as_markdown(_widen(_show_estimates(table), rows, columns))


def _show_estimates(
    table: pd.DataFrame, names: tuple[str, str, str] = ("value", "lower", "upper")
) -> pd.DataFrame:
    """Return the table with `shown`: each estimate with its interval."""
    found = [
        _MISSING if pd.isna(value) else f"{_show(value)} ({_show(low)} to {_show(high)})"
        for value, low, high in table[list(names)].itertuples(index=False)
    ]
    return table.assign(shown=found)


def _widen(table: pd.DataFrame, rows: Sequence[str], columns: str) -> pd.DataFrame:
    wide = table.pivot_table(
        index=list(rows), columns=columns, values="shown", aggfunc="first", sort=False
    )
    return wide.reset_index().fillna(_MISSING)


def _as_markdown(table: pd.DataFrame) -> str:
    heads = [str(name).replace("_", " ") for name in table]
    lines = [heads, ["---"] * len(heads)]
    lines += [[_show(value) for value in row] for row in table.itertuples(index=False)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _show(value: Any) -> str:
    if isinstance(value, str):
        return value.replace("_", " ").replace("|", "/")
    return _MISSING if pd.isna(value) else f"{value:.3g}"
