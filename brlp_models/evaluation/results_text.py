"""An evaluation's summaries as Markdown, for a model card."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, Final

import pandas as pd

from brlp_models.evaluation.methods import MODEL

_MISSING = "–"
_BETTER = ("improvement_percent", "improvement_lower", "improvement_upper")


SYNTHETIC: Final = "SYNTHETIC people: no number here describes real patients."


def render_results(
    tables: Mapping[str, pd.DataFrame], *, notes: Sequence[str] = (), is_synthetic: bool = False
) -> str:
    """Return the summaries of `evaluate_model` as Markdown tables; what is absent is left out.

    Parameters
    ----------
    tables
        `conditions`, `floor_summary`, `accuracy`, `ranking`, `reference`, `calibration`,
        `coverage`, `times`, `comparisons`, `wrong_diagnosis`, `several_visits`, `two_visits`,
        `uncertainty`, `voxel_uncertainty`.
    notes
        What must be known before they are read.
    is_synthetic
        Whether the people are simulated.
    """
    mark = [f"**{SYNTHETIC}**"] if is_synthetic else []
    parts = [*mark, *notes, "95 % intervals in brackets, where more than one person was measured."]
    for name, (title, render) in _LAYOUTS.items():
        table = tables.get(name)
        if table is not None and not table.empty:
            parts.append(f"### {title}\n\n{render(table)}")
    return "\n\n".join(parts) + "\n"


def _wide(rows: Sequence[str], columns: str) -> Callable[[pd.DataFrame], str]:
    """Return what renders a table of estimates, one row for each value of `rows`."""
    return lambda table: _as_markdown(_widen(_show_estimates(table), rows, columns))


def _render_accuracy(table: pd.DataFrame) -> str:
    rows = ["region", "measure", "horizon_months"]
    shown = _show_estimates(table)
    # volumes alone, of people whose brain nobody measured, have change errors alone
    if {*_BETTER} <= {*table}:
        own = _show_estimates(table[table["method"] == MODEL], _BETTER)
        shown = pd.concat([shown, own.assign(method="better by, %")])
    return _as_markdown(_widen(shown, rows, "method"))


def _render_calibration(table: pd.DataFrame) -> str:
    kinds = {
        "as predicted": "coverage",
        "the half that is predicted to change most": "coverage_of_most",
        "recalibrated": "recalibrated",
    }
    shown = [
        _show_estimates(table, (name, f"{name}_lower", f"{name}_upper")).assign(interval=kind)
        for kind, name in kinds.items()
    ]
    rows = ["region", "horizon_months", "level"]
    (fitted_on,) = table["fitted_on"].unique()
    text = _as_markdown(_widen(pd.concat(shown), rows, "interval"))
    return f"{text}\n\nRecalibrated on {fitted_on}; Wilson's intervals."


def _render_reference(table: pd.DataFrame) -> str:
    (row,) = table.to_dict("records")
    note = f" ({row['note']})" if row["note"] else ""
    return f"The {row['method']}: {row['how']}, {row['n_people']} in all{note}."


_LAYOUTS: Final[Mapping[str, tuple[str, Callable[[pd.DataFrame], str]]]] = {
    "conditions": (
        "What predictions follow, the scan or the context",
        _wide(["condition"], "measure"),
    ),
    "floor_summary": (
        "Floor: through autoencoder and segmenter",
        _wide(["measure"], "region"),
    ),
    "accuracy": ("Accuracy", _render_accuracy),
    "ranking": (
        "Ranking of people by the change of their endpoint's volume",
        _wide(["horizon_months", "subgroup", "measure"], "method"),
    ),
    "reference": ("The regression that BrLP is compared with", _render_reference),
    "calibration": ("Coverage of intervals", _render_calibration),
    "coverage": (
        "Coverage of the other methods' intervals",
        lambda table: _as_markdown(
            _widen(
                _show_estimates(table, ("coverage", "coverage_lower", "coverage_upper")),
                ["region", "horizon_months", "level"],
                "method",
            )
        ),
    ),
    "times": ("Processor time", lambda table: _as_markdown(table)),
    "comparisons": ("Ablation, draws, steps", _wide(["comparison", "variant"], "measure")),
    "wrong_diagnosis": (
        "A wrong diagnosis: how far the predicted change of the endpoint moves, percentage points",
        _wide(["told_to", "diagnosis"], "told"),
    ),
    "several_visits": (
        "From the second visit, or the first",
        _wide(["region", "measure", "horizon_months"], "method"),
    ),
    "two_visits": (
        "From two visits: the change since the second",
        _wide(["region", "measure", "horizon_months"], "method"),
    ),
    "uncertainty": ("Global uncertainty (mixed model)", _wide(["outcome"], "term")),
    "voxel_uncertainty": (
        "Voxel uncertainty and voxel error: Spearman correlation, and the size of both",
        lambda table: _as_markdown(table),
    ),
}


def _show_estimates(
    table: pd.DataFrame, names: tuple[str, str, str] = ("value", "lower", "upper")
) -> pd.DataFrame:
    """Return the table with `shown`: each estimate with its interval."""
    found = [
        _show(value) if pd.isna(low) else f"{_show(value)} ({_show(low)} to {_show(high)})"
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
    if pd.isna(value):
        return _MISSING
    return str(value) if isinstance(value, Integral) else _show_number(float(value))


def _show_number(value: float) -> str:
    """Return three significant digits, as a volume is read: -7790, not -7.79e+03."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:.0f}" if 1000 <= abs(rounded) <= 1e7 else f"{rounded:.3g}"
