"""Tables of a comparison."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from trialsim.comparison.candidate_runs import CandidateRun
from trialsim.comparison.sizes.errors import SizeErrors
from trialsim.comparison.sizes.whole import enroll_whole
from trialsim.costs import Costs
from trialsim.simulation.effects import Estimand, compute_normal_change

FLATNESS = 0.05
"""Relative cost above the cheapest that counts as equal."""


def tabulate_characteristics(runs: Sequence[CandidateRun]) -> pd.DataFrame:
    """Return the table `operating_characteristics`."""
    rows = [
        {**row, "estimand": Estimand.describe(row["analysis"], run.design)}
        for run in runs
        for row in run.characteristics
    ]
    return pd.DataFrame(rows)


def find_cheapest_run(runs: Sequence[CandidateRun], sizes: pd.DataFrame) -> CandidateRun | None:
    """Return the cheapest attainable choice of the first analysis; None where none is known.

    Parameters
    ----------
    runs
        All that were compared.
    sizes
        The table `sample_sizes`.
    """
    first = runs[0].design.analyses[0]
    known = sizes[(sizes["analysis"] == first) & sizes["is_attainable"]]
    known = known.dropna(subset=["n_control"])
    if known.empty:
        return None
    best = known.sort_values(["cost", "n_control"], kind="stable").iloc[0]
    key = (best["strategy"], best["fraction_enrolled"])
    return next(
        run for run in runs if (run.candidate.strategy, run.candidate.fraction_enrolled) == key
    )


def tabulate_power_differences(runs: Sequence[CandidateRun], reference: str) -> pd.DataFrame:
    """Return power minus the reference's in the same replicates, with its paired error."""
    columns = [
        "strategy", "reference_strategy", "fraction_enrolled", "analysis", "n_control",
        "n_treatment", "difference", "mcse", "difference_lower", "difference_upper",
    ]  # fmt: skip
    rows = []
    for base, run, analysis in pair_with_reference(runs, reference):
        gains = run.rejected[analysis].astype(float) - base.rejected[analysis]
        sizes = [r for r in run.characteristics if r["analysis"] == analysis]
        for row, gain in zip(sizes, gains, strict=True):
            difference, mcse = gain.mean(), gain.std(ddof=1) / np.sqrt(gain.size)
            half = np.array([-1.96, 1.96]) * (mcse or np.nan)
            low, high = np.clip(difference + half, -1, 1)
            values = (
                run.candidate.strategy, reference, run.candidate.fraction_enrolled, analysis,
                row["n_control"], row["n_treatment"], difference, mcse, low, high,
            )  # fmt: skip
            rows.append(dict(zip(columns, values, strict=True)))
    return pd.DataFrame(rows, columns=columns)


def tabulate_sample_sizes(errors: SizeErrors, costs: Costs) -> pd.DataFrame:
    """Return the table `sample_sizes`.

    `n_control_lower` and `_upper` hold Monte Carlo error alone, `..._cohort` that of the cohort
    alone, the interval of the cost both together. Number to screen, cost and months are those of
    whole people, `n_control_whole` and `n_treatment_whole`.
    """
    rows = []
    for place, run in enumerate(errors.runs):
        for analysis, size in run.sizes.items():
            low, high = errors.get_cohort_factors(place, analysis)
            cost = errors.scale_cost(place, analysis, costs)
            whole = enroll_whole(run.candidate, run.design, size.n_control, costs)
            rows.append(
                {
                    "strategy": run.candidate.strategy,
                    "fraction_enrolled": run.candidate.fraction_enrolled,
                    "analysis": analysis,
                    "target_power": run.design.target_power,
                    "n_control": size.n_control,
                    "n_treatment": size.n_control * run.design.allocation_ratio,
                    "n_control_whole": whole.n_control,
                    "n_treatment_whole": whole.n_treatment,
                    "n_control_lower": size.lower,
                    "n_control_upper": size.upper,
                    "n_control_lower_cohort": size.n_control * low,
                    "n_control_upper_cohort": size.n_control * high,
                    "ln_n_sd_cohort": errors.get_cohort_sd(place, analysis),
                    "ln_n_sd_archive": errors.get_archive_sd(place, analysis),
                    "ln_n_end_mcse": errors.get_end_error(place, analysis),
                    "n_control_next_visit": size.n_control * compare_later_decline(run),
                    "closed_form_n_control": run.closed_form_sizes[analysis],
                    "n_to_screen": whole.n_to_screen,
                    "cost": whole.cost,
                    "cost_lower": cost[0],
                    "cost_upper": cost[1],
                    "months_to_enroll": whole.months_to_enroll,
                    "is_attainable": run.candidate.is_attainable,
                    "pool_size": run.pool.n_people,
                }
            )
    return pd.DataFrame(rows)


