"""How much of a predicted change is the predicted scan's: known answers, and what it does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brlp_models.evaluation.calibration.shown_weight import (
    describe_shown_weight,
    estimate_shown_weight,
    weigh_by_others,
    weigh_shown,
)
from brlp_models.evaluation.people_predictions import predict_people
from brlp_models.model.model import BrlpModel
from tests.brlp_models.scanned_people import REGIONS, add_auxiliary, make_people

HORIZONS = (24.0, 48.0)


def make_predicted(n: int, sees: float, seed: int) -> pd.DataFrame:
    """Return people of whom what is shown sees a share of what is not told, with error of its own.

    The told change errs with an sd of 4 % and what is shown beyond it has an error of 3 %, so that
    its best weight is sees x 16 / (sees^2 x 16 + 9).
    """
    rng = np.random.default_rng(seed)
    true = rng.normal(-0.1, 0.08, n)
    error, own = rng.normal(0, 0.04, n), rng.normal(0, 0.03, n)
    told = true - error
    shown = told + sees * error + own
    start = rng.uniform(5000, 8000, n)
    return pd.DataFrame(
        {
            "participant_id": [f"sub-{k}" for k in range(n)],
            "region": "hippocampus",
            "predicted_mm3": start * (1 + shown),
            "sd_mm3": 100.0,
            "told_mm3": start * (1 + told),
            "start_mm3": start,
            "baseline_mm3": start,
            "true_mm3": start * (1 + true),
        }
    )


@pytest.mark.parametrize("sees", [0.0, 0.3, 0.6])
def test_the_weight_is_the_one_that_theory_has(sees: float) -> None:
    table = make_predicted(5_000, sees, seed=1)
    (found,) = estimate_shown_weight(
        table, rng=np.random.default_rng(2), n_bootstrap=20
    ).itertuples()
    expected = sees * 16 / (sees**2 * 16 + 9)
    # the sd of a least-squares slope: residual over predictor sd, over the root of n
    spread = np.sqrt(sees**2 * 16 + 9)
    residual = np.sqrt(16 - expected**2 * spread**2)
    assert found.value == pytest.approx(expected, abs=4 * residual / spread / np.sqrt(5_000))
    assert float(str(found.lower)) <= float(str(found.value)) <= float(str(found.upper))
    assert found.n == 5_000


def test_weighed_predictions_err_less_than_either_where_both_know_something() -> None:
    fitted, judged = make_predicted(400, 0.5, seed=3), make_predicted(4000, 0.5, seed=4)
    found = estimate_shown_weight(fitted, rng=np.random.default_rng(1), n_bootstrap=50)
    weight = float(found["value"].iloc[0])

    def err(weight: float) -> float:
        table = weigh_shown(judged, {"hippocampus": weight})
        return float(
            (((table["predicted_mm3"] - table["true_mm3"]) / table["start_mm3"]) ** 2).mean()
        )

    assert err(weight) < 0.9 * min(err(0.0), err(1.0))
    assert (weigh_shown(judged, {"hippocampus": weight})["sd_mm3"] == 100 * weight).all()


def test_whoever_is_weighed_by_others_says_nothing_of_the_own_weight() -> None:
    table, blind = make_predicted(12, 0.5, seed=6), make_predicted(12, 0.5, seed=6)
    own = table["participant_id"].isin(["sub-2", "sub-5"])
    blind.loc[own, "true_mm3"] *= 0.5
    # both of one anatomy, so that neither tells of the other
    anatomies = pd.Series(dict.fromkeys(("sub-2", "sub-5"), "a"))
    found = [weigh_by_others(one, anatomies)["predicted_mm3"] for one in (table, blind)]
    assert found[0][own].equals(found[1][own])
    assert (found[0][~own] != found[1][~own]).all()
    assert found[0].index.equals(table.index)
    weights = estimate_shown_weight(table[~own], rng=np.random.default_rng(1), n_bootstrap=2)
    expected = weigh_shown(table[own], {"hippocampus": float(weights["value"].iloc[0])})
    pd.testing.assert_series_equal(found[0][own], expected["predicted_mm3"])


def test_a_scan_that_adds_nothing_is_said_to() -> None:
    table = make_predicted(60, 0.0, seed=5)
    found = estimate_shown_weight(table, rng=np.random.default_rng(1))
    assert found["lower"].iloc[0] == 0
    (text,) = describe_shown_weight(found)
    assert text.endswith(
        "60 people) of a predicted change is the predicted scan's, the rest what "
        "the context tells; the scan may add nothing to it"
    )
    sees = estimate_shown_weight(make_predicted(400, 0.6, 6), rng=np.random.default_rng(1))
    assert "may add nothing" not in describe_shown_weight(sees)[0]


def test_people_of_one_anatomy_are_drawn_together() -> None:
    # forty copies of two people tell no more than the two
    two = make_predicted(2, 0.6, seed=8)
    copies = pd.concat(
        [two.assign(participant_id=[f"sub-{k}", f"sub-{k + 1}"]) for k in range(0, 80, 2)]
    )
    anatomies = pd.Series({f"sub-{k}": f"map {k % 2}" for k in range(80)})
    rng = np.random.default_rng(1)
    apart = estimate_shown_weight(copies, rng=rng).iloc[0]
    together = estimate_shown_weight(copies, anatomies=anatomies, rng=rng).iloc[0]
    assert together["value"] == apart["value"]
    assert together["upper"] - together["lower"] > apart["upper"] - apart["lower"]


def test_horizons_of_a_person_of_the_only_anatomy_are_drawn_together() -> None:
    people = make_predicted(40, 0.6, seed=8)
    # a second horizon that repeats the first tells nothing more
    twice = pd.concat([people, people])
    anatomies = pd.Series("map 1", index=people["participant_id"])
    one, two = (
        estimate_shown_weight(table, anatomies=anatomies, rng=np.random.default_rng(1)).iloc[0]
        for table in (people, twice)
    )
    assert two["upper"] - two["lower"] == pytest.approx(one["upper"] - one["lower"], rel=0.15)


def test_what_the_context_tells_nothing_of_is_as_shown() -> None:
    table = make_predicted(20, 0.5, seed=9).assign(region="thalamus", told_mm3=np.nan)
    assert estimate_shown_weight(table, rng=np.random.default_rng(1)).empty
    pd.testing.assert_frame_equal(weigh_shown(table, {"thalamus": 0.1}), table)


@pytest.fixture(scope="module")
def model(tiny_model: BrlpModel, tmp_path_factory: pytest.TempPathFactory) -> BrlpModel:
    return add_auxiliary(tiny_model, tmp_path_factory.mktemp("weighing") / "tiny")


@pytest.mark.parametrize("weight", [0.25, pytest.param(0.0, marks=pytest.mark.slow)])
def test_predictions_are_weighed_as_the_configuration_says(
    weight: float, model: BrlpModel, tmp_path: Path
) -> None:
    (tmp_path / "scans").mkdir()
    people = make_people(2, 5, tmp_path / "scans", np.asarray(model.config.affine))

    def predict(weights: dict[str, float]) -> pd.DataFrame:
        config = model.config.model_copy(update={"shown_weight": weights})
        out = tmp_path / str(weights.get("hippocampus"))
        own = replace(model, config=config)
        return predict_people(own, people, out, HORIZONS, 2, seed=1).table

    shown = predict({})
    told = shown[shown["told_mm3"].notna()]
    assert set(told["region"]) == {*REGIONS, "left_hippocampus"}
    # the auxiliary model knows these people's loss: one to four per cent a year
    loss = 1 - told["told_mm3"] / told["start_mm3"]
    assert loss.between(0.01, 0.2).all()
    assert (shown["predicted_mm3"] - shown["told_mm3"]).abs().min() > 1
    found = predict({"hippocampus": weight})
    pd.testing.assert_frame_equal(found, weigh_shown(shown, {"hippocampus": weight}), rtol=1e-6)
    other = found["region"] == "lateral_ventricle"
    pd.testing.assert_frame_equal(found[other], shown[other])
