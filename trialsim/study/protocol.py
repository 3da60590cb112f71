"""The protocol: one study's whole question, with all defaults, checked before anything runs."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    ValidationError,
    model_validator,
)

from cohorts.schema import CONTEXT_REGIONS, REPORTED_REGIONS
from cohorts.visits import WINDOW_MONTHS
from trialsim import defaults
from trialsim.accrual.plan import AccrualPlan, build_accrual
from trialsim.costs import MONTHS_UNKNOWN, Costs
from trialsim.design import TrialDesign, build_costs, build_design
from trialsim.enrichment.strategies.predicted import HORIZON_GAP_MONTHS
from trialsim.enrichment.strategies.registry import STRATEGIES
from trialsim.errors import DesignError
from trialsim.interim.plan import InterimPlan, build_interim
from trialsim.optimization.ranges import SearchRanges, build_ranges


def expand_home(path: Path) -> Path:
    """Return the path with the home folder in place of `~` or `~name`.

    Raises
    ------
    DesignError
        Where there is no such home.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise DesignError(f"{path}: there is no home folder {path.parts[0]}.") from error


def _refuse_no_path(value: object) -> object:
    # an empty path is the working directory, which nobody means who writes nothing
    if value == "":
        raise ValueError("give a path")
    return value


def _refuse_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("give a bundled one's name or the path of a folder")
    return value


def _take_out(value: object) -> object:
    return None if value == "none" else value


UserPath = Annotated[Path, BeforeValidator(_refuse_no_path), AfterValidator(expand_home)]
FolderOrName = Annotated[str, AfterValidator(_refuse_empty)]
Share = Annotated[float, Field(gt=0, le=1)]
Months = Annotated[float, Field(gt=0, le=defaults.LAST_MONTH)]

RENAMED: Final[Mapping[str, str]] = {
    "selection.fast_progressor.window_months": "cohort.window_months",
}
"""Keys of earlier versions, with what they are now."""

REGIONS: Final = tuple(dict.fromkeys((*REPORTED_REGIONS, *CONTEXT_REGIONS)))


def _build(build: Callable[..., Any], value: Any) -> Any:
    """Let the design's own checks speak: each of their sentences becomes a line of the error."""
    if not isinstance(value, Mapping):
        return value
    try:
        return build(value, source="this section")
    except DesignError as error:
        raise ValueError("\n".join(error.problems)) from error


