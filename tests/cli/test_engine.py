"""Steps are done once, redone when what they use changes, and survive a failure."""

import json
from pathlib import Path

import pandas as pd
import pytest

from reports.store.run import Run
from reports.store.study import Study
from trialsim.errors import DesignError
from trialsim.study.engine import Step, StepOutcome, compute_step_fingerprint, run_steps
from trialsim.study.question import read_recorded

SCORES = {"participant_id": ["sub-1"], "strategy": ["mine"], "fold": [None]}


class Job:
    """Two steps: the second reads what the first wrote."""

    def __init__(self, folder: Path) -> None:
        self.study = Study.open(folder / "study.duckdb")
        self.input = folder / "input.txt"
        self.input.write_text("0.5")
        self.factor = 2.0
        self.done: list[str] = []

    def first(self, run: Run) -> None:
        self.done.append("first")
        run.write("scores", pd.DataFrame({**SCORES, "score": [float(self.input.read_text())]}))

    def second(self, run: Run) -> None:
        self.done.append("second")
        score = self.study.read("scores")["score"].iloc[0] * self.factor
        if score > 100:
            raise DesignError("too much")
        frame = {"participant_id": ["sub-1"], "strategy": ["mine"], "fraction_enrolled": [score]}
        run.write("selections", pd.DataFrame({**frame, "rank": [1], "is_selected": [True]}))

    def run(self, seed: int = 1, **asked: str) -> list[StepOutcome]:
        steps = [
            Step("first", self.first, {"place": "read by both"}, inputs=[self.input]),
            Step("second", self.second, {"factor": self.factor, "place": ""}, stands_on=["first"]),
        ]
        quiet = lambda position, step, runs: None  # noqa: E731
        asked |= {"cohort.path": "people"}
        table = pd.DataFrame(
            {"key": [*asked], "value": [json.dumps(one) for one in asked.values()]}
        )
        return list(
            run_steps(
                self.study, steps, command="job", seed=seed, announce=quiet, description=table
            )
        )


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_a_second_run_does_nothing(job: Job) -> None:
    job.run()
    assert [outcome.has_run for outcome in job.run()] == [False, False]
    assert job.done == ["first", "second"]


def test_a_changed_file_redoes_everything_that_stands_on_it(job: Job) -> None:
    job.run()
    job.input.write_text("0.25")
    outcomes = job.run()
    assert [outcome.has_run for outcome in outcomes] == [True, True]
    assert outcomes[0].changes == ("input.txt is changed",)
    assert job.study.read("selections")["fraction_enrolled"].tolist() == [0.5]


def test_a_model_counts_by_its_files_wherever_they_lie(tmp_path: Path) -> None:
    found = {}
    for where, weights in (("here", "1"), ("far/there", "1"), ("other", "2")):
        model = tmp_path / where / "model"
        (model / "auxiliary").mkdir(parents=True)
        (model / "config.json").write_text("{}")
        (model / "auxiliary/huber.json").write_text(weights)
        step = Step("predict", lambda run: None, weights=[model])
        found[where] = compute_step_fingerprint(step, {}, seed=1, folder=tmp_path)
    assert found["here"] == found["far/there"]
    assert found["here"] != found["other"]


def test_a_changed_key_redoes_its_step_alone(job: Job) -> None:
    job.run()
    job.factor = 1.5
    outcomes = job.run()
    assert [outcome.has_run for outcome in outcomes] == [False, True]
    assert outcomes[1].changes == ("factor was 2.0, is 1.5",)


def test_another_seed_redoes_everything(job: Job) -> None:
    job.run(seed=1)
    assert [outcome.has_run for outcome in job.run(seed=2)] == [True, True]


def test_a_step_whose_table_was_rewritten_by_hand_is_redone(job: Job) -> None:
    job.run()
    with job.study.run(command="trialsim rank", config={}) as run:
        run.write("scores", pd.DataFrame({**SCORES, "score": [0.1]}))
    assert job.run()[0].has_run


