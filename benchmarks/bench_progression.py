"""Personalization of 1,000 people in one batch, against one person after another.

The naive way minimizes the same objective person by person with `scipy.optimize.minimize`, as
Leaspy's `scipy_minimize` does. Run as `python benchmarks/bench_progression.py`.
"""

import time

import numpy as np
import pandas as pd
import torch
from scipy.optimize import minimize

from brlp_models.auxiliary.course_curve import CurveParameters
from brlp_models.auxiliary.course_model import LogisticProgression
from brlp_models.auxiliary.course_personalization import (
    compute_negative_log_posterior,
    compute_residuals,
)
from brlp_models.auxiliary.visits import pad_visits

N_PEOPLE = 1000
N_ONE_BY_ONE = 40


def make_model() -> LogisticProgression:
    """Return a model of five features and four sources, the shape that BrLP uses."""
    rng = np.random.default_rng(1)
    k = 5
    numbers = {
        "log_g": rng.normal(0.5, 0.5, k),
        "log_v0": rng.normal(-3.2, 0.3, k),
        "betas": rng.normal(0, 0.04, (k - 1, k - 1)),
        "tau_mean": 75.0,
        "tau_std": 6.0,
        "xi_std": 0.5,
        "noise_std": np.full(k, 0.04),
    }
    return LogisticProgression(
        tuple("abcde"),
        CurveParameters(**{name: torch.tensor(value) for name, value in numbers.items()}),
    )


def simulate_visits(model: LogisticProgression, rng: np.random.Generator) -> pd.DataFrame:
    """Return eight noisy yearly visits of each person."""
    names = ["tau", "xi", *(f"sources_{n}" for n in range(model.parameters.n_sources))]
    scale = np.array([6.0, 0.5, *np.ones(model.parameters.n_sources)])
    individuals = pd.DataFrame(rng.normal(size=(N_PEOPLE, len(names))) * scale, columns=names)
    individuals["tau"] += 75
    ages = {who: 75 + rng.normal(0, 6) + np.arange(8) for who in individuals.index}
    frames = [
        pd.DataFrame(
            values + rng.normal(0, 0.04, values.shape), columns=list(model.features)
        ).assign(ID=who, TIME=ages[who])
        for who, values in model.estimate(individuals, ages).items()
    ]
    return pd.concat(frames, ignore_index=True)


def personalize_one_by_one(model: LogisticProgression, visits: pd.DataFrame) -> None:
    """Minimize the same objective with Powell's method for a person, then for the next."""
    for _, of_person in visits.groupby("ID"):
        _, observed = pad_visits(of_person, model.features)

        def loss(point: np.ndarray, observed=observed) -> float:
            at = torch.from_numpy(point)[None]
            residuals, _ = compute_residuals(model.parameters, at, observed)
            return compute_negative_log_posterior(residuals, at).item()

        minimize(loss, np.zeros(2 + model.parameters.n_sources), method="Powell")


def main() -> None:
    """Print seconds a person for both ways, and their ratio."""
    torch.set_num_threads(1)
    model = make_model()
    visits = simulate_visits(model, np.random.default_rng(2))
    model.personalize(visits)
    start = time.process_time()
    model.personalize(visits)
    batched = time.process_time() - start
    start = time.process_time()
    personalize_one_by_one(model, visits[visits["ID"] < N_ONE_BY_ONE])
    naive = (time.process_time() - start) / N_ONE_BY_ONE
    print(f"batched: {batched:.3f} s CPU for {N_PEOPLE} people")
    print(f"one by one: {naive:.4f} s CPU a person")
    print(f"ratio: {naive * N_PEOPLE / batched:.0f}x")


if __name__ == "__main__":
    main()
