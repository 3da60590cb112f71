"""Type I error and coverage of mixed models in trials that are hard for them.

    python benchmarks/validate_inference.py [--replicates 20000]

Small trials: 12 + 12 people, 30 % leave, no effect. Unequal trials: proportional slowing of 40 %,
people who decline faster leave earlier, one control for two treated. Every row is analysed in the
same simulated trials. The seed is part of the experiment and is never changed.
"""

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from trialsim.design import DropOut, TrialDesign
from trialsim.simulation.outcomes import GrowthModel
from trialsim.simulation.performance import compute_characteristics
from trialsim.simulation.trials import simulate_trials

SEED = 20260101
MONTHS = (0.0, 6.0, 12.0, 18.0, 24.0)
MODEL = GrowthModel(
    intercept=6500.0,
    slope=-14.0,
    score_intercept=-150.0,
    score_slope=-4.0,
    covariance=np.array([[700.0**2, 600.0], [600.0, 25.0]]),
    residual_variance=4900.0,
    times=np.array(MONTHS),
    scores=np.linspace(-1.7, 1.7, 501),
)
SATTERTHWAITE: dict[str, Any] = {}
KENWARD_ROGER: dict[str, Any] = {"degrees_of_freedom": "kenward_roger"}
BY_ARM: dict[str, Any] = {"covariance": "by_arm"}
CR2: dict[str, Any] = {"standard_error": "cr2"}


@dataclass(frozen=True)
class Setting:
    """A trial with the ways in which it is judged."""

    name: str
    size: tuple[int, int]
    words: tuple[dict[str, Any], ...]
    design: dict[str, Any]

    def report(self, n: int, scenario: int) -> None:
        """Print one row for each mixed model and way of judging."""
        for words in self.words:
            for analysis in ("mmrm", "random_slope"):
                design = TrialDesign(
                    MONTHS, trajectories="parametric", analyses=(analysis,), **self.design, **words
                )
                trials = simulate_trials(
                    MODEL, design, [self.size], seed=SEED, replicates=range(n),
                    scenario=scenario, workers=1,
                )  # fmt: skip
                row = compute_characteristics(trials, analysis, design)[0]
                null = trials.null[analysis]
                one_sided = special.stdtr(null.df[0], -null.estimate[0] / null.se[0]) < 0.025
                said = ", ".join(words.values()) or "satterthwaite"
                print(
                    f"| {self.name} | {analysis} | {said} | {row['type_one_error']:.4f} | "
                    f"{one_sided.mean():.4f} | {row['coverage']:.4f} | {row['coverage_mcse']:.4f} "
                    f"| {row['power']:.3f} | {row['n_failed_fits']} |",
                    flush=True,
                )


SETTINGS = (
    Setting(
        "12 + 12, 30 % leave",
        (12, 12),
        (SATTERTHWAITE, KENWARD_ROGER),
        {"slowing": 0.5, "dropout": DropOut(0.3)},
    ),
    Setting(
        "30 + 60, proportional, leaving by decline",
        (30, 60),
        (SATTERTHWAITE, KENWARD_ROGER, BY_ARM, CR2),
        {
            "slowing": 0.4,
            "allocation_ratio": 2.0,
            "effect_model": "proportional",
            "dropout": DropOut(0.3, decline_hazard_ratio=2.0),
        },
    ),
)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicates", type=int, default=20_000)
    n = parser.parse_args().replicates
    print("| trial | analysis | judged by | type I error | upper tail | coverage | mcse | power "
          "| failed fits |\n|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    for number, setting in enumerate(SETTINGS):
        setting.report(n, 2000 + number)


if __name__ == "__main__":
    main()
