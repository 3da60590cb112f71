"""Volumes of several tools in one study: refused, or brought to the tool of the screened people."""

from cohorts.cohort import Cohort
from cohorts.harmonization import fit_harmonization, harmonize, list_tools, require_one_tool
from cohorts.sources.table import read_typed_table
from trialsim.errors import DesignError
from trialsim.study.job import Job

SCREENED = "the screened people"
FOLLOWED = "the people of cohort.training"


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
        As `settle_screened`.
    """
    path = job.protocol.cohort.training
    if path is None:
        raise DesignError(
            'outcomes "archive" need people who were followed: name them in cohort.training '
            "(--train-on)."
        )
    return _settle(job, {SCREENED: screened, FOLLOWED: job.load(path)})


def _settle(job: Job, cohorts: dict[str, Cohort]) -> Cohort:
    """Return the last of `cohorts` with volumes of the first one's tool."""
    section, last = job.protocol.cohort, list(cohorts)[-1]
    tools = {str(tool) for cohort in cohorts.values() for tool in list_tools(cohort).index}
    if section.harmonize is None or len(tools) < 2:
        require_one_tool(
            cohorts,
            advice='measure all with one tool, or state cohort.harmonize = "linear" (with people '
            'whom both measured, in cohort.measured_twice) or "combat"',
        )
        return cohorts[last]
    paired = section.measured_twice
    fitted = fit_harmonization(
        list(cohorts.values()),
        section.harmonize,
        measured_twice=None
        if paired is None
        else read_typed_table(paired, text=("participant_id", "session_id", "region", "source")),
    )
    for (source, reference), rows in fitted.groupby(["source", "reference_source"]):
        job.notes.append(
            f"Volumes of {last} by {source} were brought to {reference} ({section.harmonize}, "
            f"{rows['n_people'].min()} people or more for each of {len(rows)} regions)."
        )
    return harmonize(cohorts[last], fitted)
