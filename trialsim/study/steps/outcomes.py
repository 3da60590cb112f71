"""Where the outcomes of a simulated trial come from: followed people, predictions, assumptions."""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd

from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.errors import CohortError
from trialsim.analysis.result import Floats
from trialsim.comparison.archive import ScreenedPeople
from trialsim.comparison.refitting import Refitting, build_rescore, widen_scores
from trialsim.comparison.screened import Screened, read_screened
from trialsim.design import TrialDesign
from trialsim.enrichment.screening import Screening
from trialsim.enrichment.strategies.features import build_all_features
from trialsim.enrichment.strategies.predicted import compute_predicted_course
from trialsim.enrichment.strategies.registry import STRATEGIES
from trialsim.errors import DesignError
from trialsim.simulation import build_trajectories
from trialsim.study.job import Job
from trialsim.study.steps.archive import describe_screened, get_own_volume, score_archive
from trialsim.study.steps.following import are_followed, find_own_follow_up
from trialsim.study.steps.screening import list_strategies

_NO_FUTURE: Final = (
    "For people who were only screened, name others who were followed (--train-on), predict them "
    '(`trialsim predict`, --predictions), or state outcomes "assumed" with its numbers.'
)


@dataclass(frozen=True)
class Outcomes:
    """The people whose trajectories become trials.

    Attributes
    ----------
    kind
        "observed", "archive", "predicted" or "assumed".
    trajectories
        As `compare_strategies` takes them.
    scores
        Index `participant_id`, one column a strategy.
    sentence
        Where outcomes come from.
    baseline
        What is known of them at baseline, as numbers; None where nothing is.
    normal_people
        Whose change is normal ageing; None where that is not asked for.
    rescore
        Scores them again by strategies fitted to samples; None where nothing is fitted.
    stands_for
        The screened people, where these are an archive.
    error_covariance
        Of trajectories that are predictions.
    known
        What is known of them at baseline, as it was read.
    """

    kind: str
    trajectories: pd.DataFrame
    scores: pd.DataFrame
    sentence: str
    baseline: pd.DataFrame | None = None
    normal_people: pd.Index | None = None
    rescore: Refitting | None = None
    stands_for: ScreenedPeople | None = None
    error_covariance: Floats | None = None
    known: pd.DataFrame = field(default_factory=pd.DataFrame)

    def read(self, design: TrialDesign) -> Screened:
        """Return the people as choices among them are compared.

        Parameters
        ----------
        design
            The trial's.

        Raises
        ------
        DesignError
            As in `read_screened`.
        """
        return read_screened(
            self.trajectories,
            self.scores,
            design,
            baseline=self.baseline,
            normal_people=self.normal_people,
            stands_for=self.stands_for,
            error_covariance=self.error_covariance,
        )


def find_outcomes(
    job: Job,
    cohort: Cohort,
    screening: Screening,
    scores: pd.DataFrame,
    predictions: pd.DataFrame | None,
) -> Outcomes:
    """Return whose outcomes stand for those of a trial, as the design says.

    Parameters
    ----------
    job
        The study's work.
    cohort, screening
        The screened people, and what strategies see of them.
    scores
        Of the screened people, index `participant_id`, one column a strategy.
    predictions
        Predicted volumes of screened and archive people.

    Raises
    ------
    DesignError
        Nobody has the visits of the design, or a strategy cannot score the archive.
    """
    design, has_archive = job.protocol.design, job.protocol.cohort.training is not None
    if design.outcomes == "assumed":
        return _assume(design, screening, scores)
    if design.outcomes == "archive":
        return _take_archive(job, cohort, screening, scores, predictions)
    if design.outcomes == "predicted":
        return _predict(job, cohort, screening, scores, predictions)
    own: pd.DataFrame | None = None
    n_followed = 0
    try:
        own, n_followed = find_own_follow_up(job, cohort)
    except (CohortError, DesignError) as error:
        if design.outcomes == "observed":
            raise
        if not (has_archive or _has_predictions(screening)):
            raise DesignError(*error.problems, _NO_FUTURE) from error
    enough = design.outcomes == "observed" or are_followed(cohort, n_followed)
    if own is not None and (enough or not (has_archive or _has_predictions(screening))):
        return _observe(job, cohort, screening, scores, own, n_followed)
    if has_archive:
        return _take_archive(job, cohort, screening, scores, predictions)
    return _predict(job, cohort, screening, scores, predictions)


