"""Whom a baseline learned from is told what was fitted without them, or is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brlp_models.baselines.context import ContextBaseline
from brlp_models.baselines.scoring import write_cross_fitted
from brlp_models.errors import ModelError
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.model.training_people import (
    describe_training_people,
)
from brlp_models.scans.cache import ScanCache
from cohorts.cohort import Cohort
from reports.store.study import Study
from tests.brlp_models.contrast_people import make_people, write_cohort
from tests.brlp_models.told.asking import ask


def test_people_learned_from_are_told_what_was_fitted_without_them(
    folder: Path, tmp_path: Path
) -> None:
    people, own, study = folder / "people/cohort", tmp_path / "own", tmp_path / "study.duckdb"
    write_cohort(make_people(40, 2), tmp_path, np.eye(4)).write(tmp_path / "more")
    ask("train", "baseline", "elastic_net", "--data", tmp_path / "more", "--out", own, "--quiet")
    model, cohort = load_model(folder / "model"), Cohort.read(people)
    told, person = ContextBaseline.load(own), cohort.select(["sub-2x1"])
    found = told.expect_ratios(model, person, ScanCache(tmp_path), [36.0, 48.0])
    beside = tmp_path / "own.cross_fitted.parquet"
    others = pd.read_parquet(beside).loc["sub-2x1"]
    # halfway between two months that were fitted for
    expected = 1 + np.array([others[["24.0", "48.0"]].mean(), others["48.0"]]) / 100
    assert found.to_numpy() == pytest.approx(expected, rel=1e-12)
    itself = told.baseline.predict_change(person.baseline()).loc["sub-2x1"]
    assert abs(itself[48.0] - others["48.0"]) > 1e-3
    words = (
        "predict",
        people,
        "--model",
        folder / "model",
        "--study",
        study,
        "--context-from",
        own,
    )
    code, said = ask(*words, "--horizons-months", "18", "--samples", 1)
    assert code == 0, said
    assert "elastic_net learned from 4 of 4 people: of these the context holds what was" in said
    assert set(Study.open(study).read("predictions")["horizon_months"]) == {18.0}
    beside.unlink()
    code, said = ask(*words, "--horizons-months", "24")
    assert code == 1
    assert "elastic_net learned from 4 of these 4 people" in said
    code, said = ask(*words, "--horizons-months", "60")
    assert code == 1
    assert "elastic_net predicts until month 48 after baseline, not for 60" in said


@pytest.fixture
def known(folder: Path, cohort: Cohort, tmp_path: Path) -> ContextBaseline:
    """Return a baseline that learned from the four people, with what was fitted without them."""
    ages = cohort.baseline()["age_years"]
    found = ContextBaseline.load(folder / "elastic_net").baseline
    found.write(tmp_path / "own", card="Own.", people=describe_training_people(ages.index))
    expected = pd.DataFrame({24.0: -1.0, 48.0: -np.arange(4.0)}, index=ages.index)
    write_cross_fitted(expected, ages, tmp_path / "own")
    return ContextBaseline.load(tmp_path / "own")


def expect(told: ContextBaseline, model: BrlpModel, person: Cohort) -> list[float]:
    assert told.count_own_people(person, [48.0]) == 1
    return list(told.expect_ratios(model, person, ScanCache(Path("none")), [48.0]))


def rename(people: Cohort, names: dict[str, str]) -> Cohort:
    tables = (people.participants, people.visits, people.volumes)
    return Cohort(*(table.replace({"participant_id": names}) for table in tables))


def test_people_learned_from_are_found_however_they_and_the_folder_are_named(
    known: ContextBaseline, model: BrlpModel, cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = cohort.select(["sub-2x3"])
    assert known.baseline.folder is not None
    monkeypatch.chdir(known.baseline.folder)
    for told in (known, ContextBaseline.load(Path("."))):
        for name in ("sub-2x3", "2X3"):
            assert expect(told, model, rename(one, {"sub-2x3": name})) == [0.97]


def test_others_with_the_names_of_people_learned_from_are_refused(
    known: ContextBaseline, model: BrlpModel, cohort: Cohort
) -> None:
    ages = cohort.baseline()["age_years"]
    assert abs(ages["sub-2x2"] - ages["sub-2x3"]) > 0.5
    other = rename(cohort.select(["sub-2x2"]), {"sub-2x2": "sub-2x3"})
    with pytest.raises(ModelError, match=r"1 person has names .* sub-2x3, 76.3 years; there 61.8"):
        expect(known, model, other)
    rounded = cohort.select(["sub-2x3"])
    rounded.visits["age_years"] = rounded.visits["age_years"].round()
    assert expect(known, model, rounded) == [0.97]


@pytest.mark.parametrize(
    "damage",
    [
        lambda table: table.drop(columns="48.0"),
        lambda table: table.rename(columns={"24.0": "some"}),
        lambda table: table.assign(**{"48.0": "unknown"}),
        lambda table: table.replace(-3.0, -np.inf),
        lambda table: pd.concat([table, table * 2]),
    ],
)
def test_what_was_fitted_without_people_is_whole_or_refused(
    known: ContextBaseline,
    model: BrlpModel,
    cohort: Cohort,
    tmp_path: Path,
    damage: Callable[[pd.DataFrame], pd.DataFrame],
) -> None:
    path = tmp_path / "own.cross_fitted.parquet"
    kept = pq.read_table(path)
    damaged = pa.Table.from_pandas(damage(kept.to_pandas()))
    marked = {**damaged.schema.metadata, b"baseline": kept.schema.metadata[b"baseline"]}
    pq.write_table(damaged.replace_schema_metadata(marked), path)
    with pytest.raises(ModelError, match="not as it was written, with one row a person and the"):
        expect(known, model, cohort.select(["sub-2x3"]))
