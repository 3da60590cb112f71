"""Simulated trials with several endpoints, or several doses, beside their closed forms."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special, stats

from trialsim.analysis.result import Flags, Floats
from trialsim.analytic import dunnett, several_endpoints
from trialsim.analytic.correlation import expand_correlation
from trialsim.errors import DesignError


def simulate_endpoints(
    deltas: Sequence[float],
    sds: Sequence[float],
    correlation: ArrayLike,
    *,
    procedure: Literal["co_primary", "hierarchical", "holm"] = "co_primary",
    n_control: int,
    alpha: float = 0.05,
    sides: int = 2,
    allocation_ratio: float = 1.0,
    n_simulations: int = 20_000,
    seed: int = 1,
) -> pd.DataFrame:
    """Return the power of pooled t tests of several endpoints, as simulated.

    Means and covariances are drawn without drawing people (normal, Wishart).

    Parameters
    ----------
    deltas, sds, correlation, procedure, alpha, sides, allocation_ratio
        As in `trialsim.analytic.several_endpoints`.
    n_control
        People in control, at least 3.
    n_simulations
        Trials simulated.
    seed
        Of everything random.

    Returns
    -------
    DataFrame
        One row: power_all, power_any, power_1, ... with their Monte Carlo errors (`_mcse`).

    Examples
    --------
    >>> found = simulate_endpoints([0.3, 0.3], [1, 1], 0.5, n_control=200)
    >>> bool(found["power_all"].iloc[0] < found["power_1"].iloc[0])
    True
    """
    # refuses what cannot be
    several_endpoints(
        deltas,
        sds,
        correlation,
        procedure=procedure,
        n_control=n_control,
        alpha=alpha,
        sides=sides,
        allocation_ratio=allocation_ratio,
    )
    n = _count_people(n_control, allocation_ratio)
    covariance = expand_correlation(correlation, len(deltas)) * np.outer(sds, sds)
    rng = np.random.default_rng(seed)
    unit = 1 / n[0] + 1 / n[1]
    estimate = rng.multivariate_normal(np.asarray(deltas), covariance * unit, n_simulations)
    df = sum(n) - 2
    drawn = stats.wishart(df, covariance).rvs(n_simulations, random_state=rng)
    variance = np.diagonal(drawn, axis1=1, axis2=2) / df
    p = special.stdtr(df, -estimate / np.sqrt(variance * unit))
    rejected = _reject(p, alpha / sides, procedure)
    # co-primary endpoints claim nothing unless all of them win
    all_win = np.asarray(rejected.all(axis=1))
    return _summarize(rejected, all_win if procedure == "co_primary" else None)


def _reject(p: Floats, level: float, procedure: str) -> Flags:
    """Return which endpoints are significant, (n_simulations, n_endpoints)."""
    if procedure == "holm":
        strict = p <= level / 2
        return np.asarray(strict | (strict.any(axis=1, keepdims=True) & (p <= level)))
    passed = p <= level
    return np.logical_and.accumulate(passed, axis=1) if procedure == "hierarchical" else passed


def simulate_doses(
    deltas: Sequence[float],
    *,
    sd: float,
    n_control: int,
    alpha: float = 0.025,
    allocation_ratio: float = 1.0,
    n_simulations: int = 20_000,
    seed: int = 1,
) -> pd.DataFrame:
    """Return the power of Dunnett's comparisons of doses with one control, as simulated.

    The t statistics of all arms' pooled variance meet Dunnett's bound by their p values.

    Parameters
    ----------
    deltas, sd, alpha, allocation_ratio
        As in `trialsim.analytic.dunnett`.
    n_control
        People in control, at least 3.
    n_simulations
        Trials simulated.
    seed
        Of everything random.

    Returns
    -------
    DataFrame
        One row: power_all, power_any, power_1, ... with their Monte Carlo errors (`_mcse`).
    """
    options = {"sd": sd, "alpha": alpha, "allocation_ratio": allocation_ratio}
    critical = float(dunnett(deltas, n_control=n_control, **options)["critical_z"].iloc[0])
    n = _count_people(n_control, allocation_ratio)
    rng = np.random.default_rng(seed)
    control = sd / np.sqrt(n[0]) * rng.standard_normal((n_simulations, 1))
    dose = sd / np.sqrt(n[1]) * rng.standard_normal((n_simulations, len(deltas)))
    df = n[0] + len(deltas) * n[1] - 1 - len(deltas)
    variance = sd**2 * rng.chisquare(df, (n_simulations, 1)) / df * (1 / n[0] + 1 / n[1])
    t = (np.asarray(deltas) + dose - control) / np.sqrt(variance)
    return _summarize(special.stdtr(df, -t) <= special.ndtr(-critical), None)


def _count_people(n_control: int, ratio: float) -> tuple[int, int]:
    n = int(n_control), int(np.ceil(n_control * ratio - 1e-9))
    if min(n) < 3:
        raise DesignError(f"Each arm needs at least 3 people, got {n[0]} and {n[1]}.")
    return n


def _summarize(rejected: Flags, claims: Flags | None) -> pd.DataFrame:
    claimed = rejected.any(axis=1) if claims is None else claims
    shares = {"power_all": rejected.all(axis=1).mean(), "power_any": claimed.mean()}
    shares |= {f"power_{i + 1}": share for i, share in enumerate(rejected.mean(axis=0))}
    errors = {
        f"{name}_mcse": np.sqrt(share * (1 - share) / len(rejected))
        for name, share in shares.items()
    }
    return pd.DataFrame([shares | errors])
