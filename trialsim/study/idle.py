"""Settings that are stated and change nothing in a question, told and not passed over."""

from collections.abc import Iterator
from pathlib import Path

from trialsim.analyses import ANALYSES
from trialsim.design_checks import EVENTS
from trialsim.study.phrasing import list_stated
from trialsim.study.protocol import Protocol


def tell_idle_settings(protocol: Protocol) -> Iterator[str]:
    """Yield a sentence for each setting beside the defaults that another one puts out of use."""
    stated = list_stated(protocol, Path.cwd())
    for key, reason in _list_idle(protocol):
        if any(one == key or one.startswith(f"{key}.") for one in stated):
            yield f"{key} changes nothing: {reason}."


def _list_idle(protocol: Protocol) -> Iterator[tuple[str, str]]:
    """Yield the keys that change nothing in this question, whether they are stated or not."""
    design, costs = protocol.design, protocol.costs
    if protocol.cohort.training is not None:
        yield "selection.folds", "strategies are fitted on other people (cohort.training)"
    if protocol.prediction is not None and protocol.prediction.samples != "auto":
        yield "prediction.tolerance_percent", 'it says where prediction.samples = "auto" stops'
    if design.relative_to == "all decline":
        yield "design.normal_change_per_year", 'design.relative_to is "all decline"'
    if design.outcomes != "assumed":
        yield "design.assumed", f'design.outcomes is "{design.outcomes}", not "assumed"'
    if design.outcomes not in ("auto", "predicted"):
        yield "design.calibration", f'design.outcomes is "{design.outcomes}", not "predicted"'
    if not any(ANALYSES[name].compares_slopes for name in design.analyses):
        yield "design.common_baseline", "design.analyses hold no random_slope"
    happens = any(design.get_event(name).happens for name in EVENTS)
    if not happens:
        yield "design.composite_worst", "no intercurrent event happens"
    if not happens and not any(design.compute_share_left(arm) for arm in (0, 1)):
        yield "design.effect_lost_per_year", "nobody leaves or stops treatment"
    if not design.pseudo_atrophy:
        yield "design.pseudo_atrophy_months", "there is no design.pseudo_atrophy"
    if protocol.accrual is None and costs.screening_rate_per_month is None:
        reason = "costs.screening_rate_per_month, how fast people come, is not stated"
        yield from ((f"costs.{name}", reason) for name in ("opening_months", "screening_months"))
