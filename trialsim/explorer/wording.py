"""A state of the sliders in a sentence."""

from typing import Any

import numpy as np
import pandas as pd

from reports.figures.labels import percent
from reports.page.size_words import describe_group, describe_size
from trialsim.explorer.scenario import Scenario


def describe_choice(asked: Scenario, table: pd.DataFrame) -> str:
    """Return what the choice that is looked at needs, against enrolling everyone."""
    everyone = find_choice(table, "random", 1.0)
    row = find_choice(table, asked.strategy, asked.fraction_enrolled)
    if row is None:
        row = everyone
    if row is None:
        return "This choice has no pool in the study; take another fraction."
    group = describe_group(row)
    if pd.isna(row["n_control"]):
        return f"Enrolling {group}: no trial of any size reaches this power."
    text = f"Enrolling {group}: {describe_size(row)}, {row['n_to_screen']:,.0f} screened"
    if not row["cost"] > 0:
        return f"{text}."
    currency = asked.costs.currency
    text += f", {row['cost']:,.0f} {currency}"
    if everyone is not None and row is not everyone and pd.notna(everyone["cost"]):
        saved = everyone["cost"] - row["cost"]
        share = percent(abs(saved) / everyone["cost"])
        text += f"; {share} {'less' if saved >= 0 else 'more'} than enrolling everyone"
    return f"{text}."


def find_choice(table: pd.DataFrame, strategy: str, fraction: float) -> dict[Any, Any] | None:
    """Return the row of a choice; None where there is none."""
    near = np.abs(table["fraction_enrolled"].to_numpy() - fraction) < 1e-9
    places = np.flatnonzero(near & (table["strategy"].to_numpy() == strategy))
    return table.iloc[int(places[0])].to_dict() if places.size else None
