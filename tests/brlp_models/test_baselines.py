"""Baselines: what they read, whom they may score, and that they find what is there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from brlp_models.baselines.baseline import Baseline
from brlp_models.baselines.features import FeatureConfig, describe_scan
from brlp_models.baselines.loading import load_baseline
from brlp_models.baselines.people import BaselinePeople
from brlp_models.baselines.reader import LinearReader, fit_reader
from brlp_models.baselines.regression import ColumnRegression
from brlp_models.baselines.scoring import predict_changes, predict_own_changes
from brlp_models.errors import ModelError
from brlp_models.evaluation.baselines import predict_by_baselines
from brlp_models.evaluation.methods import MODEL
from brlp_models.evaluation.statistics import compute_spearman
from brlp_models.evaluation.times import MethodTimes
from brlp_models.model.model import BrlpModel
from brlp_models.scans.cache import ScanCache
from brlp_models.training.baselines import cross_fit_baseline, render_card
from cohorts.cohort import Cohort
from cohorts.errors import StorageError
from cohorts.synthetic.tabular import synthesize_table
from tests.brlp_models.contrast_people import MONTHS, draw_scan, fit, make_people, write_cohort
from trialsim.cli.app import app


def rank(baseline: Baseline, people: BaselinePeople) -> tuple[float, float]:
    """Return the rank correlations with the true change, from the table and with the scan."""
    true = people.change[48.0].to_numpy(float)
    found = baseline.predict_change(people.table, people.images)[48.0].to_numpy(float)
    table = baseline.predict_from_table(people.table)[:, 1]
    return compute_spearman(table, true), compute_spearman(found, true)


@pytest.fixture(scope="module")
def baseline(tiny_model: BrlpModel) -> Baseline:
    return fit(make_people(60, 1), tiny_model)


def test_what_the_scan_tells_is_found_in_other_people(baseline: Baseline) -> None:
    table, image = rank(baseline, make_people(40, 2))
    assert table < 0.75
    assert image > 0.9


def test_intervals_of_other_people_hold_the_truth_as_often_as_they_say(
    baseline: Baseline,
) -> None:
    people = make_people(100, 11)
    error = baseline.predict_change(people.table, people.images) - people.change
    inside = error.abs() <= 1.2816 * np.array(baseline.config.spread)
    # 100 people: four binomial standard errors
    assert inside.mean().to_numpy() == pytest.approx(0.8, abs=0.16)


def test_a_scan_that_tells_nothing_adds_nothing(tiny_model: BrlpModel) -> None:
    null = fit(make_people(60, 3, is_told=False), tiny_model)
    table, image = rank(null, make_people(40, 4, is_told=False))
    assert image == pytest.approx(table, abs=0.1)


def test_latents_are_read_by_the_model_that_they_were_learned_of(tiny_model: BrlpModel) -> None:
    people = make_people(20, 1)
    latent = fit(people, tiny_model, "latent_regression")
    found = latent.predict_change(people.table, people.images, model=tiny_model)
    assert found.notna().all(axis=None)
    other = replace(tiny_model, checksums={"SHA256SUMS": "0" * 64})
    with pytest.raises(ModelError, match="are needed, got tiny"):
        latent.predict_change(people.table, people.images, model=other)


def test_elastic_net_needs_volumes_alone(tiny_model: BrlpModel) -> None:
    people = make_people(40, 1)
    people.table["hippocampus_mm3"] -= 600 * people.change[48.0]
    elastic = fit(people, tiny_model, "elastic_net")
    found = elastic.predict_change(people.table[["hippocampus_mm3"]])[48.0]
    assert compute_spearman(found.to_numpy(float), people.change[48.0].to_numpy(float)) > 0.6


def test_reading_without_ones_group_is_what_a_reader_of_the_others_reads() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(24, 60)).astype(np.float32)
    y = x[:, :1].astype(float) + rng.normal(0, 0.1, (24, 1))
    groups = np.repeat(["a", "b", "c"], 8)
    _, held_out = fit_reader(x, y, list(groups))
    # ridge regression of the others with the same standardization and penalty, written out
    z = (x - x.mean(axis=0)) / (x.std(axis=0) + 0.3)
    scale = np.trace(z @ z.T) / 24
    rest = groups != "a"
    errors = []
    for penalty in (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0):
        design = np.hstack([z / np.sqrt(scale), np.full((24, 1), 10.0)])
        gram = design[rest].T @ design[rest] + penalty * np.eye(61)
        weights = np.linalg.solve(gram, design[rest].T @ y[rest])
        errors.append(np.abs(design[~rest] @ weights - held_out[~rest]).max())
    assert min(errors) < 1e-5


def test_brightness_is_relative_to_white_matter() -> None:
    image = draw_scan(0.7, np.random.default_rng(1))
    config = FeatureConfig(cell_voxels=4)
    dimmed = np.round(image * 0.5).astype(np.uint8)
    features, other = (describe_scan(own, config) for own in (image, dimmed))
    assert features.sum() == pytest.approx((image > 0).sum(), rel=0.05)
    assert np.abs(features - other).sum() < 0.15 * features.sum()
    grayer = describe_scan(draw_scan(0.6, np.random.default_rng(1)), config)
    assert np.abs(features - grayer).sum() > 0.5 * features.sum()


def test_a_folder_gives_the_same_predictions_and_is_verified(
    baseline: Baseline, tmp_path: Path
) -> None:
    people = make_people(12, 5)
    folder = baseline.write(tmp_path / "kept", card=render_card(baseline))
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3e6
    kept = load_baseline(folder)
    expected = baseline.predict_change(people.table, people.images)
    pd.testing.assert_frame_equal(kept.predict_change(people.table, people.images), expected)
    assert "SYNTHETIC" in (folder / "MODEL_CARD.md").read_text()
    (folder / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"config\.json was altered"):
        load_baseline(folder)
    with pytest.raises(ModelError, match="holds files already"):
        baseline.write(folder, card="")


def test_people_whose_table_lacks_something_have_no_prediction(baseline: Baseline) -> None:
    people = make_people(12, 6)
    people.table.iloc[3, 0] = np.nan
    found = baseline.predict_change(people.table, people.images)
    assert found.isna().any(axis=1).tolist() == [k == 3 for k in range(12)]
    with pytest.raises(ModelError, match="no column 'age_years'"):
        baseline.predict_change(people.table.drop(columns="age_years"), people.images)
    with pytest.raises(ModelError, match="give one for each person"):
        baseline.predict_change(people.table)
    with pytest.raises(ModelError, match=r"reads scans of \(20, 24, 20\) voxels"):
        baseline.predict_change(people.table, [np.ones((2, 2, 2), np.uint8)])


def test_a_reader_that_is_no_reader_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "reader.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match="cannot be read as a reader"):
        LinearReader.load(tmp_path / "reader.safetensors")


def test_few_people_are_told() -> None:
    with pytest.raises(ModelError, match="at least 10 people, got 3"):
        ColumnRegression.fit(np.ones((3, 2)), np.ones((3, 1)))


def test_a_baseline_of_a_cohort_scores_others_and_never_its_own(
    tiny_model: BrlpModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    affine = np.asarray(tiny_model.config.affine)
    own, others = make_people(10, 1), make_people(2, 2)
    for people, name in ((own, "own"), (others, "others")):
        (tmp_path / name).mkdir()
        write_cohort(people, tmp_path / name, affine).write(tmp_path / name / "cohort")
    out, scores = tmp_path / "image", tmp_path / "scores.csv"
    model = str(tiny_model.folder)

    def run(*words: object) -> str:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code in (0, 1), result.output
        return result.output

    options = ("--model", model, "--quiet")
    run(
        "train",
        "baseline",
        "image_regression",
        "--data",
        tmp_path / "own/cohort",
        "--out",
        out,
        *options,
    )
    scored = ("model", "baseline-scores", out)
    told = (*options, "--horizon", 48, "--out", scores, "--scan-cache", tmp_path / "c")
    nobody = pd.DataFrame({48.0: [np.nan] * 2}, index=others.table.index), pd.DataFrame()
    with monkeypatch.context() as patched:
        patched.setattr("trialsim.study.baselines.predict_changes", lambda *_, **__: nobody)
        result = CliRunner().invoke(
            app, [str(w) for w in (*scored, tmp_path / "others/cohort", *told)]
        )
    assert result.exit_code == 1
    assert "has at baseline all that image_regression reads" in " ".join(result.output.split())
    assert not scores.exists()
    run(*scored, tmp_path / "others/cohort", *told)
    table = pd.read_csv(scores, index_col="participant_id")
    expected = load_baseline(out).predict_change(others.table, others.images)[48.0]
    assert np.abs(table["image_regression"] + expected).max() < 0.1
    assert "learned from 10 of these 10 people" in run(*scored, tmp_path / "own/cohort", *told)
    wrong = ("--horizon", 60, *options, "--scan-cache", tmp_path / "c")
    assert "predicts until month 48" in run(*scored, tmp_path / "others/cohort", *wrong)
    assert "Say which baseline" in run("train", "baseline", "--out", tmp_path / "no")
    assert "is a baseline" in run("train", "all", "elastic_net")


@pytest.mark.slow
def test_training_that_ends_while_cross_fitting_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    write_cohort(make_people(40, 1), tmp_path / "own", np.eye(4)).write(tmp_path / "own/cohort")
    words = ["train", "baseline", "elastic_net", "--data", str(tmp_path / "own/cohort")]
    words += ["--out", str(tmp_path / "volumes"), "--quiet"]
    beside = tmp_path / "volumes.cross_fitted.parquet"
    archive = CliRunner().invoke(app, [*words, "--archive", str(tmp_path / "own/cohort")])
    assert archive.exit_code == 1
    assert "fitted on other people: 40 of the 40 are" in " ".join(archive.stderr.split())

    def break_off(*_: object, **__: object) -> None:
        raise StorageError("The power failed.")

    with monkeypatch.context() as patched:
        patched.setattr("brlp_models.training.cohort_baselines.cross_fit_baseline", break_off)
        assert CliRunner().invoke(app, words).exit_code == 1
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert beside.is_file()


def train_elastic_net(own: Path, out: Path) -> Result:
    words = ["train", "baseline", "elastic_net", "--data", str(own), "--out", str(out), "--quiet"]
    return CliRunner().invoke(app, words)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cohort, and beside it a baseline that was written in one go."""
    folder = tmp_path_factory.mktemp("own")
    write_cohort(make_people(40, 1), folder, np.eye(4)).write(folder / "cohort")
    done = train_elastic_net(folder / "cohort", folder / "whole")
    assert done.exit_code == 0, done.output
    return folder / "cohort"


