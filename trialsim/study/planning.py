"""What a run would do, with the time that it would take."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cohorts.entrances import entrance
from reports.store.study import Study
from trialsim.study.engine import PlannedStep, plan_steps
from trialsim.study.job import Job
from trialsim.study.making import STUDY
from trialsim.study.protocol import Protocol
from trialsim.study.result import StudyResult
from trialsim.study.steps.carrying import foresee_problems
from trialsim.study.steps.durations import estimate_report, show_seconds
from trialsim.study.steps.order import list_steps


@entrance
@dataclass(frozen=True)
class StudyPlan:
    """What a run would do.

    Attributes
    ----------
    protocol
        The whole question.
    steps
        Each with the seconds that it takes, none where it is current.
    n_people, n_scans
        Before eligibility; those with a scan.
    problems
        One sentence for each thing that the data cannot carry.
    """

    protocol: Protocol
    steps: tuple[PlannedStep, ...]
    n_people: int
    n_scans: int
    problems: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """How long the whole takes, if this machine stays as busy as it is now."""
        return sum(step.seconds for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        result = StudyResult(self.protocol.study.output / STUDY)
        return {
            "protocol": json.loads(self.protocol.model_dump_json()),
            "n_people": self.n_people,
            "steps": [asdict(step) for step in self.steps],
            "seconds": self.seconds,
            "problems": list(self.problems),
            "study": str(result.path),
            "report": str(result.report_path),
        }

    def __str__(self) -> str:
        """Return the protocol, then the steps with their times, one a line."""
        return "\n".join([*self._list_settings(), "", *self._list_times()])

    def _list_settings(self) -> Iterator[str]:
        for section, keys in json.loads(self.protocol.model_dump_json()).items():
            for key, value in (keys or {}).items():
                yield f"{section}.{key} = {json.dumps(value)}"

    def _list_times(self) -> Iterator[str]:
        yield f"People before eligibility: {self.n_people}, {self.n_scans} of them with a scan."
        for step in self.steps:
            time = "unchanged" if step.is_current else show_seconds(step.seconds)
            yield f"{step.name:<10} {time}"
        total = show_seconds(self.seconds)
        yield f"In all about {total}, if this machine stays as busy as it is now."
        yield f"Report: {StudyResult(self.protocol.study.output / STUDY).report_path}"


def plan_study(protocol: Protocol) -> StudyPlan:
    """Return what a run of the protocol would do.

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
    n_scans = len(job.census.first_images)
    problems = tuple(foresee_problems(job))
    return StudyPlan(protocol, tuple(steps), job.census.n_people, n_scans, problems)