def compare_later_decline(run: CandidateRun) -> float:
    """Return the factor of a sample size if decline were that from the next visit on.

    It shares no scan with the selection, so it is free of regression to the mean, but has half the
    visits; a check of the decline used. NaN with two visits, or where such a decline is not seen.
    """
    pool, times = run.pool, run.design.times
    if len(times) < 3:
        return np.nan
    change = (pool.measured[:, -1] - pool.measured[:, 1])[pool.people]
    seen = np.isfinite(change)
    if not seen.any():
        return np.nan
    later = (
        np.average(change[seen], weights=pool.weights[seen]) * times[-1] / (times[-1] - times[1])
    )
    normal = compute_normal_change(run.design)[-1]
    preventable = later - normal
    return (
        float(((pool.true_change[-1] - normal) / preventable) ** 2) if preventable < 0 else np.nan
    )


def tabulate_savings(errors: SizeErrors, costs: Costs, reference: str) -> pd.DataFrame:
    """Return the table `sample_size_savings`; intervals hold both layers of error, paired.

    A saving is the difference of two trials of whole people, as their sizes and costs are shown.
    `power_equal_budget` is the power of the strategy's trial for the money that the reference's
    costs at the target power.
    """
    columns = [
        "strategy", "reference_strategy", "fraction_enrolled", "analysis",
        "saving_n_control", "saving_n_control_lower", "saving_n_control_upper",
        "saving_cost", "saving_cost_lower", "saving_cost_upper",
        "power_equal_budget", "power_equal_budget_lower", "power_equal_budget_upper",
    ]  # fmt: skip
    place = {id(run): i for i, run in enumerate(errors.runs)}
    rows = []
    for base, run, analysis in pair_with_reference(errors.runs, reference):
        pair = (place[id(run)], place[id(base)])
        mine, other = (
            enroll_whole(one.candidate, one.design, one.sizes[analysis].n_control, costs)
            for one in (run, base)
        )
        values = (
            run.candidate.strategy, reference, run.candidate.fraction_enrolled, analysis,
            other.n_control - mine.n_control, *errors.compare_sizes(*pair, analysis)[1:],
            other.cost - mine.cost, *errors.compare_costs(*pair, analysis, costs)[1:],
            *errors.compare_budgets(*pair, analysis, costs),
        )  # fmt: skip
        rows.append(dict(zip(columns, values, strict=True)))
    return pd.DataFrame(rows, columns=columns)


def tabulate_cheapest(errors: SizeErrors, costs: Costs) -> pd.DataFrame:
    """Return the cheapest fraction of each strategy, then the cheapest choice of all attainable.

    `share_chosen` says how often the same choice came out in bootstrap samples; the interval of the
    cost is that of the choice, around its cost after the winner's curse. `flat_from`, `flat_to`:
    fractions whose cost is within 5 %.
    """
    rows = []
    if costs.is_priced:
        for analysis in errors.analyses:
            mine = errors.list_places(analysis)
            names = dict.fromkeys(errors.runs[i].candidate.strategy for i in mine)
            for name in names:
                members = [i for i in mine if errors.runs[i].candidate.strategy == name]
                rows.append(_choose(errors, members, analysis, costs, "fraction"))
            attainable = [i for i in mine if errors.runs[i].candidate.is_attainable]
            rows.append(_choose(errors, attainable, analysis, costs, "strategy and fraction"))
    columns = [
        "choice", "strategy", "analysis", "fraction_enrolled", "n_control", "cost", "cost_lower",
        "cost_upper", "share_chosen", "flat_from", "flat_to",
    ]  # fmt: skip
    return pd.DataFrame([row for row in rows if row], columns=columns)


def _choose(
    errors: SizeErrors, members: list[int], analysis: str, costs: Costs, choice: str
) -> dict[str, Any] | None:
    cost = np.array([errors.compute_cost(i, analysis, costs) for i in members])
    if not np.isfinite(cost).any():
        return None
    best = int(np.nanargmin(cost))
    run = errors.runs[members[best]]
    n_control = run.sizes[analysis].n_control
    repeated = errors.repeat_choice(members, analysis, costs)
    low, high = errors.scale_cost(members[best], analysis, costs, repeated.optimism)
    flat = [
        errors.runs[i].candidate.fraction_enrolled
        for i, value in zip(members, cost, strict=True)
        if value <= cost[best] * (1 + FLATNESS)
        and errors.runs[i].candidate.strategy == run.candidate.strategy
    ]
    return {
        "choice": choice,
        "strategy": run.candidate.strategy,
        "analysis": analysis,
        "fraction_enrolled": run.candidate.fraction_enrolled,
        "n_control": n_control,
        "cost": enroll_whole(run.candidate, run.design, n_control, costs).cost,
        "cost_lower": low,
        "cost_upper": high,
        "share_chosen": repeated.share_chosen,
        "flat_from": min(flat),
        "flat_to": max(flat),
    }


def pair_with_reference(
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
