"""The archive of the demonstration: it can be made again, and holds nobody who is screened."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brlp_models.demonstration import archive as demonstration
from brlp_models.demonstration.archive import N_PEOPLE, SETTINGS, copy_archive, make_archive
from brlp_models.demonstration.people import Group
from brlp_models.errors import ModelError
from cohorts.cohort import Cohort
from cohorts.schema import validate_table
from cohorts.sources.loading import load_cohort
from trialsim.study import demonstration as made_by
from trialsim.study.demonstration import hold_folder, write_demonstration
from trialsim.study.making import Listener

AGAIN = 43
IS_OURS = ["participant_id", "session_id", "model_id", "horizon_months", "region"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bundled archive, as the demonstration gets it."""
    folder = tmp_path_factory.mktemp("demonstration") / "archive"
    copy_archive(folder)
    return folder


@pytest.fixture(scope="module")
def archive(folder: Path) -> Cohort:
    return load_cohort(folder)


def test_everyone_was_followed_and_predicted_in_the_same_way(folder: Path, archive: Cohort) -> None:
    predictions = validate_table(pd.read_csv(folder / "predictions.csv"), "predictions")
    assert archive.is_synthetic
    assert len(archive.participants) == N_PEOPLE == len(predictions)
    assert set(predictions["participant_id"]) == set(archive.participants["participant_id"])
    assert (predictions["n_samples"] == SETTINGS["samples"]).all()
    assert set(predictions["horizon_months"]) == set(SETTINGS["horizons_months"])
    seen = archive.volumes[archive.volumes["region"] == "hippocampus"]
    assert (seen.groupby("participant_id").size() == 3).all()


def test_predictions_rank_the_decline_better_than_the_tables(folder: Path, archive: Cohort) -> None:
    predictions = pd.read_csv(folder / "predictions.csv").set_index("participant_id")
    hippocampus = archive.volumes[archive.volumes["region"] == "hippocampus"]
    volumes = hippocampus.pivot_table(
        index="participant_id", columns="session_id", values="volume_mm3"
    ).loc[predictions.index]
    change = volumes["month-24"] / volumes["month-0"]
    predicted = predictions["volume_mm3"] / predictions["baseline_volume_mm3"]
    # the table has the advantage: it is fitted on the very people that it ranks
    table = archive.baseline().select_dtypes("number").loc[predictions.index]
    design = np.column_stack([np.ones(len(table)), table])
    fitted = pd.Series(design @ np.linalg.lstsq(design, change)[0], change.index)
    ranks = change.rank()
    assert ranks.corr(predicted.rank()) > ranks.corr(fitted.rank())
    np.testing.assert_allclose(predictions["baseline_volume_mm3"], volumes["month-0"], rtol=1e-12)


@pytest.mark.slow
def test_a_person_made_again_is_the_same(tmp_path: Path, folder: Path, archive: Cohort) -> None:
    made = make_archive(tmp_path / "again", [AGAIN])
    people = list(made["participant_id"])
    kept = pd.read_csv(folder / "predictions.csv").set_index("participant_id").loc[people]
    pd.testing.assert_frame_equal(made[IS_OURS], kept.reset_index()[IS_OURS])
    again, own = load_cohort(tmp_path / "again"), archive.select(people)
    for table in ("participants", "visits"):
        pd.testing.assert_frame_equal(getattr(again, table), getattr(own, table))
    np.testing.assert_allclose(again.volumes["volume_mm3"], own.volumes["volume_mm3"], rtol=1e-6)
    # another processor rounds otherwise, and one without bfloat16 denoises in full precision
    rounding = 2e-3
    np.testing.assert_allclose(made["volume_mm3"], kept["volume_mm3"], rtol=rounding)
    change = made["volume_mm3"] / made["baseline_volume_mm3"] - 1
    assert abs(change.item()) > 5 * rounding


def test_nobody_screened_is_in_the_archive() -> None:
    archive, screened = (Group(role, range(2), seed=1) for role in ("archive", "screened"))
    assert archive.name(0) != screened.name(0)
    first, second = (group.make_rng(0, 0).random() for group in (archive, screened))
    assert first != second


def test_predictions_of_another_model_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    other = tmp_path / "bundled"
    other.mkdir()
    table = pd.read_csv(folder / "predictions.csv").assign(model_id="brlp-mini-00000000")
    table.to_csv(other / "predictions.csv", index=False)
    monkeypatch.setattr(demonstration, "_BUNDLED", other)
    with pytest.raises(ModelError, match=r"predicted by brlp-mini-00000000, and the bundled model"):
        copy_archive(tmp_path / "archive")
    assert not (tmp_path / "archive").exists()


def test_the_archive_of_another_version_is_refused(tmp_path: Path) -> None:
    copy_archive(tmp_path / "demo/archive")
    copy_archive(tmp_path / "demo/archive")
    kept = tmp_path / "demo/archive/predictions.csv"
    kept.write_text(kept.read_text().replace("archive-0000,", "archive-000x,"))
    with pytest.raises(ModelError, match=r"another version's demonstration: remove .*demo, or"):
        copy_archive(tmp_path / "demo/archive")


def test_nothing_else_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    monkeypatch.setattr(made_by, "_write_screened", lambda _, n_people, *__: made.append(n_people))

    def write(**changes: int) -> None:
        write_demonstration(tmp_path, **{"n_people": 20, "seed": 1, **changes}, listener=Listener())

    own = tmp_path / "protocol.toml"
    own.write_text("mine")
    with pytest.raises(ModelError, match=r"holds protocol.toml, of another version's .* or of som"):
        write()
    assert own.read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == [own]
    own.rename(tmp_path / "notes.txt")
    write()
    # an interrupted demonstration goes on, as that of the same people
    (tmp_path / "archive/predictions.csv").unlink()
    write()
    assert (tmp_path / "archive/predictions.csv").is_file()
    for changed, told in (({"n_people": 30}, "people 30 and seed 1"), ({"seed": 2}, "and seed 2")):
        with pytest.raises(ModelError, match=f"of people 20 and seed 1, not of .*{told}: remove"):
            write(**changed)
    assert made == [20, 20]
    (tmp_path / "demonstration.json").write_text("[]")
    with pytest.raises(ModelError, match=r"demonstration.json does not say of whom"):
        write()


def test_two_demonstrations_in_one_folder_do_not_meet(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "demo"
    with (
        hold_folder(folder),
        pytest.raises(ModelError, match="is at work in"),
        hold_folder(folder),
    ):
        pass
    with hold_folder(folder):  # what is over holds nothing
        pass
