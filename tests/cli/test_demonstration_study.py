"""The question of the demonstration, and the comparison with the truth that it keeps back."""

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from brlp_models.demonstration.archive import SETTINGS, copy_archive
from cohorts.sources.loading import load_cohort
from trialsim.study import demonstration
from trialsim.study.demonstration import KEPT_BACK, Loss, reveal, write_protocol
from trialsim.study.making import Listener, run_protocol
from trialsim.study.question import read_protocol
from trialsim.study.result import StudyResult

N_SCREENED = 60
FAST = ["simulation.n_simulations=100", "simulation.n_bootstrap=200", "simulation.workers=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a demonstration that screens people of the bundled archive, who need no prediction."""
    folder = tmp_path_factory.mktemp("demonstration")
    copy_archive(folder / "archive")
    everyone = load_cohort(folder / "archive")
    names = sorted(everyone.participants["participant_id"])
    screened = everyone.select(names[:N_SCREENED])
    screened.write(folder / KEPT_BACK)
    screened.until(0).write(folder / "screened")
    replace(everyone.select(names[N_SCREENED:]), name="archive").write(folder / "archive")
    write_protocol(folder, seed=1)
    return folder


@pytest.fixture(scope="module")
def study(folder: Path) -> StudyResult:
    protocol = read_protocol(folder / "protocol.toml", [*FAST, "prediction=none"])
    return run_protocol(protocol, command="trialsim demo")


def test_the_screened_are_predicted_as_the_archive_was(folder: Path) -> None:
    prediction = tomllib.loads((folder / "protocol.toml").read_text())["prediction"]
    assert {key: prediction[key] for key in SETTINGS} == SETTINGS
    assert prediction["model"] == "mini"


@pytest.mark.slow
def test_outcomes_come_from_the_archive_and_an_answer_is_proposed(study: StudyResult) -> None:
    assert "Outcomes come from an archive: 240 other people" in " ".join(
        study.notes("sample_sizes")
    )
    proposed = study.table("proposed_sizes")
    assert (proposed["n_control_proposed"] > 0).all()
    assert "SYNTHETIC" in study.report_path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_answer_is_compared_with_what_was_kept_back(
    folder: Path, study: StudyResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = demonstration._REVEALED.replace("n_simulations = 2000", "n_simulations = 100")
    monkeypatch.setattr(demonstration, "_REVEALED", fast)
    monkeypatch.setattr(demonstration, "N_WORKERS", 1)
    found = reveal(folder, study, seed=1, listener=Listener())
    said = study.table("proposed_sizes").iloc[0]
    assert found.n_screened == N_SCREENED
    assert found.n_chosen == round(said["fraction_enrolled"] * N_SCREENED)
    kept = load_cohort(folder / KEPT_BACK).volumes
    hippocampus = kept[kept["region"] == "hippocampus"].pivot_table(
        index="participant_id", columns="session_id", values="volume_mm3"
    )
    loss = -100 * np.log(hippocampus["month-24"] / hippocampus["month-0"])
    # the trajectories of a trial are drawn from people whose noise is taken off
    assert found.loss_of_all.value == pytest.approx(loss.mean(), abs=0.3)
    half = (found.loss_of_all.upper - found.loss_of_all.lower) / 2
    assert half == pytest.approx(2.0 * loss.sem(), rel=0.2)
    assert found.loss_true.lower < found.loss_true.value < found.loss_true.upper
    assert 0.05 <= found.power <= 1
    # where the size that is needed may be that of the proposed trial, so may the power of it
    assert found.power_lower < found.power < found.power_upper
    reaches = found.n_needed_lower <= found.n_proposed <= found.n_needed_upper
    assert reaches == (found.power_lower <= 0.8 <= found.power_upper)
    assert found.n_needed_lower < found.n_needed < found.n_needed_upper
    assert "The truth that was kept back" in str(found)


def test_losses_are_told_in_percent_of_the_volume() -> None:
    # 100 ln(1 / 0.8) is 22.3
    assert str(Loss(22.314, 10.536, 35.667)) == "20.0 % (10.0 to 30.0)"
