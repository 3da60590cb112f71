"""Designs of two-arm trials with repeated measurements."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.inference import Covariance, DegreesOfFreedom, Inference, StandardError
from trialsim.costs import Costs
from trialsim.drop_out import DropOut
from trialsim.errors import DesignError
from trialsim.stated import AssumedDecline, StatedCalibration

__all__ = [
    "ANALYSES",
    "Analysis",
    "AssumedDecline",
    "Costs",
    "DropOut",
    "StatedCalibration",
    "TrialDesign",
    "build_costs",
    "build_design",
]


@dataclass(frozen=True)
class Analysis:
    """What an analysis fits.

    Attributes
    ----------
    model
        The change score, the last visit adjusted for baseline, or a mixed model of all visits.
    uses_score
        Whether the prognostic score is a covariate besides, crossed with time in a mixed model.
    """

    model: Literal["change", "ancova", "random_slope", "mmrm"]
    uses_score: bool = False

    @property
    def is_mixed(self) -> bool:
        """Whether it is a mixed model."""
        return self.model in {"random_slope", "mmrm"}

    @property
    def compares_slopes(self) -> bool:
        """Whether it estimates a difference in slope, rather than at the last visit."""
        return self.model == "random_slope"


ANALYSES: Final[dict[str, Analysis]] = {
    "change": Analysis("change"),
    "ancova": Analysis("ancova"),
    "ancova_score": Analysis("ancova", uses_score=True),
    "random_slope": Analysis("random_slope"),
    "mmrm": Analysis("mmrm"),
    "random_slope_score": Analysis("random_slope", uses_score=True),
    "mmrm_score": Analysis("mmrm", uses_score=True),
}
"""What a design may list as its analyses."""

UNITS: Final = ("mm3", "log_percent")
RELATIVE_TO: Final = ("all decline", "decline above normal ageing")
EFFECT_SHAPES: Final = ("slope", "offset")
EFFECT_MODELS: Final = ("shift", "proportional")
OUTCOMES: Final = ("auto", "observed", "archive", "predicted", "assumed")
"""Where outcomes may come from."""

OutcomeSource = Literal["auto", "observed", "archive", "predicted", "assumed"]
TRAJECTORIES: Final = ("resampling", "parametric")


@dataclass(frozen=True)
class TrialDesign:
    """A two-arm trial; every attribute is a key of the protocol's `[design]` table.

    Attributes
    ----------
    visits_months
        Months of the visits, from 0.
    endpoint
        Region whose volume is followed to the last visit.
    unit
        "mm3", or "log_percent" (100 x the natural logarithm of the volume, so that a difference of
        1 is 1 % of the volume it starts from); "percent", its earlier name, is read as that.
    arms
        Names of the control and the treatment arm.
    allocation_ratio
        Treatment : control.
    alpha
        Total type I error.
    sides
        1 or 2.
    target_power
        Power that a sample size is searched for.
    slowing
        Fraction of decline that the treatment prevents, between 0 and 1.
    relative_to
        "all decline", or "decline above normal ageing".
    normal_change_per_year
        Change a year of people who age normally, in `unit` (a loss is negative).
    effect
        "slope": the difference grows in proportion to time; "offset": it is whole from the first
        visit after baseline. Both reach the same difference at the last visit.
    effect_model
        "shift": every treated person is shifted by the same amount; "proportional": each one's own
        decline is slowed (parametric outcomes only).
    outcomes
        Where the outcomes of a simulated trial come from: "observed", the screened people's own
        follow-up; "archive", other people who were followed, weighted to agree with the screened;
        "predicted", what a prediction that is calibrated on an archive (or as stated) lets expect
        of the screened; "assumed", stated numbers; "auto", observed where at least half of the
        people have the first and the last visit, else the archive, else predicted.
    assumed
        The numbers of outcomes that are assumed.
    calibration
        How predictions err where no archive tells.
    trajectories
        How they are drawn: by "resampling" people, or from a "parametric" model fitted to them.
    dropout
        How people leave.
    analyses
        Names in `ANALYSES`.
    common_baseline
        Whether the random-slope model lets the arms share their intercept.
    degrees_of_freedom
        Of the mixed models: "satterthwaite", or "kenward_roger" with its standard error.
    covariance
        Of the mixed models: "pooled" over the arms, or "by_arm".
    standard_error
        Of the mixed models: from the "model", or clustered by participant ("cr0", "cr2").

    Raises
    ------
    DesignError
        One sentence for each attribute that cannot be.
    """

    visits_months: tuple[float, ...] = (0.0, 12.0, 24.0)
    endpoint: str = "hippocampus"
    unit: Literal["mm3", "log_percent", "percent"] = "mm3"
    arms: tuple[str, str] = ("control", "treatment")
    allocation_ratio: float = 1.0
    alpha: float = 0.05
    sides: int = 2
    target_power: float = 0.8
    slowing: float = 0.25
    relative_to: Literal["all decline", "decline above normal ageing"] = "all decline"
    normal_change_per_year: float | None = None
    effect: Literal["slope", "offset"] = "slope"
    effect_model: Literal["shift", "proportional"] = "shift"
    outcomes: OutcomeSource = "auto"
    assumed: AssumedDecline = field(default_factory=AssumedDecline)
    calibration: StatedCalibration = field(default_factory=StatedCalibration)
    trajectories: Literal["resampling", "parametric"] = "resampling"
    dropout: DropOut = field(default_factory=DropOut)
    analyses: tuple[str, ...] = ("mmrm",)
    common_baseline: bool = False
    degrees_of_freedom: DegreesOfFreedom = "satterthwaite"
    covariance: Covariance = "pooled"
    standard_error: StandardError = "model"

    def __post_init__(self) -> None:
        object.__setattr__(self, "visits_months", tuple(float(m) for m in self.visits_months))
        object.__setattr__(self, "analyses", tuple(self.analyses))
        object.__setattr__(self, "arms", tuple(self.arms))
        if self.unit == "percent":
            object.__setattr__(self, "unit", "log_percent")
        problems = [*_find_schedule_problems(self), *_find_choice_problems(self)]
        problems += [*_find_number_problems(self), *self.dropout.find_problems()]
        problems += [*_find_inference_problems(self), *_find_stated_problems(self)]
        if problems:
            raise DesignError(*problems)

    @property
    def inference(self) -> Inference:
        """How the mixed models judge the effect."""
        return Inference(self.degrees_of_freedom, self.covariance, self.standard_error)

    @property
    def times(self) -> NDArray[np.float64]:
        """Months of the visits."""
        return np.array(self.visits_months)

    @property
    def duration_months(self) -> float:
        """Months from baseline to the last visit."""
        return self.visits_months[-1]

    def split(self, n_total: int) -> tuple[int, int]:
        """Return the people in control and in treatment of `n_total`: control is rounded."""
        n_control = round(n_total / (1 + self.allocation_ratio))
        return n_control, n_total - n_control

    def compute_retention(self, arm: int) -> NDArray[np.float64]:
        """Return the share of the arm (0 control, 1 treatment) still in at each visit."""
        left = self.dropout.treated if arm else self.dropout.control
        return np.asarray((1 - left) ** (self.times / self.duration_months))

    def compute_hazard(self, arm: int) -> float:
        """Return the hazard of leaving the arm, per month."""
        left = self.dropout.treated if arm else self.dropout.control
        return -math.log1p(-left) / self.duration_months

    def change(self, **values: Any) -> "TrialDesign":
        """Return the design with some attributes changed."""
        return replace(self, **values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as a protocol's `[design]` table holds them."""
        return asdict(self)


