"""Tables of a comparison."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from trialsim.analysis.result import Floats
from trialsim.costs import Costs
from trialsim.simulation.candidate_runs import CandidateRun
from trialsim.simulation.effects import Estimand

FLATNESS = 0.05
"""Relative cost above the cheapest that counts as equal."""

_TAILS = (0.025, 0.975)

Ratios = dict[str, Floats]
"""Analysis -> closed-form sizes of bootstrap samples over the cohort's, (n_runs, n_bootstrap)."""


def tabulate_characteristics(runs: Sequence[CandidateRun]) -> pd.DataFrame:
    """Return the table `operating_characteristics`."""
    rows = [
        {**row, "estimand": Estimand.describe(row["analysis"])}
        for run in runs
        for row in run.characteristics
    ]
    return pd.DataFrame(rows)


def tabulate_power_differences(runs: Sequence[CandidateRun], reference: str) -> pd.DataFrame:
    """Return power minus the reference's in the same replicates, with its paired error."""
    columns = [
        "strategy", "reference_strategy", "fraction_enrolled", "analysis", "n_control",
        "n_treatment", "difference", "mcse", "difference_lower", "difference_upper",
    ]  # fmt: skip
    rows = []
    for base, run, analysis in _pair_with_reference(runs, reference):
        gains = run.rejected[analysis].astype(float) - base.rejected[analysis]
        sizes = [r for r in run.characteristics if r["analysis"] == analysis]
        for row, gain in zip(sizes, gains, strict=True):
            difference, mcse = gain.mean(), gain.std(ddof=1) / np.sqrt(gain.size)
            low, high = np.clip(difference + np.array([-1.96, 1.96]) * mcse, -1, 1)
            values = (
                run.candidate.strategy, reference, run.candidate.fraction_enrolled, analysis,
                row["n_control"], row["n_treatment"], difference, mcse, low, high,
            )  # fmt: skip
            rows.append(dict(zip(columns, values, strict=True)))
    return pd.DataFrame(rows, columns=columns)


def tabulate_sample_sizes(
    runs: Sequence[CandidateRun], ratios: Ratios, costs: Costs
) -> pd.DataFrame:
    """Return the table `sample_sizes`.

    `n_control_lower` and `_upper` hold Monte Carlo error alone, `..._cohort` that of the cohort
    alone, the interval of the cost both together.
    """
    rows = []
    for i, run in enumerate(runs):
        for analysis, size in run.sizes.items():
            cohort = compute_interval(size.n_control * ratios[analysis][i])
            cost = compute_interval(_compute_costs(run, _combine(run, analysis, ratios, i), costs))
            enrolled = _enroll(run, size.n_control, costs)
            rows.append(
                {
                    "strategy": run.candidate.strategy,
                    "fraction_enrolled": run.candidate.fraction_enrolled,
                    "analysis": analysis,
                    "target_power": run.design.target_power,
                    "n_control": size.n_control,
                    "n_treatment": size.n_control * run.design.allocation_ratio,
                    "n_control_lower": size.lower,
                    "n_control_upper": size.upper,
                    "n_control_lower_cohort": cohort[0],
                    "n_control_upper_cohort": cohort[1],
                    "closed_form_n_control": run.closed_form_sizes[analysis],
                    "n_to_screen": enrolled.n_to_screen,
                    "cost": enrolled.cost,
                    "cost_lower": cost[0],
                    "cost_upper": cost[1],
                    "months_to_enroll": enrolled.months_to_enroll,
                    "is_attainable": run.candidate.is_attainable,
                }
            )
    return pd.DataFrame(rows)


def tabulate_savings(
    runs: Sequence[CandidateRun], ratios: Ratios, costs: Costs, reference: str
) -> pd.DataFrame:
    """Return the table `sample_size_savings`; intervals hold both layers of error, paired."""
    columns = [
        "strategy", "reference_strategy", "fraction_enrolled", "analysis",
        "saving_n_control", "saving_n_control_lower", "saving_n_control_upper",
        "saving_cost", "saving_cost_lower", "saving_cost_upper",
    ]  # fmt: skip
    place = {id(run): i for i, run in enumerate(runs)}
    rows = []
    for base, run, analysis in _pair_with_reference(runs, reference):
        own, theirs = (_combine(one, analysis, ratios, place[id(one)]) for one in (run, base))
        n_own, n_base = run.sizes[analysis].n_control, base.sizes[analysis].n_control
        cost = _enroll(base, n_base, costs).cost - _enroll(run, n_own, costs).cost
        cost_samples = _compute_costs(base, theirs, costs) - _compute_costs(run, own, costs)
        values = (
            run.candidate.strategy, reference, run.candidate.fraction_enrolled, analysis,
            n_base - n_own, *compute_interval(theirs - own), cost, *compute_interval(cost_samples),
        )  # fmt: skip
        rows.append(dict(zip(columns, values, strict=True)))
    return pd.DataFrame(rows, columns=columns)


