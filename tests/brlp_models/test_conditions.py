"""Conditions that part what the scan tells from what the context tells."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brlp_models.errors import ModelError
from brlp_models.evaluation import conditions
from brlp_models.evaluation.calibration.gain import (
    apply_gain,
    describe_left_out,
    describe_measurement,
    estimate_gain,
    measure_gain,
)
from brlp_models.evaluation.conditions import (
    NO_CHANGE,
    OF_SCAN,
    OWN,
    SPEARMAN,
    SWAPPED,
    TRUE_CHANGE,
    predict_conditions,
    summarize_conditions,
    swap_scans,
    tell_true_change,
)
from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.context import AuxiliaryModels
from cohorts.cohort import Cohort
from tests.brlp_models.scanned_people import REGIONS, add_auxiliary, make_people

NAMES = ["sub-1", "sub-2", "sub-3"]


def make_cohort() -> Cohort:
    people = pd.DataFrame(
        {"participant_id": NAMES, "sex": "F", "age_years": 70.0, "diagnosis": "CN"}
    )
    visits = people.merge(pd.DataFrame({"months_from_baseline": [0.0, 24.0]}), "cross")
    visits = visits.assign(
        session_id=[f"ses-{m:g}" for m in visits["months_from_baseline"]],
        image_path=[
            f"{n}_{m:g}.nii"
            for n, m in zip(visits["participant_id"], visits["months_from_baseline"], strict=True)
        ],
        segmentation_path=None,
    ).drop(columns="sex")
    volumes = visits[["participant_id", "session_id"]].assign(
        region="hippocampus", volume_mm3=[7000.0, 6650, 6000, 5400, 8000, 7920], source="test"
    )
    return Cohort(people, visits, volumes)


def at_horizon() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "participant_id": NAMES,
            "horizon_months": 24.0,
            "region": "hippocampus",
            "true_mm3": [6700.0, 5500, 7900],
            "baseline_mm3": [7100.0, 6100, 8100],
        }
    )


def test_true_volumes_have_the_true_ratio_of_the_measured_baseline(tiny_model: BrlpModel) -> None:
    told = tell_true_change(tiny_model, at_horizon()).choose(1)
    found = told.predict_volumes(make_cohort().baseline(), horizons_months=[24])
    ratio = np.array([6700 / 7100, 5500 / 6100, 7900 / 8100])
    assert found["volume_mm3"].to_numpy() == pytest.approx(ratio * [7000, 6000, 8000])


def test_swapped_scans_leave_the_tables_and_keep_the_visits() -> None:
    cohort = make_cohort()
    stated = [1.1, 1.1, 1.2, 1.2, 1.3, 1.3]
    cohort = replace(cohort, visits=cohort.visits.assign(determinant=stated))
    swapped = swap_scans(cohort)
    assert list(swapped.visits["determinant"]) == [1.2, 1.2, 1.3, 1.3, 1.1, 1.1]
    assert list(swapped.visits["image_path"]) == [
        "sub-2_0.nii", "sub-2_24.nii", "sub-3_0.nii", "sub-3_24.nii", "sub-1_0.nii", "sub-1_24.nii",
    ]  # fmt: skip
    kept = ["participant_id", "session_id", "age_years"]
    pd.testing.assert_frame_equal(swapped.visits[kept], cohort.visits[kept])
    pd.testing.assert_frame_equal(swapped.volumes, cohort.volumes)


def changes() -> pd.DataFrame:
    """Return a model that follows the context, and under no change the scan a little."""
    rng = np.random.default_rng(3)
    names, true = [f"sub-{k}" for k in range(40)], rng.normal(-8, 3, 40)
    scan = dict(zip(names, true, strict=True))
    rows = []
    for condition in (OWN, NO_CHANGE, TRUE_CHANGE, SWAPPED):
        for k, name in enumerate(names):
            giver = names[(k + 1) % 40] if condition == SWAPPED else name
            told = {NO_CHANGE: 0.0, TRUE_CHANGE: true[k]}.get(condition, 0.5 * true[k] - 4)
            shown = 0.6 * told + 0.01 * scan[giver]
            rows.append((condition, name, giver, 48.0, "hippocampus", shown, true[k]))
    columns = ["condition", "participant_id", "scan_of", "horizon_months", "region"]
    return pd.DataFrame(rows, columns=[*columns, "predicted_percent", "true_percent"])


def test_summary_says_whether_scan_or_table_decides() -> None:
    table = summarize_conditions(changes(), rng=np.random.default_rng(0), n_bootstrap=50)
    found = table.set_index(["condition", "measure"])["value"]
    assert found[SWAPPED, SPEARMAN] > 0.95 > 0.5 > abs(found[SWAPPED, OF_SCAN])
    assert (OWN, OF_SCAN) not in found.index
    assert list(table["condition"].unique()) == [OWN, NO_CHANGE, TRUE_CHANGE, SWAPPED]


def test_gain_is_the_slope_of_the_shown_change_and_a_weak_region_is_not_reported(
    tiny_model: BrlpModel,
) -> None:
    told = changes().query("condition == @TRUE_CHANGE")
    weak = told.assign(region="lateral_ventricle", predicted_percent=0.3 * told["true_percent"])
    config = tiny_model.config.model_copy(update={"volume_gain": {"hippocampus": 0.5}})
    rng = np.random.default_rng(0)
    gain = estimate_gain(pd.concat([told, weak]), config, rng=rng, n_bootstrap=50)
    by_region = gain.set_index("region")
    # shown 0.61 of the truth after a division by 0.5
    assert by_region.loc["hippocampus", "value"] == pytest.approx(0.305)
    assert by_region.loc["lateral_ventricle", "value"] == pytest.approx(0.3)
    assert list(gain["is_reported"]) == [True, False]
    applied = apply_gain(config, gain)
    assert applied.regions == ("hippocampus",)
    assert list(applied.volume_gain) == ["hippocampus"]
    measured = applied.gain_measurement
    assert measured is not None
    assert (measured.n_people, measured.n_anatomies) == (40, 40)
    assert set(measured.intervals) == {"hippocampus", "lateral_ventricle"}
    (told,) = describe_left_out(gain)
    assert told.startswith(
        "Predicted scans show 0.30 of a true change of the lateral_ventricle (95"
    )
    assert describe_measurement(gain) == "The intervals are over 40 people."
    with pytest.raises(ModelError, match="The hippocampus, the endpoint of tiny, cannot be report"):
        apply_gain(config, gain.assign(is_reported=False))


def test_the_gain_of_what_keeps_pace_is_the_share_of_what_it_was_told(
    tiny_model: BrlpModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = add_auxiliary(tiny_model, tmp_path / "tiny")
    people = make_people(12, 4, None)

    def predict(_: object, cohort: Cohort, months: Any, *__: object, **asked: Any) -> Any:
        assert asked["auxiliary"] is None
        told = []
        for name in cohort.participants["participant_id"]:
            own = cohort.select([name])
            ratios = asked["context_from"].expect_ratios(model, own, None, months)
            context = AuxiliaryModels.load(model).tell(ratios, lead="hippocampus").choose(1)
            told.append(context.predict_volumes(own.baseline(), horizons_months=months))
        table = pd.concat(told)
        start = people.volumes[people.volumes["session_id"] == "ses-0"]
        table = table.merge(
            start.rename(columns={"volume_mm3": "baseline_volume_mm3"}),
            on=["participant_id", "region"],
        )
        first = table["baseline_volume_mm3"]
        # shows six tenths of whatever it is told
        told_mm3 = table["volume_mm3"]
        shown = table.assign(volume_mm3=first + 0.6 * (told_mm3 - first), told_volume_mm3=told_mm3)
        return SimpleNamespace(predictions=shown)

    monkeypatch.setattr(conditions, "predict_cohort", predict)
    found = measure_gain(
        model, EvaluatedCohort(people), tmp_path, horizon_months=48, samples=1, seed=1,
        endpoint_alone=True,
    ).set_index("region")  # fmt: skip
    for region in REGIONS:
        assert found.loc[region, "value"] == pytest.approx(0.6)
        assert found.loc[region, "upper"] == pytest.approx(0.6)
        assert found.loc[region, "n"] == 12


def test_the_interval_of_a_gain_is_over_anatomies(tiny_model: BrlpModel) -> None:
    rng = np.random.default_rng(5)
    names, true = [f"sub-{k}" for k in range(40)], rng.normal(-8, 3, 40)
    # each of four anatomies shows a share of its own
    shown = true * np.repeat([0.4, 0.6, 0.8, 1.0], 10)
    told = pd.DataFrame({"participant_id": names, "region": "hippocampus"}).assign(
        predicted_percent=shown, true_percent=true
    )
    anatomies = pd.Series(np.repeat(list("abcd"), 10), index=names)
    (mine,), (alone,) = (
        estimate_gain(
            told, tiny_model.config, rng=np.random.default_rng(0), anatomies=known
        ).to_dict("records")
        for known in (anatomies, None)
    )
    assert (mine["value"], mine["n_anatomies"], alone["n_anatomies"]) == (alone["value"], 4, 40)
    # sd of a mean of four draws of four shares: 0.224 / 2; of forty people about 0.224 / sqrt(40)
    assert mine["upper"] - mine["lower"] == pytest.approx(3.92 * 0.112, rel=0.15)
    assert alone["upper"] - alone["lower"] == pytest.approx(3.92 * 0.035, rel=0.3)
    few = describe_measurement(pd.DataFrame([mine]))
    assert few.startswith("The intervals are over 4 anatomies of 40 people, which are few")
    one = estimate_gain(
        told,
        tiny_model.config,
        rng=np.random.default_rng(0),
        anatomies=pd.Series("a", index=names),
        n_bootstrap=50,
    )
    assert one["lower"].notna().all()
    assert "one anatomy: the intervals are over people of it alone" in describe_measurement(one)


def test_own_predictions_are_taken_as_they_are(
    tiny_model: BrlpModel, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    asked, reader = [], object()

    def predict(
        model: object,
        people: Cohort,
        *_: object,
        auxiliary: object,
        context_from: object,
        **__: object,
    ) -> object:
        asked.append((people, auxiliary, context_from))
        rows = at_horizon().assign(volume_mm3=90.0, baseline_volume_mm3=100.0)
        return type("Found", (), {"predictions": rows.drop(columns=["true_mm3", "baseline_mm3"])})

    monkeypatch.setattr(conditions, "predict_cohort", predict)
    own = at_horizon().assign(predicted_mm3=80.0, start_mm3=100.0)
    table = predict_conditions(
        tiny_model,
        make_cohort(),
        at_horizon(),
        own.drop(columns=["true_mm3", "baseline_mm3"]),
        tmp_path,  # type: ignore[arg-type]
        samples=1,
        seed=0,
        scan_cache=tmp_path,  # type: ignore[arg-type]
        context_from=reader,  # type: ignore[arg-type]
    )
    # what reads the scan is told with another person's scan, and nothing else with what is told
    assert [context_from for _, _, context_from in asked] == [None, None, reader]
    assert asked[2][1] is None
    assert table.groupby("condition", sort=False)["predicted_percent"].first().to_dict() == (
        pytest.approx({OWN: -20.0, NO_CHANGE: -10.0, TRUE_CHANGE: -10.0, SWAPPED: -10.0})
    )
    swapped = table[table["condition"] == SWAPPED]
    assert list(swapped["scan_of"]) == ["sub-2", "sub-3", "sub-1"]
