"""Time of fitting many trials at once, beside a loop over statsmodels.

    python benchmarks/bench_analysis.py [--trials 10000]

Prints wall and CPU seconds, how many times faster a trial is fitted than by the peer in the same
run (the peer's time is that of a few fits), how much faster one trial is left by each person in
turn than fitted anew, and what the other ways of judging an effect cost
relative to the plain fit.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
from numpy.typing import NDArray

from trialsim.analysis import fit_ancova, fit_mmrm, fit_random_slope
from trialsim.analysis.adjusted import regress
from trialsim.analysis.patterns import summarize
from trialsim.analysis.residuals import estimate_residual_covariance
from trialsim.imputation.imputing import impute
from trialsim.imputation.jackknife import leave_each_out
from trialsim.imputation.model import estimate_imputation_model

Floats = NDArray[np.float64]
SEED = 20260101
STRATEGY = "jump_to_reference"


def simulate(n_trials: int, n_people: int, n_visits: int, left: float) -> tuple[Floats, Floats]:
    """Return outcomes with monotone drop-out, and the visits' times in years."""
    rng = np.random.default_rng(SEED)
    times = np.arange(n_visits) / 2
    people = rng.normal(size=(n_trials, n_people, 2)) * [1.0, 0.4]
    y = people[..., :1] + (people[..., 1:] - 0.5) * times
    y += 0.4 * rng.normal(size=y.shape)
    leave = rng.exponential(size=y.shape[:2]) * times[-1] / -np.log1p(-left)
    y[leave[..., None] < times] = np.nan
    return y, times


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def lay_out(y: Floats, arm: Floats, times: Floats) -> pd.DataFrame:
    """Return one trial as a long table."""
    n_people = len(arm)
    return pd.DataFrame(
        {
            "y": y.ravel(),
            "arm": np.repeat(arm, len(times)),
            "t": np.tile(times, n_people),
            "person": np.repeat(np.arange(n_people), len(times)),
        }
    ).dropna()


def fit_peer_mixed(y: Floats, arm: Floats, times: Floats) -> None:
    """Fit one random-slope trial by statsmodels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = smf.mixedlm("y ~ arm * t", lay_out(y, arm, times), groups="person",
                            re_formula="~t")  # fmt: skip
        model.fit(reml=True)


def fit_peer_ols(y: Floats, arm: Floats, _times: Floats) -> None:
    """Fit one ANCOVA by statsmodels."""
    design = np.column_stack([np.ones_like(arm), arm, y[:, 0]])
    sm.OLS(y[:, -1], design, missing="drop").fit()


def compare(
    name: str,
    y: Floats,
    times: Floats,
    fit: Callable[..., object],
    peer: Callable[[Floats, Floats, Floats], None],
    n_peer: int,
) -> None:
    """Print one comparison."""
    arm = np.arange(y.shape[1]) % 2.0
    wall, cpu = measure(lambda: fit(y, arm, times))
    _, peer_cpu = measure(lambda: [peer(y[k], arm, times) for k in range(n_peer)])
    ratio = peer_cpu / n_peer / (cpu / len(y))
    print(
        f"{name}: {len(y)} trials of {y.shape[1]} x {y.shape[2]} in {wall:.2f} s wall, "
        f"{cpu:.2f} s CPU; statsmodels {peer_cpu / n_peer * 1e3:.1f} ms CPU a trial: "
        f"{ratio:,.0f} times faster"
    )


def compare_inference(name: str, y: Floats, times: Floats, fit: Callable[..., object]) -> None:
    """Print how many times as long as the plain fit the other ways of judging an effect take."""
    arm = np.arange(y.shape[1]) % 2.0
    _, plain = measure(lambda: fit(y, arm, times))
    ways: dict[str, dict[str, str]] = {
        "Kenward-Roger": {"degrees_of_freedom": "kenward_roger"},
        "by arm": {"covariance": "by_arm"},
        "CR2": {"standard_error": "cr2"},
    }
    ratios = []
    for way, words in ways.items():
        _, cpu = measure(partial(fit, y, arm, times, **words))
        ratios.append(f"{way} {cpu / plain:.2f}")
    print(f"{name}, CPU time relative to the plain fit: {', '.join(ratios)}")


def compare_leaving_out(y: Floats, n_peer: int) -> None:
    """Print how much faster one trial is left by each person than fitted anew without them."""
    outcome, n = y[:1, :, 1:], y.shape[1]
    known = [np.ones(n), np.arange(n) % 2.0, np.nan_to_num(y[0, :, 0] - y[0, :, 0].mean())]
    predictors = np.column_stack(known)[None]

    def refit(person: int) -> None:
        others = np.delete(np.arange(n), person)
        own, z = outcome[:, others], predictors[:, others]
        model = estimate_imputation_model(summarize(own, z), estimate_residual_covariance(own, z))
        last = impute(own, z, model, strategy=STRATEGY)[..., -1]
        regress(last, z, np.ones_like(last))

    _, cpu = measure(lambda: leave_each_out(outcome, predictors, [STRATEGY]))
    _, peer_cpu = measure(lambda: [refit(person) for person in range(n_peer)])
    print(
        f"leaving each person out: one trial of {n} x {outcome.shape[2]} in {cpu:.2f} s CPU; each "
        f"fitted anew {peer_cpu / n_peer * 1e3:.1f} ms: "
        f"{n * peer_cpu / n_peer / cpu:,.0f} times faster"
    )


def main() -> None:
    """Print every comparison."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10_000)
    n = parser.parse_args().trials
    compare("random slope", *simulate(n, 500, 5, 0.3), fit_random_slope, fit_peer_mixed, 5)
    # statsmodels has no unstructured MMRM: its mixed model is the nearest that it fits
    compare("MMRM", *simulate(n, 200, 4, 0.3), fit_mmrm, fit_peer_mixed, 5)
    compare_leaving_out(simulate(1, 3000, 5, 0.3)[0], 20)
    compare_inference("random slope", *simulate(n // 4, 500, 5, 0.3), fit_random_slope)
    compare_inference("MMRM", *simulate(n, 200, 4, 0.3), fit_mmrm)
    compare("ANCOVA", *simulate(2 * n, 200, 2, 0.3), fit_ancova, fit_peer_ols, 200)


if __name__ == "__main__":
    main()