def build_design(values: Mapping[str, Any], *, source: str = "design") -> TrialDesign:
    """Return the design of plain values; `dropout` may be one share for both arms.

    `dropout`, `assumed` and `calibration` are tables of their own.

    Raises
    ------
    DesignError
        A key is unknown, a value cannot be.
    """
    plain = dict(values)
    left = plain.get("dropout", {})
    table = left if isinstance(left, Mapping) else {"control": left}
    parts = {"dropout": table, "assumed": plain.get("assumed", {})}
    parts["calibration"] = plain.get("calibration", {})
    for name, own in parts.items():
        _refuse_unknown(own, _PARTS[name], f"{source}, {name}")
    _refuse_unknown(plain, TrialDesign, source)
    try:
        return TrialDesign(
            **{**plain, **{name: _PARTS[name](**own) for name, own in parts.items()}}
        )
    except (TypeError, ValueError) as error:
        raise DesignError(f"{source}: a value has the wrong type ({error}).") from error


_PARTS: Final[dict[str, type[Any]]] = {
    "dropout": DropOut,
    "assumed": AssumedDecline,
    "calibration": StatedCalibration,
}


def build_costs(values: Mapping[str, Any], *, source: str = "costs") -> Costs:
    """Return the costs of plain values.

    Raises
    ------
    DesignError
        A key is unknown, a value cannot be.
    """
    _refuse_unknown(values, Costs, source)
    try:
        return Costs(**values)
    except (TypeError, ValueError) as error:
        raise DesignError(f"{source}: a value has the wrong type ({error}).") from error


