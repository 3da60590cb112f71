"""`import trialsim as ts`: small, typed, documented, light."""

import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import trialsim as ts
from cohorts.errors import CohortError, StorageError, TrialsimError
from reports.errors import ReportError
from reports.store.study import Study
from trialsim.errors import DesignError
from trialsim.study.keys import KEYS
from trialsim.study.protocol import PredictionSection

ROOT = Path(__file__).parents[2]
PACKAGES = [
    "trialsim",
    "trialsim.adaptive",
    "trialsim.analysis",
    "trialsim.analytic",
    "trialsim.enrichment",
    "trialsim.finished",
    "trialsim.imputation",
    "trialsim.simulation",
    "trialsim.twins",
    "cohorts.synthetic",
    "reports.figures",
]
FUNCTIONS = [name for name in ts.__all__ if inspect.isfunction(getattr(ts, name))]
CLOSED_FORMS = [
    name for name in ts.analytic.__all__ if inspect.isfunction(getattr(ts.analytic, name))
]


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_package_lists_is_there(package: str) -> None:
    module = sys.modules.get(package) or __import__(package, fromlist=["__all__"])
    assert len(set(module.__all__)) == len(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    assert not {"attach", "TYPE_CHECKING"} & set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing


def test_no_module_bears_the_name_of_a_function() -> None:
    taken = {path.stem for path in (ROOT / "trialsim").iterdir() if path.suffix != ".toml"}
    assert taken.isdisjoint(FUNCTIONS)


def test_importing_is_light() -> None:
    code = (
        "import sys, trialsim\ndir(trialsim)\n"
        "found = {'torch', 'pandas', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_documented_whole(name: str) -> None:
    function = getattr(ts, name)
    text = inspect.getdoc(function) or ""
    for part in ("Parameters", "Returns", "Raises", "Examples"):
        assert f"\n{part}\n---" in text, part
    listed = re.split(r"\n(?:Returns|Raises|Examples)\n-", text.split("Parameters\n", 1)[1])[0]
    heads = re.findall(r"^\*{0,2}(\w[\w, ]*)$", listed, re.MULTILINE)
    named = {word for head in heads for word in head.split(", ")}
    assert set(inspect.signature(function).parameters) <= named


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_every_closed_form_says_what_it_gives_and_shows_it(name: str) -> None:
    function = getattr(ts.analytic, name)
    text = inspect.getdoc(function) or ""
    takes = bool(inspect.signature(function).parameters)
    for part in ("Returns", "Examples", *(("Parameters", "Raises") if takes else ())):
        assert f"\n{part}\n---" in text, part


def list_keys(section: str, content: object) -> set[str]:
    """Return the dotted keys below a section of a protocol."""
    values = content if isinstance(content, dict) else vars(content)
    nested = {"selection.fast_progressor", "design.assumed"}
    keys = {f"{section}.{name}": value for name, value in values.items()}
    below = [list_keys(key, keys[key]) for key in nested & set(keys)]
    return set().union(set(keys) - nested, *below)


def test_a_protocol_is_stated_with_the_names_of_its_keys() -> None:
    assert set(inspect.signature(ts.protocol).parameters) == set(KEYS)
    whole = {**ts.protocol("people").model_dump(), "prediction": PredictionSection()}
    sections = {name: content for name, content in whole.items() if name not in KEYS.values()}
    keys = set().union(*(list_keys(name, content) for name, content in sections.items()))
    assert keys | {"accrual", "interim", "optimize"} == set(KEYS.values())
    asked = ts.protocol("people", rate_below=-3.0, dropout=0.2, model="mini", unit="log_percent")
    fast = asked.selection.fast_progressor
    assert (fast.rate_below, fast.top_fraction) == (-3.0, None)
    assert (asked.design.dropout.control, asked.design.unit) == (0.2, "log_percent")
    assert asked.prediction is not None
    assert asked.cohort.path == Path.cwd() / "people"


def test_types_of_a_users_script_are_checked() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert "tests/trialsim/users_script.py" in settings["files"]
    assert settings["strict"], "an ignored error that is none is one"


def refuse(call: str) -> str:
    with pytest.raises(TypeError) as caught:
        eval(call, {"ts": ts, "np": np})
    assert isinstance(caught.value, TrialsimError)
    assert len(caught.value.problems) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("ts.run(3)", "run: protocol must be of type Protocol or text or a path, got 3."),
        ("ts.run(ts.protocol('people'), outputs='a')", "no argument outputs, did you mean output."),
        ("ts.plan()", "plan: missing a required argument: 'protocol'."),
        ("ts.protocol('people', strategies='random')", "strategies must be a list, each text"),
        ("ts.TrialDesign(alpha='a')", "TrialDesign: alpha must be a number, got 'a'."),
        ("ts.Costs(screening='x')", "Costs: screening must be a number, got 'x'."),
        ("ts.Costs(price=3)", "Costs: there is no argument price."),
        ("ts.load_cohort('people', column_map=3)", "column_map must be a mapping, got 3."),
        ("ts.Cohort.read(3)", "Cohort.read: folder must be text or a path, got 3."),
        ("ts.open_study(None)", "open_study: path must be text or a path, got None."),
        ("ts.load_model('mini', device=0)", "load_model: device must be text, got 0."),
        ("ts.analyze('trial.csv', endpont='x')", "no argument endpont, did you mean endpoint."),
        ("ts.analyze('trial.csv', alpha='x')", "analyze: alpha must be a number, got 'x'."),
        ("ts.analytic.means(sd='a', delta=1, power=0.8)", "means: sd must be a number or an array"),
        ("ts.analytic.mmrm(sd=1, delta=1, power=0.8, correlation='x')", "mmrm: correlation must"),
    ],
)
def test_a_wrong_argument_is_one_sentence_at_every_entrance(call: str, words: str) -> None:
    assert words in refuse(call)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_refuses_what_it_does_not_take(name: str) -> None:
    assert "no argument such" in refuse(f"ts.{name}(such=1)")


def test_arrays_lists_and_numbers_of_numpy_are_taken() -> None:
    size = ts.analytic.means(sd=[1.0, 2.0], delta=np.float32(0.5), power=np.array([0.8, 0.8]))
    assert size.n_control.shape == (2,)
    assert ts.TrialDesign([0, 12, 24], sides=np.int64(1), alpha=np.float64(0.025)).sides == 1


def test_the_path_of_a_protocol_file_is_a_question(tmp_path: Path) -> None:
    (tmp_path / "protocol.toml").write_text("[cohort]\npath = 'people'\n")
    with pytest.raises(CohortError, match=f"{tmp_path}/people does not exist"):
        ts.plan(str(tmp_path / "protocol.toml"))


def test_a_protocol_made_of_sections_says_what_is_wrong() -> None:
    with pytest.raises(DesignError, match="Protocol, cohort: this key is missing"):
        ts.Protocol()  # type: ignore[call-arg]


def test_a_table_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    Study.open(tmp_path / "study.duckdb")
    with pytest.raises(ReportError, match=r"No table is called 'such'; .*study.duckdb has none"):
        ts.open_study(tmp_path / "study.duckdb").table("such")


def test_a_study_in_a_place_that_is_a_file_is_told(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    with pytest.raises(StorageError, match=r"taken of the study cannot be made .*: name another"):
        ts.rank(ts.protocol("people"), output=taken)


def test_a_figure_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="There is no study file"):
        ts.open_study(tmp_path / "none")
