"""How often intervals of a sample size cover, and what power proposed trials truly have.

Cohorts of screened people are drawn from a synthetic population of 160,000 whose truth is known,
each with an archive of other people. Everything that `trialsim power` computes of a cohort is
computed by the same functions, but for the simulated trials: the closed form's size stands for the
simulated one, which agrees with it within Monte Carlo error (`validate_simulation.py`). The truth
is that of the rule which this cohort produced: its fitted model and its fraction applied to the
whole population, everyone counted, effect on the latent decline. The seeds were stated before
anything was looked at, are part of the experiment and are never changed; nothing is tuned on them.

    python benchmarks/validate_intervals.py [--cohorts 1000] [--n-bootstrap 300] [--markdown FILE]
"""

import argparse
import time
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import special

from cohorts.synthetic import synthesize_table
from cohorts.synthetic.parameters import CohortParameters
from trialsim.analytic.cutoffs import count_selected
from trialsim.comparison.candidates import Candidate, list_candidates
from trialsim.comparison.closed_form import Moments, compute_pool_moments, compute_sample_size
from trialsim.comparison.cohort_error.bootstrap import bootstrap_sizes
from trialsim.comparison.cohort_error.intervals import compute_size_interval
from trialsim.comparison.pools import gather_pool
from trialsim.comparison.refitting import build_rescore
from trialsim.comparison.screened import Screened, expect_each, share_weights
from trialsim.comparison.sizes.chosen import LOW_POWER, correct_choice
from trialsim.costs import Costs
from trialsim.design import DropOut, TrialDesign
from trialsim.enrichment.strategies.features import build_all_features, build_features, list_volumes
from trialsim.enrichment.strategies.fitted import Regression, learn_huber
from trialsim.enrichment.strategies.strategy import ScreeningTables
from trialsim.enrichment.strategies.unfitted import BaselineVolume

POPULATION_SEEDS = tuple(range(2026120101, 2026120109))
COHORT_SEED = 2026120200
PEOPLE_PER_POPULATION = 20_000
VISITS = (0.0, 12.0, 24.0)
FRACTIONS = (0.25, 0.5)
DESIGN = TrialDesign(
    VISITS, unit="log_percent", slowing=0.3, dropout=DropOut(0.2), analyses=("ancova",)
)
COSTS = Costs(screening=1500, participant=25_000)


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    name: str
    n_screened: int
    n_archive: int


ROWS = (
    Row("200, archive-trained", 200, 200),
    Row("200, cross-fitted", 200, 0),
    Row("60, archive-trained", 60, 200),
)


@dataclass(frozen=True)
class Population:
    """Everyone, measured and true; outcomes are 100 ln(volume)."""

    baseline: pd.DataFrame
    features: np.ndarray
    measured: np.ndarray
    complete: np.ndarray
    latent: np.ndarray

    @property
    def size(self) -> int:
        """Number of people."""
        return len(self.latent)

    @cached_property
    def head(self) -> np.ndarray:
        """Measured head size, mm3."""
        return self.baseline["head_size_mm3"].to_numpy(dtype=float)

    @cached_property
    def volume(self) -> np.ndarray:
        """Measured hippocampus at baseline, mm3."""
        return self.baseline["hippocampus_mm3"].to_numpy(dtype=float)

    @cached_property
    def size_of_everyone(self) -> float:
        """The true size where everyone is enrolled."""
        return compute_true_size(self, slice(None))

    def screen(self, people: np.ndarray) -> ScreeningTables:
        """Return what strategies see of some people, whose places rise.

        Tables are in order of names, as everyone is here: in another order, what is known of the
        people by their places would be that of others.
        """
        if (np.diff(people) <= 0).any():
            raise ValueError("people must be given in order")
        baseline = self.baseline.iloc[people]
        change = self.measured[people, 2] - self.measured[people, 0]
        decline = pd.Series(100 * (1 - np.exp(change / 100)), baseline.index)
        return ScreeningTables(baseline=baseline, outcome=decline.dropna(), unit="percent")


def build_population(
    seeds: tuple[int, ...] = POPULATION_SEEDS,
    n_people: int = PEOPLE_PER_POPULATION,
    noise: float | None = None,
    parameters: CohortParameters | None = None,
) -> Population:
    """Return synthetic populations as one; `noise` is the relative error of a hippocampus."""
    parameters = parameters or CohortParameters()
    if noise is not None:
        hippocampus, *others = parameters.regions
        regions = (replace(hippocampus, measurement_sd=noise), *others)
        parameters = replace(parameters, regions=regions)
    sd = parameters.regions[0].measurement_sd
    parts = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        cohort, truth = synthesize_table(
            n_people, rng=rng, visits_months=VISITS, parameters=parameters, label=f"{seed}x"
        )
        baseline = cohort.baseline()
        latent = _spread(truth.volumes, baseline.index)
        measured = _spread(cohort.volumes, baseline.index)
        # people who left, as they would have been measured: the truth counts everyone
        unseen = latent + 100 * sd * rng.standard_normal(latent.shape)
        parts.append((baseline, measured, np.where(np.isnan(measured), unseen, measured), latent))
    baselines, measured, complete, latent = zip(*parts, strict=True)
    baseline = pd.concat(baselines)
    tables = ScreeningTables(baseline=baseline, unit="percent")
    features = build_features(tables, list_volumes(tables)).to_numpy()
    return Population(
        baseline, features, *(np.concatenate(part) for part in (measured, complete, latent))
    )


