"""Sizes for people who were only screened, found in an archive of others, against the truth.

Screened people have their baseline visit alone; an archive of other people was followed. Everything
is computed by the functions that `trialsim power` uses, but for the simulated trials (the closed
form stands for them, as in `validate_intervals.py`, whose populations and truth these are). The
truth is that of the rule which this draw produced: its fitted model and its fraction, applied to
the whole population, everyone counted, effect on the latent decline. Seeds were stated before
anything was looked at and are never changed; nothing is tuned on them.

    python benchmarks/validate_screened.py [--draws 400] [--bootstrap-draws 400] [--rows c]
        [--part 1/2] [--markdown FILE]
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from validate_intervals import (
    DESIGN,
    FRACTIONS,
    PEOPLE_PER_POPULATION,
    POPULATION_SEEDS,
    Population,
    build_population,
    compute_true_moments,
    describe_choice,
    show,
)

from cohorts.synthetic.parameters import CohortParameters
from trialsim.analytic.cutoffs import count_selected
from trialsim.comparison.archive import ScreenedPeople
from trialsim.comparison.candidates import Candidate, list_candidates
from trialsim.comparison.closed_form import Moments, compute_pool_moments, compute_sample_sizes
from trialsim.comparison.cohort_error.bootstrap import bootstrap_sizes
from trialsim.comparison.cohort_error.intervals import compute_size_interval
from trialsim.comparison.pools import gather_pool
from trialsim.comparison.refitting import build_rescore
from trialsim.comparison.screened import read_screened
from trialsim.enrichment.strategies.features import build_all_features, build_features, list_volumes
from trialsim.enrichment.strategies.fitted import Regression, learn_huber
from trialsim.enrichment.strategies.strategy import ScreeningTables
from trialsim.enrichment.strategies.unfitted import BaselineVolume
from trialsim.errors import DesignError

DRAW_SEED = 2026120300
ARCHIVE_SEEDS = (2026120301, 2026120302)
STAND_IN_CORRELATION = 0.6
"""Of the stand-in for an image model with the true decline."""


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    name: str
    n_screened: int
    n_archive: int
    is_shifted: bool = False
    is_weighted: bool = True
    is_predicted: bool = False
    slope: float = 1.0
    """Of the true decline on the stand-in prediction, which is otherwise right on average."""
    is_alike: bool = False
    """Whether the stand-in reads both groups by one scale, and is right on average in one alone."""
    is_complete: bool = False
    """Whether nobody of the archive left."""


ROWS = (
    Row("a: 200 screened, archive of 400", 200, 400),
    Row("b: archive 5 years older, AD .10", 200, 400, is_shifted=True),
    Row("b, unweighted", 200, 400, is_shifted=True, is_weighted=False),
    Row("e: archive of 40", 200, 40),
    Row("c: predicted, calibrated", 200, 400, is_predicted=True),
    Row("c: predicted, slope 0.5", 200, 400, is_predicted=True, slope=0.5),
    Row("b, one scale of the stand-in", 200, 400, is_shifted=True, is_alike=True),
    Row("a, nobody left the archive", 200, 400, is_complete=True),
)
"""Each row has draws of its own; new rows come last, so that the draws of the others stay."""


def shift(parameters: CohortParameters) -> CohortParameters:
    """Return the parameters of people whose groups are 5 years older, a tenth of them with AD."""
    shares = {"CN": 0.45, "MCI": 0.45, "AD": 0.10}
    groups = tuple(
        replace(group, age_mean_years=group.age_mean_years + 5, share=shares[group.diagnosis])
        for group in parameters.groups
    )
    return replace(parameters, groups=groups)


@dataclass(frozen=True)
class World:
    """The screened people's population, and the archive's, each with its stand-in scores."""

    screened: Population
    archive: Population
    stand_ins: tuple[np.ndarray, np.ndarray]
    """Predictions of decline, on which the true one has slope 1."""
    fixed: dict[Candidate, Moments] = field(default_factory=dict)
    """True moments of choices that are the same in every draw, once they were asked for."""

    def find_fixed(self, candidate: Candidate) -> Moments:
        """Return the true moments of everyone, or of the best by the stand-in."""
        if candidate not in self.fixed:
            chosen = (
                take_best(self.stand_ins[0], candidate.fraction_enrolled)
                if candidate.is_screened
                else slice(None)
            )
            self.fixed[candidate] = compute_true_moments(self.screened, chosen)
        return self.fixed[candidate]


def spread_out(prediction: np.ndarray, slope: float) -> np.ndarray:
    """Return a prediction on which the true decline has this slope: with 0.5, twice as far."""
    return np.asarray(prediction.mean() + (prediction - prediction.mean()) / slope)


def draw_stand_in(population: Population, seed: int, scale: Population | None = None) -> np.ndarray:
    """Return the best linear prediction by a score that correlates with the true decline as stated.

    `scale` is the population in which it does and is; another is read by the same scale.
    """
    decline, known = (
        one.latent[:, 0] - one.latent[:, -1] for one in (population, scale or population)
    )
    standard = (decline - known.mean()) / known.std()
    noise = np.random.default_rng(seed).standard_normal(len(standard))
    score = STAND_IN_CORRELATION * standard + np.sqrt(1 - STAND_IN_CORRELATION**2) * noise
    if scale is None:
        score = (score - score.mean()) / score.std()
    return np.asarray(known.mean() + STAND_IN_CORRELATION * known.std() * score)


def run_draw(
    row: Row, world: World, number: int, n_bootstrap: int, seed: int | None = None
) -> tuple[list[dict[str, object]], dict[str, object] | None]:
    """Return one line for each choice, and one for the cheapest; none where all are refused.

    Without bootstrap samples there is no interval to cover, and no size to propose.
    """
    rng = np.random.default_rng([find_draw_seed(seed), ROWS.index(row), number])
    here = np.sort(rng.choice(world.screened.size, row.n_screened, replace=False))
    there = np.sort(rng.choice(world.archive.size, row.n_archive, replace=False))
    seen = world.archive
    archive = (replace(seen, measured=seen.complete) if row.is_complete else seen).screen(there)
    screened = replace(world.screened.screen(here), outcome=None, training=archive)
    strategies = (BaselineVolume(), Regression())
    scores = pd.DataFrame({"random": rng.random(len(there))}, index=archive.index)
    theirs = pd.DataFrame({"random": rng.random(len(here))}, index=screened.index)
    for one in strategies:
        scores[one.name] = one.score(archive, rng)["score"]
        theirs[one.name] = one.score(screened, rng)["score"]
    mine, other = (spread_out(prediction, row.slope) for prediction in world.stand_ins)
    scores["stand_in"], theirs["stand_in"] = other[there], mine[here]
    features = build_all_features(screened)
    own_volume = screened.baseline["hippocampus_mm3"]
    stands_for = ScreenedPeople(
        theirs,
        features.assign(hippocampus_mm3=own_volume),
        build_rescore(strategies, screened),
        row.is_predicted,
    )
    outcome = world.archive.complete if row.is_complete else world.archive.measured
    volumes = np.exp(outcome[there] / 100)
    people = read_screened(
        pd.DataFrame(volumes, index=archive.index, columns=list(DESIGN.visits_months)),
        scores,
        DESIGN,
        baseline=build_all_features(archive),
        stands_for=stands_for if row.is_weighted else None,
    )
    candidates, moments = [], []
    for candidate in list_candidates(list(scores), FRACTIONS):
        try:
            pool = gather_pool(candidate, people, rng)
        except DesignError:
            continue
        candidates.append(candidate)
        moments.append(compute_pool_moments(pool, DESIGN))
    if not candidates:
        return [], None
    sizes = compute_sample_sizes("ancova", moments, DESIGN)
    true = compute_truths(candidates, world, screened)
    lines: list[dict[str, object]] = [
        {"row": row.name, "rule": f"{c.strategy}, {c.fraction_enrolled:.0%}", "ratio": ratio}
        for c, ratio in zip(candidates, sizes / true, strict=True)
    ]
    if not n_bootstrap:
        return lines, None
    error = bootstrap_sizes(
        people, candidates, DESIGN, n_bootstrap=n_bootstrap, seed=number,
        rescore=build_rescore(strategies, archive),
    )  # fmt: skip
    ratios, freedom = error.log_ratios["ancova"], error.degrees_of_freedom["ancova"]
    factors = np.array(
        [compute_size_interval(*values) for values in zip(ratios, freedom, strict=True)]
    )
    off = np.log(true / sizes)
    covers = (np.log(factors[:, 0]) <= off) & (off <= np.log(factors[:, 1]))
    for line, is_inside in zip(lines, covers, strict=True):
        line["covers"] = bool(is_inside)
    return lines, describe_choice(row, candidates, sizes, true, ratios, freedom, factors)


def compute_truths(
    candidates: list[Candidate], world: World, screened: ScreeningTables
) -> np.ndarray:
    """Return the true size of each rule that this draw produced."""
    scores: dict[str, np.ndarray] = {}
    moments = []
    for candidate in candidates:
        name, fraction = candidate.strategy, candidate.fraction_enrolled
        if not candidate.is_screened or name == "stand_in":
            # the same in every draw
            moments.append(world.find_fixed(candidate))
            continue
        if name not in scores:
            scores[name] = compute_scores(name, world, screened)
        moments.append(compute_true_moments(world.screened, take_best(scores[name], fraction)))
    return compute_sample_sizes("ancova", moments, DESIGN)


def take_best(score: np.ndarray, fraction: float) -> np.ndarray:
    """Return the places of the highest scores."""
    count = count_selected(fraction, len(score))
    return np.argpartition(-score, count - 1)[:count]


def compute_scores(strategy: str, world: World, screened: ScreeningTables) -> np.ndarray:
    """Return the score of everyone in the population by the rule that the screened people got."""
    population = world.screened
    if strategy == "baseline_volume":
        volume, head = (screened.baseline[name].to_numpy(dtype=float)
                        for name in ("hippocampus_mm3", "head_size_mm3"))  # fmt: skip
        return np.asarray(np.polyfit(head, volume, 1)[0] * population.head - population.volume)
    learned = screened.training
    features = build_features(learned, list_volumes(learned)).to_numpy()
    outcome = learned.outcome.reindex(learned.index).to_numpy(dtype=float)
    known = np.isfinite(outcome)
    fitted: np.ndarray = learn_huber(
        features[known], outcome[known], np.ones((1, known.sum())), population.features
    )[0]
    return fitted


def compute_median_error(ratios: "pd.Series[float]") -> float:
    """Return the standard error of a median of ratios, as if their logarithms were normal."""
    return float(ratios.median() * np.sqrt(np.pi / 2) * np.log(ratios).sem())


def tabulate(lines: pd.DataFrame, choices: pd.DataFrame, n_draws: int) -> dict[str, pd.DataFrame]:
    """Return bias and coverage by rule, and the power of the proposed trials by row."""
    sizes = lines.groupby(["row", "rule"], sort=False).agg(
        answered=("ratio", lambda x: len(x) / n_draws),
        median_ratio=("ratio", "median"),
        median_se=("ratio", compute_median_error),
        intervals=("covers", "count"),
        covers=("covers", "mean"),
    )
    power = choices.groupby("row", sort=False).agg(
        draws=("power_found", "size"),
        power_found=("power_found", "mean"),
        power_proposed=("power_proposed", "mean"),
        proposed_se=("power_proposed", "sem"),
        low_proposed=("power_proposed", lambda x: (x < 0.70).mean()),
    )
    return {"Sizes": sizes.reset_index(), "Power": power.reset_index()}


def run(
    rows: tuple[Row, ...],
    world_of: Callable[[Row], World],
    number: int,
    n_bootstrap: int,
    seed: int | None = None,
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return the lines of one draw of every row, and the choices made in it."""
    lines: list[dict[str, object]] = []
    choices: list[dict[str, object]] = []
    for row in rows:
        own, choice = run_draw(row, world_of(row), number, n_bootstrap, seed)
        lines += own
        choices += [choice] if choice is not None else []
    return lines, choices


