import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.errors import ModelError
from brlp_models.training.pipeline import Training
from brlp_models.training.recipe import PeopleRecipe
from brlp_models.training.session import TrainingSession
from brlp_models.training.stages.auxiliary import (
    ONE_VISIT,
    SEVERAL_VISITS,
    convert_to_mni,
    synthesize_training_table,
)
from cohorts.cohort import Cohort
from tests.brlp_models.test_training import make_recipe, write_banks


def make_cohort(n_people: int) -> Cohort:
    rng = np.random.default_rng(0)
    return synthesize_training_table(n_people, rng=rng, mni_head_size_mm3=1.9e6)


def draw_determinants(cohort: Cohort) -> pd.DataFrame:
    people = cohort.participants["participant_id"]
    drawn = pd.Series(np.random.default_rng(1).uniform(1.0, 1.5, len(people)), index=people)
    visits = cohort.visits[["participant_id", "session_id"]]
    return visits.assign(determinant=visits["participant_id"].map(drawn))


def test_native_volumes_are_placed_in_mni_space() -> None:
    cohort = make_cohort(8)
    index = draw_determinants(cohort)
    keys = ["participant_id", "session_id"]
    determinant = cohort.volumes[keys].merge(index, on=keys)["determinant"].to_numpy()
    native = replace(
        cohort, volumes=cohort.volumes.assign(volume_mm3=cohort.volumes["volume_mm3"] / determinant)
    )
    placed = convert_to_mni(native, index).volumes
    expected = cohort.volumes.reset_index(drop=True)
    pd.testing.assert_frame_equal(placed.reset_index(drop=True), expected, check_like=True)


def test_a_visit_without_a_scan_in_the_bank_loses_its_volumes() -> None:
    cohort = make_cohort(3)
    index = draw_determinants(cohort).iloc[1:]
    placed = convert_to_mni(cohort, index).volumes
    missing = cohort.visits.iloc[0]
    assert len(placed) == len(cohort.volumes) * (1 - 1 / len(cohort.visits))
    assert not (
        (placed["participant_id"] == missing["participant_id"])
        & (placed["session_id"] == missing["session_id"])
    ).any()


def test_too_few_people_for_an_auxiliary_model_are_told_before_any_stage_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = make_cohort(12)
    cohort.write(tmp_path / "people")
    write_banks(tmp_path)
    index = draw_determinants(cohort)
    index["row"] = range(len(index))
    index.to_csv(tmp_path / "scan_bank" / "index.csv")
    # the bank is there; these people have no scans of which it could be made
    monkeypatch.setattr("brlp_models.training.session.write_cohort_bank", lambda *_, **__: None)
    session = TrainingSession(make_recipe(), tmp_path, data=tmp_path / "people")
    with pytest.raises(ModelError, match="needs at least 10 people") as caught:
        session.run("all")
    assert len(caught.value.problems) == cohort.participants["diagnosis"].nunique()
    assert not (tmp_path / "segmenter").exists()


@pytest.mark.parametrize(
    ("is_synthetic", "kind"), [(True, "synthetic scans only"), (False, "real scans")]
)
def test_a_model_says_on_whom_it_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_synthetic: bool, kind: str
) -> None:
    cohort = replace(make_cohort(100), is_synthetic=is_synthetic, name="archive")
    cohort.write(tmp_path / "people")
    write_banks(tmp_path)
    index = draw_determinants(cohort)
    index["row"] = range(len(index))
    index.to_csv(tmp_path / "scan_bank" / "index.csv")
    made: list[Training] = []
    monkeypatch.setattr("brlp_models.training.session.write_cohort_bank", lambda *_, **__: None)
    monkeypatch.setattr(Training, "train", lambda training, _stage: made.append(training))
    TrainingSession(make_recipe(), tmp_path, data=tmp_path / "people").run("segmenter")
    model = made[0].recipe.model
    assert model.is_synthetic is is_synthetic
    assert model.provenance == f"Trained on {kind}, cohort archive."


def test_scans_of_a_cohort_are_not_taken_for_synthetic_people(tmp_path: Path) -> None:
    write_banks(tmp_path)
    (tmp_path / "scan_bank" / "bank.json").write_text('{"cohort": "archive", "visits": []}')
    with pytest.raises(ModelError, match="scans of the cohort archive; give it with --data"):
        TrainingSession(make_recipe(), tmp_path).run("segmenter")


