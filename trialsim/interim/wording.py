"""A protocol's paragraph on interim analyses."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from trialsim.analytic import GroupSequentialDesign, LookPlan
from trialsim.analytic.point import FloatArray
from trialsim.analytic.sequential.futility import MEASURES, is_rule

FAMILIES = {
    "obrien_fleming": "O'Brien-Fleming bounds",
    "pocock": "Pocock bounds",
    "wang_tsiatis": "Wang-Tsiatis bounds (Delta = {parameter:g})",
    "lan_demets_obrien_fleming": "the Lan-DeMets spending function of O'Brien-Fleming type",
    "lan_demets_pocock": "the Lan-DeMets spending function of Pocock type",
    "hwang_shih_decani": "the Hwang-Shih-DeCani spending function (gamma = {parameter:g})",
    "kim_demets": "the power-family spending function (rho = {parameter:g})",
    "haybittle_peto": "Haybittle-Peto bounds (z = {parameter:g} before the last look)",
}


def describe_family(boundary: object, parameter: float | None) -> str:
    """Return a boundary in words."""
    if is_rule(boundary):
        return _describe_rule(boundary)
    if not isinstance(boundary, str):
        return "the bounds listed"
    default = 3.0 if boundary == "haybittle_peto" else 0.0
    return FAMILIES[boundary].format(parameter=default if parameter is None else parameter)


def _describe_rule(values: Mapping[str, Any]) -> str:
    measure = next(name for name in MEASURES if name in values)
    below = [f"{share:.1%}" for share in np.ravel(values[measure])]
    prior = values.get("prior")
    believed = "a flat prior"
    if prior is not None:
        believed = f"a normal prior of mean {prior[0]:g} and sd {prior[1]:g} x design effect"
    if measure == "conditional_power":
        effect = values.get("effect", 1.0)
        known = "the observed effect" if effect == "observed" else f"{effect:g} x design effect"
        return f"conditional power at {known} below {_list(below)}"
    if measure == "predictive_power":
        return f"predictive power with {believed} below {_list(below)}"
    return (
        f"a posterior probability of an effect above {values.get('minimum', 0.0):g} x design "
        f"effect, with {believed}, below {_list(below)}"
    )


def write_paragraph(
    design: GroupSequentialDesign,
    *,
    efficacy: str,
    futility: str | None,
    version: str,
    plan: LookPlan | None = None,
    analysis: str = "the primary analysis",
    unit: str = "",
) -> str:
    """Return a paragraph for a protocol's section on interim analyses.

    Parameters
    ----------
    design
        With its bounds.
    efficacy, futility
        The boundaries in words, from `describe_family`; None for no futility.
    version
        Of this software.
    plan
        The looks in months and people, where they are known.
    analysis
        Whose estimate's information is meant.
    unit
        Of the endpoint.
    """
    n, last = design.n_looks, design.n_looks - 1
    shares = _list([f"{share:.1%}" for share in design.information_rates])
    side = "one-sided" if design.sides == 1 else "two-sided"
    count = f"at most {n} times" if n > 1 else "once"
    sentences = [
        f"The primary endpoint will be analyzed {count}, at {shares} of the maximum information; "
        f"information is 1 / variance of the treatment difference estimated by {analysis}.",
    ]
    if plan is not None:
        months = _list([f"{month:.1f}" for month in plan.months])
        people = _list([f"{np.ceil(count - 1e-9):.0f}" for count in plan.n_enrolled])
        sentences.append(
            f"The looks are expected {months} months after the first person is randomized, with "
            f"{people} people randomized by then; the maximum is {plan.information[-1]:.4g} "
            f"(difference of {plan.delta:.4g}{_unit(unit)}, power {design.power:.1%})."
        )
    sentences.append(
        f"The total {side} type I error is {design.alpha:g}, spent by {efficacy}: the efficacy "
        f"bounds are z of {_numbers(design.efficacy_z)}, nominal {side} p values of "
        f"{_numbers(design.nominal_p, 5)}"
        + (
            f", differences of {_numbers(plan.efficacy_effect, 4)}{_unit(unit)}."
            if plan is not None
            else "."
        )
    )
    if futility is None:
        sentences.append("There is no stopping for futility.")
    else:
        kind = (
            "binding: the type I error counts on it"
            if design.binding
            else "non-binding: the type I error does not count on it"
        )
        sentences.append(
            f"The futility bounds, by {futility}, are z of "
            f"{_numbers(design.futility_z[:last])} before the last look; futility is {kind}."
        )
    none, whole = (design.stop_probabilities(effect) for effect in (0.0, 1.0))
    if n > 1:
        sentences.append(
            "The probability to stop before the last look is "
            f"{(none.efficacy + none.futility)[:last].sum():.1%} without an effect and "
            f"{(whole.efficacy + whole.futility)[:last].sum():.1%} with the design effect; the "
            "expected information is "
            f"{design.expected_information(0.0).of_maximum:.1%} and "
            f"{design.expected_information(1.0).of_maximum:.1%} of the maximum."
        )
    computed = (
        "Bounds were computed by numerical integration (Jennison & Turnbull 2000, ch. 19)"
        if design.correlation is None
        else "Bounds were computed by integrating the multivariate normal distribution (Genz 1992) "
        "at the correlation over looks that simulated trials of this analysis without an effect "
        "have"
    )
    sentences.append(
        "If a look comes at other information than planned, alpha is spent at the information "
        "observed; looks are judged by an independent committee. "
        f"{computed} with trialsim {version}."
    )
    return " ".join(sentences)


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""


def _numbers(values: FloatArray, digits: int = 3) -> str:
    shown = [f"{value:.{digits}f}" if digits != 4 else f"{value:.4g}" for value in values]
    return _list(
        [text if np.isfinite(value) else "none" for text, value in zip(shown, values, strict=True)]
    )


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
