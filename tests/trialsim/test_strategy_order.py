"""On 2,000 synthetic people with known truth the strategies come out in the expected order.

Run with `-s` to see the capture rates and differences with their intervals.
"""

import numpy as np
import pandas as pd
import pytest

from cohorts.synthetic.tabular import synthesize_table
from trialsim.enrichment import (
    FastProgressorDefinition,
    build_screening_tables,
    build_strategies,
    compute_capture_rates,
    score_people,
)
from trialsim.enrichment.evaluation.capture import CaptureTables

CORRELATION = 0.5
SELECTED = 600


@pytest.fixture(scope="module")
def captured() -> CaptureTables:
    rng = np.random.default_rng(20260101)
    cohort, truth = synthesize_table(2000, rng=rng)
    definition = FastProgressorDefinition()
    people = build_screening_tables(cohort, definition, latent_volumes=truth.volumes)
    assert people.truth is not None
    predictions = predict(people.truth.decline, people.truth.baseline_volume, rng)
    people = build_screening_tables(
        cohort, definition, latent_volumes=truth.volumes, predictions=predictions
    )
    strategies = build_strategies(["random", "regression", "brlp", "stacked", "oracle"])
    scores = score_people(strategies, people.tables, rng)
    return compute_capture_rates(scores, people.truth, definition, SELECTED, rng=rng)


def predict(decline: pd.Series, volume: pd.Series, rng: np.random.Generator) -> pd.DataFrame:
    """Stand in for a model: its prediction has a known correlation with the truth."""
    noise = np.sqrt(1 - CORRELATION**2) * decline.std() * rng.standard_normal(len(decline))
    predicted = decline.mean() + CORRELATION * (CORRELATION * (decline - decline.mean()) + noise)
    assert np.corrcoef(predicted, decline)[0, 1] == pytest.approx(CORRELATION, abs=0.06)
    return pd.DataFrame(
        {
            "participant_id": decline.index,
            "model_id": "stand-in",
            "horizon_months": 24.0,
            "region": "hippocampus",
            "volume_mm3": (volume * (1 - predicted / 100)).to_numpy(),
            "volume_sd_mm3": rng.uniform(50, 100, len(decline)),
            "n_samples": 4,
            "baseline_volume_mm3": volume.to_numpy(),
        }
    )


def get_difference(captured: CaptureTables, strategy: str, reference: str) -> pd.Series:
    rows = captured.differences.set_index(["strategy", "reference_strategy"])
    found: pd.Series = rows.loc[(strategy, reference)]
    print(strategy, "minus", reference, found.round(3).to_dict())  # noqa: T201
    return found


def test_oracle_beats_regression_beats_random(captured: CaptureTables) -> None:
    columns = ["strategy", "capture_rate", "capture_rate_lower", "capture_rate_upper"]
    print(captured.rates[[*columns, "chance_rate"]].round(3).to_string())  # noqa: T201
    assert get_difference(captured, "oracle", "regression")["difference_lower"] > 0
    assert get_difference(captured, "regression", "random")["difference_lower"] > 0


@pytest.mark.parametrize("part", ["regression", "brlp"])
def test_stacked_is_at_least_as_good_as_its_parts(captured: CaptureTables, part: str) -> None:
    found = get_difference(captured, "stacked", part)
    assert found["difference"] >= 0
    assert found["difference_lower"] > -0.02
