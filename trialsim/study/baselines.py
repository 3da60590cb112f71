"""Baselines beside BrLP: fitted on a cohort of one's own, and made strategies by their scores."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from brlp_models.baselines.baseline import BaselineName, load_baseline
from brlp_models.baselines.scoring import predict_changes, write_scores
from brlp_models.errors import ModelError
from brlp_models.model.folder import load_model, refuse_existing
from brlp_models.scans.cache import ScanCache
from brlp_models.training.cohort_baselines import fit_cohort_baseline
from cohorts.sources.loading import load_cohort
from trialsim.study.protocol import CohortSection
from trialsim.study.steps.tools import SCREENED, settle_model

Counting = Callable[[int], AbstractContextManager[Callable[[], None]]]
"""Takes the number of scans to be read; gives what is called after each."""


def train_baseline(
    name: BaselineName,
    cohort: Path,
    out: Path,
    *,
    archive: Path | None,
    horizons_months: Sequence[float],
    model: str,
    measured_by: str | None,
    counting: Counting,
) -> None:
    """Fit a baseline on a cohort; see `brlp_models.training.cohort_baselines`.

    Raises
    ------
    TrialsimError
        Where the folder exists, or the people cannot be read or have no known future.
    """
    refuse_existing(out)
    people = load_cohort(cohort, measured_by=measured_by)
    with counting(len(people.participants)) as step:
        fit_cohort_baseline(
            name,
            people,
            out,
            archive=load_cohort(archive, measured_by=measured_by) if archive else None,
            horizons_months=horizons_months,
            model=load_model(model),
            report=step,
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
    cohort: Path,
    out: Path,
    *,
    horizon_months: float,
    model: str,
    scan_cache: Path,
    measured_by: str | None,
    harmonize: Literal["as_measured"] | None = None,
    counting: Counting,
) -> Scored:
    """Write a score file of a cohort's people; see `brlp_models.baselines.scoring`.

    `harmonize` says that their volumes are taken as they are where the baseline learned from
    another tool's.

    Raises
    ------
    TrialsimError
        Where folder or people cannot be read, the baseline learned from some of these people or
        from another tool's volumes, predicts for other horizons, or can score nobody; then no
        file is written.
    """
    loaded = load_baseline(baseline)
    loaded.check_horizons([horizon_months])
    people = load_cohort(cohort, measured_by=measured_by)
    notes: list[str] = []
    settle_model(
        CohortSection(path=cohort, harmonize=harmonize),
        notes,
        {SCREENED: people},
        loaded.config.name,
        loaded.config.measured_by,
        is_synthetic=loaded.config.is_synthetic,
    )
    with counting(len(people.participants)) as step:
        changes, failures = predict_changes(
            loaded, load_model(model), people, ScanCache(scan_cache), on_person=step
        )
    n_scored = int(changes[horizon_months].notna().sum())
    if not n_scored:
        raise ModelError(
            f"Nobody of {cohort} has at baseline all that {loaded.config.name} reads; no score "
            "file was written."
        )
    write_scores(changes, horizon_months, loaded.config.name, out)
    return Scored(n_scored, len(changes), failures, tuple(notes))
