"""Trials simulated in the background: the study's own numbers, told as they come, stopped."""

import tempfile
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

pytest.importorskip("shiny", reason="the extra `explore` is not installed")

from tests.cli.simulations import list_simulations
from trialsim.design import TrialDesign
from trialsim.events import DropOut
from trialsim.explorer.contents import Contents
from trialsim.explorer.downloads import describe_ways
from trialsim.explorer.scenario import Scenario
from trialsim.explorer.simulating import Simulating, state_settings
from trialsim.study.question import ask


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def settings(explored_study: Path) -> dict[str, object]:
    asked = Contents(explored_study).protocol
    return state_settings(Scenario(asked.design, asked.trial_costs, "baseline_volume", 0.5))


@pytest.mark.parametrize(
    "dropout",
    [
        DropOut(0.1),
        DropOut(0.1, 0.2),
        DropOut((0.1, 0.05), (0.0, 0.1), decline_hazard_ratio=1.5, unseen_shift_treatment=-2.0),
    ],
)
def test_people_leave_as_in_the_state_that_is_simulated(
    explored_study: Path, dropout: DropOut
) -> None:
    asked = Contents(explored_study).protocol
    design = asked.design.change(dropout=dropout, visits_months=(0.0, 12.0, 24.0))
    scenario = Scenario(design, asked.trial_costs, "baseline_volume", 0.5)
    question = ask(explored_study, state_settings(scenario))
    assert question.protocol.design.dropout == dropout
    (text,) = [text for title, text in describe_ways(Contents(explored_study), scenario, None)
               if title == "Protocol"]  # fmt: skip
    told = tomllib.loads(text)["design"]["dropout"]
    assert TrialDesign(design.visits_months, dropout=DropOut(**told)).dropout == dropout


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < until, "nothing happened for five minutes"
        time.sleep(0.05)


@pytest.mark.slow
def test_the_numbers_are_those_of_the_study(
    explored_study: Path, settings: dict[str, object], temporary: Path
) -> None:
    before = explored_study.read_bytes()
    work, shares = Simulating(explored_study, settings, 100), [0.0]
    work.start()

    def has_ended() -> bool:
        still = work.is_running
        shares.append(work.share_done)
        return not still

    wait_until(has_ended)
    assert work.problem == ""
    assert shares == sorted(shares)
    assert shares[-1] == 1
    stored = Contents(explored_study).sizes.drop(columns="run_id", errors="ignore")
    assert work.found is not None
    pd.testing.assert_frame_equal(work.found.drop(columns="run_id", errors="ignore"), stored)
    assert explored_study.read_bytes() == before
    assert not list(temporary.iterdir())


def test_a_stopped_simulation_leaves_nothing(
    explored_study: Path, settings: dict[str, object], temporary: Path
) -> None:
    work = Simulating(explored_study, settings, 1_000_000)
    work.start()
    assert list_simulations()
    assert list(temporary.iterdir())
    work.stop()
    assert not list_simulations()
    assert not list(temporary.iterdir())
    assert not work.is_running
    assert work.found is None
    work.stop()  # once more does no harm


@pytest.mark.slow
def test_what_cannot_be_simulated_is_a_sentence(
    explored_study: Path, settings: dict[str, object]
) -> None:
    work = Simulating(explored_study, {**settings, "design.slowing": 2.0}, 100)
    work.start()
    wait_until(lambda: not work.is_running)
    assert work.found is None
    assert "slowing" in work.problem


def test_a_process_that_dies_is_told(explored_study: Path, settings: dict[str, object]) -> None:
    work = Simulating(explored_study, settings, 1_000_000)
    work.start()
    [process] = list_simulations()
    process.kill()
    wait_until(lambda: not work.is_running)
    assert work.problem == "The simulation ended without an answer."
