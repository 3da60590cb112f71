"""Volumes of several tools in one study: refused, or brought to the tool of the screened people."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.errors import CohortError
from cohorts.sources.tables.table import read_typed_table
from cohorts.volumes.harmonization import fit_harmonization, harmonize
from cohorts.volumes.measurement import (
    UNRECORDED,
    describe_learned,
    describe_volumes,
    list_tools,
    list_unlearned,
    name_tool,
    require_one_tool,
    tell_learned,
)
from trialsim.errors import DesignError
from trialsim.study.job import Job
from trialsim.study.protocol import CohortSection

SCREENED = "the screened people"
FOLLOWED = "the people of cohort.training"
_AS_THEY_ARE: Final = 'or take them as they are with cohort.harmonize = "as_measured"'


def settle_screened(job: Job, cohort: Cohort) -> Cohort:
    """Return the screened people with volumes of one tool, the one of most of them.

    Raises
    ------
    CohortError
        Several tools measured them, and `cohort.harmonize` states nothing or cannot be fitted.
    """
    return settle(job.protocol.cohort, job.notes, {SCREENED: cohort})


def load_followed(job: Job, screened: Cohort) -> Cohort:
    """Return the people of `cohort.training` with volumes of the screened people's tool.

    Raises
    ------
    DesignError
        The protocol names none.
    CohortError
        As `settle_learned`.
    """
    path = job.protocol.cohort.training
    if path is None:
        raise DesignError(
            'outcomes "archive" need people who were followed: name them in cohort.training '
            "(--train-on)."
        )
    people = {SCREENED: screened, FOLLOWED: job.load(path)}
    return settle_learned(job.protocol.cohort, job.notes, people)


def settle_learned(
    section: CohortSection, notes: list[str], cohorts: Mapping[str, Cohort]
) -> Cohort:
    """Return people who are learned from, with volumes of the tool of those it is applied to.

    Parameters
    ----------
    section
        What is stated: `harmonize`, `harmonize_by`, `measured_twice`.
    notes
        Gets what the user must know.
    cohorts
        Who they are -> the cohort: first whom it is applied to, then who is learned from.

    Raises
    ------
    CohortError
        As `settle`; or some were scanned as nobody was who is learned from, and nothing is stated.
    """
    applied, *_ = cohorts.values()
    learned = settle(section, notes, cohorts)
    unlearned = list_unlearned(learned, applied)
    if unlearned and section.harmonize is None:
        raise CohortError(
            f"Strategies would be applied to scans as nobody had whom they are fitted on "
            f"({'; '.join(unlearned)}): state cohort.harmonize and cohort.harmonize_by, "
            f"{_AS_THEY_ARE}."
        )
    if unlearned and not section.harmonize_by:
        notes.append(f"Taken as they are: {'; '.join(unlearned)}.")
    return learned


def settle_model(
    section: CohortSection,
    notes: list[str],
    people: Mapping[str, Cohort],
    model: str,
    tool: str | None,
    *,
    is_synthetic: bool = False,
) -> None:
    """Tell where a model did not learn from volumes as those that it is applied to.

    Its training people are not at hand, so that their volumes cannot be brought to anything; what
    is stated in `harmonize` says that the relative changes that it predicts are wanted all the
    same.

    Parameters
    ----------
    section, notes
        As in `settle_learned`.
    people
        Who it is applied to, one entry.
    model, tool
        What it is called, and what measured the volumes that it learned from; None where its
        folder or file does not record it.
    is_synthetic
        Whether it learned from simulated people.

    Raises
    ------
    CohortError
        Two tools are known, they differ, and nothing is stated.
    """
    ((who, cohort),) = people.items()
    if section.harmonize is None:
        require_one_tool(
            {who: cohort, f"the training people of the model {model}": tool},
            advice=f"measure with {tool}, {_AS_THEY_ARE}",
        )
    told = tell_learned(model, describe_learned(tool, is_synthetic=is_synthetic), cohort)
    notes += [] if told is None else [told]


def settle_predictions(
    section: CohortSection,
    notes: list[str],
    people: Mapping[str, Cohort],
    predictions: pd.DataFrame,
) -> pd.DataFrame:
    """Return predictions that were made elsewhere, in volumes of the people's own tool.

    Where another tool measured their `baseline_source`, and `harmonize` brings tools
    together, predicted volumes are multiplied by what the cohort's baseline is of theirs, so that
    relative changes stay what they are. A person without a baseline volume keeps their own.

    Parameters
    ----------
    section, notes
        As in `settle_learned`.
    people
        Who was predicted, one entry.
    predictions
        Table `predictions` of `cohorts.schema`.

    Raises
    ------
    CohortError
        Another tool measured their baseline, and nothing is stated.
    """
    ((who, cohort),) = people.items()
    known = predictions.get("baseline_source", pd.Series(index=predictions.index, dtype=object))
    tools = {None if pd.isna(one) else name_tool(str(one)) for one in known.unique()}
    theirs = {tool for tool in tools if tool is not None}
    own = {str(tool) for tool in list_tools(cohort).index}
    if len(theirs | own) < 2:
        unknown = [f"{UNRECORDED} (baseline_source of the predictions)"] if None in tools else []
        unknown += [f"{UNRECORDED} ({who})"] if UNRECORDED in describe_volumes(cohort) else []
        notes += _tell_unknown(theirs | own, unknown)
        return predictions
    told = f"Predictions start from volumes by {', '.join(sorted(theirs))}"
    told += f", {who} were measured by {', '.join(sorted(own))}" if own else ""
    match section.harmonize:
        case None:
            raise CohortError(
                f"{told}: predict from volumes of one tool, state cohort.harmonize, which keeps "
                f"their relative changes, {_AS_THEY_ARE}."
            )
        case "as_measured":
            notes.append(f"{told}: taken as they are.")
            return predictions
    keys = ["participant_id", "region"]
    baseline = cohort.until(0).get_volumes()
    known = baseline.drop_duplicates(keys).set_index(keys)["volume_mm3"]
    measured = known.reindex(pd.MultiIndex.from_frame(predictions[keys])).to_numpy()
    factor = (measured / predictions["baseline_volume_mm3"]).fillna(1.0)
    notes.append(f"{told}: their relative changes were kept.")
    columns = ["volume_mm3", "volume_sd_mm3", "baseline_volume_mm3"]
    return predictions.assign(**{name: predictions[name] * factor for name in columns})


def settle(section: CohortSection, notes: list[str], cohorts: Mapping[str, Cohort]) -> Cohort:
    """Return the last of `cohorts` with volumes of the first one's tool.

    Parameters
    ----------
    section, notes
        As in `settle_learned`.
    cohorts
        Who they are -> the cohort.

    Raises
    ------
    CohortError
        Several tools measured them, and nothing is stated, or it cannot be fitted.
    DesignError
        `harmonize_by` is stated without a model.
    """
    last = list(cohorts)[-1]
    by = section.harmonize_by
    if by and section.harmonize not in ("linear", "combat"):
        raise DesignError(
            f"cohort.harmonize_by ({', '.join(by)}) says what is brought together: say how, with "
            'cohort.harmonize = "linear" or "combat".'
        )
    counts = {who: list_tools(cohort, by) for who, cohort in cohorts.items()}
    tools = {str(tool) for own in counts.values() for tool in own.index}
    kinds = {who: describe_volumes(cohort) for who, cohort in cohorts.items()}
    unknown = [f"{UNRECORDED} ({who})" for who, own in kinds.items() if UNRECORDED in own]
    notes += _tell_unknown(tools, unknown)
    if len(tools) < 2:
        return cohorts[last]
    match section.harmonize:
        case None:
            require_one_tool(
                cohorts,
                advice='measure all with one tool, or state cohort.harmonize = "linear" (with '
                f'people whom both measured, in cohort.measured_twice) or "combat", {_AS_THEY_ARE}',
            )
            return cohorts[last]
        case "as_measured":
            names = ", ".join(sorted(tools))
            notes.append(f"Volumes by several tools are taken as they are: {names}.")
            return cohorts[last]
    paired = section.measured_twice
    text = ("participant_id", "session_id", "region", "source", *by)
    fitted = fit_harmonization(
        list(cohorts.values()),
        section.harmonize,
        by=by,
        measured_twice=None if paired is None else read_typed_table(paired, text=text),
    )
    for (source, reference), rows in fitted.groupby(["source", "reference_source"]):
        notes.append(
            f"Volumes of {last} by {source} were brought to {reference} ({section.harmonize}, "
            f"{tally(rows['n_people'].min(), 'people')} or more for each of "
            f"{tally(len(rows), 'regions')})."
        )
    return harmonize(cohorts[last], fitted, by=by)


def _tell_unknown(known: Collection[str], unknown: Sequence[str]) -> list[str]:
    """Return a sentence where some volumes are by known tools, and others are not."""
    if not known or not unknown:
        return []
    names = ", ".join(sorted(known))
    return [f"Taken as they are, beside volumes by {names}: {'; '.join(unknown)}."]
