"""Synthetic people are never written over what nothing says is synthetic."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.synthetic.folders import write_finished_trial, write_people
from cohorts.synthetic.tabular import synthesize_table
from cohorts.synthetic.trial_images import synthesize_trial_images

WRITERS: dict[str, Callable[[Path], object]] = {
    "people": lambda folder: write_people(folder, 4, seed=2),
    "a trial": lambda folder: write_finished_trial(folder, 4, seed=2),
    "a trial with scans": lambda folder: synthesize_trial_images(folder, 4, seed=2),
}


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_cohort_of_people_stays_as_it_is(kind: str, tmp_path: Path) -> None:
    cohort, _ = synthesize_table(4, rng=np.random.default_rng(1))
    replace(cohort, is_synthetic=False).write(tmp_path)
    before = read_files(tmp_path)
    with pytest.raises(CohortError, match=r"holds a cohort .* name another folder"):
        WRITERS[kind](tmp_path)
    assert read_files(tmp_path) == before


@pytest.mark.parametrize("kind", ["a trial", "a trial with scans"])
def test_the_table_of_a_trial_stays_as_it_is(kind: str, tmp_path: Path) -> None:
    (tmp_path / "trial.csv").write_text("the only copy")
    with pytest.raises(CohortError, match=r"holds trial.csv .* name another folder"):
        WRITERS[kind](tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["trial.csv"]


@pytest.mark.parametrize("kind", ["people", "a trial"])
def test_synthetic_people_take_the_place_of_others(kind: str, tmp_path: Path) -> None:
    write_finished_trial(tmp_path, 6, seed=1)
    WRITERS[kind](tmp_path)
    assert len(Cohort.read(tmp_path).participants) == 4


def test_planned_visits_are_refused_in_words_that_every_door_has(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match=r"Planned visits must rise from 0, got 6, 12\."):
        write_people(tmp_path, 4, seed=1, visits_months=[6, 12])
