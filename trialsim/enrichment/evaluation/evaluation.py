"""Everything that is measured of scores, as tables."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from cohorts.cohort import Cohort
from trialsim.enrichment.definition import FastProgressorDefinition
from trialsim.enrichment.evaluation.capture import compute_capture_rates
from trialsim.enrichment.evaluation.predictor_performance import (
    compute_predicted_changes,
    compute_predictor_performance,
)
from trialsim.enrichment.truth import TrueDecline, compute_later_decline

_SHARES = np.linspace(0.1, 0.9, 9)


def list_default_sizes(n_people: int) -> list[int]:
    """Return a tenth of the people, two tenths, and so on to nine tenths."""
    return sorted({max(1, round(share * n_people)) for share in _SHARES})


def evaluate_scores(
    scores: pd.DataFrame,
    cohort: Cohort,
    truth: TrueDecline,
    definition: FastProgressorDefinition,
    n_selected: Sequence[int] | None = None,
    *,
    region: str = "hippocampus",
    rng: np.random.Generator,
) -> dict[str, pd.DataFrame]:
    """Return `capture_rates`, `capture_differences`, `predictor_performance`, `predicted_changes`.

    Where the truth is measured, capture rates are given a second time for the decline from the
    next visit on, which shares no scan with the selection.

    Parameters
    ----------
    scores
        Table of `cohorts.schema`.
    cohort
        The screened people.
    truth
        Their decline.
    definition
        Who is a fast progressor.
    n_selected
        Numbers of people selected; tenths of those whose decline is known when None. For the
        decline from the next visit on the same shares are taken.
    region
        Of the endpoint.
    rng
        Breaks ties, draws bootstraps.

    Raises
    ------
    DesignError
        One sentence for what cannot be evaluated.
    """
    sizes = list_default_sizes(len(truth.decline)) if n_selected is None else list(n_selected)
    captured = compute_capture_rates(scores, truth, definition, sizes, rng=rng)
    rates = [captured.rates]
    for later in _find_later(cohort, truth, definition, region):
        share = len(later.decline) / len(truth.decline)
        fewer = sorted({max(1, round(size * share)) for size in sizes})
        rates.append(compute_capture_rates(scores, later, definition, fewer, rng=rng).rates)
    performance = compute_predictor_performance(
        scores, truth, definition, rng=rng, participants=cohort.participants
    )
    return {
        "capture_rates": pd.concat(rates, ignore_index=True),
        "capture_differences": captured.differences,
        "predictor_performance": performance,
        "predicted_changes": compute_predicted_changes(scores, truth, unit=definition.unit),
    }


def _find_later(
    cohort: Cohort, truth: TrueDecline, definition: FastProgressorDefinition, region: str
) -> Iterator[TrueDecline]:
    later = None
    if truth.kind == "measured":
        later = compute_later_decline(cohort, definition, region=region)
    if later is not None:
        yield later
