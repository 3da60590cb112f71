"""What the steps of a study share is read once, and let go of when it is not wanted."""

import dataclasses
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.synthetic.tabular import synthesize_table
from reports.store.run import Run
from reports.store.study import Study
from trialsim.enrichment.definition import FastProgressorDefinition
from trialsim.enrichment.screening import build_screening_tables
from trialsim.enrichment.strategies.score_file import read_score_strategies
from trialsim.study.job import Job
from trialsim.study.protocol import Protocol
from trialsim.study.steps import cohort, selection
from trialsim.study.steps.screening import RecalledScreening, describe_unknown_scores

DEFINITION = FastProgressorDefinition()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    asked = Protocol.model_validate(
        {"cohort": {"path": str(tmp_path)}, "selection": {"strategies": ["random", "regression"]}}
    )
    return Job(asked, tmp_path)


def test_people_are_read_once_until_they_are_let_go_of(job: Job) -> None:
    people, _ = synthesize_table(5, rng=np.random.default_rng(1))
    read: list[Cohort] = []

    def read_people() -> Cohort:
        read.append(dataclasses.replace(people, name=f"read {len(read) + 1}"))
        return read[-1]

    assert job.screen(("r1",), read_people) is job.screen(("r1",), read_people)
    assert len(read) == 1
    assert job.screen(("r2",), read_people).name == "read 2"  # another run has written them
    job.forget_screened()
    assert job.screen(("r2",), read_people).name == "read 3"


@pytest.mark.parametrize("is_last", [False, True])
def test_who_ranks_alone_lets_go_of_the_people_that_were_read(
    job: Job, monkeypatch: pytest.MonkeyPatch, is_last: bool
) -> None:
    people, _ = synthesize_table(60, rng=np.random.default_rng(1))
    screening = job.see(("r1",), lambda: build_screening_tables(people, DEFINITION))
    recalled = RecalledScreening(people, None, screening)
    monkeypatch.setattr(selection, "recall_screened", lambda *_, **__: recalled)
    monkeypatch.setattr(selection, "recall_cohort", lambda *_: people)
    job.screen(("r1",), lambda: people)
    run = Run("r1", cast(Study, None))
    selection.score(job, run, is_last=is_last)
    assert len(run.tables["rankings"]) == 60 * len(job.protocol.selection.strategies)
    again = dataclasses.replace(people)
    assert (job.screen(("r1",), lambda: again) is again) == is_last
    rebuilt = dataclasses.replace(screening)
    assert (job.see(("r1",), lambda: rebuilt) is rebuilt) == is_last


@pytest.mark.parametrize("kept", ["plainly", "with gaps", "with scans"])
def test_people_who_were_written_are_read_again_only_where_they_may_differ(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people, _ = synthesize_table(5, rng=np.random.default_rng(1))
    if kept == "with gaps":
        n_copies = pd.Series([0, 1, None, 2, 0], dtype="Int64")
        people = dataclasses.replace(people, participants=people.participants.assign(own=n_copies))
    if kept == "with scans":
        scans = [str(tmp_path / f"{row}.nii.gz") for row in range(len(people.visits))]
        people = dataclasses.replace(people, visits=people.visits.assign(image_path=scans))
    people.write(tmp_path / "people")
    job = Job(Protocol.model_validate({"cohort": {"path": str(tmp_path / "people")}}), tmp_path)
    study = Study.open(tmp_path / "study.duckdb")
    with study.run(command="", config={}) as run:
        cohort.load(job, run)
    read: list[Cohort] = []

    def read_people(study: Study) -> Cohort:
        read.append(read_cohort(study))
        return read[-1]

    read_cohort = cohort.read_cohort
    monkeypatch.setattr(cohort, "read_cohort", read_people)
    with study.run(command="", config={}) as run:
        found = cohort.recall_cohort(job, run)
    assert bool(read) == (kept != "plainly")
    written = read_cohort(study)
    for table in ("participants", "visits", "volumes"):
        assert_frame_equal(getattr(found, table), getattr(written, table))
    assert (found.name, found.is_synthetic) == (written.name, written.is_synthetic)


def test_codings_are_those_of_the_table_beside_an_imported_archive(tmp_path: Path) -> None:
    table, archive, given = (tmp_path / name for name in ("screened.csv", "archive", "mine.csv"))
    table.write_text("who,age,sex,dx\na,70,1,MCI\nb,71,2,MCI\n", encoding="utf-8")
    followed, _ = synthesize_table(3, rng=np.random.default_rng(1))
    followed.write(archive)
    known = followed.participants["participant_id"].iloc[0]
    given.write_text(f"participant_id,score\na,1\nb,2\n{known},3\nc,4\n", encoding="utf-8")
    stated = {"map": {"who": "participant_id"}, "sex_coding": "1=M,2=F"}
    cohorts = {"path": str(table), "training": str(archive)}
    asked = {"cohort": cohorts | stated, "selection": {"scores": str(given)}}
    job = Job(Protocol.model_validate(asked), tmp_path)
    assert job.load(table).participants["sex"].tolist() == ["M", "F"]
    assert len(job.load(archive).participants) == 3

    # of the file of scores, only whom nobody knows is told, and not by name
    people = pd.Index(["a", "b"])
    (note,) = describe_unknown_scores(job, read_score_strategies(given, people), people)
    assert note == (
        "The score file mine.csv names 1 who are not among the screened people and the archive's."
    )

    job = Job(Protocol.model_validate({"cohort": {"path": str(archive)} | stated}), tmp_path)
    with pytest.raises(CohortError, match="is an imported cohort"):
        job.load(archive)
