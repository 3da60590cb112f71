"""What the steps of a study share is read once, and let go of when it is not wanted."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from cohorts.cohort import Cohort
from cohorts.synthetic.tabular import synthesize_table
from reports.store.run import Run
from trialsim.enrichment.definition import FastProgressorDefinition
from trialsim.enrichment.screening import build_screening_tables
from trialsim.study.job import Job
from trialsim.study.protocol import Protocol
from trialsim.study.steps import selection
from trialsim.study.steps.screening import RecalledScreening

DEFINITION = FastProgressorDefinition()

if TYPE_CHECKING:
    from reports.store.study import Study


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
    run = Run("r1", cast("Study", None))
    selection.score(job, run, is_last=is_last)
    assert len(run.tables["rankings"]) == 60 * len(job.protocol.selection.strategies)
    again = dataclasses.replace(people)
    assert (job.screen(("r1",), lambda: again) is again) == is_last
    rebuilt = dataclasses.replace(screening)
    assert (job.see(("r1",), lambda: rebuilt) is rebuilt) == is_last
