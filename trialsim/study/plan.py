"""What a run would do, with the time that it would take."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from reports.store.study import Study
from trialsim.protocol import Protocol
from trialsim.study.durations import estimate_report, show_seconds
from trialsim.study.engine import PlannedStep, plan_steps
from trialsim.study.job import Job
from trialsim.study.making import STUDY
from trialsim.study.result import StudyResult
from trialsim.study.steps import list_steps


def describe_plan(protocol: Protocol, *, as_json: bool = False) -> str:
    """Return the resolved protocol, with the steps that a run would take and their time.

    Raises
    ------
    TrialsimError
        If the cohort or the model is not there.
    """
    path = protocol.study.output / STUDY
    job = Job(protocol, protocol.study.output)
    study = Study.open(path, read_only=True) if path.exists() else None
    steps = plan_steps(study, list_steps(job), seed=protocol.study.seed, folder=job.folder)
    steps.append(PlannedStep("report", is_current=False, seconds=estimate_report()))
    if as_json:
        return json.dumps(_list_facts(protocol, steps, job), indent=2)
    return "\n".join([*_list_settings(protocol), "", *_list_times(steps, job)])


def _list_facts(protocol: Protocol, steps: list[PlannedStep], job: Job) -> dict[str, Any]:
    return {
        "protocol": json.loads(protocol.model_dump_json()),
        "n_people": job.census.n_people,
        "steps": [asdict(step) for step in steps],
        "seconds": sum(step.seconds for step in steps),
        "study": str(job.folder / STUDY),
        "report": str(StudyResult(job.folder / STUDY).report_path),
    }


def _list_settings(protocol: Protocol) -> Iterator[str]:
    for section, keys in json.loads(protocol.model_dump_json()).items():
        for key, value in (keys or {}).items():
            yield f"{section}.{key} = {json.dumps(value)}"


def _list_times(steps: list[PlannedStep], job: Job) -> Iterator[str]:
    n_people, n_scans = job.census.n_people, len(job.census.first_images)
    yield f"People before eligibility: {n_people}, {n_scans} of them with a scan."
    for step in steps:
        yield f"{step.name:<10} {'unchanged' if step.is_current else show_seconds(step.seconds)}"
    total = show_seconds(sum(step.seconds for step in steps))
    yield f"In all about {total}, if this machine stays as busy as it is now."
    yield f"Report: {StudyResult(job.folder / STUDY).report_path}"
