"""Designs of two-arm trials with repeated measurements."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from cohorts.entrances import entrance
from trialsim.analysis.inference import Covariance, DegreesOfFreedom, Inference, StandardError
from trialsim.costs import Costs
from trialsim.design_checks import EVENTS, OutcomeSource, find_design_problems
from trialsim.errors import DesignError
from trialsim.events import DropOut, Event, Rate, compute_remaining, read_rate
from trialsim.plain_values import build_from_values
from trialsim.sites import Sites
from trialsim.stated import AssumedDecline, StatedCalibration
from trialsim.units import Unit

__all__ = [
    "AssumedDecline",
    "Costs",
    "DropOut",
    "Event",
    "OutcomeSource",
    "Sites",
    "StatedCalibration",
    "TrialDesign",
    "build_costs",
    "build_design",
]


@entrance
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
        1 is 1 % of the volume it starts from).
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
    onset_months
        When the effect begins; the decline after it is slowed.
    pseudo_atrophy, pseudo_atrophy_months
        Extra loss under treatment that is no decline, 0 or more, in `unit`, and the month by which
        it is whole (the first visit after baseline when None).
    effect_lost_per_year
        Share of the effect that is lost a year after treatment stops, 0 (what was gained stays) to
        1 (lost at once); under the strategy "treatment_policy" for discontinuation.
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
    discontinuation, adverse_event, death
        Treatment is stopped, something happens that tells people their arm, or they die: how often,
        and how each is dealt with.
    composite_worst
        Share of untreated people who fare worse than someone whose event counts as a bad outcome.
    unreadable
        Share of the scans after baseline that cannot be read: one number, or one for each visit.
    sites
        Where people are seen, and how sites differ.
    imputed_delta
        Added to what is imputed for treated people who left, in `unit`.
    analyses
        Names in `trialsim.analyses.ANALYSES`.
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
    unit: Unit = "mm3"
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
    onset_months: float = 0.0
    pseudo_atrophy: float = 0.0
    pseudo_atrophy_months: float | None = None
    effect_lost_per_year: float = 1.0
    outcomes: OutcomeSource = "auto"
    assumed: AssumedDecline = field(default_factory=AssumedDecline)
    calibration: StatedCalibration = field(default_factory=StatedCalibration)
    trajectories: Literal["resampling", "parametric"] = "resampling"
    dropout: DropOut = field(default_factory=DropOut)
    discontinuation: Event = field(default_factory=Event)
    adverse_event: Event = field(default_factory=Event)
    death: Event = field(default_factory=Event)
    composite_worst: float = 0.1
    unreadable: Rate = 0.0
    sites: Sites = field(default_factory=Sites)
    imputed_delta: float = 0.0
    analyses: tuple[str, ...] = ("mmrm",)
    common_baseline: bool = False
    degrees_of_freedom: DegreesOfFreedom = "satterthwaite"
    covariance: Covariance = "pooled"
    standard_error: StandardError = "model"

    def __post_init__(self) -> None:
        object.__setattr__(self, "visits_months", tuple(float(m) for m in self.visits_months))
        object.__setattr__(self, "analyses", tuple(self.analyses))
        object.__setattr__(self, "arms", tuple(self.arms))
        object.__setattr__(self, "unreadable", read_rate(self.unreadable))
        problems = find_design_problems(self)
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
        return compute_remaining(left, self.times)

    def compute_share_left(self, arm: int) -> float:
        """Return the share of the arm that has left by the last visit."""
        return 1 - float(self.compute_retention(arm)[-1])

    def compute_hazard(self, arm: int) -> float:
        """Return the mean hazard of leaving the arm, per month."""
        return -math.log(self.compute_retention(arm)[-1]) / self.duration_months

    def get_event(self, name: str) -> Event:
        """Return one of the events in `EVENTS`."""
        event: Event = getattr(self, name)
        return event

    @property
    def has_events(self) -> bool:
        """Whether intercurrent events happen, or outcomes after leaving lose the effect."""
        happens = any(self.get_event(name).happens for name in EVENTS)
        leaves = bool(np.any(self.dropout.control) or np.any(self.dropout.treated))
        return happens or (leaves and self.discontinuation.strategy == "treatment_policy")

    @property
    def has_linear_effect(self) -> bool:
        """Whether the difference between the arms grows in proportion to time."""
        return self.effect == "slope" and not (self.onset_months or self.pseudo_atrophy)

    def change(self, **values: Any) -> "TrialDesign":
        """Return the design with some attributes changed."""
        return replace(self, **values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as a protocol's `[design]` table holds them."""
        return asdict(self)


_PARTS: Final[tuple[tuple[str, type[Any]], ...]] = (
    ("dropout", DropOut),
    ("sites", Sites),
    ("assumed", AssumedDecline),
    ("calibration", StatedCalibration),
    *((name, Event) for name in EVENTS),
)


def build_design(values: Mapping[str, Any], *, source: str = "design") -> TrialDesign:
    """Return the design of plain values; `dropout` or an event may be one rate for both arms.

    `sites` may be their number.

    `dropout`, `assumed` and `calibration` are tables of their own.

    Raises
    ------
    DesignError
        A key is unknown, a value cannot be.
    """
    parts = {
        name: _build_part(kind, values[name], f"{source}, {name}")
        for name, kind in _PARTS
        if name in values
    }
    return build_from_values(TrialDesign, {**values, **parts}, source)


def build_costs(values: Mapping[str, Any], *, source: str = "costs") -> Costs:
    """Return the costs of plain values.

    Raises
    ------
    DesignError
        A key is unknown, a value cannot be.
    """
    return build_from_values(Costs, values, source)


def _build_part(kind: type[Any], value: Any, source: str) -> Any:
    first = "n" if kind is Sites else "control"
    table = value if isinstance(value, Mapping) else {first: value}
    return build_from_values(kind, table, source)
