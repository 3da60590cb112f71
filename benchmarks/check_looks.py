"""Looks of simulated trials beside what integration says of them.

    python benchmarks/check_looks.py [--replicates 10000]

Prints, for 24 designs (3 analyses x 8 boundaries, two looks before the last), how far the shares of
trials that stop at each look lie from the stopping probabilities; then conditional and predictive
power beside the share of trials that went on to cross a bound; then what a t statistic of 10 people
an arm does at a bound of z.
"""

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from trialsim.analysis.result import Floats
from trialsim.analytic import (
    CompleterEndpoint,
    GroupSequentialDesign,
    MmrmEndpoint,
    SlopeEndpoint,
    plan_looks,
)
from trialsim.analytic.sequential.endpoint import Endpoint
from trialsim.design import DropOut, TrialDesign
from trialsim.simulation import GrowthModel
from trialsim.simulation.looks import SimulatedLooks, compute_z, simulate_looks
from trialsim.simulation.stopping import find_stops, tabulate_stops

MONTHS = np.array([0.0, 6.0, 12.0, 18.0])
RANDOM = np.array([[160_000.0, 1000.0], [1000.0, 20.0]])
RESIDUAL = 2500.0
MODEL = GrowthModel(3000.0, -5.0, 0.0, 0.0, RANDOM, RESIDUAL, MONTHS, np.zeros(10))
SLOWING, N_TOTAL, ACCRUAL = 0.3, 600, 30
RATES = [0.4, 0.7, 1.0]
BOUNDARIES: dict[str, dict[str, Any]] = {
    "Lan-DeMets O'Brien-Fleming": {},
    "Lan-DeMets Pocock": {"efficacy": "lan_demets_pocock"},
    "Hwang-Shih-DeCani -4": {"efficacy": "hwang_shih_decani", "efficacy_parameter": -4.0},
    "power family 2": {"efficacy": "kim_demets", "efficacy_parameter": 2.0},
    "Wang-Tsiatis .25": {"efficacy": "wang_tsiatis", "efficacy_parameter": 0.25},
    "two-sided Pocock": {"efficacy": "pocock", "sides": 2, "alpha": 0.05},
    "futility": {"futility": "hwang_shih_decani", "futility_parameter": -2.0},
    "binding futility": {"futility": {"z": [0.0, 0.5]}, "binding": True},
}


def build_endpoints() -> dict[str, Endpoint]:
    """Return what closed forms know of each analysis of the people of `MODEL`."""
    design = np.column_stack([np.ones(len(MONTHS)), MONTHS])
    covariance = design @ RANDOM @ design.T + RESIDUAL * np.eye(len(MONTHS))
    known = covariance[1:, 1:] - np.outer(covariance[1:, 0], covariance[0, 1:]) / covariance[0, 0]
    sd = np.sqrt(np.diag(known))
    return {
        "ancova": CompleterEndpoint(MONTHS[-1], float(sd[-1])),
        "mmrm": MmrmEndpoint(MONTHS[1:], sd=sd[-1], correlation=known / np.outer(sd, sd)),
        "random_slope": SlopeEndpoint(MONTHS, RANDOM[1, 1], RESIDUAL, RANDOM[0, 0], RANDOM[0, 1]),
    }


