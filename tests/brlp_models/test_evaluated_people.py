"""People who judge a model: their scans, their truth, and the archive beside them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from brlp_models.errors import ModelError
from brlp_models.evaluation.evaluated_people import (
    EvaluatedCohort,
    describe_anatomies,
    simulate_archive,
)
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.evaluation.truth import load_true_cohort
from brlp_models.training.banks import evaluation_people
from brlp_models.training.banks.deformed_labels import list_label_maps
from brlp_models.training.banks.evaluation_cohort import _split_sides
from brlp_models.training.banks.evaluation_people import write_evaluation_people
from brlp_models.training.recipe import load_recipe
from cohorts.errors import CohortError
from cohorts.synthetic.folders import write_people
from cohorts.synthetic.generators import choose_generator
from cohorts.synthetic.parameters import CohortParameters, GeneratorParameters
from cohorts.synthetic.truth import write_base_anatomies
from tests.brlp_models.scanned_people import make_people


def test_both_sides_of_written_labels_have_their_own_codes() -> None:
    labels = np.zeros((4, 1, 1), dtype=np.int16)
    for left, right in ((4, 43), (17, 53), (10, 49), (2, 41), (11, 50)):
        labels[:] = left
        assert _split_sides(labels)[:, 0, 0].tolist() == [left, left, right, right]


def test_the_archive_is_of_the_generator_that_made_the_people(tmp_path: Path) -> None:
    settings = EvaluationSettings(horizons_months=(24.0,))
    found = {}
    for number in (1, 2):
        folder = tmp_path / str(number)
        cohort = write_people(folder, 2, seed=1, parameters=choose_generator(number))
        generator = EvaluatedCohort(cohort, folder).find_generator()
        assert generator == choose_generator(number)
        archive = simulate_archive(settings, generator).cohort.baseline()
        found[number] = archive["hippocampus_mm3"].mean()
    # the sd of a mean of 4,000 is 15 mm3; generator 2 has hippocampi of another size
    assert abs(found[2] - found[1]) > 100


def test_shared_anatomies_are_told(tmp_path: Path) -> None:
    cohort = make_people(4, 3, None)
    people = EvaluatedCohort(cohort, tmp_path)
    names = cohort.participants["participant_id"]
    for anatomies, said in (
        ("abab", "These 4 people were drawn from 2 anatomies: intervals are over people"),
        ("aaaa", "from 1 anatomy:"),
        ("abcd", None),
    ):
        table = pd.DataFrame({"participant_id": names, "base_anatomy": [*anatomies]})
        write_base_anatomies(table, tmp_path)
        told = describe_anatomies(people)
        assert told is None if said is None else said in str(told)
    assert describe_anatomies(EvaluatedCohort(cohort)) is None


def test_people_of_no_known_generator_are_told(tmp_path: Path) -> None:
    parameters = replace(GeneratorParameters(), cohort=CohortParameters(speed_sd=0.1))
    people = EvaluatedCohort(write_people(tmp_path, 2, seed=1, parameters=parameters), tmp_path)
    with pytest.raises(CohortError, match="of no generator of this version"):
        people.find_generator()


def test_the_truth_of_people_who_are_not_here_is_left_out(tmp_path: Path) -> None:
    people = make_people(4, 3, None)
    visits = people.visits[["participant_id", "session_id", "months_from_baseline"]]
    truth = people.volumes.merge(visits, on=["participant_id", "session_id"])
    (tmp_path / "truth").mkdir()
    truth.to_parquet(tmp_path / "truth" / "volumes.parquet")
    few = people.select(["sub-1", "sub-2"])
    found, kind = load_true_cohort(few, tmp_path)
    assert kind == "latent"
    assert set(found.volumes["participant_id"]) == {"sub-1", "sub-2"}


def test_held_out_label_maps_are_for_evaluation_alone(tmp_path: Path) -> None:
    for name in ("a_1.nii.gz", "a_2.nii.gz", "b_1.mgz"):
        (tmp_path / name).touch()
    training = list_label_maps(tmp_path, ("b_",))
    evaluation = list_label_maps(tmp_path, ("b_",), for_evaluation=True)
    assert [path.name for path in training] == ["a_1.nii.gz", "a_2.nii.gz"]
    assert [path.name for path in evaluation] == ["b_1.mgz"]
    with pytest.raises(ModelError, match="named c_"):
        list_label_maps(tmp_path, ("c_",), for_evaluation=True)
    with pytest.raises(ModelError, match=r"learn from .*; its 3 are held out.* \(a_, b_\)"):
        list_label_maps(tmp_path, ("a_", "b_"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"no label maps to learn from \(NIfTI or MGH files\)"):
        list_label_maps(tmp_path / "empty", ("b_",))
    with pytest.raises(ModelError, match="is no folder"):
        list_label_maps(tmp_path / "nowhere", ())
    with pytest.raises(ModelError, match=r"name their folder \(--label-maps\)"):
        list_label_maps(None, ())


@pytest.mark.parametrize(("purpose", "seed"), [("evaluation", 20261215), ("calibration", 20261216)])
def test_people_of_each_purpose_have_a_seed_of_their_own(
    purpose: Any, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(Exception):  # noqa: N818
        pass

    def stop(_bases: object, _folder: Path, settings: Any, *_: object, **__: object) -> None:
        raise Stopped(settings.seed, settings.n_people, settings.schedule, settings.labels_by_share)

    monkeypatch.setattr(evaluation_people, "read_bases", lambda *_: [])
    monkeypatch.setattr(evaluation_people, "write_people_bank", stop)
    with pytest.raises(Stopped) as told:
        write_evaluation_people(load_recipe("mini"), tmp_path, tmp_path / "out", purpose=purpose)
    assert told.value.args == (seed, 40, (24.0, 48.0), True)