def _has_predictions(screening: Screening) -> bool:
    return screening.tables.predictions is not None or screening.tables.auxiliary is not None


def _observe(
    job: Job,
    cohort: Cohort,
    screening: Screening,
    scores: pd.DataFrame,
    trajectories: pd.DataFrame,
    n_followed: int,
) -> Outcomes:
    learning = [one for one in list_strategies(job, screening) if one.name in scores]
    tables = screening.tables
    return Outcomes(
        "observed",
        trajectories,
        _arrange(scores, tables.index),
        f"Outcomes come from the screened people's own follow-up: {n_followed} of "
        f"{len(cohort.participants)} have the first and the last visit of the design.",
        build_all_features(tables),
        find_normal_people(cohort, job.protocol.design),
        build_rescore(learning, tables),
        known=tables.baseline,
    )


def _arrange(scores: pd.DataFrame, people: pd.Index) -> pd.DataFrame:
    """Return the scores of people in their order, in which they mostly are: nobody is looked up."""
    return scores if scores.index.equals(people) else scores.loc[people]


def _take_archive(
    job: Job,
    people: Cohort,
    screening: Screening,
    scores: pd.DataFrame,
    predictions: pd.DataFrame | None,
) -> Outcomes:
    archive = score_archive(job, people, predictions, names=list(map(str, scores)))
    cohort, tables = archive.cohort, archive.screening.tables
    try:
        trajectories = build_trajectories(
            cohort, job.protocol.design, window_months=job.window_months
        )
    except (CohortError, DesignError) as error:
        raise DesignError(*(f"In the archive: {text}" for text in error.problems)) from error
    screened = describe_screened(job, screening, scores)
    own = widen_scores(archive.scores).loc[tables.index]
    return Outcomes(
        "archive",
        trajectories,
        own,
        f"Outcomes come from an archive: {len(own)} other people ({cohort.name}) who were followed "
        f"stand for the {len(screened.scores)} who were only screened, weighted to agree with them "
        "at baseline; the cut-offs are those of the screened people.",
        build_all_features(tables),
        find_normal_people(cohort, job.protocol.design),
        archive.rescore,
        screened,
        known=tables.baseline,
    )


def _predict(
    job: Job,
    cohort: Cohort,
    screening: Screening,
    scores: pd.DataFrame,
    predictions: pd.DataFrame | None,
) -> Outcomes:
    design = job.protocol.design
    stated = design.calibration.is_stated
    if job.protocol.cohort.training is None or stated:
        return _predict_as_stated(job, cohort, screening, scores)
    found = _take_archive(job, cohort, screening, scores, predictions)
    if found.stands_for is None:
        raise AssertionError("an archive stands for the screened people")
    screened = replace(found.stands_for, is_predicted=True)
    sentence = (
        f"Outcomes are predicted for the {tally(len(screened.scores), 'people')} who were "
        "only screened, "
        "from their measured baseline and each strategy's score; how outcomes follow these, and "
        f"how far they scatter, is taken from the {tally(len(found.scores), 'people')} of "
        "an archive beyond "
        "each cut-off, weighted to agree with the screened people."
    )
    return replace(found, kind="predicted", sentence=sentence, stands_for=screened)