def simulate(analysis: str, months: Floats, n: int) -> SimulatedLooks:
    """Return trials with looks at calendar months."""
    design = TrialDesign(
        visits_months=tuple(MONTHS),
        dropout=DropOut(control=0.2),
        trajectories="parametric",
        slowing=SLOWING,
        analyses=(analysis,),
    )
    return simulate_looks(
        MODEL,
        design,
        (N_TOTAL // 2, N_TOTAL // 2),
        months,
        accrual=ACCRUAL,
        seed=21,
        replicates=range(n),
        workers=1,
    )


def measure_stops(
    simulated: SimulatedLooks, design: GroupSequentialDesign, analysis: str
) -> tuple[Floats, Floats]:
    """Return differences of shares and probabilities, and their standard errors, (n_numbers,)."""
    table = tabulate_stops(simulated, design, analysis).set_index(["effect", "look"])
    found, expected = [], []
    for effect in (0.0, 1.0):
        stops = design.stop_probabilities(effect)
        for column, probability in (
            ("stop_efficacy", stops.efficacy),
            ("stop_futility", stops.futility),
        ):
            found.append(table.loc[effect, column].to_numpy())
            expected.append(probability)
    p = np.concatenate(expected)
    n = simulated.months.shape[1]
    # a probability of 1e-5 is judged by no fewer than one expected trial
    return np.concatenate(found) - p, np.sqrt(np.maximum(p * (1 - p), 1 / n) / n)


def print_calibration(simulated: SimulatedLooks, design: GroupSequentialDesign) -> None:
    """Print conditional power after the first look beside what became of the trials.

    Where the null is the effect taken off, a trial can have any effect, so that predictive power is
    judged over effects drawn from its prior.
    """
    effect, null = simulated.effect["ancova"], simulated.null["ancova"]
    gain = effect.estimate - null.estimate
    prior, rng = (0.7, 0.4), np.random.default_rng(3)
    drawn = rng.normal(*prior, gain.shape[1])
    for name, multiple in (("no effect", 0.0), ("design effect", 1.0), ("a prior", drawn)):
        z = compute_z(replace(null, estimate=null.estimate + multiple * gain))
        on = (z[0] < design.efficacy_z[0]) & (z[0] >= design.futility_z[0])
        stops = find_stops(z[:, on], design.efficacy_z, design.futility_z)
        if name == "a prior":
            predicted = np.asarray(design.predictive_power(1, z[0, on], prior))
        else:
            predicted = np.asarray(design.conditional_power(1, z[0, on], float(np.max(multiple))))
        groups = np.array_split(np.argsort(predicted), 5)
        for group in groups:
            p, share = predicted[group], stops.efficacy[group].mean()
            error = np.sqrt((p * (1 - p)).mean() / len(group))
            print(
                f"  {name:14} said {p.mean():.4f}  came true {share:.4f} "
                f"{(share - p.mean()) / error:+.1f} MCSE"
            )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicates", type=int, default=10_000)
    n = parser.parse_args().replicates
    hazard = -np.log(0.8) / MONTHS[-1]
    for analysis, endpoint in build_endpoints().items():
        delta = -MODEL.slope * SLOWING * (1 if analysis == "random_slope" else MONTHS[-1])
        options: dict[str, Any] = {
            "delta": delta,
            "accrual": ACCRUAL,
            "dropout_per_month": hazard,
            "n_total": N_TOTAL,
        }
        plans = {
            name: plan_looks(endpoint, RATES, **options, **boundary)
            for name, boundary in BOUNDARIES.items()
        }
        simulated = simulate(analysis, plans["futility"].months[:-1], n)
        for name, plan in plans.items():
            difference, error = measure_stops(simulated, plan.design, analysis)
            score = np.abs(difference / error)
            print(
                f"{analysis:13} {name:28} largest difference {np.abs(difference).max():.4f}, "
                f"largest {score.max():.1f} MCSE of {len(score)}"
            )
        if analysis == "ancova":
            print("conditional power after the first look, by fifths:")
            print_calibration(simulated, plans["futility"].design)
    small = simulate_small(10 * n)
    print(f"10 an arm, no effect, bound 1.96: t {small[0]:.4f}, its p value {small[1]:.4f}")


def simulate_small(n: int) -> tuple[float, float]:
    """Return how often the t statistic of 10 + 10 people, and z by its p value, exceed 1.96."""
    design = TrialDesign(
        visits_months=tuple(MONTHS), trajectories="parametric", analyses=("change",)
    )
    simulated = simulate_looks(
        MODEL, design, (10, 10), [], accrual=ACCRUAL, seed=22, replicates=range(n), workers=1
    )
    fits, bound = simulated.null["change"], -special.ndtri(0.025)
    t = fits.estimate[0] / fits.se[0]
    return float((t > bound).mean()), float((compute_z(fits)[0] > bound).mean())


if __name__ == "__main__":
    main()