def build_worlds(rows: tuple[Row, ...], seed: int | None = None) -> dict[tuple[bool, bool], World]:
    """Return the worlds of rows by whether the archive is shifted, and the stand-in's scale one.

    `seed` is the root of other seeds than those that were stated.
    """
    mine, others, draws = POPULATION_SEEDS, ARCHIVE_SEEDS, DRAW_SEED
    if seed is not None:
        mine, others = tuple(range(seed + 1, seed + 9)), (seed + 101, seed + 102)
        draws = find_draw_seed(seed)
    same = build_population(mine)
    own = draw_stand_in(same, draws)
    worlds = {(False, False): World(same, same, (own, own))}
    if any(row.is_shifted for row in rows):
        other = build_population(
            others, PEOPLE_PER_POPULATION, parameters=shift(CohortParameters())
        )
        for is_alike in (False, True):
            theirs = draw_stand_in(other, draws + 1, same if is_alike else None)
            worlds[True, is_alike] = World(same, other, (own, theirs))
    return worlds


def find_draw_seed(seed: int | None) -> int:
    """Return the root of the draws: the one that was stated, or another."""
    return DRAW_SEED if seed is None else seed + 300


def keep(folder: Path, number: int, n_bootstrap: int, lines: list[dict[str, object]],
         choices: list[dict[str, object]]) -> None:  # fmt: skip
    """Keep a draw in a file of its own, whole or not at all."""
    content = {"n_bootstrap": n_bootstrap, "lines": lines, "choices": choices}
    partial = folder / f"{number}.partial"
    partial.write_text(json.dumps(content, default=float), encoding="utf-8")
    partial.rename(folder / f"{number}.json")


