"""What measured volumes: tools, scanners and field strengths, told apart or refused."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.errors import CohortError
from cohorts.keys import map_kinds

ACQUISITION: Final = ("field_strength", "manufacturer", "scanner_model", "scanner", "software")
"""Columns of people or visits that say how they were scanned, and by which version measured."""

SIMULATED: Final = "true volumes of simulated people"
UNRECORDED: Final = "volumes by a tool that is not recorded"

_UNTOLD: Final = re.compile(r"table |synthetic")
_HARMONIZED: Final = " (harmonized from "
_LABELS: Final = "label map"


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
    if _HARMONIZED in source:
        return source.partition(_HARMONIZED)[0]
    if source == "mri_synthseg":
        return "SynthSeg 2.0"
    found = re.fullmatch(r"\S+\.stats \((.*)\)", source)
    return found[1] if found else source


def name_measurements(volumes: pd.DataFrame, acquisition: pd.DataFrame) -> pd.Series:
    """Return what measured each row: its tool, and how people were scanned.

    Parameters
    ----------
    volumes
        With `source`.
    acquisition
        A column for each property of the scan that counts, in the rows of `volumes`; none where
        only tools do.

    Returns
    -------
    Series
        Such as "FreeSurfer 7, field_strength 3.0"; NaN where nothing is known.

    Raises
    ------
    CohortError
        Where a property that counts is not known of a row.
    """
    named = map_kinds(volumes["source"], lambda one: name_tool(str(one))).astype("str")
    for column, values in acquisition.items():
        done = volumes["source"].str.contains(_HARMONIZED, regex=False)
        lacking = values.isna() & ~done
        if lacking.any():
            raise CohortError(
                f"{tally(lacking.sum(), 'volumes belong')} to visits without {column}, by "
                "which volumes "
                "are to be harmonized: leave those people out, or fill it in."
            )
        told = f"{column} " + values.astype("str")
        named = named.where(done, (named + ", " + told).where(named.notna(), told))
    return named


def look_up_acquisition(cohort: Cohort, columns: Sequence[str]) -> pd.DataFrame:
    """Return properties of the scan behind each volume: the visit's, else the person's.

    Raises
    ------
    CohortError
        Where neither visits nor people have a column.
    """
    if not columns:  # volumes are many, and nothing is asked of any
        return pd.DataFrame(index=cohort.numbered_volumes.others.index)
    rows = cohort.volumes[["participant_id", "session_id"]]
    found = {}
    for column in columns:
        if column in cohort.visits:
            own = cohort.visits[["participant_id", "session_id", column]]
            values = rows.merge(own, how="left", on=["participant_id", "session_id"])[column]
        elif column in cohort.participants:
            person = cohort.participants.set_index("participant_id")[column]
            values = rows["participant_id"].map(person)
        else:
            raise CohortError(
                f"The cohort {cohort.name} has no column {column}, by which volumes are to be "
                "harmonized."
            )
        found[column] = values.to_numpy()
    return pd.DataFrame(found, index=rows.index)


def list_tools(cohort: Cohort, by: Sequence[str] = ()) -> pd.Series:
    """Return how many volumes each tool measured, most first, without those of unknown tools.

    Parameters
    ----------
    cohort
        Whose volumes.
    by
        Columns that tell what else makes a tool another one, such as `field_strength`.
    """
    if by:
        rows = cohort.volumes.assign(n_volumes=1)
    else:  # volumes are many, what measured them are few
        rows = cohort.count_sources().rename("n_volumes").reset_index()
    named = name_measurements(rows, look_up_acquisition(cohort, by))
    is_told = named.notna() & ~_are_simulated(rows["source"], cohort)
    counts = rows["n_volumes"][is_told].groupby(named[is_told], sort=False).sum()
    return counts.sort_values(ascending=False, kind="stable")


def _are_simulated(sources: pd.Series, cohort: Cohort) -> pd.Series:
    """Return which volumes no tool measured: simulated people's, and those of their label maps."""
    simulated = ("synthetic", _LABELS) if cohort.is_synthetic else "synthetic"
    found = map_kinds(sources, lambda one: str(one).startswith(simulated))
    return found.fillna(False).astype(bool)


