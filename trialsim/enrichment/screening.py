"""What strategies may see of a cohort, put together."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd

from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.errors import CohortError
from cohorts.keys import is_among
from trialsim import defaults
from trialsim.enrichment.definition import FastProgressorDefinition
from trialsim.enrichment.strategies.strategy import ScreeningTables
from trialsim.enrichment.truth import TrueDecline, compute_latent_decline, compute_measured_decline
from trialsim.errors import DesignError

AUXILIARY = "auxiliary"
"""Predictions whose `model_id` starts so were made without an image."""


@dataclass(frozen=True)
class Screening:
    """Screened people, and how fast they truly declined.

    Attributes
    ----------
    tables
        What strategies see.
    truth
        Latent where it was given, else measured, None without follow-up.
    """

    tables: ScreeningTables
    truth: TrueDecline | None


def build_screening_tables(
    cohort: Cohort,
    definition: FastProgressorDefinition,
    *,
    region: str = "hippocampus",
    latent_volumes: pd.DataFrame | None = None,
    predictions: pd.DataFrame | None = None,
    training: "Screening | None" = None,
    n_folds: int = defaults.N_FOLDS,
) -> Screening:
    """Put together what strategies may see.

    Parameters
    ----------
    cohort
        The screened people.
    definition
        Unit, horizon and window of the decline that counts.
    region
        Of the endpoint.
    latent_volumes
        `volumes` of `cohorts.synthetic.Truth`, for the oracle and for evaluation; never for
        fitting.
    predictions
        Table of `cohorts.schema`; rows whose `model_id` starts with "auxiliary" feed the
        auxiliary strategy, the others BrLP. Rows of other people are ignored.
    training
        Other people to fit on.
    n_folds
        For cross-fitting.

    Raises
    ------
    DesignError
        Where training people are among the screened ones.
    """
    measured = _try(lambda: compute_measured_decline(cohort, definition, region=region))
    latent = latent_volumes
    truth = None
    if latent is not None:
        truth = _try(lambda: compute_latent_decline(cohort, latent, definition, region=region))
    truth = truth or measured
    image, auxiliary = _split_predictions(predictions, cohort)
    tables = ScreeningTables(
        baseline=cohort.baseline(),
        outcome=None if measured is None else measured.decline,
        truth=None if truth is None else truth.decline,
        predictions=image,
        auxiliary=auxiliary,
        region=region,
        unit=definition.unit,
        horizon_months=definition.horizon_months,
        n_folds=n_folds,
    )
    if training is not None:
        _refuse_overlap(tables, training.tables)
        tables = replace(tables, training=training.tables)
    return Screening(tables, truth)


def _try(compute: Callable[[], TrueDecline]) -> TrueDecline | None:
    # People are also screened who were never seen again; whoever needs their decline says so.
    try:
        return compute()
    except (CohortError, DesignError):
        return None


def _split_predictions(
    predictions: pd.DataFrame | None, cohort: Cohort
) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    if predictions is None:
        return None, None
    known = is_among(predictions["participant_id"], cohort.participants["participant_id"])
    predictions = predictions[known]
    is_auxiliary = predictions["model_id"].str.startswith(AUXILIARY)
    image, auxiliary = predictions[~is_auxiliary], predictions[is_auxiliary]
    return (None if image.empty else image), (None if auxiliary.empty else auxiliary)


def _refuse_overlap(tables: ScreeningTables, training: ScreeningTables) -> None:
    both = tables.index.intersection(training.index)
    if len(both):
        raise DesignError(
            f"{tally(len(both), 'people are')} both screened and in the training cohort "
            f"(first: {both[0]}); "
            "a strategy fitted on them would have seen their outcomes."
        )