def is_done(folder: Path, number: int, n_bootstrap: int) -> bool:
    """Return whether a draw is kept, with bootstrap samples where these are wanted."""
    path = folder / f"{number}.json"
    if not path.is_file():
        return False
    return not n_bootstrap or bool(json.loads(path.read_text(encoding="utf-8"))["n_bootstrap"])


def summarize(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of the draws that are done."""
    done = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    lines, choices = (
        pd.DataFrame([one for draw in done for one in draw[name]]) for name in ("lines", "choices")
    )
    lines["covers"] = lines["covers"].astype(float) if "covers" in lines else np.nan
    return tabulate(lines, choices, len(done))


def main() -> None:
    """Do the draws that are not done yet, and print the tables of all that are.

    Draws are files in a folder: an interrupted run goes on, and several processes share the work
    where each is given a part (`--part 1/2`, `--part 2/2`).
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--n-bootstrap", type=int, default=200)
    parser.add_argument("--bootstrap-draws", type=int, default=400,
                        help="of the first draws alone; medians need no intervals")  # fmt: skip
    parser.add_argument("--rows", default="", help="first letters of the rows, such as ac")
    parser.add_argument("--seed", type=int, help="root of other seeds than the stated ones")
    parser.add_argument("--part", default="1/1", help="which share of the draws, such as 1/2")
    parser.add_argument("--folder", type=Path, default=Path("screened-draws"))
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    rows = tuple(row for row in ROWS if not arguments.rows or row.name[0] in arguments.rows)
    folder = arguments.folder / (arguments.rows or "all")
    folder.mkdir(parents=True, exist_ok=True)
    part, n_parts = map(int, arguments.part.split("/"))
    wanted = {
        number: arguments.n_bootstrap if number < arguments.bootstrap_draws else 0
        for number in range(part - 1, arguments.draws, n_parts)
    }
    waiting = {k: n for k, n in wanted.items() if not is_done(folder, k, n)}
    worlds = build_worlds(rows, arguments.seed) if waiting else {}
    for number, n_bootstrap in waiting.items():
        found = run(rows, lambda row: worlds[row.is_shifted, row.is_alike], number, n_bootstrap,
                    arguments.seed)  # fmt: skip
        keep(folder, number, n_bootstrap, *found)
    text = show(summarize(folder))
    if arguments.markdown:
        arguments.markdown.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