@pytest.mark.parametrize("ends_at", ["write_cross_fitted", "_take_place"])
def test_a_baseline_that_is_killed_while_it_is_written_is_finished_by_the_same_command(
    ends_at: str, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, whole = tmp_path / "killed", own.with_name("whole")
    with monkeypatch.context() as patched:
        modules = {"write_cross_fitted": "brlp_models.training.cohort_baselines"}
        module = modules.get(ends_at, "cohorts.files.atomic")
        patched.setattr(f"{module}.{ends_at}", _kill)
        killed = train_elastic_net(own, out)
    assert isinstance(killed.exception, KeyboardInterrupt | SystemExit)
    assert not out.exists()
    done = train_elastic_net(own, out)
    assert done.exit_code == 0, done.output
    assert (out / "config.json").read_text() == (whole / "config.json").read_text()
    # which also says that the file beside the folder is of that folder
    expected = [
        predict_own_changes(load_baseline(place), Cohort.read(own), horizons_months=[24.0])
        for place in (out, whole)
    ]
    assert len(expected[0]) == 40
    pd.testing.assert_frame_equal(*expected, check_exact=True)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def _kill(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_people_learned_from_are_scored_by_what_was_fitted_without_them(tmp_path: Path) -> None:
    for people, name in ((make_people(40, 1), "archive"), (make_people(12, 2), "screened")):
        (tmp_path / name).mkdir()
        write_cohort(people, tmp_path / name, np.eye(4)).write(tmp_path / name / "cohort")
    paths = [tmp_path / name / "cohort" for name in ("screened", "archive")]

    def run(*words: object) -> str:
        return str(CliRunner().invoke(app, [str(word) for word in words]).output)

    out, scores = tmp_path / "volumes", tmp_path / "scores.csv"
    run("train", "baseline", "elastic_net", "--data", paths[1], "--out", out, "--quiet")
    told = run("model", "baseline-scores", out, *paths, "--out", scores, "--quiet")
    assert "40 people whom elastic_net learned from have the scores" in told
    assert "52 of 52 people" in told
    table = pd.read_csv(scores, index_col="participant_id")["elastic_net"]
    for name, is_same in (("screened", True), ("archive", False)):
        cohort = Cohort.read(tmp_path / name / "cohort")
        by_itself = -load_baseline(out).predict_change(cohort.baseline())[24.0]
        assert np.allclose(table.loc[by_itself.index], by_itself, rtol=1e-9) == is_same
    told = run("model", "baseline-scores", out, *paths, paths[1], "--out", scores)
    assert "40 people are in two of the cohorts" in told
    beside = tmp_path / "volumes.cross_fitted.parquet"
    beside.rename(tmp_path / "elsewhere")
    assert "learned from 40 of these 40" in run("model", "baseline-scores", out, *paths)
    run("train", "baseline", "elastic_net", "--data", paths[0], "--out", tmp_path / "other")
    (tmp_path / "elsewhere").rename(tmp_path / "other.cross_fitted.parquet")
    told = run("model", "baseline-scores", tmp_path / "other", paths[0], "--out", scores)
    assert "of another baseline" in " ".join(told.split())


def test_cross_fitting_does_not_depend_on_the_order_of_people() -> None:
    people = make_people(40, 1)
    first = cross_fit_baseline("elastic_net", people)
    again = cross_fit_baseline("elastic_net", people.take(np.arange(40)[::-1]))
    assert first is not None
    assert again is not None
    pd.testing.assert_frame_equal(again.loc[first.index], first, rtol=1e-9)


def test_an_evaluation_has_a_row_of_each_baseline_where_the_model_has_one(
    baseline: Baseline, tiny_model: BrlpModel, tmp_path: Path
) -> None:
    people = make_people(2, 7)
    cohort = write_cohort(people, tmp_path, np.asarray(tiny_model.config.affine))
    start = people.table["hippocampus_mm3"]
    mine = pd.DataFrame(
        [
            {"participant_id": name, "horizon_months": months, "region": "hippocampus",
             "predicted_mm3": 1.0, "sd_mm3": 1.0, "start_mm3": start[name], "method": MODEL}
            for name in people.table.index for months in MONTHS
        ]
    )  # fmt: skip
    times, cache = MethodTimes(), ScanCache(tmp_path / "c")
    found = predict_by_baselines([baseline], tiny_model, cohort, mine, cache, times)
    assert len(found) == 4
    assert set(found["method"]) == {"image_regression"}
    changes, _ = predict_changes(baseline, tiny_model, cohort, ScanCache(tmp_path / "c"))
    name = people.table.index[1]
    own = found[(found["participant_id"] == name) & (found["horizon_months"] == 48)]
    expected = start[name] * (1 + changes.loc[name, 48.0] / 100)
    assert own["predicted_mm3"].item() == pytest.approx(expected)
    assert baseline.config.spread is not None
    error = start[name] * baseline.config.spread[1] / 100
    assert own["sd_mm3"].item() == pytest.approx(error)
    (row,) = times.tabulate().to_dict("records")
    assert (row["method"], row["n"]) == ("image_regression", 2)


def test_the_bundled_baseline_is_whole_small_and_says_that_it_is_synthetic() -> None:
    bundled = load_baseline(Path("image_regression"))
    assert bundled.folder is not None
    assert bundled.config.is_synthetic
    assert bundled.config.horizons_months == (24.0, 48.0)
    assert bundled.config.find_spread(48.0) == pytest.approx(5.2, abs=0.05)
    assert sum(path.stat().st_size for path in bundled.folder.iterdir()) < 3e6
    assert "SYNTHETIC" in (bundled.folder / "MODEL_CARD.md").read_text()
    cohort, _ = synthesize_table(4, rng=np.random.default_rng(1), visits_months=(0.0,))
    assert np.isfinite(bundled.predict_from_table(cohort.baseline())).all()
