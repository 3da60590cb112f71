"""How much a model's context should weigh, by how well other people's change is ranked.

A network that was trained with context dropout can be asked for more or less of what its context
changes (classifier-free guidance, Ho and Salimans 2022, arXiv 2207.12598). Which weight is best is
no property of the training; it is chosen on people of whom the later volumes are known. What is
compared is the ranking: how large a change is shown is measured afterwards (`measure_gain`).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from brlp_models.errors import ModelError
from brlp_models.evaluation.calibration.volume_error import predict_calibration_people
from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.evaluation.measures.ranking import compute_difference
from brlp_models.evaluation.statistics import (
    compute_spearman,
    estimate,
    number_clusters,
)
from brlp_models.model.model import BrlpModel
from brlp_models.model.sampling import check_guidance
from brlp_models.prediction.context import EndpointSource
from brlp_models.prediction.job import OnProgress
from cohorts.counting import tally


def compare_guidance(
    model: BrlpModel,
    people: EvaluatedCohort,
    out: Path,
    *,
    values: Sequence[float],
    horizon_months: float,
    samples: int,
    seed: int,
    context_from: EndpointSource | None = None,
    on_progress: OnProgress | None = None,
) -> pd.DataFrame:
    """Predict people with each weight of the context, and return how each ranks their change.

    Parameters
    ----------
    model
        Its own weight is one of those compared.
    people
        Whom no reported result stands on.
    out
        Gets the predictions, which an interrupted comparison takes up again.
    values
        Weights, 1 being the network's own answer.
    horizon_months
        At which.
    samples, seed, context_from, on_progress
        As in `predict_cohort`.

    Returns
    -------
    DataFrame
        `guidance`; `value`, `lower`, `upper`: the Spearman correlation of predicted and true change
        of the endpoint with its 95 % interval; `gain`, `gain_lower`, `gain_upper`: that less the
        one of the model's own weight, by person, with intervals that hold together with 95 %; `n`.
        The model's own comes first.

    Raises
    ------
    ModelError
        As `predict_calibration_people`; also for a weight below 0 or without end, and as
        `check_guidance`.
    """
    own = model.config.guidance
    for value in values:
        if not 0 <= value < math.inf:
            raise ModelError(f"guidance must be a number from 0 on, got {value:g}.")
    check_guidance(model.config, values)
    shown = {}
    for value in dict.fromkeys([own, *values]):
        weighed = replace(model, config=model.config.model_copy(update={"guidance": value}))
        found = predict_calibration_people(
            weighed,
            people,
            # in full: two weights never share a folder
            out / repr(float(value)),
            horizons_months=[horizon_months],
            samples=samples,
            seed=seed,
            context_from=context_from,
            on_progress=on_progress,
        )
        endpoint = found[found["region"] == model.config.endpoint].set_index("participant_id")
        shown[value] = endpoint["predicted_mm3"] / endpoint["start_mm3"]
        ratio = endpoint["true_mm3"] / endpoint["baseline_mm3"]
    table = pd.DataFrame(shown).assign(true=ratio).dropna()
    names = pd.Series(table.index.astype(str), index=table.index)
    clusters, _ = number_clusters(names, people.find_anatomies())
    true, before = table["true"].to_numpy(float), table[own].to_numpy(float)
    # all gains together, since the best of them is looked for (Bonferroni)
    together = 1 - 0.05 / max(len(shown) - 1, 1)
    rows = []
    for value in shown:
        # of its own, so that another weight changes no draw
        measure = partial(estimate, rng=np.random.default_rng(seed), clusters=clusters)
        weighed_so = table[value].to_numpy(float)
        ranked = measure(compute_spearman, weighed_so, true)
        gained = measure(compute_difference, true, weighed_so, before, level=together)
        gain = {"gain": gained.value, "gain_lower": gained.lower, "gain_upper": gained.upper}
        rows.append({"guidance": value, **vars(ranked), **gain})
    return pd.DataFrame(rows)


def choose_guidance(compared: pd.DataFrame) -> float:
    """Return the weight that ranks best, or the model's own where none is surely better than it.

    The best of several looks better than it is; so another than the model's own must gain beyond
    the error of its gain.

    Parameters
    ----------
    compared
        Of `compare_guidance`.

    Examples
    --------
    >>> table = pd.DataFrame({"guidance": [1.0, 1.5, 2.0], "value": [0.6, 0.7, 0.8]})
    >>> choose_guidance(table.assign(gain_lower=[0.0, 0.02, -0.01]))
    1.5
    """
    surely = compared[compared["gain_lower"] > 0]
    best = compared.iloc[:1] if surely.empty else surely.nlargest(1, "value")
    return float(best["guidance"].item())


def describe_guidance(compared: pd.DataFrame, chosen: float) -> list[str]:
    """Return a sentence for each weight, and one of which was taken.

    Parameters
    ----------
    compared
        Of `compare_guidance`.
    chosen
        Of `choose_guidance`.
    """
    own = compared["guidance"].iloc[0]
    rows = [
        f"guidance {row.guidance:g}: ranks nobody, since it predicts the same change of everyone"
        if is_unranked
        else f"guidance {row.guidance:g}: ranks {tally(int(str(row.n)), 'people')} with "
        f"{row.value:.2f} (95 % interval "
        f"{row.lower:.2f} to {row.upper:.2f}), {row.gain:+.2f} ({row.gain_lower:+.2f} to "
        f"{row.gain_upper:+.2f}) beside guidance {own:g}"
        for row, is_unranked in zip(compared.itertuples(), compared["value"].isna(), strict=True)
    ]
    why = "no other ranks surely better" if chosen == own else "it ranks surely better"
    return [*rows, f"guidance {chosen:g} is taken: {why}."]
