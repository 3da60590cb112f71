"""How a prediction moves when the model is told another diagnosis."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from brlp_models.evaluation.comparisons import Compared
from brlp_models.evaluation.ranking import REGION
from brlp_models.evaluation.statistics import compute_mean, estimate
from brlp_models.model import BrlpModel
from cohorts.cohort import Cohort

CONTEXT_ALONE, EVERYTHING = "image model alone", "image model and auxiliary model"


def tell_wrong_diagnoses(people: Compared, samples: int, *, seed: int) -> pd.DataFrame:
    """Return everyone's predicted hippocampal change under each diagnosis that the model knows.

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
            table = table[table["region"] == REGION].assign(told=told, told_to=told_to)
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
