"""What a dry run says of durations counts every fit of every bootstrap sample."""

import pytest

from trialsim.study.protocol import build_protocol
from trialsim.study.steps import simulation_timing


def estimate(outcomes: str, *, has_archive: bool, n_bootstrap: int) -> float:
    content = {
        "cohort": {"path": "people", **({"training": "archive"} if has_archive else {})},
        "selection": {"strategies": ["boosting"], "folds": 4},
        "design": {"visits_months": [0, 12, 24], "outcomes": outcomes},
        "simulation": {"n_bootstrap": n_bootstrap},
    }
    return simulation_timing.estimate_simulation(build_protocol(content))


@pytest.mark.parametrize(
    ("outcomes", "has_archive", "n_fits"),
    [
        ("observed", True, 1),
        ("observed", False, 4),
        # cross-fitted inside the archive, then fitted on all of it for those screened
        ("archive", True, 5),
        ("auto", True, 5),
    ],
)
def test_people_who_are_cross_fitted_take_a_fit_for_each_fold(
    monkeypatch: pytest.MonkeyPatch, outcomes: str, has_archive: bool, n_fits: int
) -> None:
    monkeypatch.setattr(simulation_timing, "measure_trial", lambda _: 0.0)
    monkeypatch.setattr(simulation_timing, "_PER_CLOSED_FORM", 0.0)
    monkeypatch.setattr(simulation_timing, "_PER_REFIT", {"boosting": 2.0})
    assert estimate(outcomes, has_archive=has_archive, n_bootstrap=0) == 0
    seconds = estimate(outcomes, has_archive=has_archive, n_bootstrap=300)
    assert seconds == pytest.approx(300 * 2 * n_fits)
