"""The qualification document tells what passes, and fails where a check does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from trialsim.analysis import FitResult, fit_ancova
from trialsim.analytic.anchors import check_anchors
from trialsim.cli.app import app
from trialsim.study.installation import qualification


def test_the_document_holds_every_value_verdict_seed_and_a_place_to_sign(tmp_path: Path) -> None:
    path = tmp_path / "qualification.html"
    done = CliRunner().invoke(app, ["qualify", "--out", str(path)])
    assert done.exit_code == 0, done.stderr
    html = path.read_text(encoding="utf-8")
    n_values = len(check_anchors())
    assert f"{n_values + 4} of {n_values + 4} checks pass" in html
    for text in ("Cohen 1992", "20260101, 2, 0", "MMRM: type I error", "Approved by", "duckdb"):
        assert text in html
    assert "FAILS" not in html


def test_a_check_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        qualification, "check_anchors", lambda: check_anchors().assign(passes=False)
    )
    path = tmp_path / "qualification.html"
    done = CliRunner().invoke(app, ["qualify", "--out", str(path)])
    assert done.exit_code == 1
    assert "is NOT qualified" in path.read_text(encoding="utf-8")


def test_a_wrong_error_rate_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert qualification.check_simulations(n_trials=400)["passes"].all()
    monkeypatch.setitem(qualification._ANALYSES, "ancova", reject_too_often)
    found = qualification.check_simulations(n_trials=400).set_index("check")
    assert not found.loc["ANCOVA: type I error", "passes"]


def reject_too_often(*arguments: Any) -> FitResult:
    result = fit_ancova(*arguments)
    return replace(result, p_value=result.p_value / 4)
