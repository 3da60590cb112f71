"""The rejected alternative: twins that count as control patients."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from trialsim.finished.estimators import ESTIMATORS
from trialsim.twins.scenario import TwinScenario
from trialsim.twins.simulation import simulate_twin_trials


def measure_borrowing(
    scenario: TwinScenario,
    *,
    n_control: int,
    n_treatment: int,
    drifts: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.5),
    n_trials: int = 10_000,
    alpha: float = 0.05,
    seed: int = 1,
) -> pd.DataFrame:
    """Return how often each analysis rejects as the twins drift off, with no effect of treatment.

    "synthetic_control" compares treated people with their own twins alone; "pooled_control" counts
    everybody's twin as one more control beside the real ones; "procova" takes the twin as a
    covariate. A drift is an error of the twin that is the same for everyone: a new scanner, better
    care, other people than those of the archive.

    Parameters
    ----------
    scenario
        Its mean effect and shift are set to 0 and to the drift.
    n_control
        People in the control arm.
    n_treatment
        People in the treatment arm.
    drifts
        In standard deviations of the outcome given baseline.
    n_trials
        Trials simulated.
    alpha
        Two-sided type I error, 0 to 1.
    seed
        Root of every random stream.

    Returns
    -------
    pandas.DataFrame
        `drift`, `analysis`, `rejected`, `mcse`.
    """
    rows = []
    for drift in drifts:
        trials = simulate_twin_trials(
            _drift(scenario, drift),
            n_control=n_control,
            n_treatment=n_treatment,
            n_trials=n_trials,
            rng=np.random.default_rng(seed),
        )
        change = trials.last - trials.outcome[..., 0]
        said = trials.predicted[..., -1] - trials.outcome[..., 0]
        treated = trials.treatment == 1
        pairs = [np.where(treated, change - said, np.nan), np.where(~treated, change, np.nan)]
        p_values = {
            "synthetic_control": _test_mean(pairs[0]),
            "pooled_control": _compare(
                np.where(treated, change, np.nan), np.concatenate([pairs[1], said], axis=1)
            ),
            "procova": ESTIMATORS["procova"].fit(trials, "robust").p_value,
        }
        for name, p in p_values.items():
            share = float((p < alpha).mean())
            mcse = float(np.sqrt(share * (1 - share) / n_trials))
            rows.append({"drift": drift, "analysis": name, "rejected": share, "mcse": mcse})
    return pd.DataFrame(rows)


def _drift(scenario: TwinScenario, drift: float) -> TwinScenario:
    return replace(scenario, effect=0.0, shift=drift)


def _test_mean(values: np.ndarray) -> np.ndarray:
    n = (~np.isnan(values)).sum(axis=1)
    t = np.nanmean(values, axis=1) / (np.nanstd(values, axis=1, ddof=1) / np.sqrt(n))
    return np.asarray(2 * stats.t.sf(np.abs(t), n - 1))


def _compare(treated: np.ndarray, control: np.ndarray) -> np.ndarray:
    means, squares, counts = [], [], []
    for values in (treated, control):
        n = (~np.isnan(values)).sum(axis=1)
        means.append(np.nanmean(values, axis=1))
        squares.append(np.nanvar(values, axis=1, ddof=1) / n)
        counts.append(n)
    t = (means[0] - means[1]) / np.sqrt(squares[0] + squares[1])
    return np.asarray(2 * stats.t.sf(np.abs(t), counts[0] + counts[1] - 2))
