"""What the steps of a study share is read once, and let go of when it is not wanted."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from cohorts.cohort import Cohort
from cohorts.synthetic.tabular import synthesize_table
from trialsim.study.job import Job
from trialsim.study.protocol import Protocol


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(Protocol.model_validate({"cohort": {"path": str(tmp_path)}}), tmp_path)


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
