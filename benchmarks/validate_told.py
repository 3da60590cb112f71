"""What BrLP told by a scan reader adds to the reader's table: docs/synthetic-worlds.md, null world.

Evaluation people are made by `trialsim model evaluation-people --baseline-scans-only` with a recipe
of the world (`signal = "null"`), the reader by `validate_image_regression.py --out`. Then

    python benchmarks/validate_told.py people reader --out told

predicts everybody's volumes, one draw, with the context told by the reader, and ranks them by the
predicted change of the hippocampus. What is shown is weighed with what was told as the people of
the other anatomies say, so that nobody's own course enters a prediction. It goes on where it was
interrupted; `--part 1/2` and `--part 2/2` share the people between two processes.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brlp_models.baselines.context import ContextBaseline
from brlp_models.evaluation.calibration.shown_weight import estimate_shown_weight, weigh_shown
from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.evaluation.measures.ranking import compute_difference
from brlp_models.evaluation.methods import KEY
from brlp_models.evaluation.statistics import compute_spearman, estimate
from brlp_models.evaluation.truth import find_volumes_at
from brlp_models.model.folder import load_model
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.prediction.settings import Part
from cohorts.sources.loading import load_cohort

MONTHS = 48.0
REGION = "hippocampus"
NAMES = {
    "volume_mm3": "predicted_mm3",
    "volume_sd_mm3": "sd_mm3",
    "baseline_volume_mm3": "start_mm3",
    "told_volume_mm3": "told_mm3",
}
MEASURED = ("volume_error", "draw_sd", "shown_weight", "calibrations")
"""What a calibration measures; nothing of it is taken from people of another world."""


def predict(asked: argparse.Namespace, people: EvaluatedCohort) -> pd.DataFrame:
    """Return everybody's volumes as shown and as told, beside the exact ones."""
    model = load_model("mini", precision="auto")
    bare = model.config.model_copy(update={name: {} for name in MEASURED})
    found = predict_cohort(
        replace(model, config=bare),
        people.cohort,
        [MONTHS],
        1,
        out=asked.out,
        seed=asked.seed,
        scan_cache=asked.out / "preprocessed",
        context_from=ContextBaseline.load(asked.reader),
        has_tables=False,
        part=asked.part,
    )
    truth, _ = people.load_truth()
    shown = found.predictions.rename(columns=NAMES)
    return shown.merge(find_volumes_at(truth, [MONTHS]), on=KEY)


def weigh_by_other_anatomies(shown: pd.DataFrame, anatomies: "pd.Series[str]") -> pd.DataFrame:
    """Return the predictions weighed as the people of other anatomies say."""
    own, parts = shown["participant_id"].map(anatomies), []
    for anatomy in sorted(own.unique()):
        weights = estimate_shown_weight(shown[own != anatomy], rng=np.random.default_rng(1))
        told = dict(zip(weights["region"], weights["value"], strict=True))
        print(f"weight of what is shown, for people of {anatomy}: {told[REGION]:.2f}")
        parts.append(weigh_shown(shown[own == anatomy], told))
    return pd.concat(parts)


def percent(people: pd.DataFrame, column: str, of: str = "start_mm3") -> np.ndarray:
    """Return the change of the hippocampus to a column's volume."""
    return (100 * (people[column] / people[of] - 1)).to_numpy(dtype=float)


def main() -> None:
    """Predict, weigh, rank."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", type=Path)
    parser.add_argument("reader", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", type=Part.parse, help="1/2: the first of two processes")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    people = EvaluatedCohort(load_cohort(asked.people), asked.people)
    shown = predict(asked, people)
    if asked.part is not None:
        return
    anatomies = people.find_anatomies()
    if anatomies is None:
        parser.error(
            "the people's anatomies are not known: they are no synthetic evaluation people"
        )
    weighed = weigh_by_other_anatomies(shown, anatomies)
    weighed = weighed[weighed["region"] == REGION].set_index("participant_id")
    bare = shown[shown["region"] == REGION].set_index("participant_id").loc[weighed.index]
    true = percent(bare, "true_mm3", of="baseline_mm3")
    reader = ContextBaseline.load(asked.reader).baseline
    place = list(reader.config.horizons_months).index(MONTHS)
    table = reader.predict_from_table(people.cohort.baseline().loc[weighed.index])[:, place]
    methods = {
        "regression on the table": table,
        "the reader, which tells": percent(bare, "told_mm3"),
        "what is shown, alone": percent(bare, "predicted_mm3"),
        "BrLP, weighed": percent(weighed, "predicted_mm3"),
    }
    print(f"{len(true)} people, mean change {true.mean():.1f} %")
    for name, own in methods.items():
        rank = estimate(compute_spearman, own, true, rng=np.random.default_rng(2), n_bootstrap=2000)
        gain = estimate(
            compute_difference, true, own, table, rng=np.random.default_rng(2), n_bootstrap=2000
        )
        error = np.abs(own - true).mean()
        print(
            f"{name}: {rank.value:.3f} ({rank.lower:.3f} to {rank.upper:.3f}), minus the table's "
            f"{gain.value:.3f} ({gain.lower:.3f} to {gain.upper:.3f}), error {error:.2f} points"
        )


if __name__ == "__main__":
    main()
