"""Twins that are not those of the trial are refused."""

import pandas as pd
import pytest

from tests.trialsim.finished.made_trial import Change, set_first
from trialsim.errors import DesignError
from trialsim.finished import (
    add_twins,
    estimate_twin_gain,
    read_trial,
)


def test_twins_that_were_made_of_the_outcomes_are_told(
    tables: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    long, twins = tables
    seen = twins.merge(long, on=["participant_id", "months"], how="left")["hippocampus_mm3"]
    own = twins.assign(predicted_mm3=seen.fillna(twins["predicted_mm3"]).to_numpy())
    with pytest.raises(DesignError, match="they were made of the outcomes"):
        estimate_twin_gain(add_twins(read_trial(long), own))


BAD_TWINS: list[tuple[Change, str]] = [
    (lambda t: t.drop(columns="predicted_mm3"), "no column predicted_mm3"),
    (lambda t: t.assign(participant_id="x" + t["participant_id"]), "120 of the 120 people"),
    (lambda t: t[t["participant_id"] != "p007"], "1 of the 120 people .*first: p007"),
    (
        lambda t: t.assign(months=t["months"] + 1),
        "at months 6, 12 and 24 for 120 of .*, the twins are of months 1, 7, 13",
    ),
    (lambda t: t.assign(sd_mm3=0.0), "sd_mm3 of the twins must be greater than 0"),
    (
        lambda t: t.rename(columns={"sd_mm3": "predicted_sd_mm3"}),
        "no column sd_mm3 but predicted_sd_mm3: call the standard deviation",
    ),
    (lambda t: t.rename(columns={"sd_mm3": "SE"}), "no column sd_mm3 but SE"),
    (lambda t: t.assign(predicted_mm3=5000.0), "same volume for everyone at months 6, "),
    (set_first("predicted_mm3", "?"), "predicted_mm3 of the twins must be a volume"),
    (set_first("predicted_mm3", ""), "greater than 0, got nothing"),
    (
        set_first("predicted_mm3", 69_000),
        r"predicted_mm3 of the twins must be a volume in mm3 \(1000 to 14500\), got 69000",
    ),
    (
        set_first("predicted_mm3", 9999),
        "of the twins must be a volume, no code for a missing value, got 9999",
    ),
    (
        lambda t: t.assign(predicted_mm3=t["predicted_mm3"] / 1000),
        r"must be a volume in mm3 \(1000 to 14500\), got ",
    ),
    (lambda t: pd.concat([t, t.head(1)]), "1 row too many"),
    (lambda t: t.assign(region="amygdala"), "no rows of the region hippocampus"),
]


@pytest.mark.parametrize(("change", "words"), BAD_TWINS, ids=[words for _, words in BAD_TWINS])
def test_bad_twins_are_told(
    change: Change, words: str, tables: tuple[pd.DataFrame, pd.DataFrame]
) -> None:
    with pytest.raises(DesignError, match=words) as told:
        add_twins(read_trial(tables[0]), change(tables[1]))
    assert len(told.value.problems) == 1
