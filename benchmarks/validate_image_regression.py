"""What a scan of generator 2 gives to a network that reads it: gate 3 of docs/synthetic-worlds.md.

Banks are made by `benchmarks/validate_generator.py render`, training people of label maps 01 to 08
and evaluation people of 09 and 10. Then

    python benchmarks/validate_image_regression.py banks/strong-train banks/strong-held \
        --signal strong --out image_regression

fits the regression on the table on 4,000 people without scans, what reads the scan on the people
with scans, and ranks the evaluation people, whom nothing was fitted on, by the predicted change of
the hippocampus. Intervals are bootstrapped over people; the differences are paired. Given one bank
twice, each fifth of its people is predicted by what learned from the others.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from brlp_models.auxiliary.huber import HuberAuxiliary
from brlp_models.baselines.baseline import Baseline
from brlp_models.baselines.people import BaselinePeople
from brlp_models.evaluation.measures.ranking import compute_difference
from brlp_models.evaluation.statistics import compute_spearman, estimate
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.training.banks.measured_people import draw_tabled_people, read_measured_people
from brlp_models.training.baselines import fit_baseline, render_card
from cohorts.synthetic.generators import SIGNALS, choose_generator
from cohorts.synthetic.tabular import synthesize_table

CEILINGS = {24.0: (0.726, 0.828), 48.0: (0.682, 0.822)}
"""Table and image, strong (docs/synthetic-worlds.md)."""

IMAGE = "with the scan"
BASELINES = ("image_regression", "latent_regression", "cnn_regression")
FOLDS = 5
N_ARCHIVE = 4000
VISITS = (0.0, 12.0, 24.0, 36.0, 48.0, 60.0)


def predict_auxiliary(signal: str, people: BaselinePeople, seed: int) -> pd.DataFrame:
    """Return the change that an auxiliary model (Huber) fitted on as many people expects."""
    parameters = choose_generator(2, signal).cohort
    rng = np.random.default_rng(seed)
    cohort, _ = synthesize_table(N_ARCHIVE, rng=rng, visits_months=VISITS, parameters=parameters)
    fitted = HuberAuxiliary.fit(cohort.baseline(), cohort.visit_volumes())
    found = fitted.predict_volumes(people.table, horizons_months=list(people.change.columns))
    own = found[found["region"] == "hippocampus"]
    wide = own.pivot_table(index="participant_id", columns="horizon_months", values="volume_mm3")
    start = people.table["hippocampus_mm3"]
    return 100 * (wide.loc[people.table.index].div(start, axis=0) - 1)


def judge(
    predicted: dict[str, pd.DataFrame], people: BaselinePeople, n_bootstrap: int, seed: int
) -> pd.DataFrame:
    """Return each method's rank correlation with the true change, and the image's gains."""
    rows = []
    for months in people.change.columns:
        true = people.change[months].to_numpy(float)
        columns = {name: table[months].to_numpy(float) for name, table in predicted.items()}
        for name, own in columns.items():
            rng = np.random.default_rng([seed, 1])
            found = estimate(compute_spearman, own, true, rng=rng, n_bootstrap=n_bootstrap)
            error = float(np.abs(own - true).mean())
            rows.append({"months": months, "what": name, **vars(found), "mae_points": error})
        for other in [name for name in columns if name != IMAGE]:
            rng = np.random.default_rng([seed, 1])
            pair = (true, columns[IMAGE], columns[other])
            found = estimate(compute_difference, *pair, rng=rng, n_bootstrap=n_bootstrap)
            rows.append({"months": months, "what": f"image less {other}", **vars(found)})
    return pd.DataFrame(rows)


def cross_fit(
    learn: Callable[[BaselinePeople], Baseline], people: BaselinePeople, model: BrlpModel
) -> pd.DataFrame:
    """Return predictions of each fifth of the people by what learned from the others."""
    fold, parts = np.arange(len(people.table)) % FOLDS, []
    for number in range(FOLDS):
        tested = people.take(np.flatnonzero(fold == number))
        # anatomies are the same in all fifths, so that nobody is held out with an anatomy
        learned = learn(replace(people.take(np.flatnonzero(fold != number)), groups=None))
        parts.append(learned.predict_change(tested.table, tested.images, model=model))
    return pd.concat(parts).loc[people.table.index]


def tell_readings(baseline: Baseline, people: BaselinePeople) -> dict[str, float]:
    """Return how well each sign is read: the correlation with the one the scan was made with."""
    if people.signs is None:
        raise ValueError("people of a bank have signs")
    read = baseline.read_scans(people.images)[:, len(baseline.config.horizons_months) :]
    return {
        str(name): round(float(np.corrcoef(read[:, k], people.signs[name])[0, 1]), 2)
        for k, name in enumerate(people.signs)
    }


def run(asked: argparse.Namespace) -> None:
    """Fit, predict, judge."""
    people = read_measured_people(asked.training)
    people = people.take(np.arange(min(asked.people, len(people.table))))
    is_crossed = asked.training.resolve() == asked.evaluation.resolve()
    held_out = people if is_crossed else read_measured_people(asked.evaluation)
    if asked.without_signs:
        people = replace(people, signs=None)
    parameters = choose_generator(2, asked.signal)
    archive = draw_tabled_people(N_ARCHIVE, seed=asked.seed, parameters=parameters)
    model, spent = load_model("mini"), process_time()
    who = f"SYNTHETIC people of generator 2, signal {asked.signal}"
    who += " (stronger than life)" if asked.signal == "strong" else ""
    learn = partial(
        fit_baseline, asked.baseline, provenance=f"{who}.", archive=archive, model=model
    )
    # a network's training is kept, and taken up again where it was interrupted
    image = learn(people, checkpoint=asked.checkpoint)
    spent = process_time() - spent
    print(f"{len(people.table)} people, fitted in {spent:.0f} CPU s", flush=True)
    elastic = fit_baseline("elastic_net", archive, provenance=f"{who}.")
    months = list(held_out.change.columns)
    table = pd.DataFrame(
        image.predict_from_table(held_out.table), held_out.table.index, columns=months
    )
    if is_crossed:
        with_scan = cross_fit(learn, people, model)
    else:
        with_scan = image.predict_change(held_out.table, held_out.images, model=model)
    predicted = {
        "auxiliary": predict_auxiliary(asked.signal, held_out, asked.seed),
        "table": table,
        "elastic_net": elastic.predict_change(held_out.table),
        IMAGE: with_scan,
    }
    found = judge(predicted, held_out, asked.n_bootstrap, asked.seed)
    print(f"{asked.signal}, {asked.baseline}: {len(held_out.table)} people evaluated")
    print(found.round(3).to_string(index=False))
    if not (is_crossed or asked.without_signs) and asked.baseline != "latent_regression":
        print("read against made:", tell_readings(image, held_out))
    wanted = {months: (low + high) / 2 for months, (low, high) in CEILINGS.items()}
    print("half of the way from the table's ceiling to the image's:", wanted)
    if asked.out is not None:
        results = f"```\n{found.round(3).to_string(index=False)}\n```"
        image.write(asked.out, card=render_card(image, results=results))


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("training", type=Path)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("--signal", choices=SIGNALS, default="strong")
    parser.add_argument("--baseline", choices=BASELINES, default="image_regression")
    parser.add_argument("--out", type=Path, help="folder to write the baseline to")
    parser.add_argument("--checkpoint", type=Path, help="folder of a network's checkpoint")
    parser.add_argument("--people", type=int, default=100_000, help="at most so many to learn from")
    parser.add_argument("--without-signs", action="store_true", help="learn the change alone")
    parser.add_argument("--seed", type=int, default=20261214)
    parser.add_argument("--n-bootstrap", type=int, default=2000)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        run(asked)


if __name__ == "__main__":
    main()
