"""What a model's predictions follow: the scan, or the volumes that its context is told."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from brlp_models.evaluation.baselines import carry_context_forward
from brlp_models.evaluation.measures.ranking import REGION
from brlp_models.evaluation.methods import KEY, MODEL
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.evaluation.statistics import Array, compute_mean, compute_spearman, estimate
from brlp_models.model.config import ModelConfig
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.cohort import predict_cohort
from brlp_models.prediction.context import AuxiliaryModels, EndpointSource
from brlp_models.prediction.job import OnProgress
from brlp_models.scans.cache import ScanCache
from cohorts.cohort import Cohort

OWN: Final = "as a user predicts"
NO_CHANGE: Final = "context told of no change"
TRUE_CHANGE: Final = "context told the true change"
SWAPPED: Final = "another person's scan"

SPEARMAN: Final = "Spearman with the true change"
OF_SCAN: Final = "Spearman with the true change of whose scan it is"
MEAN_CHANGE: Final = "mean predicted change (%)"
MEAN_ERROR: Final = "mean absolute error of the change (points)"
_FEWEST = 4


@dataclass(frozen=True)
class TrueEndpoint:
    """Tells the context the endpoint's true change, as a baseline tells what it expects.

    Parameters
    ----------
    ratios
        Of `compute_ratios`, of the endpoint.
    """

    ratios: "pd.Series[float]"
    identity: str = "the true change"

    def check(self, config: ModelConfig, **_: object) -> None:
        """Refuse nothing: the truth is known of whoever is predicted."""

    def expect_ratios(
        self, _model: BrlpModel, person: Cohort, _cache: ScanCache, _months: Sequence[float]
    ) -> "pd.Series[float]":
        """Return the ratios of a cohort of one."""
        names = self.ratios.index.get_level_values("participant_id")
        return self.ratios[names.isin(person.participants["participant_id"])]


def compute_ratios(at_horizon: pd.DataFrame) -> "pd.Series[float]":
    """Return true later over baseline volumes by `methods.KEY`, see `ToldRatios`."""
    known = at_horizon.set_index(KEY)
    return (known["true_mm3"] / known["baseline_mm3"]).sort_index()


def tell_true_change(model: BrlpModel, at_horizon: pd.DataFrame) -> AuxiliaryModels:
    """Return auxiliary models that know what came later; nothing that is reported may use them.

    Parameters
    ----------
    model
        Whose; they expect the regions of which no truth is known.
    at_horizon
        Rows of `truth.find_volumes_at`.
    """
    return AuxiliaryModels.load(model).tell(compute_ratios(at_horizon), lead=model.config.endpoint)


def predict_conditions(
    model: BrlpModel,
    cohort: Cohort,
    at_horizon: pd.DataFrame,
    own: pd.DataFrame,
    out: Path,
    *,
    samples: int,
    seed: int,
    scan_cache: Path,
    context_from: EndpointSource | None = None,
) -> pd.DataFrame:
    """Predict people under conditions that part what the scan tells from what the context tells.

    Parameters
    ----------
    model, samples, seed, scan_cache
        As in `predict_cohort`.
    cohort
        Whom.
    at_horizon
        Rows of `truth.find_volumes_at`, of one horizon.
    own
        What the model says of these people as a user asks it: `participant_id`, `horizon_months`,
        `region`, `predicted_mm3`, `start_mm3`.
    out
        Gets the predictions, which an interrupted evaluation takes up again.
    context_from
        As in `predict_cohort`; what it reads in another person's scan is told with that scan.

    Returns
    -------
    DataFrame
        Columns of `predict_told`, with `condition` and `scan_of`; `participant_id` is whose table
        it is.
    """
    names = [str(name) for name in cohort.participants["participant_id"]]
    mine = own[own["participant_id"].isin(names)]
    parts = [_tabulate(mine, at_horizon).assign(condition=OWN, scan_of=lambda t: t.participant_id)]
    for condition, people, auxiliary in _iterate_conditions(model, cohort, at_horizon):
        found = predict_told(
            model,
            people,
            at_horizon,
            out / condition.replace(" ", "-").replace("'", ""),
            samples=samples,
            seed=seed,
            scan_cache=scan_cache,
            auxiliary=auxiliary,
            context_from=context_from if auxiliary is None else None,
        )
        giver = dict(zip(names, _rotate(names), strict=True)) if condition == SWAPPED else {}
        whose = [giver.get(name, name) for name in found["participant_id"]]
        parts.append(found.assign(condition=condition, scan_of=whose))
    return pd.concat(parts, ignore_index=True)


def evaluate_conditions(
    model: BrlpModel,
    cohort: Cohort,
    at_horizon: pd.DataFrame,
    predicted: pd.DataFrame,
    out: Path,
    settings: EvaluationSettings,
    *,
    scan_cache: Path,
    context_from: EndpointSource | None = None,
) -> dict[str, pd.DataFrame]:
    """Return the tables `condition_changes` and `conditions`, at the last horizon.

    Parameters
    ----------
    model, cohort, at_horizon, out, scan_cache, context_from
        As in `predict_conditions`; rows of any horizon, people of whom some may be lacking.
    predicted
        Of all methods, as a user asks.
    settings
        How many people.
    """
    truth = at_horizon[at_horizon["horizon_months"] == max(settings.horizons_months)]
    mine = predicted[predicted["method"] == MODEL]
    there = set(truth["participant_id"]) & set(mine["participant_id"])
    names = [str(n) for n in cohort.participants["participant_id"] if n in there]
    chosen = names[: settings.n_conditions]
    changes = predict_conditions(
        model,
        cohort.select(chosen),
        truth[truth["participant_id"].isin(chosen)],
        mine,
        out,
        samples=settings.samples,
        seed=settings.seed,
        scan_cache=scan_cache,
        context_from=context_from,
    )
    rng = np.random.default_rng([settings.seed, 3])
    summary = summarize_conditions(
        changes, region=model.config.endpoint, rng=rng, n_bootstrap=settings.n_bootstrap
    )
    return {"condition_changes": changes, "conditions": summary}


def predict_told(
    model: BrlpModel,
    people: Cohort,
    at_horizon: pd.DataFrame,
    out: Path,
    *,
    samples: int,
    seed: int,
    scan_cache: Path,
    auxiliary: AuxiliaryModels | None,
    context_from: EndpointSource | None = None,
    against_told: bool = False,
    on_progress: OnProgress | None = None,
) -> pd.DataFrame:
    """Predict people with what `auxiliary` tells the context, beside their true change.

    Parameters
    ----------
    model, out, samples, seed, scan_cache, auxiliary, context_from, on_progress
        As in `predict_cohort`.
    people
        Whom.
    at_horizon
        Rows of `truth.find_volumes_at`, of one horizon.
    against_told
        What the context was told stands in the place of the truth.

    Returns
    -------
    DataFrame
        `participant_id`, `horizon_months`, `region`, `predicted_percent`, `true_percent`.
    """
    (horizon,) = at_horizon["horizon_months"].unique()
    found = predict_cohort(
        model,
        people,
        [float(horizon)],
        samples,
        out=out,
        seed=seed,
        scan_cache=scan_cache,
        auxiliary=auxiliary,
        context_from=context_from,
        on_progress=on_progress,
    ).predictions
    names = {"volume_mm3": "predicted_mm3", "baseline_volume_mm3": "start_mm3"}
    table = found.rename(columns=names)
    if against_told:
        at_horizon = table.assign(
            true_mm3=table["told_volume_mm3"], baseline_mm3=table["start_mm3"]
        )
    return _tabulate(table, at_horizon)


def _tabulate(predicted: pd.DataFrame, at_horizon: pd.DataFrame) -> pd.DataFrame:
    """Return predicted and true changes from baseline, in percent."""
    table = predicted[[*KEY, "predicted_mm3", "start_mm3"]].merge(
        at_horizon[[*KEY, "true_mm3", "baseline_mm3"]], on=KEY
    )
    return table[KEY].assign(
        predicted_percent=100 * (table["predicted_mm3"] / table["start_mm3"] - 1),
        true_percent=100 * (table["true_mm3"] / table["baseline_mm3"] - 1),
    )


def summarize_conditions(
    table: pd.DataFrame,
    *,
    region: str = REGION,
    rng: np.random.Generator,
    n_bootstrap: int = 1000,
) -> pd.DataFrame:
    """Return how change is ranked and how near it comes under each condition.

    Parameters
    ----------
    table
        Of `predict_conditions`.
    region
        Whose change: the model's endpoint.
    rng, n_bootstrap
        Of the intervals, over people.

    Returns
    -------
    DataFrame
        `horizon_months`, `condition`, `measure` (the module's constants), `value`, `lower`,
        `upper`, `n`. Where scans are swapped, the ranking is compared with the truth of whose
        table it is and with the truth of whose scan it is: the larger says what decides.
    """
    rows = []
    table = table[table["region"] == region]
    true = table.drop_duplicates("participant_id").set_index("participant_id")["true_percent"]
    for (horizon, condition), own in table.groupby(["horizon_months", "condition"], sort=False):
        for measure, statistic, values in _iterate_measures(own, true):
            found = estimate(statistic, *values, rng=rng, n_bootstrap=n_bootstrap)
            key = {"horizon_months": horizon, "condition": condition, "measure": measure}
            rows.append({**key, **vars(found)})
    return pd.DataFrame(rows)


def swap_scans(cohort: Cohort) -> Cohort:
    """Return the cohort with each person's images and segmentations those of the next one.

    The determinants that visits state are of their scans, and go with them.

    Volumes, ages and diagnoses stay with their person. Visits are matched in time; those that the
    other person lacks have no image.
    """
    names = [str(name) for name in cohort.participants["participant_id"]]
    visits = cohort.visits.copy()
    columns = ["image_path", "segmentation_path", *visits.columns.intersection(["determinant"])]
    rank = visits.sort_values("months_from_baseline").groupby("participant_id").cumcount()
    key = list(zip(visits["participant_id"].astype(str), rank.reindex(visits.index), strict=True))
    given = visits[columns].set_axis(pd.MultiIndex.from_tuples(key))
    giver = dict(zip(names, _rotate(names), strict=True))
    taken = given.reindex(pd.MultiIndex.from_tuples([(giver[name], k) for name, k in key]))
    visits[columns] = taken.to_numpy()
    return replace(cohort, visits=visits)


def _rotate(names: list[str]) -> list[str]:
    return [*names[1:], *names[:1]]


def _iterate_conditions(
    model: BrlpModel, cohort: Cohort, at_horizon: pd.DataFrame
) -> Iterator[tuple[str, Cohort, AuxiliaryModels | None]]:
    yield NO_CHANGE, cohort, carry_context_forward(model)
    yield TRUE_CHANGE, cohort, tell_true_change(model, at_horizon)
    if len(cohort.participants) > 1:
        yield SWAPPED, swap_scans(cohort), None


def _iterate_measures(
    own: pd.DataFrame, true: "pd.Series[float]"
) -> Iterator[tuple[str, Callable[..., float], tuple[Array, ...]]]:
    predicted: Array = np.asarray(own["predicted_percent"], dtype=float)
    mine: Array = np.asarray(own["true_percent"], dtype=float)
    if len(own) >= _FEWEST:
        yield SPEARMAN, compute_spearman, (predicted, mine)
        other: Array = np.asarray(own["scan_of"].map(true), dtype=float)
        if (own["scan_of"] != own["participant_id"]).any() and not np.isnan(other).any():
            yield OF_SCAN, compute_spearman, (predicted, other)
    yield MEAN_CHANGE, compute_mean, (predicted,)
    yield MEAN_ERROR, compute_mean, (np.abs(predicted - mine),)
