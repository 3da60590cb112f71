"""The tabular generator against the literature, and its labels."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from cohorts.synthetic import GeneratorParameters, Truth, read_truth, synthesize_table, write_truth

N = 6000


@pytest.fixture(scope="module")
def made() -> tuple[Cohort, Truth]:
    rng = np.random.default_rng(7)
    return synthesize_table(N, rng=rng, visits_months=(0.0, 12.0, 24.0))


def latent_annual_change(truth: Truth, cohort: Cohort) -> pd.Series:
    wide = (
        truth.volumes.query("region == 'hippocampus'")
        .pivot_table(index="participant_id", columns="session_id", values="volume_mm3")
        .reindex(cohort.participants["participant_id"])
    )
    change = 100 * (wide["ses-m12"] / wide["ses-m00"] - 1)
    return change.groupby(cohort.participants["diagnosis"].to_numpy()).mean()


def measured_annual_change(cohort: Cohort, diagnosis: str) -> pd.Series:
    wide = cohort.volumes.query("region == 'hippocampus'").pivot_table(
        index="participant_id", columns="session_id", values="volume_mm3"
    )
    people = cohort.participants.query("diagnosis == @diagnosis")["participant_id"]
    return (100 * (wide["ses-m12"] / wide["ses-m00"] - 1)).reindex(people).dropna()


def test_annual_hippocampal_loss_is_that_of_the_literature(made: tuple[Cohort, Truth]) -> None:
    change = latent_annual_change(made[1], made[0])
    # Barnes et al. 2009: 1.41 % (95 % CI 0.52 to 2.30), 4.66 % (3.92 to 5.40)
    assert change["CN"] == pytest.approx(-1.4, abs=0.15)
    assert change["AD"] == pytest.approx(-4.7, abs=0.3)
    assert change["AD"] < change["MCI"] < change["CN"]


def test_measured_rate_in_dementia_varies_by_0_6_of_its_mean(made: tuple[Cohort, Truth]) -> None:
    rate = measured_annual_change(made[0], "AD")
    assert rate.std() / -rate.mean() == pytest.approx(0.6, abs=0.06)


def test_truth_covers_visits_after_drop_out(made: tuple[Cohort, Truth]) -> None:
    cohort, truth = made
    assert len(truth.volumes.query("region == 'hippocampus'")) == 3 * N
    attended = cohort.visits.groupby("session_id").size()
    assert attended["ses-m00"] == N > attended["ses-m12"] > attended["ses-m24"]


def test_drop_out_is_monotone(made: tuple[Cohort, Truth]) -> None:
    attended = pd.crosstab(made[0].visits["participant_id"], made[0].visits["session_id"])
    assert (attended["ses-m24"] <= attended["ses-m12"]).all()


def test_sides_add_up_and_the_head_is_brain_plus_fluid(made: tuple[Cohort, Truth]) -> None:
    wide = made[0].volumes.pivot_table(
        index=["participant_id", "session_id"], columns="region", values="volume_mm3"
    )
    sides = wide["left_hippocampus"] + wide["right_hippocampus"]
    assert sides.to_numpy() == pytest.approx(wide["hippocampus"].to_numpy())
    whole = (wide["brain"] + wide["csf"]).to_numpy()
    assert whole == pytest.approx(wide["head_size_mm3"].to_numpy())


def test_baseline_tells_a_part_of_the_future(made: tuple[Cohort, Truth]) -> None:
    cohort, truth = made
    base = cohort.volumes.query("session_id == 'ses-m00'").pivot_table(
        index="participant_id", columns="region", values="volume_mm3"
    )
    people = cohort.participants.set_index("participant_id").loc[base.index]
    design = np.column_stack(
        [
            np.ones(N),
            people["age_years"],
            people["apoe4"],
            base["hippocampus"],
            base["head_size_mm3"],
        ]
        + [people["diagnosis"] == name for name in ("MCI", "AD")]
    ).astype(float)
    latent = truth.volumes.query("region == 'hippocampus'").pivot_table(
        index="participant_id", columns="session_id", values="volume_mm3"
    )
    change = (latent["ses-m24"] - latent["ses-m00"]).loc[base.index].to_numpy()
    fitted = design @ np.linalg.lstsq(design, change, rcond=None)[0]
    assert 0.4 < np.corrcoef(fitted, change)[0, 1] < 0.65


def test_same_seed_gives_the_same_cohort() -> None:
    first, second = (synthesize_table(20, rng=np.random.default_rng(3)) for _ in range(2))
    pd.testing.assert_frame_equal(first[0].volumes, second[0].volumes)
    pd.testing.assert_frame_equal(first[1].volumes, second[1].volumes)


def test_truth_is_written_where_no_loader_reads_it(tmp_path: Path) -> None:
    cohort, truth = synthesize_table(30, rng=np.random.default_rng(3))
    cohort.write(tmp_path)
    write_truth(truth, tmp_path)
    loaded = load_cohort(tmp_path)
    assert loaded.is_synthetic
    assert not {"stage_years", "speed", "ageing_rate"} & set(loaded.participants)
    pd.testing.assert_frame_equal(read_truth(tmp_path).volumes, truth.volumes)


def test_folder_without_truth_says_so(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"holds no truth/participants\.parquet"):
        read_truth(tmp_path)


@pytest.mark.parametrize(
    ("n", "visits", "words"),
    [(0, (0, 12), "at least 1"), (5, (6, 12), "rise from 0"), (5, (0, 12, 12), "got 0, 12, 12")],
)
def test_impossible_plans_are_refused(n: int, visits: tuple[float, ...], words: str) -> None:
    with pytest.raises(CohortError, match=words):
        synthesize_table(n, rng=np.random.default_rng(1), visits_months=visits)


def test_digest_names_every_parameter() -> None:
    from dataclasses import replace

    base = GeneratorParameters()
    other = replace(base, appearance=replace(base.appearance, noise_sd=0.021))
    assert base.digest() == GeneratorParameters().digest() != other.digest()
