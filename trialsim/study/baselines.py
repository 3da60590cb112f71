"""Baselines beside BrLP: fitted on a cohort of one's own, and made strategies by their scores."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from brlp_models.baselines.baseline import Baseline
from brlp_models.baselines.config import RegressionName
from brlp_models.baselines.loading import load_baseline
from brlp_models.baselines.scoring import predict_changes, predict_own_changes, write_scores
from brlp_models.errors import ModelError
from brlp_models.model.folder import load_model, refuse_existing
from brlp_models.scans.cache import ScanCache
from brlp_models.training.cohort_baselines import fit_cohort_baseline
from brlp_models.training.cohort_follow_ups import TrainedName, fit_cohort_follow_up
from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.keys import is_among
from cohorts.sources.loading import load_cohort
from trialsim.study.protocol import CohortSection
from trialsim.study.steps.tools import SCREENED, settle_model

Counting = Callable[[int], AbstractContextManager[Callable[[], None]]]
"""Takes the number of scans to be read; gives what is called after each."""


def train_baseline(
    name: RegressionName | TrainedName,
    cohort: Path,
    out: Path,
    *,
    archive: Path | None,
    horizons_months: Sequence[float],
    model: str,
    measured_by: str | None,
    report: Callable[[str, float, float], None],
) -> None:
    """Fit a baseline on a cohort; see `cohort_baselines`, `cohort_follow_ups` of training.

    What makes an image learns from pairs of scans; archive and horizons are those of regressions.
    `report` is called with what is being done, how far it is, and of how much.

    Raises
    ------
    TrialsimError
        Where the folder exists, or the people cannot be read or have no known future.
    """
    refuse_existing(out)
    people = load_cohort(cohort, measured_by=measured_by)
    if name == "deformation" or name == "ag_ldm" or name == "flow_matching":
        if archive is not None:
            raise ModelError(f"{name} learns from pairs of scans alone; leave the archive out.")
        fit_cohort_follow_up(name, people, out, model=load_model(model), report=report)
        return
    fit_cohort_baseline(
        name,
        people,
        out,
        archive=load_cohort(archive, measured_by=measured_by) if archive else None,
        horizons_months=horizons_months,
        model=load_model(model),
        report=report,
    )


@dataclass(frozen=True)
class Scored:
    """How many people a score file has scores of, of how many, and who could not be read.

    `notes` are sentences that the user must know.
    """

    n_scored: int
    n_people: int
    failures: pd.DataFrame
    notes: tuple[str, ...] = ()


def score_by_baseline(
    baseline: Path,
    cohorts: Sequence[Path],
    out: Path,
    *,
    horizon_months: float,
    model: str,
    scan_cache: Path,
    until_months: float = 0.0,
    measured_by: str | None,
    harmonize: Literal["as_measured"] | None = None,
    counting: Counting,
) -> Scored:
    """Write one score file of the people of cohorts; see `brlp_models.baselines.scoring`.

    People whom the baseline learned from have the score of what was fitted without them.
    `until_months` is the latest visit that what makes an image may see.
    `harmonize` says that volumes are taken as they are where the baseline learned from another
    tool's.

    Raises
    ------
    TrialsimError
        Where folder or people cannot be read, somebody is in two cohorts, the baseline learned
        from some of these people and nothing was fitted without them, it learned from another
        tool's volumes, predicts for other horizons, or can score nobody; then no file is written.
    """
    loaded = load_baseline(baseline)
    loaded.config.check_horizons([horizon_months])
    everyone = [load_cohort(path, measured_by=measured_by) for path in cohorts]
    _refuse_twice(everyone)
    notes: list[str] = []
    # what makes an image has learned from no volumes
    learned = zip(cohorts, everyone, strict=True) if isinstance(loaded, Baseline) else ()
    for path, people in learned:
        settle_model(
            CohortSection(path=path, harmonize=harmonize),
            notes,
            {SCREENED: people},
            loaded.config.name,
            loaded.config.measured_by,
            is_synthetic=loaded.config.is_synthetic,
        )
    months = [horizon_months]
    own = [predict_own_changes(loaded, people, horizons_months=months) for people in everyone]
    changes, failures = [one for one in own if len(one)], []
    others = [_leave_out(people, one) for people, one in zip(everyone, own, strict=True)]
    loaded_model, cache = load_model(model), ScanCache(scan_cache)
    with counting(sum(len(people.participants) for people in others)) as step:
        for people in others:
            if len(people.participants):
                found, failed = predict_changes(
                    loaded,
                    loaded_model,
                    people,
                    cache,
                    horizons_months=months,
                    until_months=until_months,
                    on_person=step,
                )
                changes.append(found)
                failures.append(failed)
    table = pd.concat(changes)
    n_scored = int(table[horizon_months].notna().sum())
    if not n_scored:
        raise ModelError(
            f"Nobody of {', '.join(map(str, cohorts))} has at baseline all that "
            f"{loaded.config.name} reads; no score file was written."
        )
    write_scores(table, horizon_months, loaded.config.name, out)
    problems = pd.concat(failures) if failures else pd.DataFrame()
    n_own = sum(map(len, own))
    if n_own:
        notes.append(
            f"{tally(n_own, 'people')} whom {loaded.config.name} learned from have the "
            "scores of what was "
            "fitted without them."
        )
    return Scored(n_scored, len(table), problems, tuple(notes))


def _leave_out(cohort: Cohort, known: pd.DataFrame) -> Cohort:
    people = cohort.participants["participant_id"]
    return cohort.select(list(people[~is_among(people, known.index)])) if len(known) else cohort


def _refuse_twice(cohorts: Sequence[Cohort]) -> None:
    people = pd.concat([cohort.participants["participant_id"] for cohort in cohorts])
    twice = people[people.duplicated()]
    if len(twice):
        raise ModelError(
            f"{tally(len(twice), 'people are')} in two of the cohorts (first: "
            f"{twice.iloc[0]}); each has one "
            "score."
        )