def describe_volumes(cohort: Cohort) -> list[str]:
    """Return a phrase for each kind of volumes that a cohort has, by what measured them.

    Returns
    -------
    list of str
        Such as "volumes by FreeSurfer 7", `SIMULATED`, `UNRECORDED`; empty where there are none.
    """
    sources = pd.Series(cohort.count_sources().index, dtype="str")
    simulated = _are_simulated(sources, cohort)
    named = map_kinds(sources, lambda one: name_tool(str(one)))
    kinds = [f"volumes by {tool}" for tool in list_tools(cohort).index]
    kinds += [SIMULATED] if simulated.any() else []
    return kinds + ([UNRECORDED] if (named.isna() & ~simulated).any() else [])


def describe_learned(measured_by: str | None, *, is_synthetic: bool) -> str:
    """Return the phrase, as in `describe_volumes`, for the volumes that a model learned from.

    Parameters
    ----------
    measured_by
        The tool that its record names; None where it names none.
    is_synthetic
        Whether it learned from simulated people, whom no tool measured.
    """
    if measured_by is not None:
        return f"volumes by {measured_by}"
    return SIMULATED if is_synthetic else UNRECORDED


def tell_learned(model: str, learned: str, people: Cohort) -> str | None:
    """Return what must be known where a model is applied to volumes as it did not learn from.

    Parameters
    ----------
    model
        What it is called.
    learned
        From `describe_learned`.
    people
        Whose volumes it is applied to, as they are.

    Returns
    -------
    str or None
        A sentence; None where their volumes are known to be measured alike, or there are none.

    Examples
    --------
    >>> import numpy as np
    >>> from cohorts.synthetic import synthesize_table
    >>> people, _ = synthesize_table(2, rng=np.random.default_rng(1))
    >>> tell_learned("mini", SIMULATED, people) is None
    True
    >>> tell_learned("mini", "volumes by SynthSeg 2.0", people)
    'The model mini learned from volumes by SynthSeg 2.0, and predicts from true volumes of \
simulated people as they are: only its relative changes can be compared.'
    """
    own = describe_volumes(people)
    if not own or (own == [learned] and learned != UNRECORDED):
        return None
    return (
        f"The model {model} learned from {learned}, and predicts from {' and '.join(own)} as they "
        "are: only its relative changes can be compared."
    )


def require_one_tool(
    cohorts: Mapping[str, Cohort | str | None],
    *,
    advice: str = "measure all with one tool",
) -> None:
    """Refuse people whose volumes are of several tools.

    Parameters
    ----------
    cohorts
        Who they are, such as "the screened people" -> the cohort. For people who are not at hand,
        such as those of a model's training, the name of their tool, None where it is not known.
    advice
        What would mend it.

    Raises
    ------
    CohortError
        Naming the tools of each, and what would mend it.
    """
    tools = {
        who: list(list_tools(one).index)
        if isinstance(one, Cohort)
        else [name for name in (one,) if name]
        for who, one in cohorts.items()
    }
    if len({tool for own in tools.values() for tool in own}) < 2:
        return
    told = "; ".join(f"those of {who} by {', '.join(own)}" for who, own in tools.items() if own)
    raise CohortError(
        f"Volumes were measured by several tools ({told}), and what is learned from one tool's "
        f"does not hold for another's: {advice}."
    )


def tell_acquisition(cohorts: Mapping[str, Cohort]) -> list[str]:
    """Return a sentence for each property of scans in which people or their visits differ."""
    told = []
    for column in ACQUISITION:
        values = {
            who: own for who, cohort in cohorts.items() if (own := _list_values(cohort, column))
        }
        if len({value for own in values.values() for value in own}) > 1:
            shown = "; ".join(f"{who}: {', '.join(own)}" for who, own in values.items())
            told.append(f"People were scanned differently ({column}; {shown}).")
    return told


def list_unlearned(learned: Cohort, applied: Cohort) -> list[str]:
    """Return a sentence for each property of scans that nobody of those learned from has.

    Parameters
    ----------
    learned
        The people that a strategy is fitted on.
    applied
        The people that it is applied to.
    """
    told = []
    for column in ACQUISITION:
        known = _list_values(learned, column)
        new = [value for value in _list_values(applied, column) if value not in known]
        if known and new:
            told.append(
                f"{column} {', '.join(new)} of {applied.name}, while {learned.name} has "
                f"{', '.join(known)}"
            )
    return told


def _list_values(cohort: Cohort, column: str) -> list[str]:
    values: set[str] = set()
    for table in (cohort.participants, cohort.visits):
        if column in table:
            values |= {str(value) for value in table[column].dropna()}
    return sorted(values)
