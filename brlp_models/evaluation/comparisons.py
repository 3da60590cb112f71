"""What each part of the model is worth: variants of it on the same people, at one horizon."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brlp_models.evaluation.accuracy import VOLUME_ERROR, tabulate_errors
from brlp_models.evaluation.baselines import carry_context_forward
from brlp_models.evaluation.image_accuracy import Sessions, measure_images
from brlp_models.evaluation.methods import MODEL
from brlp_models.evaluation.people_predictions import PeoplePredictions, predict_people
from brlp_models.evaluation.predicted_scans import PredictedScan, PredictedScans
from brlp_models.evaluation.ranking import REGION
from brlp_models.evaluation.scans import VisitImage
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.evaluation.statistics import compute_mean, estimate
from brlp_models.model import BrlpModel
from cohorts.cohort import Cohort

ABLATION, DRAWS, SAMPLER = "ablation", "draws", "sampler"
_REFERENCE = "many steps"
_KEYS = ["comparison", "variant"]


@dataclass(frozen=True)
class Compared:
    """Who is compared, and what came later.

    Parameters
    ----------
    model, cohort
        The model, and some people.
    horizon_months
        At which all variants predict.
    visits
        Each person's scans.
    truth
        `true_mm3` and `brain_mm3` by `methods.KEY`.
    sessions
        As in `measure_images`.
    folder
        Of the predictions; a folder for each variant.
    scan_cache
        Of preprocessed scans.
    """

    model: BrlpModel
    cohort: Cohort
    horizon_months: float
    visits: Sequence[Sequence[VisitImage]]
    truth: pd.DataFrame
    sessions: Sessions
    folder: Path
    scan_cache: Path

    def predict(
        self, name: str, samples: int, *, model: BrlpModel | None = None, **options: Any
    ) -> PeoplePredictions:
        """Predict these people, with another model or other options of `predict_cohort`."""
        return predict_people(
            model or self.model,
            options.pop("cohort", self.cohort),
            self.folder / name,
            [self.horizon_months],
            samples,
            scan_cache=self.scan_cache,
            **options,
        )


@dataclass(frozen=True)
class Variant:
    """One way to predict."""

    comparison: str
    label: str
    samples: int
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The name of the folder of its predictions."""
        return f"{self.comparison}-{self.label.replace(' ', '-')}"


def compare_variants(
    people: Compared, settings: EvaluationSettings, *, report: Callable[[str], None]
) -> pd.DataFrame:
    """Return each person's errors and time with each variant.

    Parameters
    ----------
    people
        Whom.
    settings
        Which variants.
    report
        Told of each.

    Returns
    -------
    DataFrame
        `comparison`, `variant`, `participant_id`, `hippocampus_error_percent_of_brain`, `mse`,
        `ssim`, `seconds`; of samplers also `latent_error`, the distance of the mean latent from
        that of many steps, over the latter's distance from the starting latent.
    """
    rows: list[dict[str, Any]] = []
    for variant in list_variants(people.model, settings):
        report(f"{variant.comparison}: {variant.label}")
        found = people.predict(
            variant.folder, variant.samples, seed=settings.seed, **variant.options
        )
        key = {"comparison": variant.comparison, "variant": variant.label}
        rows += [{**key, **row} for row in _measure(people, found)]
    table = pd.DataFrame(rows)
    reference = PredictedScans(people.folder / f"{SAMPLER}-{_REFERENCE.replace(' ', '-')}/scans")
    return table.assign(latent_error=list(_compare_latents(people, table, reference)))


def list_variants(model: BrlpModel, settings: EvaluationSettings) -> Iterator[Variant]:
    """Yield what is compared: the ablation, numbers of draws, samplers with their steps."""
    without = {"auxiliary": carry_context_forward(model)}
    many = settings.samples
    yield Variant(ABLATION, "base", 1, without)
    yield Variant(ABLATION, "+AUX", 1)
    yield Variant(ABLATION, "+LAS", many, without)
    yield Variant(ABLATION, "+AUX +LAS", many)
    for m in settings.compared_samples:
        yield Variant(DRAWS, f"m = {m}", m)
    for sampler, steps in settings.compared_steps:
        yield Variant(SAMPLER, f"{sampler}, {steps} steps", many, _sample(sampler, steps))
    yield Variant(SAMPLER, _REFERENCE, many, _sample(*settings.reference_steps))


def summarize_comparisons(
    table: pd.DataFrame, *, rng: np.random.Generator, n_bootstrap: int = 1000
) -> pd.DataFrame:
    """Return the mean of each measure of `compare_variants` by variant, with its interval."""
    rows = []
    measures = [name for name in table if name not in {*_KEYS, "participant_id"}]
    for (comparison, variant), own in table.groupby(_KEYS, sort=False):
        for measure in measures:
            values = own[measure].dropna().to_numpy(float)
            if len(values):
                found = estimate(compute_mean, values, rng=rng, n_bootstrap=n_bootstrap)
                key = {"comparison": comparison, "variant": variant, "measure": measure}
                rows.append({**key, **vars(found)})
    return pd.DataFrame(rows)


def _sample(sampler: str, steps: int) -> dict[str, Any]:
    return {"sampler": sampler, "num_inference_steps": steps}


def _measure(people: Compared, found: PeoplePredictions) -> Iterator[dict[str, Any]]:
    keys = ["participant_id", "horizon_months", "region"]
    errors = tabulate_errors(found.table.merge(people.truth, on=keys))
    own = errors[(errors["region"] == REGION) & (errors["measure"] == VOLUME_ERROR)]
    error = own.set_index("participant_id")["value"]
    for visits in people.visits:
        for row in measure_images(visits, found.scans, people.sessions):
            name = row["participant_id"]
            scan = found.scans.find(name, people.horizon_months)
            if row["method"] == MODEL and scan is not None and name in error.index:
                yield {
                    "participant_id": name,
                    "hippocampus_error_percent_of_brain": float(error[name]),
                    "mse": row["mse"],
                    "ssim": row["ssim"],
                    "seconds": scan.seconds,
                }


def _compare_latents(
    people: Compared, table: pd.DataFrame, reference: PredictedScans
) -> Iterator[float]:
    for comparison, variant, name in table[[*_KEYS, "participant_id"]].itertuples(index=False):
        folder = people.folder / Variant(comparison, variant, 1).folder / "scans"
        mine = PredictedScans(folder).find(name, people.horizon_months)
        true = reference.find(name, people.horizon_months)
        if comparison != SAMPLER or mine is None or true is None:
            yield float("nan")
        else:
            yield _compute_distance(mine, true)


def _compute_distance(mine: PredictedScan, true: PredictedScan) -> float:
    moved = np.linalg.norm(true.latent - true.start)
    return float(np.linalg.norm(mine.latent - true.latent) / moved)
