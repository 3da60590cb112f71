"""Volumes of several tools: told apart, brought to one tool by a stated model, or refused.

FreeSurfer 5 and 7, SynthSeg and label maps give one brain volumes that differ by more than a year's
atrophy, so that what is learned from one tool's volumes does not hold for another's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.visits import order_visits

Method = Literal["linear", "combat"]

COLUMNS: Final = (
    "source", "reference_source", "region", "slope", "intercept_mm3", "residual_sd_mm3", "n_people",
    "method",
)  # fmt: skip

_LEAST_PAIRED: Final = 20
_LEAST_OF_TOOL: Final = 30
_ACQUISITION: Final = ("scanner", "scanner_model", "manufacturer", "field_strength")
_UNTOLD: Final = re.compile(r"table |synthetic")


def name_tool(source: str) -> str | None:
    """Return the tool that a `source` of volumes names; None where it does not tell.

    Examples
    --------
    >>> name_tool("aseg.stats (FreeSurfer 7, longitudinal)")
    'FreeSurfer 7, longitudinal'
    >>> name_tool("table volumes.csv") is None
    True
    """
    if _UNTOLD.match(source):
        return None
    if " (harmonized from " in source:
        return source.partition(" (harmonized from ")[0]
    found = re.fullmatch(r"\S+\.stats \((.*)\)", source)
    return found[1] if found else source


def list_tools(cohort: Cohort) -> pd.Series:
    """Return how many volumes each tool measured, most first, without those of unknown tools."""
    tools = cohort.volumes["source"].map(
        {source: name_tool(source) for source in cohort.volumes["source"].unique()}
    )
    return tools.dropna().value_counts()


def require_one_tool(
    cohorts: Mapping[str, Cohort], *, advice: str = "measure all with one tool"
) -> None:
    """Refuse people whose volumes are of several tools.

    Parameters
    ----------
    cohorts
        Who they are, such as "the screened people" -> the cohort.
    advice
        What would mend it.

    Raises
    ------
    CohortError
        Naming the tools of each, and what would mend it.
    """
    tools = {who: list(list_tools(cohort).index) for who, cohort in cohorts.items()}
    if len({tool for own in tools.values() for tool in own}) < 2:
        return
    told = "; ".join(f"those of {who} by {', '.join(own)}" for who, own in tools.items() if own)
    raise CohortError(
        f"Volumes were measured by several tools ({told}), and what is learned from one tool's "
        f"does not hold for another's: {advice}."
    )


def tell_acquisition(cohorts: Mapping[str, Cohort]) -> list[str]:
    """Return a sentence for each column of scanner or field strength in which people differ."""
    told = []
    for column in _ACQUISITION:
        values = {
            who: sorted({str(value) for value in cohort.participants[column].dropna()})
            for who, cohort in cohorts.items()
            if column in cohort.participants
        }
        if len({value for own in values.values() for value in own}) > 1:
            shown = "; ".join(f"{who}: {', '.join(own)}" for who, own in values.items())
            told.append(f"People were scanned differently ({column}; {shown}).")
    return told


def fit_harmonization(
    cohorts: Sequence[Cohort], method: Method, *, measured_twice: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return what brings each tool's volumes to those of the tool that measured most.

    `linear`: V_reference = intercept + slope V, by orthogonal regression in people whom both tools
    measured (Deming 1943), which assumes that both err alike.

    `combat`: V_reference = slope V, where ln(slope) is the difference between the tools that is
    left at baseline after age, sex and diagnosis, as ComBat's location (Johnson et al. 2007,
    Biostatistics 8:118) without its shrinkage. It assumes that the people of each tool are alike
    given these three, that tools differ by a factor and err alike, and it takes no follow-up, so
    that relative changes stay what they are.

    Parameters
    ----------
    cohorts
        Whose volumes are to be of one tool; the reference is the tool of most volumes of the first.
    method
        `linear` or `combat`.
    measured_twice
        For `linear`: `participant_id`, `region`, `source`, `volume_mm3`, and `session_id` where
        people have several visits.

    Returns
    -------
    DataFrame
        `COLUMNS`; one row for each tool and region that is not the reference's.

    Raises
    ------
    CohortError
        Where too few people were measured.
    """
    reference = str(list_tools(cohorts[0]).index[0])
    others = {str(tool) for cohort in cohorts for tool in list_tools(cohort).index} - {reference}
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for tool in sorted(others):
        regions = _list_regions(cohorts, tool)
        if method == "linear":
            found = _fit_linear(measured_twice, tool, reference, regions)
        else:
            found = _fit_combat(cohorts, tool, reference, regions)
        rows += [row | {"source": tool, "reference_source": reference, "method": method}
                 for row in found if isinstance(row, dict)]  # fmt: skip
        problems += [row for row in found if isinstance(row, str)]
    if problems:
        raise CohortError(*problems)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def harmonize(cohort: Cohort, fitted: pd.DataFrame) -> Cohort:
    """Return the cohort with the volumes of other tools as the reference would give them.

    Parameters
    ----------
    cohort
        Whose volumes are of several tools.
    fitted
        From `fit_harmonization`.
    """
    volumes = cohort.volumes
    tools = volumes["source"].map({one: name_tool(one) for one in volumes["source"].unique()})
    key = pd.DataFrame({"source": tools, "region": volumes["region"]})
    lines = key.merge(fitted, on=["source", "region"], how="left").set_index(volumes.index)
    known = lines["slope"].notna()
    changed = lines["intercept_mm3"] + lines["slope"] * volumes["volume_mm3"]
    source = lines["reference_source"].astype("str") + " (harmonized from " + tools.astype("str")
    return replace(
        cohort,
        volumes=volumes.assign(
            volume_mm3=volumes["volume_mm3"].where(~known, changed.clip(lower=0)),
            source=volumes["source"].where(~known, source + ")"),
        ),
    )


