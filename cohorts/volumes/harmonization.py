"""Volumes of several tools or scanners brought to those of one by a stated model.

FreeSurfer 5 and 7, SynthSeg and label maps give one brain volumes that differ by more than a year's
atrophy, so that what is learned from one tool's volumes does not hold for another's.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.errors import CohortError
from cohorts.visits import order_visits
from cohorts.volumes.measurement import look_up_acquisition, name_measurements

Method = Literal["linear", "combat"]

COLUMNS: Final = (
    "source", "reference_source", "region", "slope", "intercept_mm3", "residual_sd_mm3", "n_people",
    "method",
)  # fmt: skip

_LEAST_PAIRED: Final = 20
_LEAST_OF_TOOL: Final = 30


def fit_harmonization(
    cohorts: Sequence[Cohort],
    method: Method,
    *,
    by: Sequence[str] = (),
    measured_twice: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return what brings each tool's volumes to those of the tool that measured most.

    `linear`: V_reference = intercept + slope V, by orthogonal regression in people whom both tools
    measured (Deming 1943), which assumes that both err alike.

    `combat`: V_reference = slope V, where ln(slope) is the difference between the tools that is
    left at baseline after age, sex and diagnosis, as ComBat's location (Johnson et al. 2007,
    Biostatistics 8:118) without its scale and shrinkage. It assumes that the people of each tool
    are alike given these three, that tools differ by a factor and err alike, and it takes no
    follow-up, so that relative changes stay what they are. ComBat's scale, a ratio of two standard
    deviations, would multiply the changes that a trial is about, and is known to 19 % from 30
    people of each tool.

    Parameters
    ----------
    cohorts
        Whose volumes are to be of one tool; the reference is the tool of most volumes of the first.
    method
        `linear` or `combat`.
    by
        Columns of visits or people that tell tools apart beside their name, such as
        `field_strength`, `scanner` or `site`.
    measured_twice
        For `linear`: `participant_id`, `region`, `source`, `volume_mm3`, the columns of `by`, and
        `session_id` where people have several visits (with `by`, scans of two visits are paired).

    Returns
    -------
    DataFrame
        `COLUMNS`; one row for each tool and region that is not the reference's.

    Raises
    ------
    CohortError
        Where too few people were measured.
    """
    measured = [_name_own(cohort, by) for cohort in cohorts]
    tools = [own["tool"].dropna() for own in measured]
    reference = str(tools[0].value_counts().index[0])
    others = {str(tool) for own in tools for tool in own.unique()} - {reference}
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    people = pd.concat(
        [_gather_baseline(*one) for one in zip(cohorts, measured, strict=True)], ignore_index=True
    )
    for tool in sorted(others):
        regions = sorted(
            {str(one) for own in measured for one in own["region"][own["tool"].eq(tool)]}
        )
        if method == "linear":
            found = _fit_linear(measured_twice, by, tool, reference, regions)
        else:
            found = _fit_combat(people, tool, reference, regions)
        rows += [row | {"source": tool, "reference_source": reference, "method": method}
                 for row in found if isinstance(row, dict)]  # fmt: skip
        problems += [row for row in found if isinstance(row, str)]
    if problems:
        raise CohortError(*problems)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def harmonize(cohort: Cohort, fitted: pd.DataFrame, *, by: Sequence[str] = ()) -> Cohort:
    """Return the cohort with the volumes of other tools as the reference would give them.

    Parameters
    ----------
    cohort
        Whose volumes are of several tools.
    fitted
        From `fit_harmonization`.
    by
        As there.
    """
    volumes, tools = cohort.volumes, _name_own(cohort, by)["tool"]
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


def _name_own(cohort: Cohort, by: Sequence[str]) -> pd.DataFrame:
    """Return the cohort's volumes with what measured each, as `tool`."""
    acquisition = look_up_acquisition(cohort, by)
    return cohort.volumes.assign(tool=name_measurements(cohort.volumes, acquisition))


def _fit_linear(
    paired: pd.DataFrame | None,
    by: Sequence[str],
    tool: str,
    reference: str,
    regions: Sequence[str],
) -> list[dict[str, Any] | str]:
    if paired is None:
        return [
            f'harmonize = "linear" needs people whom both {tool} and {reference} measured: name '
            "their table in cohort.measured_twice (participant_id, region, source, volume_mm3)."
        ]
    key = [name for name in ("participant_id", "session_id") if name in paired]
    wide = paired.assign(tool=_name_paired(paired, by)).pivot_table(
        index=["participant_id", "region"] if by else [*key, "region"],
        columns="tool",
        values="volume_mm3",
        aggfunc="mean",
    )
    found: list[dict[str, Any] | str] = []
    for region in regions:
        own = wide.reindex(columns=[tool, reference]).dropna().reset_index()
        own = own[own["region"] == region]
        n_people = own["participant_id"].nunique()
        if n_people < _LEAST_PAIRED:
            found.append(
                f"{tally(n_people, 'people have')} the {region} of both {tool} and {reference}: "
                f"at least {_LEAST_PAIRED} are needed."
            )
            continue
        slope, intercept, residual = _fit_orthogonal(
            own[tool].to_numpy(dtype=float), own[reference].to_numpy(dtype=float)
        )
        found.append({"region": region, "slope": slope, "intercept_mm3": intercept,
                      "residual_sd_mm3": residual, "n_people": n_people})  # fmt: skip
    return found


def _name_paired(paired: pd.DataFrame, by: Sequence[str]) -> pd.Series:
    absent = [name for name in ("source", *by) if name not in paired]
    if absent:
        raise CohortError(f"The table of people measured twice lacks {', '.join(absent)}.")
    source = paired["source"].astype(str)
    named = name_measurements(paired.assign(source=source), paired[list(by)])
    # a tool that a table names in its own words
    return named.where(named.notna(), source)


def _fit_orthogonal(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return slope, intercept and residual sd of the line with errors of one size in both."""
    (xx, xy), (_, yy) = np.cov(x, y)
    slope = (yy - xx + np.hypot(yy - xx, 2 * xy)) / (2 * xy) if xy else 1.0
    intercept = y.mean() - slope * x.mean()
    return float(slope), float(intercept), float(np.std(y - intercept - slope * x, ddof=2))


def _fit_combat(
    people: pd.DataFrame, tool: str, reference: str, regions: Sequence[str]
) -> list[dict[str, Any] | str]:
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


def _gather_baseline(cohort: Cohort, measured: pd.DataFrame) -> pd.DataFrame:
    first = order_visits(cohort.visits).drop_duplicates("participant_id")
    rows = measured.merge(
        first[["participant_id", "session_id"]], on=["participant_id", "session_id"]
    )
    return rows.merge(cohort.participants[["participant_id", "age_years", "sex", "diagnosis"]])
