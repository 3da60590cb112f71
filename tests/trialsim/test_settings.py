"""Every setting reaches what it is offered for, or the user is told that it changes nothing."""

from pathlib import Path
from typing import Any, Final

import pytest
from typer.testing import CliRunner

import trialsim as ts
from trialsim.cli.app import app
from trialsim.cli.asking.key_options import OPTIONS
from trialsim.study.idle import tell_idle_settings
from trialsim.study.job import Job
from trialsim.study.keys import KEYS
from trialsim.study.making import VERBS
from trialsim.study.phrasing import list_stated
from trialsim.study.protocol import Protocol
from trialsim.study.question import build_stated
from trialsim.study.steps.order import list_steps

ASSUMED: Final = {
    "decline_mean": 4.0, "decline_sd": 3.0, "baseline_sd": 10.0, "baseline_correlation": 0.1,
    "noise_sd": 1.0, "score_correlation": 0.3,
}  # fmt: skip
WHOLE: Final[dict[str, Any]] = {
    "cohort": "people.csv", "model": "mini", "strategies": ["random", "regression"],
    "interim": {"looks": [0.5, 1], "accrual_per_month": 10}, "optimize": {"n_confirmed": 1},
    "analyses": ["random_slope", "jump_to_reference"], "visits_months": [0, 12, 24],
    **ASSUMED,
}  # fmt: skip
"""A question that asks for every step."""

OTHER: Final[dict[str, Any]] = {
    "cohort": "others.csv", "column_map": {"x": "mmse"}, "seed": 7,
    "age_unit": "months", "sex_coding": "0=M,1=F", "diagnosis_coding": "1=CN,2=MCI",
    "diagnosis": "MCI", "quarantine": True, "ignore": ["x"], "top_coded_age": 91.0,
    "missing": "-4", "profile": "oasis3", "pipeline": "fmriprep",
    "bids_filters": {"t1w": {"acquisition": "mprage"}}, "eligibility": ["age_years > 60"],
    "training": "others.csv", "measured_by": "synthseg", "harmonize": "combat",
    "harmonize_by": ["scanner"], "measured_twice": "others.csv", "window_months": 2.0,
    "model": "copy", "context_from": "image_regression", "horizons_months": [12.0], "samples": 8,
    "save_images": False, "measure": False, "segmentations": "maps", "until_months": 6.0,
    "tolerance_percent": 1.0, "sampler": "dpm-solver++", "num_inference_steps": 9,
    "precision": "full", "threads": 2, "strategies": ["random"], "scores": "others.csv",
    "predictions": "others.csv", "fractions_enrolled": [0.4], "folds": 3, "n_selected": [7],
    "truth": "measured", "top_fraction": 0.2, "rate_below": -2.0, "horizon_months": 12.0,
    "decline_unit": "mm3", "endpoint": "amygdala", "unit": "log_percent",
    "visits_months": [0, 6, 24], "arms": ["a", "b"], "allocation_ratio": 2.0, "alpha": 0.1,
    "sides": 1, "target_power": 0.7, "slowing": 0.4, "relative_to": "decline above normal ageing",
    "normal_change_per_year": -1.0, "effect": "offset", "effect_model": "proportional",
    "outcomes": "observed", "trajectories": "parametric", "dropout": 0.1, "discontinuation": 0.1,
    "adverse_event": 0.1, "death": 0.1, "effect_lost_per_year": 0.5, "unreadable": 0.1, "sites": 4,
    "onset_months": 6.0, "pseudo_atrophy": 1.0, "pseudo_atrophy_months": 3.0,
    "composite_worst": 0.2, "imputed_delta": 1.0, "calibration": {"slope": 0.9},
    "analyses": ["mmrm"], "common_baseline": True, "degrees_of_freedom": "kenward_roger",
    "covariance": "by_arm", "standard_error": "cr2", "currency": "USD", "screening": 1.0,
    "participant": 1.0, "visit": 1.0, "per_month": 1.0, "screening_rate_per_month": 9.0,
    "opening_months": 2.0, "screening_months": 2.0, "failure_rate": 0.2,
    "accrual": {"sites": 4, "screened_per_site_per_month": 2}, "optimize": {"n_confirmed": 2},
    "interim": {"looks": [0.4, 1], "accrual_per_month": 10}, "sample_sizes": [60, 120],
    "n_simulations": 200, "n_bootstrap": 300, **{name: 0.9 * n for name, n in ASSUMED.items()},
}  # fmt: skip
"""Another value of every setting that some number depends on."""

MIXED: Final = {"analyses": ["random_slope"]}
WITH: Final[dict[str, dict[str, Any]]] = {
    "rate_below": {"top_fraction": None},
    "effect_model": {"trajectories": "parametric"},
    "per_month": {"screening_rate_per_month": 9.0},
    "degrees_of_freedom": MIXED,
    "covariance": MIXED,
    "standard_error": MIXED,
    "analyses": {"visits_months": [0, 12, 24]},
}
"""Settings that others go with."""

