"""The unstructured MMRM agrees with the R package mmrm on small trials with missing visits."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trialsim.analysis import FitResult, fit_mmrm
from trialsim.errors import DesignError

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "mmrm.json"
needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason="mmrm.json is not here")

OPTIONS: dict[str, dict[str, Any]] = {
    "satterthwaite": {},
    "kenward_roger_linear": {"degrees_of_freedom": "kenward_roger"},
    "satterthwaite_by_arm": {"covariance": "by_arm"},
    "cr0": {"standard_error": "cr0"},
    "cr2": {"standard_error": "cr2"},
}
# its treatment arm holds too few complete people: mmrm itself comes near a singular covariance
NEAR_SINGULAR = {("mmrm-01", "satterthwaite_by_arm")}


def fit(record: dict[str, Any], method: str) -> FitResult:
    y = np.array(record["outcome"], dtype=float)
    baseline = np.array(record["baseline"])[:, None] if "baseline" in method else None
    options = OPTIONS[method.removesuffix("_baseline_by_visit")]
    return fit_mmrm(y[None], record["treatment"], np.arange(y.shape[1]), baseline, **options)


@needs_reference
@pytest.mark.parametrize("number", range(12))
def test_mmrm_agrees_with_the_r_package(number: int) -> None:
    record = json.loads(REFERENCE.read_text())["records"][number]
    for method, expected in record["results"].items():
        if (record["id"], method) in NEAR_SINGULAR:
            continue
        found = fit(record, method)
        assert found.converged[0], method
        assert found.estimate[0] == pytest.approx(expected["estimate"], abs=1e-3 * expected["se"])
        assert found.se[0] == pytest.approx(expected["se"], rel=1e-3), method
        assert found.df[0] == pytest.approx(expected["df"], rel=1e-2), method


@needs_reference
def test_a_likelihood_without_a_maximum_is_flagged_instead_of_answered() -> None:
    record = json.loads(REFERENCE.read_text())["records"][0]
    found = fit(record, "satterthwaite_by_arm")
    assert not found.converged[0]
    assert found.boundary[0]
    assert np.isnan(found.se[0])


def test_kenward_roger_with_a_clustered_error_is_refused() -> None:
    y = np.zeros((1, 4, 3))
    with pytest.raises(DesignError, match='with standard_error "cr2" use "satterthwaite"'):
        fit_mmrm(
            y, [0, 1, 0, 1], [0, 1, 2], degrees_of_freedom="kenward_roger", standard_error="cr2"
        )


def test_an_unknown_word_is_refused() -> None:
    with pytest.raises(DesignError, match="covariance must be one of pooled, by_arm, got 'ar1'"):
        fit_mmrm(np.zeros((1, 4, 3)), [0, 1, 0, 1], [0, 1, 2], covariance="ar1")  # type: ignore[arg-type]
