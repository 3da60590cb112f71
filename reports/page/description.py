"""What a study was asked, typed, as the page reads it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from reports.errors import ReportError

Rate = float | tuple[float, ...]
"""One share by the last visit, or one for each visit after baseline."""


class StudyDescription(BaseModel):
    """The resolved question behind a table; None where an earlier version recorded nothing.

    Attributes
    ----------
    title, cohort_name
        Of the study, of the screened people.
    strategies, unattainable, fractions_enrolled
        What was compared; the strategies among them that no trial could carry out.
    top_fraction, rate_below, decline_unit, horizon_months, window_months
        Who is a fast progressor; a visit stands for a time at most `window_months` away.
    endpoint, unit
        The region that is followed; "mm3" or "log_percent" (100 ln volume).
    visits_months, allocation_ratio, alpha, sides, target_power, analyses
        The design.
    slowing, relative_to, normal_change_per_year, effect
        The effect.
    dropout_control, dropout_treatment
        Share of each arm that has left by the last visit, or at each visit after baseline.
    unreadable
        Share of the scans after baseline that cannot be read.
    discontinuation_control, adverse_event_control, death_control
        How often each intercurrent event happens, in treatment as in control where the attribute of
        treatment says nothing; how it is dealt with.
    effect_lost_per_year
        Share of the effect that is lost a year after treatment stops.
    training
        Other people that strategies are fitted on.
    outcomes, trajectories
        Whose outcomes became trials, how they were drawn.
    degrees_of_freedom, covariance, standard_error
        Of the mixed models.
    currency, screening, participant, visit, per_month, screening_rate_per_month
        Costs.
    sites, screened_per_site_per_month
        Of accrual by sites.
    sites_n, sites_sd, sites_change_sd, sites_randomization, sites_effect
        How outcomes differ between sites, and what the trial makes of it.
    n_designs
        How many were searched.
    n_bootstrap, workers
        Of the simulation.
    context_from
        What told the context of the model that predicted scans, in place of its auxiliary model.
    """

    model_config = ConfigDict(frozen=True)

    title: str | None = None
    cohort_name: str | None = None
    strategies: tuple[str, ...] | None = None
    unattainable: tuple[str, ...] | None = None
    fractions_enrolled: tuple[float, ...] | None = None
    top_fraction: float | None = None
    rate_below: float | None = None
    decline_unit: str | None = None
    horizon_months: float | None = None
    window_months: float | None = None
    endpoint: str | None = None
    unit: str | None = None
    visits_months: tuple[float, ...] | None = None
    allocation_ratio: float | None = None
    alpha: float | None = None
    sides: int | None = None
    target_power: float | None = None
    analyses: tuple[str, ...] | None = None
    slowing: float | None = None
    relative_to: str | None = None
    normal_change_per_year: float | None = None
    effect: str | None = None
    dropout_control: Rate | None = None
    dropout_treatment: Rate | None = None
    unreadable: Rate | None = None
    discontinuation_control: Rate | None = None
    discontinuation_treatment: Rate | None = None
    discontinuation_strategy: str | None = None
    adverse_event_control: Rate | None = None
    adverse_event_treatment: Rate | None = None
    adverse_event_strategy: str | None = None
    death_control: Rate | None = None
    death_treatment: Rate | None = None
    death_strategy: str | None = None
    effect_lost_per_year: float | None = None
    training: str | None = None
    outcomes: str | None = None
    trajectories: str | None = None
    degrees_of_freedom: str | None = None
    covariance: str | None = None
    standard_error: str | None = None
    currency: str | None = None
    screening: float | None = None
    participant: float | None = None
    visit: float | None = None
    per_month: float | None = None
    screening_rate_per_month: float | None = None
    sites: int | None = None
    screened_per_site_per_month: float | None = None
    sites_n: int | None = None
    sites_sd: float | None = None
    sites_change_sd: float | None = None
    sites_randomization: str | None = None
    sites_effect: str | None = None
    n_designs: int | None = None
    n_bootstrap: int | None = None
    workers: int | None = None
    context_from: str | None = None

    @property
    def is_priced(self) -> bool:
        """Whether anything costs."""
        return any((self.screening, self.participant, self.visit, self.per_month))

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the description of values by dotted key.

        Raises
        ------
        ReportError
            One sentence for each value of another type.
        """
        known = {key: value for key, value in values.items() if value is not None}
        found = {
            name: known[next(key for key in keys if key in known)]
            for name, keys in KEYS.items()
            if known.keys() & set(keys)
        }
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            raise ReportError(
                *(
                    f"The study's description holds {problem['input']!r} for "
                    f"{KEYS[str(problem['loc'][0])][0]}: {problem['msg'].lower()}."
                    for problem in error.errors()
                )
            ) from error


_FAST: Final = "selection.fast_progressor"


def _of(section: str, *names: str) -> dict[str, tuple[str, ...]]:
    # a command that is no step of a protocol names its settings without a section
    short = section.removeprefix("selection.") if section == _FAST else ""
    return {name: (f"{section}.{name}", f"{short}.{name}" if short else name) for name in names}


KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    **_of("study", "title"),
    # what is known only once the work is done stands in the run's own record
    "cohort_name": ("cohort_name",),
    **_of("selection", "strategies", "fractions_enrolled"),
    "unattainable": ("resolved.selection.unattainable",),
    **_of(_FAST, "top_fraction", "rate_below", "horizon_months"),
    "decline_unit": (f"{_FAST}.unit", "fast_progressor.unit"),
    "window_months": ("cohort.window_months", f"{_FAST}.window_months"),
    **_of(
        "design",
        *("endpoint", "unit", "visits_months", "allocation_ratio", "alpha", "sides"),
        *("target_power", "analyses", "slowing", "relative_to", "normal_change_per_year"),
        *("effect", "trajectories", "degrees_of_freedom", "covariance", "standard_error"),
    ),
    "outcomes": ("outcomes", "design.outcomes"),
    "dropout_control": ("design.dropout.control", "design.dropout"),
    "dropout_treatment": (
        "resolved.design.dropout.treatment",
        "design.dropout.treatment",
        "design.dropout.control",
        "design.dropout",
    ),
    **_of("design", "unreadable", "effect_lost_per_year"),
    **_of("cohort", "training"),
    **{
        f"{event}_{name}": (f"design.{event}.{name}",)
        for event in ("discontinuation", "adverse_event", "death")
        for name in ("control", "treatment", "strategy")
    },
    **_of(
        "costs",
        *("currency", "screening", "participant", "visit", "per_month"),
        "screening_rate_per_month",
    ),
    "sites": ("accrual.sites",),
    "screened_per_site_per_month": ("accrual.screened_per_site_per_month",),
    **{
        f"sites_{name}": (f"design.sites.{name}",)
        for name in ("n", "sd", "change_sd", "randomization", "effect")
    },
    "n_designs": ("n_designs",),
    **_of("simulation", "n_bootstrap"),
    "workers": ("resolved.simulation.workers", "simulation.workers"),
    "context_from": ("context_from",),
}
"""The dotted keys of each attribute, the first that is there counts.

Under `resolved.` stand values that follow from others where they are not stated.
"""


def flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested mappings by dotted key."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