def test_what_was_finished_before_a_failure_stays(job: Job) -> None:
    job.factor = 1e6
    assert job.run()[1].problems == ("too much",)
    job.factor = 2.0
    assert [outcome.has_run for outcome in job.run()] == [False, True]


def recall(job: Job) -> str:
    return str(read_recorded(job.study.path)["design.endpoint"])


def test_what_was_asked_is_kept_where_no_step_runs_and_not_where_one_refuses(job: Job) -> None:
    job.run(**{"design.endpoint": "hippocampus"})
    job.factor = 1e6
    job.run(**{"design.endpoint": "amygdala"})
    assert recall(job) == "hippocampus"
    job.factor = 2.0
    assert not any(outcome.has_run for outcome in job.run(**{"design.endpoint": "amygdala"}))
    assert recall(job) == "amygdala"
    job.run(**{"design.endpoint": "hippocampus"})
    n_runs = len(job.study.runs())
    job.run(**{"design.endpoint": "hippocampus"})
    assert len(job.study.runs()) == n_runs


def test_what_a_step_refuses_is_never_kept(job: Job) -> None:
    job.factor = 1e6
    job.run(factor="a million", place="here")
    assert read_recorded(job.study.path) == {"place": "here"}
    job.factor = 2.0
    job.run(factor="two", place="here")
    job.factor = 1e6
    job.run(**{"factor": "a million", "design.endpoint": "amygdala", "place": "there"})
    assert read_recorded(job.study.path).keys() == {"cohort.path", "factor", "place"}
    assert read_recorded(job.study.path)["factor"] == "two"
    assert read_recorded(job.study.path)["place"] == "there"


def test_what_an_interrupted_step_was_asked_is_not_kept(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: Run) -> None:
        raise KeyboardInterrupt

    own = job.second
    monkeypatch.setattr(job, "second", stop)
    with pytest.raises(KeyboardInterrupt):
        job.run(factor="stopped", place="here")
    assert read_recorded(job.study.path) == {"place": "here"}
    monkeypatch.setattr(job, "second", own)
    job.run(factor="two", place="here")
    monkeypatch.setattr(job, "second", stop)
    job.factor = 3.0
    job.input.write_text("0.25")
    with pytest.raises(KeyboardInterrupt):
        job.run(**{"factor": "stopped", "design.endpoint": "amygdala", "place": "there"})
    recorded = read_recorded(job.study.path)
    assert recorded.keys() == {"cohort.path", "factor", "place"}
    assert (recorded["factor"], recorded["place"]) == ("two", "there")


def test_what_is_recorded_while_a_step_works_is_what_a_killed_process_leaves(job: Job) -> None:
    found: list[dict[str, object]] = []
    own = job.second

    def look(run: Run) -> None:
        found.append(read_recorded(job.study.path))
        own(run)

    job.second = look  # type: ignore[method-assign]
    job.run(factor="two", place="here")
    job.factor = 3.0
    job.input.write_text("0.25")
    job.run(**{"factor": "three", "design.endpoint": "amygdala", "place": "there"})
    assert found == [
        {"place": "here"},
        {"cohort.path": job.study.folder / "people", "factor": "two", "place": "there"},
    ]
    assert read_recorded(job.study.path)["design.endpoint"] == "amygdala"


def test_an_interrupt_before_any_step_ends_leaves_no_settings(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: Run) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "first", stop)
    with pytest.raises(KeyboardInterrupt):
        job.run(factor="stopped")
    assert read_recorded(job.study.path) == {}
    assert job.study.runs()["status"].tolist() == ["interrupted"]


def test_going_back_to_an_earlier_input_gives_the_earlier_numbers(job: Job) -> None:
    job.run()
    job.input.write_text("0.25")
    job.run()
    job.input.write_text("0.5")
    job.run()
    assert job.study.read("scores")["score"].tolist() == [0.5]
