"""The data dictionary of tables: what each column means, its unit, type, range and key."""

import re
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import pandera.pandas as pa

from cohorts.schema import TABLES

_MEANINGS: Final = {
    "participant_id": "the person",
    "session_id": "the visit",
    "sex": "F female, M male",
    "age_years": "age, in `participants` that at baseline",
    "diagnosis": "CN cognitively normal, MCI mild cognitive impairment, AD Alzheimer's disease",
    "months_from_baseline": "time since the first visit",
    "image_path": "the T1w scan",
    "segmentation_path": "its label map",
    "region": "the structure; without left_ or right_ both sides together",
    "volume_mm3": "volume of the region in native space",
    "source": "what measured the volumes",
    "criterion": "an eligibility criterion as it was stated",
    "model_id": "the model that predicted: SHA-256 of its files",
    "verdict": "whether the model can be trusted with the scan",
    "reasons": "why",
    "horizon_months": "how long after baseline it is predicted for",
    "volume_sd_mm3": "standard deviation of the predicted volume",
    "n_samples": "draws behind the prediction",
    "baseline_volume_mm3": "volume measured at the start",
    "kind": "what the image shows",
    "path": "where the file is, relative to the study",
    "strategy": "the way of choosing people",
    "reference_strategy": "the strategy that it is compared with",
    "score": "higher is enrolled first; empty where the strategy cannot score the person",
    "fold": "the fold in which a cross-fitted strategy scored the person",
    "fraction_enrolled": "share of the screened people who are enrolled",
    "rank": "1 is enrolled first",
    "is_selected": "whether the person is enrolled",
    "n_selected": "people chosen",
    "n_evaluated": "people whose decline is known",
    "definition": "who counts as a fast progressor",
    "truth": "decline known from simulation (latent) or from scans (measured)",
    "capture_rate": "share of the fast progressors that is among the chosen",
    "chance_rate": "the capture rate of choosing at random",
    "predicted_change_percent": "change of the volume that the strategy predicts",
    "observed_change_percent": "change of the volume that was seen",
    "analysis": "how the trial is analysed",
    "n_control": "people in the control arm",
    "n_treatment": "people in the treatment arm",
    "power": "share of simulated trials with an effect that find it",
    "type_one_error": "share of simulated trials without an effect that find one",
    "bias": "mean estimate minus the effect",
    "empirical_se": "standard deviation of the estimates",
    "model_se": "root mean square of the standard errors",
    "coverage": "share of intervals that hold the effect",
    "closed_form_power": "power by formula",
    "n_to_screen": "people to screen for the trial",
    "cost": "cost of the trial, in the currency of the protocol",
    "months_to_enroll": "time to enroll",
    "pool_size": "people whose trajectories trials are drawn from",
    "n_simulations": "simulated trials",
    "n_failed_fits": "of these, fits that failed",
    "target_power": "power that the size is for",
    "closed_form_n_control": "people in the control arm by formula",
    "share_chosen": "share of bootstrap samples in which the choice is the cheapest",
    "effect": "difference between the arms",
    "arm": "control or treatment",
    "months": "time since randomization",
    "estimate": "estimated effect of treatment, treatment minus control",
    "se": "standard error of the estimate",
    "df": "degrees of freedom",
    "p_value": "p value",
    "key": "a key of the protocol",
    "value": "its value",
}

_SUFFIXES: Final = {
    "_lower": "lower end of the interval of {}",
    "_upper": "upper end of the interval of {}",
    "_mcse": "Monte Carlo standard error of {}",
    "_whole": "{}, rounded up",
    "_proposed": "{}, as proposed after the winner's curse",
    "_assured": "{}, for power with assurance",
}

_UNITS: Final = (
    (re.compile(r"(^|_)mm3$"), "mm3"),
    (re.compile(r"(^|_)percent$"), "percent"),
    (re.compile(r"(^|_)years$"), "years"),
    (re.compile(r"(^|_)months($|_)"), "months"),
    (re.compile(r"(^|_)n($|_)"), "people or trials"),
    (re.compile(r"cost(_|$)"), "currency of the protocol"),
)


