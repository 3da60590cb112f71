"""A synthetic study for the tests of the page: numbers that agree with one another, seeded."""

import runpy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest

from reports.page.compose import compose_page
from reports.page.content import Page
from reports.page.gather import StudyFacts, gather_study
from reports.page.render.html import render_html
from reports.store.study import Study

Tables = dict[str, pd.DataFrame]
BLANK: Final = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>'

HERE = Path(__file__).parent
PEOPLE = runpy.run_path(str(HERE / "example_people.py"))
DESIGN = runpy.run_path(str(HERE / "example_design.py"))

COMMANDS: Final = {
    "trialsim cohort import people.csv": ("participants", "visits", "volumes", "screening_flow"),
    "trialsim predict --model mini": ("scan_checks",),
    "trialsim rank --seed 7": ("scores", "selections"),
    "trialsim compare --seed 7": (
        "capture_rates",
        "capture_differences",
        "predictor_performance",
        "predicted_changes",
        "group_differences",
    ),
    "trialsim power --seed 7": (
        "operating_characteristics",
        "sample_sizes",
        "sample_size_savings",
        "power_differences",
        "cheapest_fractions",
        "sensitivity",
        "estimands",
    ),
}
CONFIGS: Final[dict[str, dict[str, Any]]] = {
    "trialsim cohort import people.csv": {"cohort_name": "example", "is_synthetic": True},
    "trialsim rank --seed 7": {
        "selection": {
            "strategies": list(PEOPLE["CORRELATION"]),
            "fractions_enrolled": list(PEOPLE["FRACTIONS"]),
            "fast_progressor": {"top_fraction": 0.3, "horizon_months": 24, "window_months": 6},
        }
    },
    "trialsim power --seed 7": {
        "design": {
            "endpoint": "hippocampus",
            "unit": "percent",
            "visits_months": [0, 6, 12, 18, 24],
            "allocation_ratio": 1.0,
            "alpha": 0.05,
            "sides": 2,
            "target_power": 0.8,
            "slowing": 0.25,
            "relative_to": "all decline",
            "effect": "slope",
            "dropout": {"control": 0.2, "treatment": 0.2},
            "discontinuation": {
                "control": 0.1,
                "treatment": [0.05, 0.05, 0.05, 0.05],
                "strategy": "treatment_policy",
                "shift": 0.0,
            },
            "effect_lost_per_year": 0.5,
            "outcomes": "resampling",
            "analyses": ["mmrm", "change"],
        },
        "costs": {"currency": "EUR", "screening": 9000, "participant": 40000, "per_month": 0},
        "simulation": {"n_bootstrap": 200, "workers": 2},
        "notes": ["The smallest pool has 100 people."],
    },
}


def make_study_tables(
    *,
    n_people: int = 400,
    sizes: tuple[int, ...] = (50, 100, 150, 200, 300),
    analyses: tuple[str, ...] = ("mmrm", "change"),
    n_trials: int = 5000,
    seed: int = 7,
) -> Tables:
    """Return every table of a finished study, by name."""
    rng = np.random.default_rng(seed)
    cohort = PEOPLE["make_cohort_tables"](rng, n_people)
    tables = {
        **cohort,
        **PEOPLE["make_selection_tables"](rng, cohort),
        **DESIGN["make_design_tables"](rng, analyses=analyses, sizes=sizes, n_trials=n_trials),
        "screening_flow": PEOPLE["make_screening_flow"](n_people),
        "scan_checks": make_scan_checks(),
    }
    del tables["_decline"]
    return tables


def make_scan_checks() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "participant_id": ["sub-00003", "sub-00004"],
            "session_id": "ses-00",
            "model_id": "mini",
            "verdict": ["warn", "pass"],
            "reasons": ["slices of 3 mm, the model was trained on 1 mm", ""],
            "brain_mask": ["template", "segmenter"],
        }
    )


def write_study(path: Path, tables: Tables) -> Study:
    """Write `tables` into a new study, each by the command that makes it."""
    with Study.open(path) as study:
        for command, names in COMMANDS.items():
            present = [name for name in names if name in tables]
            if not present:
                continue
            with study.run(command=command, config=CONFIGS.get(command, {}), seed=7) as run:
                for name in present:
                    run.write(name, tables[name])
    return Study.open(path, read_only=True)


@pytest.fixture(scope="session")
def study_tables() -> Tables:
    return make_study_tables(n_people=200, sizes=(50, 100, 200))


@pytest.fixture(scope="session")
def example_study(study_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return write_study(tmp_path_factory.mktemp("study") / "study.duckdb", study_tables)


@pytest.fixture(scope="session")
def facts(example_study: Study) -> StudyFacts:
    return gather_study(example_study)


@pytest.fixture(scope="session")
def page(facts: StudyFacts) -> Page:
    """Return the page of the study, whose figures are drawn once for all files of tests."""
    return compose_page(facts, moment=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


@pytest.fixture(scope="session")
def html(page: Page) -> str:
    return render_html(page)


@pytest.fixture
def _undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave figures undrawn, which the page of `html` and that of hostile text draw."""
    for module in ("page.render.html", "page.render.pdf", "figures.export"):
        monkeypatch.setattr(f"reports.{module}.render_svg", lambda _figure, *, prefix: BLANK)
    monkeypatch.setattr("reports.figures.export.render_png", lambda _figure: b"")