WAYS: Final = {
    "title", "output", "private", "device", "batch_size", "memory_gb", "workers", "cluster",
    "parts",
}  # fmt: skip
"""Where and by whom the work is done, what it is called: no number depends on these."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("people.csv", "others.csv"):
        Path(name).write_text("participant_id,sex,age_years,diagnosis,x\na,F,70,MCI,2\n")
    return tmp_path


def ask(**changed: Any) -> Protocol:
    asked = {**WHOLE, **changed}
    return build_stated({KEYS[name]: value for name, value in asked.items()})


def tell_dependence(protocol: Protocol, until: str | None = None) -> list[Any]:
    """What the steps of a question depend on; the model's folder stands for its weights."""
    steps = list_steps(Job(protocol, Path.cwd()), until=until)
    seed, model = protocol.study.seed, protocol.prediction and protocol.prediction.model
    return [seed, model, *((one.name, one.config, list(map(str, one.inputs))) for one in steps)]


def test_every_setting_is_walked() -> None:
    assert OTHER.keys() | WAYS == KEYS.keys()
    assert not OTHER.keys() & WAYS


@pytest.mark.parametrize("name", sorted(OTHER))
def test_a_setting_reaches_a_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "model":
        from brlp_models.model.files import find_model_folder

        Path("copy").symlink_to(find_model_folder("mini"))
    own = WITH.get(name, {})
    before, after = ask(**own), ask(**own, **{name: OTHER[name]})
    assert tell_dependence(after) != tell_dependence(before)


def list_options(verb: str) -> list[str]:
    words = CliRunner().invoke(app, [verb, "--help"], terminal_width=200).output
    flags = {name: one.flag or f"--{name.replace('_', '-')}" for name, one in OPTIONS.items()}
    return [name for name, flag in flags.items() if f"{flag} " in words]


@pytest.mark.parametrize("verb", list(VERBS))
def test_an_option_reaches_a_step_of_its_command(verb: str) -> None:
    names = list_options(verb)
    assert "seed" in names
    idle = []
    for name in set(names) - WAYS - {"model"}:
        own = WITH.get(name, {})
        before, after = ask(**own), ask(**own, **{name: OTHER[name]})
        if tell_dependence(after, VERBS[verb]) == tell_dependence(before, VERBS[verb]):
            idle.append(name)
    assert idle == []


def test_bootstrap_samples_are_offered_for_what_they_govern() -> None:
    assert {verb for verb in VERBS if "n_bootstrap" in list_options(verb)} == {"power", "optimize"}
    assert "behind the intervals of sizes and costs" in OPTIONS["n_bootstrap"].text


IDLE: Final[dict[str, dict[str, Any]]] = {
    "folds": {"training": "others.csv"},
    "tolerance_percent": {"model": "mini"},
    "normal_change_per_year": {},
    **{name: {} for name in ASSUMED},
    "calibration": {"outcomes": "observed"},
    "common_baseline": {"analyses": ["mmrm"]},
    "composite_worst": {"dropout": 0.1},
    "effect_lost_per_year": {},
    "pseudo_atrophy_months": {},
    "opening_months": {},
    "screening_months": {},
}
"""Settings that change nothing beside others."""

USED: Final[dict[str, dict[str, Any]]] = {
    "folds": {},
    "tolerance_percent": {"model": "mini", "samples": "auto"},
    "normal_change_per_year": {"relative_to": "decline above normal ageing"},
    **{name: {"outcomes": "assumed", **ASSUMED} for name in ASSUMED},
    "calibration": {},
    "common_baseline": {"analyses": ["mmrm", "random_slope"]},
    "composite_worst": {"death": 0.1},
    "effect_lost_per_year": {"dropout": 0.1},
    "pseudo_atrophy_months": {"pseudo_atrophy": 1.0},
    "opening_months": {"screening_rate_per_month": 9.0},
    "screening_months": {"screening_rate_per_month": 9.0},
}


@pytest.mark.parametrize("name", IDLE)
def test_a_setting_that_others_put_out_of_use_is_told(name: str) -> None:
    visits = {"visits_months": [0, 12, 24]}
    idle = ts.protocol("people.csv", **visits | IDLE[name] | {name: OTHER[name]})
    told = " ".join(tell_idle_settings(idle))
    assert f"{KEYS[name].rpartition('.')[0 if name in ASSUMED else 2]} changes nothing: " in told
    used = ts.protocol("people.csv", **visits | USED[name] | {name: OTHER[name]})
    assert list(tell_idle_settings(used)) == []


def test_defaults_of_a_section_that_is_asked_for_are_not_stated() -> None:
    asked = ts.protocol("people.csv", model="mini", samples=2)
    stated = [key for key in list_stated(asked, Path.cwd()) if key.startswith("prediction.")]
    assert stated == ["prediction.model", "prediction.samples"]
    assert list(tell_idle_settings(asked)) == []


def test_a_command_tells_what_changes_nothing() -> None:
    words = ["cohort", "synthesize", "synthetic", "-n", "40", "--seed", "1"]
    assert CliRunner().invoke(app, words).exit_code == 0
    words = [
        "rank",
        "synthetic",
        "--strategies",
        "random",
        "--set",
        "design.pseudo_atrophy_months=6",
    ]
    found = CliRunner().invoke(app, words)
    told = "Note: design.pseudo_atrophy_months changes nothing: there is no design.pseudo_atrophy."
    assert found.exit_code == 0
    assert told in " ".join(found.stderr.split())