def _spread(volumes: pd.DataFrame, people: pd.Index) -> np.ndarray:
    rows = volumes[volumes["region"] == "hippocampus"]
    wide = rows.pivot_table(index="participant_id", columns="session_id", values="volume_mm3")
    return 100 * np.log(wide.reindex(people)[sorted(wide.columns)].to_numpy(dtype=float))


def compute_true_size(population: Population, chosen: np.ndarray | slice) -> float:
    """Return the size for people of the whole population, by their true decline."""
    return compute_sample_size("ancova", compute_true_moments(population, chosen), DESIGN)


def compute_true_moments(population: Population, chosen: np.ndarray | slice) -> Moments:
    """Return the moments of people of the whole population, with their true decline."""
    latent, measured = population.latent[chosen], population.complete[chosen]
    covariance = np.zeros((len(VISITS) + 1, len(VISITS) + 1))
    covariance[:-1, :-1] = np.cov(measured, rowvar=False)
    return Moments(latent.mean(axis=0) - latent[:, 0].mean(), covariance, None)


def run_cohort(
    row: Row, population: Population, number: int, n_bootstrap: int
) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Return one line for each choice, one for the cheapest."""
    rng = np.random.default_rng([COHORT_SEED, ROWS.index(row), number])
    people = rng.choice(population.size, row.n_screened + row.n_archive, replace=False)
    own, others = np.sort(people[: row.n_screened]), np.sort(people[row.n_screened :])
    tables = population.screen(own)
    if row.n_archive:
        tables = replace(tables, training=population.screen(others))
    strategies = (BaselineVolume(), Regression())
    scores = {"random": rng.random(len(own))}
    scores |= {one.name: one.score(tables, rng)["score"].to_numpy() for one in strategies}
    outcome, weights = population.measured[own], share_weights(np.ones(len(own)), scores)
    expected = expect_each(outcome, scores, DESIGN.times, build_all_features(tables), weights)
    screened = Screened(outcome, scores, None, expected, weights)
    candidates = list_candidates(list(scores), FRACTIONS)
    pools = [gather_pool(candidate, screened, rng) for candidate in candidates]
    found = np.array(
        [compute_sample_size("ancova", compute_pool_moments(pool, DESIGN), DESIGN)
         for pool in pools]
    )  # fmt: skip
    error = bootstrap_sizes(
        screened, candidates, DESIGN, n_bootstrap=n_bootstrap, seed=COHORT_SEED + number,
        rescore=build_rescore(strategies, tables), n_archive=0,
    )  # fmt: skip
    true = compute_true_sizes(population, tables, candidates)
    ratios, freedom = error.log_ratios["ancova"], error.degrees_of_freedom["ancova"]
    factors = np.array(
        [compute_size_interval(*values)
         for values in zip(ratios, freedom, strict=True)]
    )  # fmt: skip
    lines: list[dict[str, object]] = [
        {"row": row.name, "rule": f"{c.strategy}, {c.fraction_enrolled:.0%}",
         "log_ratio": np.log(true[i] / found[i]), "lower": np.log(factors[i, 0]),
         "upper": np.log(factors[i, 1])}
        for i, c in enumerate(candidates)
    ]  # fmt: skip
    return lines, describe_choice(row, candidates, found, true, ratios, freedom, factors)


def compute_true_sizes(
    population: Population,
    tables: ScreeningTables,
    candidates: list[Candidate],
) -> np.ndarray:
    """Return the truth of each rule: the model fitted to the archive, or to all screened people."""
    learned = tables.training or tables
    features = build_features(learned, list_volumes(learned)).to_numpy()
    outcome = learned.outcome.reindex(learned.index).to_numpy(dtype=float)
    known = np.isfinite(outcome)
    fitted = learn_huber(
        features[known], outcome[known], np.ones((1, known.sum())), population.features
    )[0]
    volume, head = (tables.baseline[name].to_numpy(dtype=float)
                    for name in ("hippocampus_mm3", "head_size_mm3"))  # fmt: skip
    slope = np.polyfit(head, volume, 1)[0]
    adjusted = slope * population.head - population.volume
    scores = {"baseline_volume": adjusted, "regression": fitted}

    def compute(candidate: Candidate) -> float:
        if not candidate.is_screened:
            return population.size_of_everyone
        count = count_selected(candidate.fraction_enrolled, population.size)
        best = np.argpartition(-scores[candidate.strategy], count - 1)[:count]
        return compute_true_size(population, best)

    return np.array([compute(candidate) for candidate in candidates])


def describe_choice(
    row: Row, candidates: list[Candidate], found: np.ndarray, true: np.ndarray,
    ratios: np.ndarray, freedom: np.ndarray, factors: np.ndarray,
) -> dict[str, object]:  # fmt: skip
    """Return what came of the cheapest choice: its true power as found, proposed, assured."""
    each = np.array([
        COSTS.compute_cost_line(fraction_enrolled=c.fraction_enrolled, is_screened=c.is_screened,
                                months=24, n_visits=3)[1]
        for c in candidates
    ])  # fmt: skip
    best = int(np.argmin(found * each))
    costs = np.log(found * each)[:, None] + ratios
    size = correct_choice(best, ratios, costs, float(freedom[best]), DESIGN)
    critical = special.ndtri(1 - DESIGN.alpha / DESIGN.sides)
    drift = special.ndtri(DESIGN.target_power) + critical

    def power(factor: float) -> float:
        ratio = found[best] * factor / true[best]
        return float(special.ndtr(drift * np.sqrt(ratio) - critical))

    off = np.log(true[best] / found[best]) - np.log(size.optimism)
    low, high = np.log(factors[best])
    return {
        "row": row.name, "power_found": power(1.0), "power_proposed": power(size.proposed),
        "power_assured": power(size.assured), "log_ratio": np.log(true[best] / found[best]),
        "cost_covered": low <= off <= high,
        "share_chosen": float((costs.argmin(axis=0) == best).mean()),
        "truly_cheapest": int(np.argmin(true * each)) == best,
    }  # fmt: skip


def tabulate(lines: pd.DataFrame, choices: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return coverage by rule, power by row, and how often a choice is truly the cheapest."""
    inside = lines["log_ratio"].between(lines["lower"], lines["upper"])
    shares = lines.assign(
        covers=inside,
        above=lines["log_ratio"] > lines["upper"],
        below=lines["log_ratio"] < lines["lower"],
        ratio=np.exp(lines["log_ratio"]),
        sd=lines["log_ratio"],
    )
    keys = ["row", "rule"]
    coverage = shares.groupby(keys, sort=False).agg(
        cohorts=("covers", "size"), covers=("covers", "mean"), above=("above", "mean"),
        below=("below", "mean"), median_ratio=("ratio", "median"), sd_ln_ratio=("sd", "std"),
    )  # fmt: skip
    power = choices.groupby("row", sort=False).agg(
        cohorts=("power_found", "size"),
        true_over_found=("log_ratio", lambda x: np.exp(x.mean())),
        power_found=("power_found", "mean"),
        low_found=("power_found", lambda x: (x < LOW_POWER).mean()),
        power_proposed=("power_proposed", "mean"),
        low_proposed=("power_proposed", lambda x: (x < LOW_POWER).mean()),
        low_assured=("power_assured", lambda x: (x < LOW_POWER).mean()),
        cost_covers=("cost_covered", "mean"),
    )
    bins = pd.cut(choices["share_chosen"], [0, 0.4, 0.55, 0.7, 0.85, 1.0], include_lowest=True)
    chosen = choices.groupby(bins.astype(str), sort=True).agg(
        cohorts=("truly_cheapest", "size"), truly_cheapest=("truly_cheapest", "mean")
    )
    return {"Intervals": coverage.reset_index(), "Power": power.reset_index(),
            "Chosen again": chosen.reset_index()}  # fmt: skip