def test_auxiliary_models_that_are_there_are_kept_where_they_are_of_the_same_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = make_cohort(60)
    index = draw_determinants(cohort)
    index["row"] = range(len(index))
    fits: list[Cohort] = []

    def fit(people: Cohort, *_: object, **__: object) -> dict[str, str]:
        # the course of a disease takes half a minute
        fits.append(people)
        regions = ("hippocampus",)
        table, volumes = people.baseline(), people.visit_volumes(regions)
        model = HuberAuxiliary.fit(table, volumes, regions=regions, volume_space="mni")
        return {ONE_VISIT: json.dumps(model.to_dict()), SEVERAL_VISITS: str(len(people.volumes))}

    def run(name: str, people: Cohort = cohort, ends: bool = True) -> dict[str, bytes]:
        folder = tmp_path / name
        if not folder.exists():
            write_banks(folder)
            index.to_csv(folder / "scan_bank" / "index.csv")
        people.write(tmp_path / "people")
        session = TrainingSession(make_recipe(), folder, data=tmp_path / "people")
        with monkeypatch.context() as patched:
            module = "brlp_models.training.session"
            patched.setattr(f"{module}.write_cohort_bank", lambda *_, **__: None)
            patched.setattr(f"{module}.export_model", lambda *_, **__: None)
            patched.setattr(f"{module}.write_loss_curves", lambda *_: None)
            patched.setattr(f"{module}.render_training_card", lambda *_: "")
            patched.setattr(Training, "check_people", lambda _: None)
            patched.setattr(f"{module}.fit_auxiliary", fit)

            def train(*_: object) -> None:
                if not ends:
                    raise KeyboardInterrupt

            patched.setattr(Training, "train", train)
            if ends:
                session.run("all")
            else:
                with pytest.raises(KeyboardInterrupt):
                    session.run("all")
        return {path.name: path.read_bytes() for path in (folder / "auxiliary").iterdir()}

    run("killed", ends=False)
    assert len(fits) == 1
    again, whole = run("killed"), run("whole")
    assert len(fits) == 2
    assert again == whole
    # what is damaged is made again, and so is what was fitted on something else
    for name in ("huber.json", "cross_fitted.json"):
        (tmp_path / "killed" / "auxiliary" / name).write_text("{}")
        assert run("killed") == whole
    volumes = cohort.volumes.assign(volume_mm3=cohort.volumes["volume_mm3"] * 1.01)
    assert run("killed", replace(cohort, volumes=volumes))["huber.json"] != whole["huber.json"]
    assert len(fits) == 5


def test_people_are_counted_as_steps_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(_bases: object, folder: Path, *_: object, **given: Any) -> None:
        given["report"](1)
        given["report"](2)
        write_banks(folder.parent)

    for name, stand_in in (
        ("write_people_bank", make),
        ("load_mni_anatomy", lambda: None),
        ("list_label_maps", lambda *_: []),
    ):
        monkeypatch.setattr(f"brlp_models.training.session.{name}", stand_in)
    monkeypatch.setattr(Training, "train", lambda *_: {})
    recipe = make_recipe().model_copy(update={"people": PeopleRecipe(n_people=2)})
    told: list[tuple[str, int, int]] = []

    def report(stage: str, step: int, steps: int, _metrics: object) -> None:
        told.append((stage, step, steps))

    TrainingSession(recipe, tmp_path, report=report).run("segmenter")
    assert told == [("people", 0, 2), ("people", 1, 2)]


def test_the_model_folder_gets_the_people_of_the_cohort(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cohort = make_cohort(100)
    cohort.write(tmp_path / "people")
    write_banks(tmp_path)
    told: dict[str, object] = {}
    for name in ("write_cohort_bank", "write_loss_curves", "render_training_card"):
        monkeypatch.setattr(f"brlp_models.training.session.{name}", lambda *_, **__: None)
    monkeypatch.setattr(
        "brlp_models.training.session.export_model", lambda *_, **given: told.update(given)
    )
    monkeypatch.setattr(Training, "train", lambda *_: None)
    monkeypatch.setattr(TrainingSession, "_fit_auxiliary", lambda _: None)
    TrainingSession(make_recipe(), tmp_path, data=tmp_path / "people").run("all")
    assert told["people"] == list(cohort.participants["participant_id"])
