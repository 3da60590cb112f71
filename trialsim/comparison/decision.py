"""A decision beyond the cheapest point: how likely each choice is the cheapest, what it may lose.

The cheapest choice of one cohort is a guess. Over the bootstrap, which carries the error of the
people and of the models fitted to them, each choice has a probability to be the cheapest, an
expected cost, and an expected regret: its cost minus that of the best choice of the same sample.

References
----------
Claxton 1999, Journal of Health Economics 18:341 (expected loss under uncertainty).
"""

import numpy as np
import pandas as pd

from trialsim.analysis.result import Floats
from trialsim.comparison.sizes.errors import SizeErrors
from trialsim.comparison.sizes.whole import enroll_whole
from trialsim.comparison.tables import pair_with_reference
from trialsim.costs import Costs

_COLUMNS = [
    "analysis", "strategy", "fraction_enrolled", "cost", "probability_cheapest",
    "expected_n_control", "expected_cost", "expected_regret", "probability_saves",
    "is_least_regret",
]  # fmt: skip


def tabulate_decisions(errors: SizeErrors, costs: Costs, reference: str) -> pd.DataFrame:
    """Return the table `decisions`: one row an attainable choice and analysis.

    Where nothing costs, people in the control arm are what is cheap and regretted, and costs are
    empty. Empty without bootstrap samples enough for an interval.
    """
    if not errors.has_intervals:
        return pd.DataFrame(columns=_COLUMNS)
    bases = {
        (id(run), name): base for base, run, name in pair_with_reference(errors.runs, reference)
    }
    rows = []
    for analysis in errors.analyses:
        places = [
            i
            for i in errors.list_places(analysis)
            if errors.runs[i].candidate.is_attainable
            and np.isfinite(errors.runs[i].sizes[analysis].n_control)
        ]
        drawn = {i: errors.draw_cost(i, analysis, costs) for i in places}
        if not drawn:
            continue
        samples = np.array(list(drawn.values()))
        shares = weigh_cheapest(samples)
        regret = compute_regret(samples)
        for place, share, lost in zip(places, shares, regret, strict=True):
            run = errors.runs[place]
            n_control = run.sizes[analysis].n_control
            whole = enroll_whole(run.candidate, run.design, n_control, costs)
            base = bases.get((id(run), analysis))
            against = None if base is None else drawn.get(errors.runs.index(base))
            rows.append(
                {
                    "analysis": analysis,
                    "strategy": run.candidate.strategy,
                    "fraction_enrolled": run.candidate.fraction_enrolled,
                    "cost": whole.cost if costs.is_priced else np.nan,
                    "probability_cheapest": share,
                    "expected_n_control": _average(errors.draw_cost(place, analysis, Costs())),
                    "expected_cost": _average(drawn[place]) if costs.is_priced else np.nan,
                    "expected_regret": lost,
                    "probability_saves": _compare(drawn[place], against),
                    "is_least_regret": bool(lost == np.nanmin(regret)),
                }
            )
    return pd.DataFrame(rows, columns=_COLUMNS)


def weigh_cheapest(samples: Floats) -> Floats:
    """Return the share of samples in which each choice is the cheapest, ties shared.

    Parameters
    ----------
    samples
        Cost of each choice in each sample, (n_choices, n_samples); infinite where none is enough.

    Examples
    --------
    >>> weigh_cheapest(np.array([[1.0, 2.0], [2.0, 2.0]])).tolist()
    [0.75, 0.25]
    """
    least = samples == samples.min(axis=0)
    return np.asarray((least / least.sum(axis=0)).mean(axis=1))


def compute_regret(samples: Floats) -> Floats:
    """Return the mean cost above the best choice of the same sample, (n_choices,).

    Samples in which no choice reaches the power say nothing; a choice that does not reach it in a
    sample where another does has an infinite regret.

    Examples
    --------
    >>> compute_regret(np.array([[1.0, 3.0], [2.0, 2.0]])).tolist()
    [0.5, 0.5]
    """
    answered = np.isfinite(samples).any(axis=0)
    own = samples[:, answered]
    return np.asarray((own - own.min(axis=0)).mean(axis=1))


def _compare(own: Floats, against: Floats | None) -> float:
    """Return the share of samples that cost less; NaN against nothing, or against the same."""
    if against is None or np.array_equal(own, against):
        return np.nan
    return float((own < against).mean())


def _average(cost: Floats) -> float:
    return float(cost.mean()) if np.isfinite(cost).all() else np.inf
