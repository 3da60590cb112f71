"""Auxiliary models: known coefficients, honest intervals, no information from the future."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brlp_models.auxiliary.course import ProgressionAuxiliary
from brlp_models.auxiliary.files import load_auxiliary, parse_auxiliary, write_auxiliary
from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.auxiliary.interface import PREDICTION_COLUMNS, AuxiliaryModel
from brlp_models.errors import ModelError

REGIONS = ("hippocampus", "amygdala", "lateral_ventricle")
RATES = {"CN": -40.0, "MCI": -120.0, "AD": -250.0}
NOISE = {"hippocampus": 60.0, "amygdala": 30.0, "lateral_ventricle": 900.0}
Cohort = tuple[pd.DataFrame, pd.DataFrame]


def simulate_cohort(n_people: int, rng: np.random.Generator) -> Cohort:
    """Return a baseline table and the visits; APOE4 adds 60 mm3 a year of loss an allele."""
    ids = [f"sub-{n:03d}" for n in range(n_people)]
    table = pd.DataFrame(
        {
            "age_years": rng.normal(73, 6, n_people),
            "sex": rng.choice(["F", "M"], n_people),
            "diagnosis": rng.choice(list(RATES), n_people),
            "apoe4": rng.integers(0, 3, n_people),
        },
        index=pd.Index(ids, name="participant_id"),
    )
    level = {
        "hippocampus": rng.normal(7000, 700, n_people),
        "amygdala": rng.normal(3000, 300, n_people),
        "lateral_ventricle": rng.normal(40000, 9000, n_people),
    }
    rate = table["diagnosis"].map(RATES).to_numpy() - 60 * table["apoe4"].to_numpy()
    slope = {"hippocampus": rate, "amygdala": rate / 3, "lateral_ventricle": -8 * rate}
    visits = []
    for number, months in enumerate((0, 6, 12, 24, 36)):
        session = f"ses-{number}"
        visit = pd.DataFrame(
            {
                "participant_id": ids,
                "session_id": session,
                "months_from_baseline": float(months),
                "age_years": table["age_years"].to_numpy() + months / 12,
            }
        )
        for region in REGIONS:
            truth = level[region] + slope[region] * months / 12
            visit[region] = truth + rng.normal(0, NOISE[region], n_people)
            if months == 0:
                table[f"{region}_mm3"] = visit[region].to_numpy()
        visits.append(visit)
    return table, pd.concat(visits)


@pytest.fixture(scope="module")
def training() -> Cohort:
    return simulate_cohort(300, np.random.default_rng(11))


@pytest.fixture(scope="module")
def unseen() -> Cohort:
    return simulate_cohort(300, np.random.default_rng(12))


@pytest.fixture(scope="module")
def huber(training: Cohort) -> HuberAuxiliary:
    return HuberAuxiliary.fit(*training, regions=REGIONS, covariates=["apoe4"])


@pytest.fixture(scope="module")
def progression() -> ProgressionAuxiliary:
    small = simulate_cohort(66, np.random.default_rng(13))
    return ProgressionAuxiliary.fit(*small, regions=REGIONS)


@pytest.fixture(params=["huber", "progression"])
def model(request: pytest.FixtureRequest) -> AuxiliaryModel:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def measured_at(cohort: Cohort, months: float, region: str) -> pd.Series:
    _, visits = cohort
    rows = visits[visits["months_from_baseline"] == months]
    return rows.set_index("participant_id")[region]


def test_predictions_have_one_row_a_person_horizon_region(
    model: AuxiliaryModel, unseen: Cohort
) -> None:
    table = unseen[0].iloc[:7]
    predicted = model.predict_volumes(table, horizons_months=[12, 24.5])
    assert tuple(predicted.columns) == PREDICTION_COLUMNS
    assert predicted["region"].tolist()[:3] == list(REGIONS)
    assert len(predicted) == 7 * 2 * 3
    assert (predicted["volume_sd_mm3"] > 0).all()


def test_prediction_does_not_depend_on_who_else_is_there(
    model: AuxiliaryModel, unseen: Cohort
) -> None:
    table = unseen[0].iloc[:20]
    together = model.predict_volumes(table, horizons_months=[24])
    alone = model.predict_volumes(table.iloc[[5]], horizons_months=[24])
    rows = together[together["participant_id"] == table.index[5]].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, alone, rtol=1e-6)


def test_model_survives_its_file(model: AuxiliaryModel, unseen: Cohort, tmp_path: Path) -> None:
    write_auxiliary(model, tmp_path / "model.json")
    loaded = load_auxiliary(tmp_path / "model.json")
    pd.testing.assert_frame_equal(
        loaded.predict_volumes(unseen[0], horizons_months=[24]),
        model.predict_volumes(unseen[0], horizons_months=[24]),
    )


def test_huber_beats_carry_forward(huber: HuberAuxiliary, unseen: Cohort) -> None:
    predicted = huber.predict_volumes(unseen[0], horizons_months=[24])
    mine = predicted[predicted["region"] == "hippocampus"].set_index("participant_id")
    truth = measured_at(unseen, 24, "hippocampus")
    error = (mine["volume_mm3"] - truth).abs().mean()
    # what remains is the noise of two measurements, mean absolute value sqrt(2/pi) sd
    assert error < 1.1 * np.sqrt(2 / np.pi) * np.sqrt(2) * NOISE["hippocampus"]
    assert error < 0.5 * (unseen[0]["hippocampus_mm3"] - truth).abs().mean()


def test_huber_recovers_the_effect_of_a_further_covariate(
    huber: HuberAuxiliary, unseen: Cohort
) -> None:
    table = unseen[0].iloc[:1]
    volumes = [
        huber.predict_volumes(table.assign(apoe4=alleles), horizons_months=[36])
        .set_index("region")
        .loc["hippocampus", "volume_mm3"]
        for alleles in (0, 1)
    ]
    # one allele costs 60 mm3 a year over three years
    assert volumes[1] - volumes[0] == pytest.approx(-180, abs=25)


def test_huber_resists_gross_errors(training: Cohort, unseen: Cohort) -> None:
    table, visits = training
    spoiled = visits.reset_index(drop=True)
    rng = np.random.default_rng(14)
    for region in REGIONS:
        rows = (spoiled["months_from_baseline"] > 0) & (rng.random(len(spoiled)) < 0.03)
        spoiled.loc[rows, region] *= 3
    robust = HuberAuxiliary.fit(table, spoiled, regions=REGIONS, covariates=["apoe4"])
    predicted = robust.predict_volumes(unseen[0], horizons_months=[24])
    mine = predicted[predicted["region"] == "hippocampus"].set_index("participant_id")
    bias = (mine["volume_mm3"] - measured_at(unseen, 24, "hippocampus")).mean()
    assert abs(bias) < 30


@pytest.mark.parametrize("months", [6, 36])
def test_intervals_cover_at_every_horizon(
    huber: HuberAuxiliary, unseen: Cohort, months: float
) -> None:
    predicted = huber.predict_volumes(unseen[0], horizons_months=[months])
    mine = predicted[predicted["region"] == "hippocampus"].set_index("participant_id")
    score = (measured_at(unseen, months, "hippocampus") - mine["volume_mm3"]) / mine[
        "volume_sd_mm3"
    ]
    assert (score.abs() < 1.96).mean() == pytest.approx(0.95, abs=4 * np.sqrt(0.0475 / 300))


def test_one_interval_in_training_leaves_no_level_term(training: Cohort) -> None:
    table, visits = training
    single = visits[visits["months_from_baseline"].isin([0, 24])]
    fitted = HuberAuxiliary.fit(table, single, regions=REGIONS)
    assert not fitted.level_coefficients.any()
    now = fitted.predict_volumes(table, horizons_months=[0.0])
    start = table["hippocampus_mm3"].to_numpy()
    np.testing.assert_allclose(now.loc[now["region"] == "hippocampus", "volume_mm3"], start)


def test_progression_follows_the_diagnosis_at_baseline(
    progression: ProgressionAuxiliary, unseen: Cohort
) -> None:
    loss = {}
    for diagnosis in RATES:
        table = unseen[0].assign(diagnosis=diagnosis)
        predicted = progression.predict_volumes(table, horizons_months=[12, 36])
        mean = predicted.groupby(["region", "horizon_months"])["volume_mm3"].mean()
        loss[diagnosis] = mean["hippocampus", 12] - mean["hippocampus", 36]
    assert loss["AD"] > loss["MCI"] > loss["CN"]


def test_more_visits_make_the_progression_surer(
    progression: ProgressionAuxiliary, unseen: Cohort
) -> None:
    table, visits = unseen
    early = visits[visits["months_from_baseline"] <= 24]
    one = progression.predict_volumes(table, horizons_months=[36])
    three = progression.predict_volumes(table, horizons_months=[36], visits=early)
    assert three["volume_sd_mm3"].mean() < one["volume_sd_mm3"].mean()
    truth = measured_at(unseen, 36, "hippocampus")
    errors = [
        (p[p["region"] == "hippocampus"].set_index("participant_id")["volume_mm3"] - truth)
        .abs()
        .mean()
        for p in (one, three)
    ]
    assert errors[1] < errors[0]


def test_future_visit_is_refused(progression: ProgressionAuxiliary, unseen: Cohort) -> None:
    table, visits = unseen
    with pytest.raises(ModelError, match="earlier visits only"):
        progression.predict_volumes(table.iloc[:2], horizons_months=[24], visits=visits)


def test_correction_is_undone_in_published_order(progression: ProgressionAuxiliary) -> None:
    corrected = ProgressionAuxiliary(
        progression.groups,
        dict.fromkeys(REGIONS, (0.0, 1000.0)),
        ("hippocampus",),
        correction={"hippocampus": (0.5, 0.2), "lateral_ventricle": (0.5, 0.1)},
        clip=(-0.2, 1.2),
    )
    volumes, sds = corrected._unscale(np.array([0.4, 0.3, 0.9]), np.full(3, 0.01))
    # (1 - .4 - .2) / .5 = .8; .3 as it is; (.9 - .1) / .5 = 1.6, clipped to 1.2
    np.testing.assert_allclose(volumes, [800, 300, 1200])
    np.testing.assert_allclose(sds, [20, 10, 20])


def test_official_files_become_one_model(tmp_path: Path) -> None:
    import torch

    from brlp_models.auxiliary.course_curve import CurveParameters
    from brlp_models.auxiliary.course_model import LogisticProgression
    from cohorts.schema import CONTEXT_REGIONS

    def numbers(*values: float) -> Any:
        return torch.tensor(values, dtype=torch.float64)

    shared = CurveParameters(
        log_g=numbers(0, 0.2, 0.1, 0.3, 1),
        log_v0=numbers(-4, -4, -4, -4, -4),
        betas=torch.zeros(4, 4, dtype=torch.float64),
        tau_mean=torch.tensor(75.0, dtype=torch.float64),
        tau_std=torch.tensor(5.0, dtype=torch.float64),
        xi_std=torch.tensor(0.5, dtype=torch.float64),
        noise_std=numbers(0.03, 0.03, 0.03, 0.03, 0.03),
    )
    LogisticProgression(CONTEXT_REGIONS, shared).save(tmp_path / "cn.json")
    model = ProgressionAuxiliary.from_official({"CN": tmp_path / "cn.json"})
    assert model.volume_space == "mni"
    assert model.normalization["hippocampus"] == (5006, 13955)
    assert "lateral_ventricle" not in model.falling


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop(columns="apoe4"), "no column 'apoe4'"),
        (lambda table: table.assign(apoe4=np.nan), "sub-000 has no number for apoe4"),
        (lambda table: table.assign(sex="X"), "sex to be one of F, M, got 'X'"),
        (lambda table: table.assign(diagnosis="FTD"), "one of AD, CN, MCI, got 'FTD'"),
    ],
)
def test_unusable_covariate_is_told(
    huber: HuberAuxiliary, unseen: Cohort, change: Any, words: str
) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        huber.predict_volumes(change(unseen[0].iloc[:3]), horizons_months=[24])
    assert len(caught.value.problems) in (1, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop(columns="amygdala_mm3"), "no column 'amygdala_mm3'"),
        (lambda table: table.drop(columns="age_years"), "no column 'age_years'"),
        (lambda table: table.assign(age_years=np.nan), "no number for age_years"),
        (lambda table: table.assign(diagnosis="FTD"), "models for CN, MCI, AD"),
    ],
)
def test_unusable_table_for_progression_is_told(
    progression: ProgressionAuxiliary, unseen: Cohort, change: Any, words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        progression.predict_volumes(change(unseen[0].iloc[:3]), horizons_months=[24])


def test_too_few_followups_are_told(training: Cohort) -> None:
    table, visits = training
    with pytest.raises(ModelError, match="needs at least"):
        HuberAuxiliary.fit(table, visits[visits["participant_id"] < "sub-002"], regions=REGIONS)


def test_too_small_group_is_named(training: Cohort) -> None:
    table, visits = training
    rare = table.groupby("diagnosis").head(3)
    with pytest.raises(ModelError, match=r"Baseline diagnosis CN: .*at least 10 people"):
        ProgressionAuxiliary.fit(rare, visits, regions=REGIONS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"kind": "forest"}, "of the kind 'forest'"),
        ([1, 2], "of the kind None"),
        ({"kind": "huber", "regions": []}, "no complete auxiliary model"),
        ({"kind": "progression"}, "no complete auxiliary model"),
    ],
)
def test_foreign_file_is_told(content: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        parse_auxiliary(content)