def tabulate_cheapest(
    runs: Sequence[CandidateRun], ratios: Ratios, costs: Costs, sizes: pd.DataFrame
) -> pd.DataFrame:
    """Return the cheapest fraction of each strategy, then the cheapest choice of all attainable.

    The interval of the cost repeats the choice in every bootstrap sample, so that picking the best
    of many does not make it look better than it is; `share_chosen` says how often the same choice
    came out. `flat_from`, `flat_to`: fractions whose cost is within 5 %.
    """
    rows = []
    if costs.participant or costs.screening or costs.per_month:
        for analysis in dict.fromkeys(sizes["analysis"]):
            mine = [i for i, run in enumerate(runs) if analysis in run.sizes]
            groups = {
                name: [i for i in mine if runs[i].candidate.strategy == name]
                for name in dict.fromkeys(runs[i].candidate.strategy for i in mine)
            }
            for members in groups.values():
                rows.append(_choose(runs, members, analysis, ratios, costs, "fraction"))
            attainable = [i for i in mine if runs[i].candidate.is_attainable]
            rows.append(_choose(runs, attainable, analysis, ratios, costs, "strategy and fraction"))
    columns = [
        "choice", "strategy", "analysis", "fraction_enrolled", "n_control", "cost", "cost_lower",
        "cost_upper", "share_chosen", "flat_from", "flat_to",
    ]  # fmt: skip
    return pd.DataFrame([row for row in rows if row], columns=columns)


def _choose(
    runs: Sequence[CandidateRun],
    members: list[int],
    analysis: str,
    ratios: Ratios,
    costs: Costs,
    choice: str,
) -> dict[str, Any] | None:
    cost = np.array([_enroll(runs[i], runs[i].sizes[analysis].n_control, costs).cost
                     for i in members])  # fmt: skip
    if not np.isfinite(cost).any():
        return None
    samples = np.array(
        [_compute_costs(runs[i], _combine(runs[i], analysis, ratios, i), costs) for i in members]
    )
    samples = np.nan_to_num(samples, nan=np.inf)
    best = int(np.nanargmin(cost))
    run = runs[members[best]]
    low, high = compute_interval(samples.min(axis=0))
    flat = [
        runs[i].candidate.fraction_enrolled
        for i, value in zip(members, cost, strict=True)
        if value <= cost[best] * (1 + FLATNESS)
        and runs[i].candidate.strategy == run.candidate.strategy
    ]
    return {
        "choice": choice,
        "strategy": run.candidate.strategy,
        "analysis": analysis,
        "fraction_enrolled": run.candidate.fraction_enrolled,
        "n_control": run.sizes[analysis].n_control,
        "cost": cost[best],
        "cost_lower": low,
        "cost_upper": high,
        "share_chosen": float((samples.argmin(axis=0) == best).mean()),
        "flat_from": min(flat),
        "flat_to": max(flat),
    }


def compute_interval(samples: Floats) -> tuple[float, float]:
    """Return the 95 % percentile interval; an end that no sample size reaches is NaN."""
    if not samples.size:
        return np.nan, np.nan
    values = np.where(np.isnan(samples), np.inf, samples)
    ends = np.quantile(values, _TAILS, method="nearest")
    low, high = np.where(np.isfinite(ends), ends, np.nan)
    return float(low), float(high)


def _combine(run: CandidateRun, analysis: str, ratios: Ratios, place: int) -> Floats:
    """Return sample sizes with both layers of error, paired across candidates by position."""
    samples = run.sizes[analysis].samples
    ratio = ratios[analysis][place]
    return samples if not ratio.size else np.resize(samples, ratio.size) * ratio


def _enroll(run: CandidateRun, n_control: float, costs: Costs) -> Any:
    return costs.compute_enrollment(
        n_control * (1 + run.design.allocation_ratio),
        fraction_enrolled=run.candidate.fraction_enrolled,
        is_screened=run.candidate.is_screened,
        months=run.design.duration_months,
    )


def _compute_costs(run: CandidateRun, n_control: Floats, costs: Costs) -> Floats:
    # a cost is linear in the number of people
    at_0, at_1 = (_enroll(run, n, costs).cost for n in (0.0, 1.0))
    return np.asarray(at_0 + n_control * (at_1 - at_0))


def _pair_with_reference(
    runs: Sequence[CandidateRun], reference: str
) -> list[tuple[CandidateRun, CandidateRun, str]]:
    """Return (reference, other, analysis): at the same fraction, or the reference's only one."""
    bases = {r.candidate.fraction_enrolled: r for r in runs if r.candidate.strategy == reference}
    pairs = []
    for run in runs:
        fraction = run.candidate.fraction_enrolled
        base = bases.get(fraction) or (next(iter(bases.values())) if len(bases) == 1 else None)
        if base is not None and run.candidate.strategy != reference:
            pairs += [(base, run, name) for name in run.design.analyses if name in base.sizes]
    return pairs
