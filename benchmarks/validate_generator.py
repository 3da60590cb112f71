"""What a scan of generator 2 can add to the table: the best any predictor can do, and reliability.

First people with rendered scans, in resumable parts (about 2 CPU seconds each):

    python benchmarks/validate_generator.py render banks/strong --label-maps maps --signal strong

then, from as many as are there, the ceilings of a signal on 20,000 people:

    python benchmarks/validate_generator.py ceilings banks/strong --signal strong

Rank correlations are of the cross-fitted prediction with the exact relative change of the
hippocampus. Signs are measured in the ideal 2 mm image of rendered people and emulated for the
others (`cohorts.synthetic.signs.emulation`); the interval is over rendered people, each time with a
regression of its own. `agreement` predicts the rendered people themselves by what was fitted on
20,000 emulated ones.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold, cross_val_predict
from threadpoolctl import threadpool_limits

from brlp_models.model.folder import load_model
from brlp_models.scans.grid import Grid
from brlp_models.training.banks.measured_people import (
    MONTHS,
    read_measured_table,
    write_measured_people,
)
from cohorts.synthetic.anatomy.base import read_anatomy
from cohorts.synthetic.generators import SIGNALS, choose_generator
from cohorts.synthetic.signs.emulation import MEASURES, SignReader
from cohorts.synthetic.signs.sampling import sample_signs
from cohorts.synthetic.tabular import (
    complete_volumes,
    measure_volumes,
    simulate_course,
    tabulate_participants,
)

FOLDS = 5
RIDGE = 100.0
COURSE = ("stage_years", "speed", "ageing_rate")
COVARIATES = ("age_years", "apoe4", "education_years", "mmse")
Array = npt.NDArray[np.float64]


def draw_people(n: int, signal: str, seed: int) -> pd.DataFrame:
    """Return people with the columns of a bank of rendered ones, but for measured signs."""
    parameters = choose_generator(2, signal)
    rng = np.random.default_rng(seed)
    course = simulate_course(n, rng=rng, visits_months=MONTHS, parameters=parameters.cohort)
    signs = sample_signs(course.people, course.months / 12, rng=rng, parameters=parameters)
    if signs is None:
        raise ValueError("generator 2 has signs")
    people = tabulate_participants(course, rng, parameters.cohort)
    shown = signs.tabulate(people["participant_id"].to_numpy(object)).iloc[:, 1:]
    table = measure_volumes(course, rng, parameters.cohort)
    true = complete_volumes(course, course.volumes)
    return pd.concat(
        [
            people,
            pd.DataFrame({f"table_{region}": own[:, 0] for region, own in table.items()}),
            pd.DataFrame({f"true_{region}": own[:, 0] for region, own in true.items()}),
            pd.DataFrame(
                course.volumes["hippocampus"], columns=[f"hippocampus_{m:.0f}" for m in MONTHS]
            ),
            pd.DataFrame({name: getattr(course.people, name) for name in COURSE}),
            shown.add_prefix("sign_"),
        ],
        axis=1,
    )


def compute_change(people: pd.DataFrame, months: float) -> Array:
    """Return the exact relative change of the hippocampus."""
    end = people[f"hippocampus_{months:.0f}"].to_numpy(float)
    return np.asarray(end / people["hippocampus_0"].to_numpy(float) - 1)


def list_predictors(people: pd.DataFrame, kind: str, measured: pd.DataFrame | None) -> Array:
    """Return what a predictor of a kind is given: table, perfect volumes, image or truth."""
    columns = [people[name].to_numpy(float) for name in COVARIATES]
    columns.append((people["sex"] == "F").to_numpy(float))
    columns += [(people["diagnosis"] == name).to_numpy(float) for name in ("MCI", "AD")]
    source = "table_" if kind in ("table", "image") else "true_"
    columns += [np.log(people[c].to_numpy(float)) for c in people if str(c).startswith(source)]
    if kind == "image" and measured is not None:
        columns += list(measured[list(MEASURES)].to_numpy(float).T)
    if kind == "truth":
        columns += [people[name].to_numpy(float) for name in COURSE]
    return np.stack(columns, axis=1)


class Quadratic:
    """Ridge regression on all products of two standardized predictors."""

    def __init__(self, x: Array, y: Array) -> None:
        self.mean, self.sd = x.mean(axis=0), x.std(axis=0) + 1e-12
        z = self._expand(x)
        penalty = RIDGE * np.eye(z.shape[1])
        penalty[0, 0] = 0
        self.weights = np.linalg.solve(z.T @ z + penalty, z.T @ y)

    def _expand(self, x: Array) -> Array:
        z = np.clip((x - self.mean) / self.sd, -4, 4)
        z = np.concatenate([np.ones((len(z), 1)), z], axis=1)
        rows, columns = np.triu_indices(z.shape[1])
        return z[:, rows] * z[:, columns]

    def predict(self, x: Array) -> Array:
        """Return the predicted values."""
        return np.asarray(self._expand(x) @ self.weights)


def cross_fit(x: Array, y: Array) -> float:
    """Return the rank correlation of cross-fitted predictions with the truth."""
    fold = np.arange(len(y)) % FOLDS
    predicted = np.empty(len(y))
    for k in range(FOLDS):
        predicted[fold == k] = Quadratic(x[fold != k], y[fold != k]).predict(x[fold == k])
    return float(spearmanr(predicted, y)[0])


def render(arguments: argparse.Namespace) -> None:
    """Make people part by part."""
    maps = sorted(arguments.label_maps.glob("*.nii.gz"))
    kept = [path for path in maps if not any(held in path.name for held in arguments.without)]
    write_measured_people(
        [read_anatomy(path) for path in kept],
        arguments.folder,
        arguments.people,
        Grid.of_config(load_model("mini").config),
        seed=arguments.seed,
        parameters=choose_generator(2, arguments.signal),
        report=lambda k: print(f"{k} people", flush=True),
    )


def tell_reliability(rendered: pd.DataFrame) -> pd.DataFrame:
    """Return how well measured signs agree with the signs, and two acquisitions with each other."""
    rows = []
    for name in MEASURES:
        first, second = (rendered[f"{image}_{name}"].to_numpy() for image in ("first", "second"))
        ideal = rendered[f"ideal_{name}"].to_numpy()
        within = (first - second).var() / 2 + (first - second).mean() ** 2 / 2
        total = np.concatenate([first, second]).var()
        rows.append(
            {
                "sign": name,
                "sd": ideal.std(),
                "reliability": 1 - within / total,
                "with_ideal": np.corrcoef(first, ideal)[0, 1],
            }
        )
    return pd.DataFrame(rows)


def tell_ceilings(arguments: argparse.Namespace) -> None:
    """Print reliability, ceilings with intervals, and whether the emulation agrees."""
    rendered = read_measured_table(arguments.folder)
    print(f"{len(rendered)} rendered people\n{tell_reliability(rendered).round(3).to_string()}")
    people = draw_people(arguments.people, arguments.signal, arguments.seed)
    rng = np.random.default_rng([arguments.seed, 1])
    reader = SignReader.fit(rendered)
    measured = reader.emulate(people, rng)
    rows = []
    for months in MONTHS[1:]:
        y = compute_change(people, months)
        row = {
            kind: cross_fit(list_predictors(people, kind, measured), y)
            for kind in ("table", "volumes", "image")
        }
        if arguments.truth:
            # stage and speed multiply and saturate: no quadratic follows them
            machine = HistGradientBoostingRegressor(max_iter=200, random_state=0)
            x = list_predictors(people, "truth", None)
            row["truth"] = spearmanr(cross_val_predict(machine, x, y, cv=KFold(3)), y)[0]
        part = people.iloc[: arguments.replicated]
        draws = []
        for _ in range(arguments.replicates):
            own = SignReader.fit(rendered.iloc[rng.integers(len(rendered), size=len(rendered))])
            x = list_predictors(part, "image", own.emulate(part, rng))
            draws.append(cross_fit(x, y[: len(part)]))
        spread = 1.96 * float(np.std(draws)) if draws else np.nan
        fitted = Quadratic(list_predictors(people, "image", measured), y)
        seen = rendered[[f"ideal_{m}" for m in MEASURES]].set_axis(list(MEASURES), axis=1)
        predicted = fitted.predict(list_predictors(rendered, "image", seen))
        truth = compute_change(rendered, months)
        table = Quadratic(list_predictors(people, "table", None), y)
        alone = table.predict(list_predictors(rendered, "table", None))
        rows.append(
            {
                "months": months,
                **row,
                "image_interval": spread,
                "agreement": spearmanr(predicted, truth)[0],
                "agreement_table": spearmanr(alone, truth)[0],
                "agreement_se": 1 / np.sqrt(len(rendered)),
            }
        )
    print(f"\n{arguments.signal}, {len(people)} people, seed {arguments.seed}")
    print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)
    at_75 = people[np.abs(people["age_years"] - 75) < 1]
    print(f"hippocampus at 75: {at_75['true_hippocampus'].mean():.0f} mm3, native")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    asked = commands.add_parser("render")
    asked.add_argument("--label-maps", type=Path, required=True)
    asked.add_argument("--without", nargs="*", default=[])
    asked.add_argument("--people", type=int, default=1000)
    asked.add_argument("--seed", type=int, default=20261201)
    asked.set_defaults(run=render)
    told = commands.add_parser("ceilings")
    told.add_argument("--people", type=int, default=20_000)
    told.add_argument("--replicates", type=int, default=20)
    told.add_argument("--replicated", type=int, default=5000)
    told.add_argument("--seed", type=int, default=20261202)
    told.add_argument("--truth", action="store_true", help="also from stage, speed and ageing")
    told.set_defaults(run=tell_ceilings)
    for command in (asked, told):
        command.add_argument("folder", type=Path)
        command.add_argument("--signal", choices=SIGNALS, default="strong")
    arguments = parser.parse_args()
    with threadpool_limits(1):
        arguments.run(arguments)


if __name__ == "__main__":
    main()