def _predict_as_stated(
    job: Job, cohort: Cohort, screening: Screening, scores: pd.DataFrame
) -> Outcomes:
    """Return predictions whose error is an assumption."""
    design, tables = job.protocol.design, screening.tables
    calibration = design.calibration
    source = "predictions" if tables.predictions is not None else "auxiliary"
    course = compute_predicted_course(tables, source, design.visits_months[1:])
    start = get_own_volume(tables).fillna(course.baseline)
    share = np.array(design.visits_months[1:]) / design.duration_months
    slope = 1.0 if calibration.slope is None else calibration.slope
    intercept = (calibration.intercept or 0.0) * share
    if design.unit != "mm3":
        relative = course.volume.div(course.baseline, axis=0).to_numpy()
        decline = intercept - slope * 100 * np.log(relative)
        volumes = start.to_numpy()[:, None] * np.exp(-decline / 100)
        sd = 100 * course.sd.to_numpy() / course.volume.to_numpy()
    else:
        decline = course.volume.rsub(course.baseline, axis=0).to_numpy()
        volumes = start.to_numpy()[:, None] - intercept - slope * decline
        sd = course.sd.to_numpy()
    table = pd.DataFrame(
        np.column_stack([start, volumes]), tables.index, list(design.visits_months)
    )
    n_known = int(table.notna().all(axis=1).sum())
    covariance = np.zeros((len(table), *[len(share) + 1] * 2))
    if calibration.error_covariance is not None:
        covariance[:, 1:, 1:] = np.array(calibration.error_covariance)
        error = "the error covariance that the protocol states"
    else:
        if not np.isfinite(sd[table.notna().all(axis=1).to_numpy()]).all():
            raise DesignError(
                "The predictions hold no standard deviations: state "
                "design.calibration.error_covariance, or name an archive to calibrate on "
                "(--train-on)."
            )
        # errors that grow along the way, as of a walk: what is off at one visit stays off
        along = np.sqrt(np.minimum.outer(share, share) / np.maximum.outer(share, share))
        covariance[:, 1:, 1:] = along * sd[:, :, None] * sd[:, None, :]
        error = "the standard deviations that the model gives for its own volumes"
    return Outcomes(
        "predicted",
        table,
        scores.loc[tables.index],
        f"Outcomes are predicted for {n_known} of the {len(table)} screened people, and how far "
        f"the predictions are from the truth is an ASSUMPTION: slope {slope:g}, intercept "
        f"{calibration.intercept or 0:g}, {error}. No archive has tested it.",
        normal_people=find_normal_people(cohort, design),
        rescore=build_rescore(
            [one for one in list_strategies(job, screening) if one.name in scores], tables
        ),
        error_covariance=np.nan_to_num(covariance),
        known=tables.baseline,
    )


def _assume(design: TrialDesign, screening: Screening, scores: pd.DataFrame) -> Outcomes:
    # what SciPy draws with takes half a second to load
    from trialsim.simulation.assumed import draw_assumed_people

    volume = get_own_volume(screening.tables).mean()
    if not np.isfinite(volume) and design.unit == "mm3":
        raise DesignError(
            f"assumed: nobody screened has a {design.endpoint} at baseline, around which volumes "
            'in mm3 could lie; use unit = "log_percent".'
        )
    everyone = [name for name, one in STRATEGIES.items() if one.enrolls_everyone]
    people = draw_assumed_people(
        design,
        list(map(str, scores)),
        float(volume) if np.isfinite(volume) else 1000.0,
        enrolling_everyone=everyone,
    )
    assumed = design.assumed
    return Outcomes(
        "assumed",
        people.trajectories,
        people.scores,
        f"Outcomes are ASSUMED, from numbers that the protocol states: a mean loss of "
        f"{assumed.decline_mean:g} {design.unit} to the last visit (standard deviation "
        f"{assumed.decline_sd:g}); nobody's follow-up was used, and no interval holds their error.",
    )


def find_normal_people(cohort: Cohort, design: TrialDesign) -> pd.Index | None:
    """Return the people whose change is normal ageing, those CN at baseline, where it is asked for.

    None where the design takes no normal ageing off, or states it.
    """
    if design.relative_to == "all decline" or design.normal_change_per_year is not None:
        return None
    people = cohort.participants
    normal: pd.Series[str] = people.loc[people["diagnosis"] == "CN", "participant_id"]
    return pd.Index(normal)