def _list_regions(cohorts: Sequence[Cohort], tool: str) -> list[str]:
    regions: set[str] = set()
    for cohort in cohorts:
        is_own = cohort.volumes["source"].map(name_tool).eq(tool)
        regions |= set(cohort.volumes.loc[is_own, "region"])
    return sorted(regions)


def _fit_linear(
    paired: pd.DataFrame | None, tool: str, reference: str, regions: Sequence[str]
) -> list[dict[str, Any] | str]:
    if paired is None:
        return [
            f'harmonize = "linear" needs people whom both {tool} and {reference} measured: name '
            "their table in cohort.measured_twice (participant_id, region, source, volume_mm3)."
        ]
    tools = paired["source"].map(lambda source: name_tool(str(source)) or str(source))
    key = [name for name in ("participant_id", "session_id") if name in paired]
    wide = paired.assign(source=tools).pivot_table(
        index=[*key, "region"], columns="source", values="volume_mm3", aggfunc="first"
    )
    found: list[dict[str, Any] | str] = []
    for region in regions:
        own = wide.reindex(columns=[tool, reference]).dropna().reset_index()
        own = own[own["region"] == region]
        n_people = own["participant_id"].nunique()
        if n_people < _LEAST_PAIRED:
            found.append(
                f"{n_people} people have the {region} of both {tool} and {reference}: "
                f"at least {_LEAST_PAIRED} are needed."
            )
            continue
        slope, intercept, residual = _fit_orthogonal(
            own[tool].to_numpy(dtype=float), own[reference].to_numpy(dtype=float)
        )
        found.append({"region": region, "slope": slope, "intercept_mm3": intercept,
                      "residual_sd_mm3": residual, "n_people": n_people})  # fmt: skip
    return found


def _fit_orthogonal(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return slope, intercept and residual sd of the line with errors of one size in both."""
    (xx, xy), (_, yy) = np.cov(x, y)
    slope = (yy - xx + np.hypot(yy - xx, 2 * xy)) / (2 * xy) if xy else 1.0
    intercept = y.mean() - slope * x.mean()
    return float(slope), float(intercept), float(np.std(y - intercept - slope * x, ddof=2))


def _fit_combat(
    cohorts: Sequence[Cohort], tool: str, reference: str, regions: Sequence[str]
) -> list[dict[str, Any] | str]:
    people = pd.concat([_gather_baseline(cohort) for cohort in cohorts], ignore_index=True)
    found: list[dict[str, Any] | str] = []
    for region in regions:
        own = people[(people["region"] == region) & people["tool"].isin([tool, reference])]
        own = own[own["volume_mm3"] > 0]
        counts = own["tool"].value_counts().reindex([tool, reference], fill_value=0)
        if counts.min() < _LEAST_OF_TOOL:
            found.append(
                f'harmonize = "combat" needs at least {_LEAST_OF_TOOL} people with the {region} of '
                f"each tool, got {counts[tool]} of {tool} and {counts[reference]} of {reference}."
            )
            continue
        design = np.column_stack(
            [
                np.ones(len(own)),
                own["tool"].eq(reference),
                own["age_years"],
                own["sex"].eq("F"),
                *(own["diagnosis"].eq(name) for name in sorted(own["diagnosis"].unique())[1:]),
            ]
        ).astype(float)
        outcome = np.log(own["volume_mm3"].to_numpy(dtype=float))
        weights = np.linalg.lstsq(design, outcome, rcond=None)[0]
        spread = np.std(outcome - design @ weights, ddof=design.shape[1])
        found.append({"region": region, "slope": float(np.exp(weights[1])), "intercept_mm3": 0.0,
                      "residual_sd_mm3": float(spread * own["volume_mm3"].mean()),
                      "n_people": int(counts[tool])})  # fmt: skip
    return found


def _gather_baseline(cohort: Cohort) -> pd.DataFrame:
    first = order_visits(cohort.visits).drop_duplicates("participant_id")
    rows = cohort.volumes.merge(
        first[["participant_id", "session_id"]], on=["participant_id", "session_id"]
    ).merge(cohort.participants[["participant_id", "age_years", "sex", "diagnosis"]])
    return rows.assign(tool=rows["source"].map(name_tool))
