"""What cannot be in a design, one sentence each."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from trialsim.analyses import ANALYSES
from trialsim.errors import DesignError
from trialsim.events import find_rate_problems
from trialsim.imputation.strategies import STRATEGIES
from trialsim.units import find_unit_problems

if TYPE_CHECKING:
    from trialsim.design import TrialDesign

RELATIVE_TO: Final = ("all decline", "decline above normal ageing")
EFFECT_SHAPES: Final = ("slope", "offset")
EFFECT_MODELS: Final = ("shift", "proportional")
OUTCOMES: Final = ("auto", "observed", "archive", "predicted", "assumed")
"""Where outcomes may come from."""

OutcomeSource = Literal["auto", "observed", "archive", "predicted", "assumed"]
TRAJECTORIES: Final = ("resampling", "parametric")

EVENTS: Final = ("discontinuation", "adverse_event", "death")
"""The intercurrent events of a design."""


def find_design_problems(design: "TrialDesign") -> list[str]:
    """Return one sentence for each attribute that cannot be."""
    return [
        *_find_schedule_problems(design),
        *_find_choice_problems(design),
        *_find_number_problems(design),
        *_find_event_problems(design),
        *_find_site_problems(design),
        *_find_course_problems(design),
        *_find_inference_problems(design),
        *_find_stated_problems(design),
    ]


def _find_schedule_problems(design: "TrialDesign") -> list[str]:
    months = design.visits_months
    if not _is_schedule(months):
        return [f"visits_months must start at 0 and increase, got {list(months)}."]
    return [
        f"The analysis {name} needs at least 3 visits, got {len(months)}."
        for name in design.analyses
        if name in ANALYSES and ANALYSES[name].compares_slopes and len(months) < 3
    ]


def _is_schedule(months: Sequence[float]) -> bool:
    return len(months) > 1 and months[0] == 0 and all(a < b for a, b in pairwise(months))


def _find_choice_problems(design: "TrialDesign") -> list[str]:
    choices = {
        "relative_to": RELATIVE_TO,
        "effect": EFFECT_SHAPES,
        "effect_model": EFFECT_MODELS,
        "trajectories": TRAJECTORIES,
        "sides": (1, 2),
    }
    problems = find_unit_problems(design.unit)
    problems += [
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


def _find_inference_problems(design: "TrialDesign") -> list[str]:
    try:
        changes = design.inference.list_changes()
    except DesignError as error:
        return list(error.problems)
    known = [name for name in design.analyses if name in ANALYSES]
    own = [name for name in known if ANALYSES[name].imputation]
    if own:
        return [
            f"{change} is not for {', '.join(own)}, whose standard error is that of the imputation."
            for change in changes
        ]
    if any(ANALYSES[name].takes_inference for name in known):
        return []
    return [
        f"{change} is for mixed models (random_slope, mmrm): the analyses hold none, got "
        f"{', '.join(design.analyses)}."
        for change in changes
    ]


def _find_event_problems(design: "TrialDesign") -> list[str]:
    n_visits = len(design.visits_months)
    problems = design.dropout.find_problems(n_visits)
    for name in EVENTS:
        problems += design.get_event(name).find_problems(name, n_visits)
    problems += find_rate_problems("unreadable", design.unreadable, n_visits)
    if not 0 < design.composite_worst < 1:
        problems.append(
            "composite_worst must lie between 0 and 1, both excluded, got "
            f"{design.composite_worst:g}."
        )
    if not math.isfinite(design.imputed_delta):
        problems.append(f"imputed_delta must be a finite number, got {design.imputed_delta:g}.")
    elif design.imputed_delta and not any(
        ANALYSES[name].imputation for name in design.analyses if name in ANALYSES
    ):
        problems.append(
            f"imputed_delta is added to what is imputed, and no analysis imputes, got "
            f"{design.imputed_delta:g}: list one of {', '.join(STRATEGIES)}."
        )
    return problems


def _find_site_problems(design: "TrialDesign") -> list[str]:
    problems = design.sites.find_problems()
    if design.sites.effect == "random":
        problems += [
            f'sites.effect "random" is for models that impute nothing, got {name}: use "fixed".'
            for name in design.analyses
            if name in ANALYSES and ANALYSES[name].imputation
        ]
        if design.standard_error != "model" and any(
            ANALYSES[name].takes_inference for name in design.analyses if name in ANALYSES
        ):
            problems.append(
                'sites.effect "random" makes the people of a site alike, and standard_error '
                f'"{design.standard_error}" takes them for independent: use "model", or a "fixed" '
                "effect."
            )
    return problems


def _find_course_problems(design: "TrialDesign") -> list[str]:
    visits = design.visits_months
    # visits that are no schedule are told themselves; nothing is too late for them
    last = visits[-1] if _is_schedule(visits) else math.inf
    problems = []
    if not 0 <= design.onset_months < last:
        problems.append(
            f"onset_months must be at least 0 and before the last visit at month {last:g}, got "
            f"{design.onset_months:g}."
        )
    if not 0 <= design.pseudo_atrophy < math.inf:
        problems.append(f"pseudo_atrophy must be 0 or more, got {design.pseudo_atrophy:g}.")
    months = design.pseudo_atrophy_months
    if months is not None and not 0 < months <= last:
        problems.append(
            "pseudo_atrophy_months must be above 0 and at most the last visit's month "
            f"{last:g}, got {months:g}."
        )
    if not 0 <= design.effect_lost_per_year <= 1:
        problems.append(
            "effect_lost_per_year must be a share from 0 to 1, got "
            f"{design.effect_lost_per_year:g}."
        )
    return problems


def _find_outcome_problems(outcomes: str) -> list[str]:
    if outcomes in TRAJECTORIES:
        return [
            f"outcomes says where outcomes come from ({', '.join(OUTCOMES)}); how they are drawn "
            f'is trajectories = "{outcomes}".'
        ]
    if outcomes not in OUTCOMES:
        return [f"outcomes must be one of {', '.join(OUTCOMES)}, got {outcomes!r}."]
    return []


def _find_number_problems(design: "TrialDesign") -> list[str]:
    problems = [
        f"{name} must lie between 0 and 1, both excluded, got {getattr(design, name):g}."
        for name in ("alpha", "target_power", "slowing")
        if not 0 < getattr(design, name) < 1
    ]
    if not problems and design.target_power <= design.alpha:
        problems.append(
            f"target_power must be above alpha, which trials without an effect reach, got "
            f"{design.target_power:g} and {design.alpha:g}."
        )
    normal = design.normal_change_per_year
    if normal is not None and not math.isfinite(normal):
        problems.append(f"normal_change_per_year must be a finite number, got {normal:g}.")
    if not 0 < design.allocation_ratio < math.inf:
        problems.append(
            f"allocation_ratio must be greater than 0, got {design.allocation_ratio:g}."
        )
    return problems


def _find_stated_problems(design: "TrialDesign") -> list[str]:
    problems = design.calibration.find_problems(len(design.visits_months) - 1)
    lacking = design.assumed.list_lacking() if design.outcomes == "assumed" else []
    problems += [
        f'outcomes "assumed" lack a number: state assumed.{name} (see the [design.assumed] table).'
        for name in lacking
    ]
    return [*problems, *design.assumed.find_problems()]
