"""The protocol file is checked as a whole, and says which key is wrong and what is allowed."""

import json
from importlib.resources import files
from inspect import signature
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from reports.store.study import DESCRIPTION, Study
from trialsim.cli.app import app
from trialsim.comparison import compare_strategies
from trialsim.enrichment import build_screening_tables
from trialsim.errors import DesignError
from trialsim.study.protocol import CohortSection, Protocol, build_protocol
from trialsim.study.question import ask, build_stated, read_protocol

MINIMAL = """
[cohort]
path = "people.csv"
[design]
visits_months = [0, 12, 24]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "protocol.toml"
    file.write_text(MINIMAL)
    return file


def test_the_example_is_a_valid_protocol(tmp_path: Path) -> None:
    example = files("trialsim").joinpath("protocol.toml").read_text()
    (tmp_path / "protocol.toml").write_text(example)
    protocol = read_protocol(tmp_path / "protocol.toml")
    assert protocol.prediction is not None
    assert protocol.design.visits_months == (0, 12, 24)


def test_init_writes_the_example_and_never_overwrites(tmp_path: Path) -> None:
    runner = CliRunner()
    assert runner.invoke(app, ["init", str(tmp_path / "new")]).exit_code == 0
    (tmp_path / "new/protocol.toml").write_text("mine")
    result = runner.invoke(app, ["init", str(tmp_path / "new")])
    assert result.exit_code == 1
    assert "already there" in result.stderr
    assert (tmp_path / "new/protocol.toml").read_text() == "mine"


def test_a_key_of_an_earlier_version_is_refused_with_its_new_name(path: Path) -> None:
    path.write_text(MINIMAL + "[selection.fast_progressor]\nwindow_months = 6\n")
    with pytest.raises(DesignError, match=r"window_months: this key is cohort\.window_months now"):
        read_protocol(path)


@pytest.mark.parametrize("key", ["model", "context_from"])
@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_name_is_not_the_folder_of_the_protocol(path: Path, key: str, empty: str) -> None:
    path.write_text(f'{MINIMAL}[prediction]\n{key} = "{empty}"\n')
    said = f'prediction.{key}: give a bundled one\'s name or the path of a folder, got "{empty}"'
    with pytest.raises(DesignError, match=said):
        read_protocol(path)


def test_the_auxiliary_model_tells_the_context_again(tmp_path: Path) -> None:
    stated = {"cohort.path": tmp_path, "prediction.context_from": "none"}
    section = build_stated(stated).prediction
    assert section is not None
    assert section.context_from is None


def test_paths_are_relative_to_the_protocol(path: Path) -> None:
    protocol = read_protocol(path)
    assert protocol.cohort.path == path.parent / "people.csv"
    assert protocol.study.output == path.parent / "results"


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("study.seed=7", lambda p: p.study.seed == 7),
        ("study.title=A trial", lambda p: p.study.title == "A trial"),
        (
            "selection.fractions_enrolled=[0.25, 1]",
            lambda p: p.selection.fractions_enrolled[0] == 0.25,
        ),
        ("design.slowing=0.4", lambda p: p.design.slowing == 0.4),
        ("costs.screening=900", lambda p: p.costs.screening == 900),
        ("prediction.samples=auto", lambda p: p.prediction.samples == "auto"),
        ("prediction=none", lambda p: p.prediction is None),
    ],
)
def test_a_key_is_overridden(path: Path, override: str, read: object) -> None:
    assert read(read_protocol(path, [override]))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("study.sede=7", r"study\.sede: no such key; \[study\] takes title, seed, output"),
        ("selection.strategies=[]", r"selection\.strategies: at least 1 wanted, got none\."),
        ("magic.key=7", r"magic: no such key; the protocol takes study, cohort"),
        ("study.seed=-1", r"study\.seed: .*greater than or equal to 0, got -1"),
        (
            "selection.fractions_enrolled=[0.5, 2]",
            r"fractions_enrolled\.1: .*less than or equal to 1",
        ),
        ('selection.strategies=["magic"]', "unknown strategies magic; known are random"),
        ('selection.strategies=["brlp"]', r"strategies brlp need a \[prediction\] section"),
        ("selection.fast_progressor={}", "exactly one of top_fraction and rate_below"),
        ("design.slowing=3", "slowing must lie between 0 and 1, both excluded, got 3"),
        ("design.visits_months=[1, 2]", "visits_months must start at 0"),
        ("design.alfa=3", "alfa is not known"),
        ("costs.screening=-1", "screening must be 0 or more"),
        ("simulation.n_simulations=many", r"n_simulations: .*integer.*got \"many\""),
        ("nonsense", "--set takes key=value"),
        ("study.seed.deep=1", "seed is a value, not a section|study.seed"),
    ],
)
def test_a_wrong_key_is_named_with_what_is_right(path: Path, override: str, words: str) -> None:
    with pytest.raises(DesignError, match=words):
        read_protocol(path, [override])


def test_every_problem_is_reported_at_once(path: Path) -> None:
    with pytest.raises(DesignError) as caught:
        read_protocol(path, ["study.seed=-1", "design.slowing=3", "costs.screening=-1", "x.y=1"])
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize("text", ["[cohort", "\x00", "a = 1\na = 2"])
def test_a_file_that_is_no_toml_is_one_sentence(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(DesignError, match="not valid TOML"):
        read_protocol(path)


def test_a_missing_file_points_to_init(tmp_path: Path) -> None:
    with pytest.raises(DesignError, match="trialsim init"):
        read_protocol(tmp_path / "none.toml")


def test_a_protocol_without_its_cohort_says_so() -> None:
    with pytest.raises(DesignError, match="cohort: this key is missing"):
        build_protocol({"design": {"visits_months": [0, 12]}})


def test_functions_take_the_defaults_of_the_protocol() -> None:
    protocol = Protocol(cohort=CohortSection(path=Path("people")))
    asked = {
        **protocol.simulation.model_dump(),
        "seed": protocol.study.seed,
        "fractions_enrolled": protocol.selection.fractions_enrolled,
    }
    taken = {
        name: parameter.default
        for name, parameter in signature(compare_strategies).parameters.items()
        if name in asked
    }
    plain = {n: list(v) if isinstance(v, tuple) else v for n, v in taken.items()}
    assert plain == asked
    assert signature(build_screening_tables).parameters["n_folds"].default == (
        protocol.selection.folds
    )


def test_what_was_renamed_is_refused_with_the_new_names_together(path: Path) -> None:
    path.write_text(
        f'{MINIMAL}unit = "percent"\n[selection]\n'
        "fast_progressor = { top_fraction = 0.3, window_months = 6 }\n"
    )
    with pytest.raises(DesignError) as caught:
        read_protocol(path)
    told = str(caught.value)
    assert 'unit "percent" is "log_percent" now' in told
    assert "this key is cohort.window_months now" in told


def test_a_study_that_recorded_earlier_names_is_asked_on(tmp_path: Path) -> None:
    study = Study.open(tmp_path / "study.duckdb")
    recorded = {"cohort.path": "people", "design.unit": "percent"}
    values = [json.dumps(value) for value in recorded.values()]
    with study.run(command="trialsim power", config={}) as run:
        run.write(DESCRIPTION, pd.DataFrame({"key": [*recorded], "value": values}))
    assert ask(study.path, {}).protocol.design.unit == "log_percent"


def test_a_protocol_goes_into_json() -> None:
    protocol = build_protocol({"cohort": {"path": "x"}, "design": {"visits_months": [0, 12]}})
    assert Protocol.model_validate_json(protocol.model_dump_json()).design == protocol.design


@pytest.mark.parametrize(("before", "end"), [(b"\xef\xbb\xbf", b"\n"), (b"", b"\r\n")])
def test_byte_order_mark_and_windows_line_ends_are_read(
    before: bytes, end: bytes, path: Path
) -> None:
    expected = read_protocol(path)
    path.write_bytes(before + path.read_bytes().replace(b"\n", end))
    assert read_protocol(path) == expected


def test_tilde_is_the_home_folder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(path.parent / "home"))
    protocol = read_protocol(path, ["cohort.path=~/people.csv", "study.output=~/results"])
    assert protocol.cohort.path == path.parent / "home/people.csv"
    assert protocol.study.output == path.parent / "home/results"


def test_option_with_a_tilde_means_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["cohort", "describe", "--study=~/missing.duckdb"])
    assert str(tmp_path / "missing.duckdb") in result.output
    assert not (tmp_path / "~").exists()


def test_stated_values_go_before_those_of_the_file(path: Path) -> None:
    path.write_text(f"{MINIMAL}slowing = 0.2\n[costs]\nscreening = 9\n")
    protocol = read_protocol(path, ["design.slowing=0.4", "costs.participant=5"])
    design, costs = protocol.design, protocol.costs
    assert (design.slowing, design.alpha, design.visits_months) == (0.4, 0.05, (0.0, 12.0, 24.0))
    assert (costs.screening, costs.participant) == (9, 5.0)


def test_a_bound_takes_the_place_of_a_top_fraction(tmp_path: Path) -> None:
    stated = {"cohort.path": "people", "selection.fast_progressor.rate_below": -3.0}
    fast = ask(tmp_path / "study.duckdb", stated).protocol.selection.fast_progressor
    assert (fast.rate_below, fast.top_fraction) == (-3.0, None)


def test_a_study_without_a_cohort_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(DesignError, match="records no cohort"):
        ask(tmp_path / "study.duckdb", {"design.slowing": 0.4})
