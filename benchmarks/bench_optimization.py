"""A grid of designs at once against the closed form of one design after another.

Run: python benchmarks/bench_optimization.py
"""

from time import process_time

import numpy as np

from trialsim.comparison.closed_form import compute_model_moments, compute_sample_size
from trialsim.costs import Costs
from trialsim.design import DropOut, TrialDesign
from trialsim.optimization.aims import compute_aims
from trialsim.optimization.choices import Choice
from trialsim.optimization.courses import Courses
from trialsim.optimization.design_grid import compute_sizes, list_settings, round_up
from trialsim.optimization.front import find_front
from trialsim.optimization.paths import PathStage, ScreeningPath
from trialsim.optimization.ranges import SearchRanges
from trialsim.simulation.outcomes import GrowthModel

TIMES = np.array([0.0, 12.0, 24.0])
DESIGN = TrialDesign(
    (0, 12, 24), unit="log_percent", slowing=0.3, dropout=DropOut(0.2),
    analyses=("ancova", "mmrm", "random_slope"),
)  # fmt: skip
COSTS = Costs(
    screening=1500, participant=25_000, visit=2500, per_month=50_000, screening_rate_per_month=60
)
RANGES = SearchRanges(visits_months=(3, 6, 9, 12, 15, 18, 21, 24), n_visits=(2, 3, 4, 5, 6))
N_CHOICES, N_LOOPED = 80, 300


def make_model(fraction: float) -> GrowthModel:
    """Return people who decline the faster the fewer are enrolled."""
    lines = np.array([[100.0, 0.1], [0.1, 0.15**2]])
    return GrowthModel(
        800.0, -0.2 - 0.15 * (1 - fraction), 1.0, 0.02, lines, 1.0, TIMES,
        np.resize([-1.0, 1.0], 100),
    )  # fmt: skip


def main() -> None:
    """Print processor times and their ratio."""
    fractions = np.linspace(0.2, 1.0, N_CHOICES)
    models = [make_model(fraction) for fraction in fractions]
    start = process_time()
    settings = list_settings(
        RANGES.list_schedules(DESIGN.visits_months), DESIGN.analyses, RANGES.allocation_ratios
    )
    courses = [Courses.of(model) for model in models]
    sizes = compute_sizes(Courses.join(courses), settings, DESIGN)
    closed = process_time() - start
    choices = [
        Choice("score", f, f"{f:.0%}", ScreeningPath((PathStage("scan", f, 1500),)), own, None,
               None, None)
        for f, own in zip(fractions, courses, strict=True)
    ]  # fmt: skip
    aims = compute_aims(choices, settings, round_up(sizes, settings), COSTS)
    amounts = [a.ravel() for a in (aims.cost, aims.months_to_last_visit, aims.n_to_screen)]
    left_out = np.repeat(1 - fractions, len(settings))[:, None]
    front = find_front(np.column_stack(amounts), left_out)
    together = process_time() - start
    rng, start = np.random.default_rng(1), process_time()
    for place in rng.integers(sizes.size, size=N_LOOPED):
        row, column = divmod(int(place), len(settings))
        own = settings[column].apply(DESIGN)
        model = GrowthModel(**{**vars(models[row]), "times": own.times})
        compute_sample_size(own.analyses[0], compute_model_moments(model), own)
    looped = (process_time() - start) / N_LOOPED * sizes.size
    print(f"{sizes.size:,} designs, {len(front)} on the front (processor time)")
    print(f"sizes {closed:.2f} s, with cost, months and front {together:.2f} s")
    print(f"one after another {looped:.0f} s ({N_LOOPED} designs, scaled), ratio "
          f"{looped / together:.0f}")  # fmt: skip


if __name__ == "__main__":
    main()