def describe_tables(frames: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the data dictionary of tables.

    Parameters
    ----------
    frames
        Tables by their names in `cohorts.schema`; others may be among them.

    Returns
    -------
    dict
        Name of each table -> `command` (that fills it), `key` (columns that name a row), `n_rows`,
        `columns`: name -> `meaning`, `unit`, `type`, `values` or `minimum` and `maximum`,
        `may_be_empty`.
    """
    return {name: _describe_table(name, frame) for name, frame in frames.items()}


def format_dictionary(dictionary: Mapping[str, Any]) -> str:
    """Return a data dictionary of `describe_tables` as Markdown."""
    parts = ["# Data dictionary\n"]
    for name, table in dictionary.items():
        parts.append(f"## {name}\n")
        said = [f"{table['n_rows']} rows"]
        said += [f"filled by `{table['command']}`"] if table["command"] else []
        said += [f"one row for each {', '.join(table['key'])}"] if table["key"] else []
        parts.append("; ".join(said) + ".\n")
        parts.append("| column | meaning | unit | type | values | may be empty |")
        parts.append("|---|---|---|---|---|---|")
        for column, said_of in table["columns"].items():
            cells = [column, said_of["meaning"], said_of["unit"], said_of["type"]]
            cells += [_show_values(said_of), "yes" if said_of["may_be_empty"] else ""]
            parts.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        parts.append("")
    return "\n".join(parts)


def find_meaning(column: str) -> str:
    """Return what a column means; empty where its name alone says it.

    Examples
    --------
    >>> find_meaning("power_mcse")
    'Monte Carlo standard error of power'
    """
    if column in _MEANINGS:
        return _MEANINGS[column]
    for suffix, words in _SUFFIXES.items():
        if column.endswith(suffix):
            return words.format(column.removesuffix(suffix).replace("_", " "))
    return ""


def find_unit(column: str) -> str:
    """Return the unit of a column by its name; empty where it has none."""
    return next((unit for pattern, unit in _UNITS if pattern.search(column)), "")


def _describe_table(name: str, frame: pd.DataFrame) -> dict[str, Any]:
    schema = TABLES.get(name)
    known = schema.columns if schema is not None else {}
    return {
        "command": str((schema.metadata or {})["command"]) if schema is not None else "",
        "key": list(schema.unique or ()) if schema is not None else [],
        "n_rows": len(frame),
        "columns": {
            str(column): _describe_column(str(column), frame[column], known.get(column))
            for column in frame
        },
    }


def _describe_column(name: str, values: pd.Series, known: pa.Column | None) -> dict[str, Any]:
    said: dict[str, Any] = {
        "meaning": find_meaning(name),
        "unit": find_unit(name),
        "type": _name_type(values),
        "may_be_empty": bool(known.nullable) if known is not None else bool(values.isna().any()),
    }
    for check in (known.checks or ()) if known is not None else ():
        stated = check.statistics or {}
        said |= {"minimum": stated["min_value"]} if "min_value" in stated else {}
        said |= {"maximum": stated["max_value"]} if "max_value" in stated else {}
        if "allowed_values" in stated:
            said["values"] = list(stated["allowed_values"])
    return said


def _name_type(values: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(values):
        return "boolean"
    if pd.api.types.is_integer_dtype(values):
        return "integer"
    if pd.api.types.is_float_dtype(values):
        return "number"
    return "time" if pd.api.types.is_datetime64_any_dtype(values) else "text"


def _show_values(said: Mapping[str, Any]) -> str:
    if "values" in said:
        return ", ".join(map(str, said["values"]))
    low, high = said.get("minimum"), said.get("maximum")
    if low is None and high is None:
        return ""
    return f"{'' if low is None else f'{low:g}'} to {'' if high is None else f'{high:g}'}".strip()