class ProtocolSection(BaseModel):
    """A part of the protocol; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class StudySection(ProtocolSection):
    """What the study is called, where its results go, the seed of everything random.

    With `private` whatever is written is for its owner alone (0600); otherwise for the group too,
    where the umask says so.
    """

    title: str = "Untitled study"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = defaults.SEED
    output: UserPath = Path("results")
    private: bool = False


class CohortSection(ProtocolSection):
    """Whom we screen.

    `training` is another cohort with follow-up visits, on which the strategies that learn are
    fitted. Left out, they are cross-fitted on the screened people's own follow-ups.
    `measured_by` is the tool whose volumes count where several measured one visit. A visit stands
    for a planned time that is at most `window_months` away, see `cohorts.visits`. `harmonize`
    brings volumes of other tools to that of the screened people, or takes them "as_measured";
    `harmonize_by` names columns that make one tool several, such as `field_strength` or
    `scanner`; `measured_twice` is a table of people whom both measured.
    """

    path: UserPath
    training: UserPath | None = None
    map: dict[str, str] = {}
    age_unit: Literal["years", "months", "hundredths"] | None = None
    sex_coding: str | dict[str, str] | None = None
    diagnosis_coding: str | dict[str, str] | None = None
    diagnosis: str | None = None
    top_coded_age: Annotated[float, Field(ge=60, le=120)] | None = None
    missing: str | list[str | int | float] | None = None
    ignore: list[str] = []
    pipeline: str | None = None
    profile: str | None = None
    harmonize: Literal["linear", "combat", "as_measured"] | None = None
    harmonize_by: list[str] = []
    measured_twice: UserPath | None = None
    bids_filters: dict[str, dict[str, str | int | list[str | int] | None]] = {}
    quarantine: bool = False
    measured_by: str | None = None
    window_months: Annotated[float, Field(ge=0, le=60)] = WINDOW_MONTHS
    eligibility: list[str] = []


class PredictionSection(ProtocolSection):
    """How brains are predicted; without this section no scan is read and no model is loaded.

    `horizons_months` follow the visits of the design when left out (`Protocol.horizons_months`).
    `sampler` and `num_inference_steps` are the model's own when left out; `batch_size` and
    `memory_gb` are what memory holds; both are for a GPU. `threads` compute one person; another
    number changes the last digits, `simulation.workers` does not. `measure = false` writes scans
    without volumes, to segment elsewhere; `segmentations` is the folder of label maps that were
    made of them. `context_from` names a fitted baseline, such as one that reads the scan, which
    tells the model's context how the endpoint changes in place of the auxiliary model; "none" is
    the auxiliary model, whatever a study recorded.
    """

    model: FolderOrName = "mini"
    context_from: Annotated[FolderOrName | None, BeforeValidator(_take_out)] = None
    horizons_months: Annotated[list[Months], Field(min_length=1)] | None = None
    samples: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = 4
    device: str = "cpu"
    save_images: bool = True
    measure: bool = True
    segmentations: UserPath | None = None
    until_months: Annotated[float, Field(ge=0, le=defaults.LAST_MONTH)] = 0.0
    tolerance_percent: Annotated[float, Field(gt=0, le=100)] = 0.25
    sampler: Literal["ddim", "dpm-solver++"] | None = None
    num_inference_steps: Annotated[int, Field(ge=1)] | None = None
    precision: Literal["auto", "full", "bf16"] = "auto"
    batch_size: Annotated[int, Field(ge=1)] | None = None
    memory_gb: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    threads: Annotated[int, Field(ge=1, le=256)] = 1


class FastProgressor(ProtocolSection):
    """Who counts as a fast progressor: a share of the cohort, or a yearly change below a bound."""

    top_fraction: Share | None = None
    rate_below: Annotated[float, Field(lt=0)] | None = None
    unit: Literal["percent", "mm3"] = "percent"
    horizon_months: Months = 24.0

    @model_validator(mode="after")
    def _one_definition(self) -> Self:
        if (self.top_fraction is None) == (self.rate_below is None):
            raise ValueError("give exactly one of top_fraction and rate_below")
        return self


class SelectionSection(ProtocolSection):
    """Which ways of choosing are compared.

    `predictions` is a table of predicted volumes that were made elsewhere, beside those of
    [prediction]; rows whose `model_id` starts with "auxiliary" were made without an image.
    `n_selected` are the numbers of people at which capture rates are measured, tenths of those
    whose decline is known when left out; `truth` is the decline that strategies are judged by:
    latent (synthetic people), measured, or auto, which is latent where it is known.
    """

    strategies: Annotated[list[str], Field(min_length=1)] = [
        "random",
        "baseline_volume",
        "regression",
    ]
    scores: UserPath | None = None
    predictions: UserPath | None = None
    fractions_enrolled: Annotated[list[Share], Field(min_length=1)] = [*defaults.FRACTIONS_ENROLLED]
    folds: Annotated[int, Field(ge=2, le=50)] = defaults.N_FOLDS
    fast_progressor: FastProgressor = FastProgressor(top_fraction=0.3)
    n_selected: list[int] | None = None
    truth: Literal["auto", "latent", "measured"] = "auto"

    @model_validator(mode="after")
    def _known_strategies(self) -> Self:
        unknown = [name for name in self.strategies if name not in STRATEGIES]
        if unknown and self.scores is None:
            raise ValueError(
                f"unknown strategies {', '.join(unknown)}; known are {', '.join(STRATEGIES)}, "
                "and the columns of a score file given as selection.scores"
            )
        return self


class SimulationSection(ProtocolSection):
    """How much is simulated.

    `n_bootstrap` samples of people, in each of which strategies are fitted again, stand behind the
    intervals of sizes and costs; those of capture rates, which fit nothing, are always of 1,000.
    """

    sample_sizes: Annotated[
        list[Annotated[int, Field(ge=4, le=100_000)]], Field(min_length=2, max_length=200)
    ] = [*defaults.SAMPLE_SIZES]
    n_simulations: Annotated[int, Field(ge=100, le=10_000_000)] = defaults.N_SIMULATIONS
    n_bootstrap: Annotated[int, Field(ge=0, le=100_000)] = defaults.N_BOOTSTRAP
    workers: Annotated[int, Field(ge=1, le=256)] = defaults.WORKERS


class ComputeSection(ProtocolSection):
    """Where the work is done; no number depends on it.

    `cluster` is local (processes of this machine), the address of a Dask scheduler
    (tcp://node1:8786), or the path of a TOML file that asks a queue for workers; left out, this
    process does everything. `parts` is the address of fsspec (s3://bucket/parts) where workers keep
    finished blocks of simulations; left out, the folder parts/ beside the study.
    """

    cluster: str | None = None
    parts: Annotated[str, Field(pattern="://")] | None = None


class Protocol(ProtocolSection):
    """The whole question of a study."""

    study: StudySection = StudySection()
    cohort: CohortSection
    prediction: PredictionSection | None = None
    selection: SelectionSection = SelectionSection()
    design: Annotated[InstanceOf[TrialDesign], BeforeValidator(partial(_build, build_design))] = (
        TrialDesign()
    )
    costs: Annotated[InstanceOf[Costs], BeforeValidator(partial(_build, build_costs))] = Costs()
    accrual: (
        Annotated[InstanceOf[AccrualPlan], BeforeValidator(partial(_build, build_accrual))] | None
    ) = None
    optimize: (
        Annotated[InstanceOf[SearchRanges], BeforeValidator(partial(_build, build_ranges))] | None
    ) = None
    interim: (
        Annotated[InstanceOf[InterimPlan], BeforeValidator(partial(_build, build_interim))] | None
    ) = None
    simulation: SimulationSection = SimulationSection()
    compute: ComputeSection = ComputeSection()

    if not TYPE_CHECKING:

        def __init__(self, **values: object) -> None:
            with _in_sentences("Protocol"):
                super().__init__(**values)

    @model_validator(mode="after")
    def _predictions_for_their_strategies(self) -> Self:
        wanting = {"brlp", "stacked", "auxiliary"} & set(self.selection.strategies)
        if wanting and self.prediction is None and self.selection.predictions is None:
            raise ValueError(
                f"the strategies {', '.join(sorted(wanting))} need a [prediction] section, or "
                "selection.predictions; or run `trialsim predict` first"
            )
        return self

    @model_validator(mode="after")
    def _one_course_of_screening(self) -> Self:
        if self.accrual is None:
            if self.costs.per_month and self.costs.screening_rate_per_month is None:
                raise ValueError(MONTHS_UNKNOWN)
            return self
        for name in ("screening_rate_per_month", "opening_months", "screening_months"):
            if getattr(self.costs, name):
                raise ValueError(f"costs.{name} and [accrual] both say how fast people come")
        if self.costs.failure_rate:
            raise ValueError("costs.failure_rate and accrual.failure_rate both say who fails")
        return self

    @property
    def horizons_months(self) -> list[float]:
        """The months after baseline that brains are predicted for.

        Those that are stated; else every visit of the design where outcomes may be predicted
        without an archive; else the one visit that strategies rank people by, which is that nearest
        to the horizon of fast progressors, or this horizon where no visit is near.
        """
        if self.prediction is not None and self.prediction.horizons_months is not None:
            return self.prediction.horizons_months
        visits, wanted = (
            self.design.visits_months[1:],
            self.selection.fast_progressor.horizon_months,
        )
        nearest = min(visits, key=lambda month: (abs(month - wanted), -month))
        ranking = nearest if abs(nearest - wanted) <= HORIZON_GAP_MONTHS else wanted
        is_drawn = self.design.outcomes == "predicted" or (
            self.design.outcomes == "auto" and self.cohort.training is None
        )
        return sorted({ranking, *visits}) if is_drawn else [ranking]

    @property
    def trial_costs(self) -> Costs:
        """The costs, with the course of screening that `[accrual]` plans."""
        return self.costs.follow(self.accrual)


def build_protocol(content: Mapping[str, Any], *, name: str = "protocol") -> Protocol:
    """Check `content`, the protocol as nested mappings.

    Raises
    ------
    DesignError
        One sentence for each key that is unknown, missing or out of range.
    """
    with _in_sentences(name):
        return Protocol.model_validate(content)


@contextmanager
def _in_sentences(name: str) -> Iterator[None]:
    """Raise one sentence for each thing that a protocol cannot hold."""
    try:
        yield
    except ValidationError as error:
        problems = [s for problem in error.errors() for s in _sentences(name, problem)]
        raise DesignError(*problems) from error


def _sentences(name: str, problem: Mapping[str, Any]) -> Iterator[str]:
    key = ".".join(str(part) for part in problem["loc"]) or "the whole"
    if key in RENAMED:
        yield f"{name}, {key}: this key is {RENAMED[key]} now."
    elif problem["type"] == "extra_forbidden":
        yield f"{name}, {key}: no such key; {_allowed_keys(problem['loc'][:-1])}."
    elif problem["type"] == "missing":
        yield f"{name}, {key}: this key is missing."
    elif problem["type"] == "too_short":
        wanted, n_given = problem["ctx"]["min_length"], problem["ctx"]["actual_length"]
        yield f"{name}, {key}: at least {wanted} wanted, got {n_given or 'none'}."
    else:
        is_section = isinstance(problem["input"], dict | ProtocolSection)
        got = "" if is_section else f", got {_shown(problem['input'])}"
        for line in str(problem["msg"]).removeprefix("Value error, ").splitlines():
            yield f"{name}, {key}: {line.removesuffix('.')}{got}."


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _allowed_keys(location: tuple[Any, ...]) -> str:
    section: Any = Protocol
    for part in location:
        field = getattr(section, "model_fields", {}).get(part)
        section = field.annotation if field is not None else None
    names = getattr(section, "model_fields", None) or getattr(section, "__dataclass_fields__", {})
    where = f"[{'.'.join(map(str, location))}]" if location else "the protocol"
    return f"{where} takes {', '.join(names)}" if names else "see `trialsim init` for an example"