def run(rows: tuple[Row, ...], population: Population, n_cohorts: int, n_bootstrap: int,
        on_cohort: object = None) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Return the lines of every cohort; cohorts of all rows take turns."""
    lines, choices = [], []
    for number in range(n_cohorts):
        for row in rows:
            own, choice = run_cohort(row, population, number, n_bootstrap)
            lines += own
            choices.append(choice)
        if callable(on_cohort):
            on_cohort(number + 1, lines, choices)
    return pd.DataFrame(lines), pd.DataFrame(choices)


def show(tables: dict[str, pd.DataFrame]) -> str:
    """Return the tables as Markdown."""
    text = []
    for title, table in tables.items():
        header = "| " + " | ".join(map(str, table.columns)) + " |\n|" + "---|" * len(table.columns)
        body = ["| " + " | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in values)
                + " |" for values in table.itertuples(index=False)]  # fmt: skip
        text += [f"### {title}\n", header, *body, ""]
    return "\n".join(text)


def main() -> None:
    """Print the tables; every 25 cohorts the file holds what there is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cohorts", type=int, default=1000)
    parser.add_argument("--n-bootstrap", type=int, default=300)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    population, start = build_population(), time.process_time()

    def write(done: int, lines: list[dict[str, object]], choices: list[dict[str, object]]) -> None:
        if arguments.markdown and (done % 25 == 0 or done == arguments.cohorts):
            tables = tabulate(pd.DataFrame(lines), pd.DataFrame(choices))
            arguments.markdown.write_text(show(tables), encoding="utf-8")

    found = run(ROWS, population, arguments.cohorts, arguments.n_bootstrap, write)
    print(show(tabulate(*found)))
    print(f"CPU time {time.process_time() - start:.0f} s")


if __name__ == "__main__":
    main()
