"""Volumes of several tools in one study: refused, or brought to the tool of the screened people."""

from typing import Final

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.harmonization import fit_harmonization, harmonize
from cohorts.measurement import list_tools, list_unlearned, name_tool, require_one_tool
from cohorts.sources.table import read_typed_table
from trialsim.errors import DesignError
from trialsim.study.job import Job

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
    return _settle(job, {SCREENED: cohort})


def load_followed(job: Job, screened: Cohort) -> Cohort:
    """Return the people of `cohort.training` with volumes of the screened people's tool.

    Raises
    ------
    DesignError
        The protocol names none.
    CohortError
        As `settle_screened`; or screened people were scanned as nobody of the training people was,
        and `cohort.harmonize` states nothing.
    """
    path = job.protocol.cohort.training
    if path is None:
        raise DesignError(
            'outcomes "archive" need people who were followed: name them in cohort.training '
            "(--train-on)."
        )
    followed = _settle(job, {SCREENED: screened, FOLLOWED: job.load(path)})
    unlearned = list_unlearned(followed, screened)
    if unlearned and job.protocol.cohort.harmonize is None:
        raise CohortError(
            f"Strategies would be applied to scans as nobody had whom they are fitted on "
            f"({'; '.join(unlearned)}): state cohort.harmonize and cohort.harmonize_by, "
            f"{_AS_THEY_ARE}."
        )
    if unlearned and not job.protocol.cohort.harmonize_by:
        job.notes.append(f"Taken as they are: {'; '.join(unlearned)}.")
    return followed


def settle_predictions(job: Job, cohort: Cohort, predictions: pd.DataFrame) -> pd.DataFrame:
    """Return predictions that were made elsewhere, in volumes of the screened people's tool.

    Where another tool measured their `baseline_source`, and `cohort.harmonize` brings tools
    together, predicted volumes are multiplied by what the cohort's baseline is of theirs, so that
    relative changes stay what they are. A person without a baseline volume keeps their own.

    Raises
    ------
    CohortError
        Another tool measured their baseline, and `cohort.harmonize` states nothing.
    """
    if "baseline_source" not in predictions:
        return predictions
    sources = predictions["baseline_source"].dropna().astype(str)
    theirs = {tool for source in sources.unique() if (tool := name_tool(source)) is not None}
    own = {str(tool) for tool in list_tools(cohort).index}
    if len(theirs | own) < 2:
        return predictions
    told = f"Predictions start from volumes by {', '.join(sorted(theirs))}"
    told += f", the screened people were measured by {', '.join(sorted(own))}" if own else ""
    match job.protocol.cohort.harmonize:
        case None:
            raise CohortError(
                f"{told}: predict from volumes of one tool, state cohort.harmonize, which keeps "
                f"their relative changes, {_AS_THEY_ARE}."
            )
        case "as_measured":
            job.notes.append(f"{told}: taken as they are.")
            return predictions
    keys = ["participant_id", "region"]
    baseline = cohort.until(0).get_volumes()
    known = baseline.drop_duplicates(keys).set_index(keys)["volume_mm3"]
    measured = known.reindex(pd.MultiIndex.from_frame(predictions[keys])).to_numpy()
    factor = (measured / predictions["baseline_volume_mm3"]).fillna(1.0)
    job.notes.append(f"{told}: their relative changes were kept.")
    columns = ["volume_mm3", "volume_sd_mm3", "baseline_volume_mm3"]
    return predictions.assign(**{name: predictions[name] * factor for name in columns})


def _settle(job: Job, cohorts: dict[str, Cohort]) -> Cohort:
    """Return the last of `cohorts` with volumes of the first one's tool."""
    section, last = job.protocol.cohort, list(cohorts)[-1]
    by = section.harmonize_by
    if by and section.harmonize not in ("linear", "combat"):
        raise DesignError(
            f"cohort.harmonize_by ({', '.join(by)}) says what is brought together: say how, with "
            'cohort.harmonize = "linear" or "combat".'
        )
    counts = {who: list_tools(cohort, by) for who, cohort in cohorts.items()}
    tools = {str(tool) for own in counts.values() for tool in own.index}
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
            job.notes.append(f"Volumes by several tools are taken as they are: {names}.")
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
        job.notes.append(
            f"Volumes of {last} by {source} were brought to {reference} ({section.harmonize}, "
            f"{rows['n_people'].min()} people or more for each of {len(rows)} regions)."
        )
    return harmonize(cohorts[last], fitted, by=by)
