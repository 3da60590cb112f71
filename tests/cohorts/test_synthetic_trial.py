"""A synthetic trial has the effect, arms and drop-out that were asked for."""

import numpy as np
import pytest

from cohorts.errors import CohortError
from cohorts.synthetic.trial import synthesize_trial


def test_the_effect_is_the_share_of_decline_that_was_asked_for() -> None:
    trial = synthesize_trial(400, rng=np.random.default_rng(1), slowing=0.4, dropout=0.0)
    latent = trial.truth.volumes.query("region == 'hippocampus'")
    wide = latent.pivot_table(index="participant_id", columns="session_id", values="volume_mm3")
    decline = wide["ses-m00"] - wide["ses-m24"]
    effects = trial.effects.set_index("participant_id")["effect_mm3"]
    assert effects.to_numpy() == pytest.approx(0.4 * decline.loc[effects.index].to_numpy())
    last = trial.table.query("months == 24").set_index("participant_id")
    error = last["hippocampus_mm3"] - wide["ses-m24"] - effects * (last["arm"] == "treatment")
    # 1.3 % of about 6000 mm3
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(400)
    assert error.std() == pytest.approx(0.013 * wide["ses-m24"].mean(), rel=0.2)


def test_arms_and_dropout_are_those_asked_for() -> None:
    trial = synthesize_trial(600, rng=np.random.default_rng(1), share_treated=0.75, dropout=0.3)
    people = trial.table.drop_duplicates("participant_id")
    assert (people["arm"] == "treatment").sum() == 450
    assert set(people["diagnosis"]) == {"MCI", "AD"}
    at_last = (trial.table["months"] == 24).sum()
    assert at_last / 600 == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / 600))
    visits = trial.table.groupby("participant_id")["months"].agg(["count", "max"])
    assert (visits["count"] == visits["max"] / 6 + 1).all()


def test_the_baseline_cohort_holds_nothing_later_and_the_same_volume() -> None:
    trial = synthesize_trial(50, rng=np.random.default_rng(1))
    assert (trial.baseline.visits["months_from_baseline"] == 0).all()
    own = trial.baseline.volumes.query("region == 'hippocampus'").set_index("participant_id")
    first = trial.table.query("months == 0").set_index("participant_id")
    assert own["volume_mm3"].loc[first.index].to_numpy() == pytest.approx(
        first["hippocampus_mm3"].to_numpy(), abs=0.051
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_participants": 3}, "at least 4 participants, got 3"),
        ({"slowing": 1.0}, "slowing must be at least 0 and below 1, got 1"),
        ({"dropout": -0.1}, "dropout must be at least 0 and below 1"),
        ({"share_treated": 0.0}, "share_treated must lie between 0 and 1"),
    ],
)
def test_impossible_trials_are_told(change: dict[str, float], words: str) -> None:
    with pytest.raises(CohortError, match=words):
        synthesize_trial(**{"n_participants": 20, **change}, rng=np.random.default_rng(1))
