"""What a Python user asks of a study: the commands as functions."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cohorts.entrances import entrance
from cohorts.errors import TrialsimError
from reports.store.study import Study
from trialsim.study.making import STUDY, VERBS, Listener, make_study
from trialsim.study.phrasing import phrase_command
from trialsim.study.planning import StudyPlan, plan_study
from trialsim.study.protocol import Protocol
from trialsim.study.question import anchor, read_protocol
from trialsim.study.result import StudyResult

if TYPE_CHECKING:
    from brlp_models.model.model import BrlpModel

__all__ = [
    "compare",
    "load_model",
    "open_study",
    "optimize",
    "plan",
    "power",
    "predict",
    "rank",
    "run",
]

_WHOLE = ("compare", "power")
"""The commands that together give the tables of the whole job."""


@entrance
def run(
    protocol: Protocol | str | Path,
    *,
    output: str | Path | None = None,
    listener: Listener | None = None,
) -> StudyResult:
    """Do the whole job of a protocol: predict, choose, compare, simulate, report.

    Steps whose inputs have not changed are skipped.

    Parameters
    ----------
    protocol
        The whole question, from `protocol`, or the path of a protocol file (TOML).
    output
        The folder of the study file `study.duckdb` and of `report.html`; the protocol's own
        (`results`) when None.
    listener
        Who is told how the work goes; nobody when None.

    Returns
    -------
    StudyResult
        The study, open for reading.

    Raises
    ------
    TrialsimError
        One sentence for each step that cannot answer; whatever is finished is kept.

    Examples
    --------
    >>> import trialsim as ts
    >>> few = {"sample_sizes": [60, 120], "n_simulations": 100, "n_bootstrap": 0}
    >>> question = ts.protocol("screened", analyses=["ancova"], **few)
    >>> study = ts.run(question, output="run")
    >>> "enrolling" in study.answer
    True
    """
    return _make(protocol, output, None, listener)


@entrance
def predict(
    protocol: Protocol | str | Path,
    *,
    output: str | Path | None = None,
    listener: Listener | None = None,
) -> StudyResult:
    """Predict what the screened people's brains will look like; the protocol names the model.

    Parameters
    ----------
    protocol, output, listener
        As in `run`.

    Returns
    -------
    StudyResult
        With the tables `predictions`, `scan_checks` and `prediction_images`.

    Raises
    ------
    TrialsimError
        Where the protocol asks for no prediction, or nothing can be predicted.

    Examples
    --------
    >>> import trialsim as ts
    >>> question = ts.protocol("bids", model="mini", horizons_months=[24])
    >>> study = ts.predict(question, output="predicted")                       # doctest: +SKIP
    """
    asked = _read(protocol)
    if asked.prediction is None:
        raise TrialsimError('The protocol asks for no prediction: state a model, such as "mini".')
    return _make(asked, output, "predict", listener)


@entrance
def rank(
    protocol: Protocol | str | Path,
    *,
    output: str | Path | None = None,
    listener: Listener | None = None,
) -> StudyResult:
    """Score everyone by each strategy: whom it would enroll, whom it would leave out.

    Parameters
    ----------
    protocol, output, listener
        As in `run`.

    Returns
    -------
    StudyResult
        With the tables `scores`, `selections` and `group_differences`.

    Raises
    ------
    TrialsimError
        As in `run`.

    Examples
    --------
    >>> import trialsim as ts
    >>> study = ts.rank(ts.protocol("screened", strategies=["random"]), output="ranked")
    >>> study.table("selections")["is_selected"].all()
    np.True_
    """
    return _make(protocol, output, "rank", listener)


@entrance
def compare(
    protocol: Protocol | str | Path,
    *,
    output: str | Path | None = None,
    listener: Listener | None = None,
) -> StudyResult:
    """Measure how well each strategy finds the fast progressors, against chance.

    Parameters
    ----------
    protocol, output, listener
        As in `run`.

    Returns
    -------
    StudyResult
        With the tables `capture_rates`, `capture_differences`, `predictor_performance` and
        `predicted_changes`.

    Raises
    ------
    TrialsimError
        As in `run`; also where nobody's decline is known.

    Examples
    --------
    >>> import trialsim as ts
    >>> study = ts.compare(ts.protocol("screened", n_selected=[20]), output="compared")
    >>> sorted(set(study.table("capture_rates")["strategy"]))
    ['baseline_volume', 'random', 'regression']
    """
    return _make(protocol, output, "compare", listener)


@entrance
def power(
    protocol: Protocol | str | Path,
    *,
    output: str | Path | None = None,
    listener: Listener | None = None,
) -> StudyResult:
    """Simulate the trials of each strategy: power, type I error, sample size, cost.

    Parameters
    ----------
    protocol, output, listener
        As in `run`.

    Returns
    -------
    StudyResult
        With the tables `operating_characteristics`, `sample_sizes`, `sample_size_savings`,
        `power_differences`, `cheapest_fractions`, `sensitivity` and `estimands`.

    Raises
    ------
    TrialsimError
        As in `run`; also where the cohort cannot stand for the design's trials.

    Examples
    --------
    >>> import trialsim as ts
    >>> few = {"sample_sizes": [60, 120], "n_simulations": 100, "n_bootstrap": 0}
    >>> question = ts.protocol("screened", strategies=["random"], analyses=["ancova"], **few)
    >>> study = ts.power(question, output="powered")
    >>> list(study.table("operating_characteristics")["n_control"])
    [30, 60]
    """
    return _make(protocol, output, "power", listener)


@entrance
def optimize(
    protocol: Protocol | str | Path,
    *,
    output: str | Path | None = None,
    listener: Listener | None = None,
) -> StudyResult:
    """Search designs by closed form for those that nothing beats; simulate the best few.

    Parameters
    ----------
    protocol, output, listener
        As in `run`; `optimize` of the protocol says what is searched.

    Returns
    -------
    StudyResult
        With the table `design_front`.

    Raises
    ------
    TrialsimError
        As in `run`; also where the people cannot stand for the designs' trials.

    Examples
    --------
    >>> import trialsim as ts
    >>> few = {"fractions_enrolled": [0.5], "n_visits": [3], "n_confirmed": 1}
    >>> question = ts.protocol("screened", optimize=few, n_simulations=100, n_bootstrap=0)
    >>> study = ts.optimize(question, output="optimized")
    >>> len(study.table("design_front")) > 1
    True
    """
    return _make(protocol, output, "optimize", listener)


@entrance
def plan(protocol: Protocol | str | Path, *, output: str | Path | None = None) -> StudyPlan:
    """Return what `run` would do, the time it would take, and what the data cannot carry.

    Parameters
    ----------
    protocol, output
        As in `run`.

    Returns
    -------
    StudyPlan
        Its steps with their seconds, and its problems.

    Raises
    ------
    TrialsimError
        Where the cohort or the model is not there.

    Examples
    --------
    >>> import trialsim as ts
    >>> plan = ts.plan(ts.protocol("screened"))
    >>> [step.name for step in plan.steps], plan.problems
    (['load', 'score', 'compare', 'simulate', 'report'], ())
    """
    return plan_study(_anchor(protocol, output))


@entrance
def open_study(path: str | Path) -> StudyResult:
    """Open a study file for reading.

    Parameters
    ----------
    path
        The file `study.duckdb`, or the folder that holds it.

    Returns
    -------
    StudyResult
        The study.

    Raises
    ------
    ReportError
        Where there is no study file.

    Examples
    --------
    >>> import trialsim as ts
    >>> study = ts.rank(ts.protocol("screened", strategies=["random"]), output="ranked")
    >>> "scores" in ts.open_study("ranked").tables
    True
    """
    place = Path(path)
    found = place / STUDY if place.is_dir() else place
    Study.open(found, read_only=True)
    return StudyResult(found)


@entrance
def load_model(
    source: str | Path = "mini",
    *,
    device: str = "cpu",
    precision: Literal["auto", "full", "bf16"] = "full",
) -> "BrlpModel":
    """Read and verify a model that predicts scans; only this loads PyTorch.

    Parameters
    ----------
    source
        "mini", the bundled model, or the path of a model folder.
    device
        Where the networks are put: "cpu", "cuda", "cuda:1".
    precision
        What the networks multiply in; "auto" takes bfloat16 where the processor can.

    Returns
    -------
    BrlpModel
        The model.

    Raises
    ------
    ModelError
        Where a file is missing, altered, truncated, or of another architecture.

    Examples
    --------
    >>> import trialsim as ts
    >>> ts.load_model("mini").config.name
    'brlp-mini'
    """
    from brlp_models.model.folder import load_model as read_model

    return read_model(source, device=device, precision=precision)


def _make(
    protocol: Protocol | str | Path,
    output: str | Path | None,
    verb: str | None,
    listener: Listener | None,
) -> StudyResult:
    asked = _anchor(protocol, output)
    path = asked.study.output / STUDY
    whole = _WHOLE if asked.optimize is None else (*_WHOLE, "optimize")
    commands = [phrase_command(one, asked, path) for one in ([verb] if verb else whole)]
    until = None if verb is None else VERBS[verb]
    return make_study(asked, path, command=" && ".join(commands), until=until, listener=listener)


def _read(protocol: Protocol | str | Path) -> Protocol:
    return protocol if isinstance(protocol, Protocol) else read_protocol(Path(protocol))


def _anchor(given: Protocol | str | Path, output: str | Path | None) -> Protocol:
    protocol = _read(given)
    if output is not None:
        study = protocol.study.model_copy(update={"output": Path(output)})
        protocol = protocol.model_copy(update={"study": study})
    return anchor(protocol, Path.cwd())
