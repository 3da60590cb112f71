"""What each part of the model is worth: variants of it on the same people, at one horizon."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brlp_models.evaluation.baselines import carry_context_forward
from brlp_models.evaluation.images.accuracy import Sessions, measure_images
from brlp_models.evaluation.images.predicted_scans import PredictedScan, PredictedScans
from brlp_models.evaluation.images.scans_on_grid import VisitImage
from brlp_models.evaluation.measures.accuracy import VOLUME_ERROR, tabulate_errors
from brlp_models.evaluation.methods import CARRY_FORWARD, KEY, MODEL
from brlp_models.evaluation.people_predictions import (
    PeoplePredictions,
    predict_people,
)
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.evaluation.statistics import compute_mean, estimate
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.context import EndpointSource
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
    context_from
        Tells the context of the endpoint, but where a variant has another auxiliary model.
    """

    model: BrlpModel
    cohort: Cohort
    horizon_months: float
    visits: Sequence[Sequence[VisitImage]]
    truth: pd.DataFrame
    sessions: Sessions
    folder: Path
    scan_cache: Path
    context_from: EndpointSource | None = None

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
            context_from=None if "auxiliary" in options else self.context_from,
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
        `comparison`, `variant`, `participant_id`, `endpoint_error_percent_of_brain`, `mse`,
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
    own = errors[
        (errors["region"] == people.model.config.endpoint) & (errors["measure"] == VOLUME_ERROR)
    ]
    error = own.set_index("participant_id")["value"]
    for visits in people.visits:
        for row in measure_images(visits, found.scans, people.sessions):
            name = row["participant_id"]
            scan = found.scans.find(name, people.horizon_months)
            if row["method"] == MODEL and scan is not None and name in error.index:
                yield {
                    "participant_id": name,
                    "endpoint_error_percent_of_brain": float(error[name]),
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


ONE, SEVERAL = f"{MODEL}, one visit", f"{MODEL}, several visits"
CARRY_LATER = f"{CARRY_FORWARD}, later visit"


def predict_from_later_visit(
    people: Compared, samples: int, *, until_months: float, seed: int
) -> pd.DataFrame:
    """Return volumes predicted from one visit and from several, for people who have several.

    Parameters
    ----------
    people
        Whom.
    samples, seed
        Of the predictions.
    until_months
        The latest visit that may be the start; after it nothing is read.

    Returns
    -------
    DataFrame
        Columns of `tabulate_errors`; methods: one visit, several visits, and each starting scan
        carried forward. Empty where nobody has an earlier visit with an image.
    """
    names = find_returning(people.cohort, until_months)
    if not names:
        return pd.DataFrame(columns=[*KEY, "method"])
    cohort = people.cohort.select(names)
    options: dict[str, Any] = {"cohort": cohort, "seed": seed}
    one = people.predict("visits-one", samples, **options)
    several = people.predict("visits-several", samples, until_months=until_months, **options)
    parts = [*_name(one, ONE, CARRY_FORWARD), *_name(several, SEVERAL, CARRY_LATER)]
    return pd.concat(parts, ignore_index=True).merge(people.truth, on=KEY)


def find_returning(cohort: Cohort, until_months: float) -> list[str]:
    """Return who has a visit with an image after the baseline and up to a month."""
    visits = cohort.until(until_months).visits
    imaged = visits[visits["image_path"].notna() & (visits["months_from_baseline"] > 0)]
    return sorted(imaged["participant_id"].unique())


def _name(found: PeoplePredictions, method: str, carried: str) -> list[pd.DataFrame]:
    table = found.table
    return [
        table.assign(method=method),
        table.assign(method=carried, predicted_mm3=table["start_mm3"]),
    ]


CONTEXT_ALONE, EVERYTHING = "image model alone", "image model and auxiliary model"


def tell_wrong_diagnoses(people: Compared, samples: int, *, seed: int) -> pd.DataFrame:
    """Return everyone's predicted change of the endpoint under each diagnosis that the model knows.

    Parameters
    ----------
    people
        Whom.
    samples, seed
        Of the predictions.

    Returns
    -------
    DataFrame
        `participant_id`, `diagnosis` (the person's), `told`, `told_to` (the context of the image
        model alone, or the auxiliary model as well), `change_percent`; the row with the person's
        own diagnosis as `told` is the prediction itself. Empty for a model without diagnosis.
    """
    own = people.cohort.participants.set_index("participant_id")["diagnosis"]
    parts = []
    for told in _find_diagnoses(people.model):
        variants = (
            (CONTEXT_ALONE, {"model": read_diagnosis_as(people.model, told)}),
            (EVERYTHING, {"cohort": tell_diagnosis(people.cohort, told)}),
        )
        for told_to, options in variants:
            name = f"diagnosis-{told}-{told_to.replace(' ', '-')}"
            table = people.predict(name, samples, seed=seed, **options).table
            table = table[table["region"] == people.model.config.endpoint].assign(
                told=told, told_to=told_to
            )
            parts.append(table)
    if not parts:
        return pd.DataFrame(columns=["participant_id", "diagnosis", "told", "told_to"])
    found = pd.concat(parts, ignore_index=True)
    return found.assign(
        diagnosis=found["participant_id"].map(own),
        change_percent=100 * (found["predicted_mm3"] / found["start_mm3"] - 1),
    )[["participant_id", "diagnosis", "told", "told_to", "change_percent"]]


def summarize_wrong_diagnoses(
    changes: pd.DataFrame, *, rng: np.random.Generator, n_bootstrap: int = 1000
) -> pd.DataFrame:
    """Return how far the predicted change moves, by true diagnosis and the one told.

    Parameters
    ----------
    changes
        Of `tell_wrong_diagnoses`.
    rng, n_bootstrap
        Of the intervals.

    Returns
    -------
    DataFrame
        `diagnosis`, `told`, `told_to`, `change_percent` (mean when told), and the mean move from
        the prediction with the true diagnosis in percentage points: `value`, `lower`, `upper`, `n`.
    """
    rows = []
    keys = ["participant_id", "told_to"]
    right = changes[changes["told"] == changes["diagnosis"]].set_index(keys)["change_percent"]
    wrong = changes[changes["told"] != changes["diagnosis"]]
    for (diagnosis, told, told_to), own in wrong.groupby(["diagnosis", "told", "told_to"]):
        mine = own.set_index(keys)["change_percent"]
        moved = (mine - right.reindex(mine.index)).to_numpy(float)
        found = estimate(compute_mean, moved, rng=rng, n_bootstrap=n_bootstrap)
        key = {"diagnosis": diagnosis, "told": told, "told_to": told_to}
        rows.append({**key, "change_percent": float(mine.mean()), **vars(found)})
    return pd.DataFrame(rows)


def read_diagnosis_as(model: BrlpModel, told: str) -> BrlpModel:
    """Return a model whose context has one diagnosis for everyone; its auxiliary models do not."""
    entries = [
        entry
        if entry.name != "diagnosis" or entry.categories is None
        else entry.model_copy(
            update={"categories": dict.fromkeys(entry.categories, entry.categories[told])}
        )
        for entry in model.config.context
    ]
    return replace(model, config=model.config.model_copy(update={"context": tuple(entries)}))


def tell_diagnosis(cohort: Cohort, told: str) -> Cohort:
    """Return the cohort with one diagnosis for everyone at every visit."""
    return replace(
        cohort,
        participants=cohort.participants.assign(diagnosis=told),
        visits=cohort.visits.assign(diagnosis=told),
    )


def _find_diagnoses(model: BrlpModel) -> Iterator[str]:
    for entry in model.config.context:
        if entry.name == "diagnosis" and entry.categories is not None:
            yield from entry.categories