def _refuse_unknown(values: Mapping[str, Any], kind: type[Any], source: str) -> None:
    known = [one.name for one in fields(kind)]
    unknown = [key for key in values if key not in known]
    if unknown:
        raise DesignError(
            *(f"{source}: {key} is not known; there are {', '.join(known)}." for key in unknown)
        )


def _find_schedule_problems(design: TrialDesign) -> list[str]:
    months = design.visits_months
    if len(months) < 2 or months[0] != 0 or any(b <= a for a, b in pairwise(months)):
        return [f"visits_months must start at 0 and increase, got {list(months)}."]
    return [
        f"The analysis {name} needs at least 3 visits, got {len(months)}."
        for name in design.analyses
        if name in ANALYSES and ANALYSES[name].compares_slopes and len(months) < 3
    ]


def _find_choice_problems(design: TrialDesign) -> list[str]:
    choices = {
        "unit": UNITS,
        "relative_to": RELATIVE_TO,
        "effect": EFFECT_SHAPES,
        "effect_model": EFFECT_MODELS,
        "trajectories": TRAJECTORIES,
        "sides": (1, 2),
    }
    problems = [
        f"{name} must be one of {', '.join(map(str, known))}, got {getattr(design, name)!r}."
        for name, known in choices.items()
        if getattr(design, name) not in known
    ]
    problems += [
        f"analyses may hold {', '.join(ANALYSES)}, got {name!r}."
        for name in design.analyses
        if name not in ANALYSES
    ]
    if not design.analyses or len(set(design.analyses)) < len(design.analyses):
        problems.append(f"analyses must list each analysis once, got {list(design.analyses)}.")
    if len(design.arms) != 2:
        problems.append(f"arms must name two arms, got {list(design.arms)}.")
    problems += _find_outcome_problems(design.outcomes)
    if design.effect_model == "proportional" and design.trajectories != "parametric":
        problems.append(
            'effect_model "proportional" needs trajectories "parametric": a measured change holds '
            "noise, and no treatment slows noise."
        )
    return problems


def _find_inference_problems(design: TrialDesign) -> list[str]:
    try:
        changes = design.inference.list_changes()
    except DesignError as error:
        return list(error.problems)
    if any(ANALYSES[name].is_mixed for name in design.analyses if name in ANALYSES):
        return []
    return [
        f"{change} is for mixed models (random_slope, mmrm): the analyses hold none, got "
        f"{', '.join(design.analyses)}."
        for change in changes
    ]


def _find_stated_problems(design: TrialDesign) -> list[str]:
    problems = design.calibration.find_problems(len(design.visits_months) - 1)
    lacking = design.assumed.list_lacking() if design.outcomes == "assumed" else []
    problems += [
        f'outcomes "assumed" lack a number: state assumed.{name} (see the [design.assumed] table).'
        for name in lacking
    ]
    return [*problems, *design.assumed.find_problems()]


def _find_outcome_problems(outcomes: str) -> list[str]:
    if outcomes in TRAJECTORIES:
        return [
            f"outcomes says where outcomes come from ({', '.join(OUTCOMES)}); how they are drawn "
            f'is trajectories = "{outcomes}".'
        ]
    if outcomes not in OUTCOMES:
        return [f"outcomes must be one of {', '.join(OUTCOMES)}, got {outcomes!r}."]
    return []


def _find_number_problems(design: TrialDesign) -> list[str]:
    problems = [
        f"{name} must lie between 0 and 1, got {getattr(design, name):g}."
        for name in ("alpha", "target_power", "slowing")
        if not 0 < getattr(design, name) < 1
    ]
    if not 0 < design.allocation_ratio < math.inf:
        problems.append(
            f"allocation_ratio must be greater than 0, got {design.allocation_ratio:g}."
        )
    return problems
