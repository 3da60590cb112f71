"""The evaluation of a model on a cohort: every table, in one folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from brlp_models.evaluation.accuracy import summarize_accuracy, summarize_ranking
from brlp_models.evaluation.baselines import (
    predict_auxiliary,
    predict_carry_forward,
    predict_from_table,
    without_auxiliary,
)
from brlp_models.evaluation.calibration import summarize_calibration
from brlp_models.evaluation.figures import write_figures
from brlp_models.evaluation.floor import measure_floor, summarize_floor
from brlp_models.evaluation.scans import iterate_people
from brlp_models.evaluation.truth import (
    compute_brain_volumes,
    find_volumes_at,
    load_true_volumes,
)
from brlp_models.model import BrlpModel
from brlp_models.prediction import predict_cohort
from cohorts.cohort import Cohort

MODEL = "BrLP"
Progress = Callable[[str], None]
_KEY = ["participant_id", "horizon_months", "region"]


@dataclass(frozen=True)
class EvaluationSettings:
    """How much is evaluated.

    Parameters
    ----------
    horizons_months
        Months after baseline.
    samples
        Draws of the main table.
    compared_samples, compared_steps
        Further numbers of draws and of denoising steps, on `n_compared` people.
    n_compared
        People of the comparisons (ablation, draws, steps); 0 leaves those out.
    n_bootstrap
        Resamples of people.
    seed
        Of everything random.
    """

    horizons_months: tuple[float, ...] = (24.0, 48.0)
    samples: int = 4
    compared_samples: tuple[int, ...] = (1, 2, 4, 8)
    compared_steps: tuple[tuple[str, int], ...] = (
        ("dpm-solver++", 2), ("dpm-solver++", 4), ("dpm-solver++", 8), ("ddim", 25),
    )  # fmt: skip
    n_compared: int = 6
    n_bootstrap: int = 1000
    seed: int = 1


def evaluate_model(
    model: BrlpModel,
    cohort: Cohort,
    out: Path,
    settings: EvaluationSettings,
    *,
    folder: Path | None = None,
    training: tuple[Cohort, Path | None] | None = None,
    report: Progress = lambda _: None,
) -> dict[str, pd.DataFrame]:
    """Evaluate a model; each table is written to `out` as it is finished.

    Parameters
    ----------
    model
        From `load_model`.
    cohort
        People with scans at baseline, and volumes at later visits.
    out
        Gets `<table>.csv` and figures.
    settings
        How much.
    folder
        The cohort's folder, for a synthetic cohort's truth.
    training
        A cohort that the model was trained on with its folder, for the tabular reference and for
        the recalibration of intervals.
    report
        Told what is being done.

    Returns
    -------
    dict
        `floor`, `floor_summary`, `predicted`, `accuracy`, `ranking`, `calibration`, `comparisons`.
    """
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(settings.seed)
    truth, kind = load_true_volumes(cohort, folder)
    report(f"floor ({len(cohort.participants)} people)")
    lookup = {
        (str(person), str(session), str(region)): float(volume)
        for person, session, region, volume in truth[
            ["participant_id", "session_id", "region", "volume_mm3"]
        ].to_numpy()
    }
    tables = {"floor": measure_floor(model, iterate_people(model, cohort), lookup)}
    tables["floor_summary"] = summarize_floor(
        tables["floor"], rng=rng, n_bootstrap=settings.n_bootstrap
    )
    report("prediction")
    at_horizon = find_volumes_at(truth, settings.horizons_months)
    tables["predicted"] = _predict_all(model, cohort, at_horizon, truth, out, settings, training)
    diagnosis = cohort.participants.set_index("participant_id")["diagnosis"]
    n = settings.n_bootstrap
    tables["accuracy"] = summarize_accuracy(tables["predicted"], rng=rng, n_bootstrap=n)
    tables["ranking"] = summarize_ranking(tables["predicted"], diagnosis, rng=rng, n_bootstrap=n)
    tables["calibration"] = summarize_calibration(tables["predicted"], method=MODEL)
    if settings.n_compared:
        report("comparisons")
        tables["comparisons"] = _compare(model, cohort, at_horizon, out, settings)
    for name, table in tables.items():
        table.assign(truth=kind).to_csv(out / f"{name}.csv", index=False)
    write_figures(tables, out, is_synthetic=cohort.is_synthetic)
    return tables


def _predict_all(
    model: BrlpModel,
    cohort: Cohort,
    at_horizon: pd.DataFrame,
    truth: pd.DataFrame,
    out: Path,
    settings: EvaluationSettings,
    training: tuple[Cohort, Path | None] | None,
) -> pd.DataFrame:
    mine = _predict(model, cohort, out / "predictions", settings, settings.samples)
    fit = None
    if training is not None:
        there, _ = load_true_volumes(*training)
        fit = (training[0], find_volumes_at(there, settings.horizons_months))
    methods = [
        mine,
        predict_carry_forward(mine),
        predict_auxiliary(model, cohort, settings.horizons_months),
        predict_from_table(cohort, at_horizon, training=fit),
    ]
    joined = pd.concat(methods, ignore_index=True).merge(
        at_horizon, on=["participant_id", "horizon_months", "region"]
    )
    start = mine.drop_duplicates(["participant_id", "region"]).set_index(
        ["participant_id", "region"]
    )["start_mm3"]
    joined = joined.drop(columns="start_mm3").join(start, on=["participant_id", "region"])
    joined["brain_mm3"] = joined["participant_id"].map(compute_brain_volumes(truth))
    return joined


def _predict(
    model: BrlpModel,
    cohort: Cohort,
    out: Path,
    settings: EvaluationSettings,
    samples: int,
    sampler: str | None = None,
    steps: int | None = None,
) -> pd.DataFrame:
    found = predict_cohort(
        model,
        cohort,
        settings.horizons_months,
        samples,
        out=out,
        seed=settings.seed,
        sampler=sampler,  # type: ignore[arg-type]
        num_inference_steps=steps,
    ).predictions
    names = {
        "volume_mm3": "predicted_mm3",
        "volume_sd_mm3": "sd_mm3",
        "baseline_volume_mm3": "start_mm3",
    }
    return found.rename(columns=names).assign(method=MODEL)[
        [*_KEY, "predicted_mm3", "sd_mm3", "start_mm3", "method"]
    ]


def _compare(
    model: BrlpModel,
    cohort: Cohort,
    at_horizon: pd.DataFrame,
    out: Path,
    settings: EvaluationSettings,
) -> pd.DataFrame:
    """Return the hippocampal error and the time of each variant on the first people."""
    people = list(cohort.participants["participant_id"].iloc[: settings.n_compared])
    some = _select(cohort, people)
    without = without_auxiliary(model, out / "without_auxiliary")
    sampler, steps = model.config.sampler, model.config.num_inference_steps
    variants = [
        ("ablation", "base", without, 1, sampler, steps),
        ("ablation", "+AUX", model, 1, sampler, steps),
        ("ablation", "+LAS", without, settings.samples, sampler, steps),
        ("ablation", "+AUX +LAS", model, settings.samples, sampler, steps),
        *(("draws", f"m = {m}", model, m, sampler, steps) for m in settings.compared_samples),
        *(
            ("sampler", f"{name}, {k} steps", model, settings.samples, name, k)
            for name, k in settings.compared_steps
        ),
    ]
    rows = []
    for number, (group, label, variant, samples, name, k) in enumerate(variants):
        start = perf_counter()
        folder = out / "comparisons" / str(number)
        found = _predict(variant, some, folder, settings, samples, name, k)
        seconds = (perf_counter() - start) / len(people)
        joined = found.merge(at_horizon, on=["participant_id", "horizon_months", "region"])
        own = joined[joined["region"] == "hippocampus"]
        error = 100 * (own["predicted_mm3"] / own["true_mm3"] - 1).abs()
        for horizon, errors in error.groupby(own["horizon_months"]):
            rows.append(
                {
                    "comparison": group,
                    "variant": label,
                    "horizon_months": horizon,
                    "hippocampus_mae_percent": float(errors.mean()),
                    "seconds_per_person": seconds,
                    "n": len(errors),
                }
            )
    return pd.DataFrame(rows)


def _select(cohort: Cohort, people: Sequence[str]) -> Cohort:
    tables: dict[str, Any] = {
        name: table[table["participant_id"].isin(people)].reset_index(drop=True)
        for name, table in (
            ("participants", cohort.participants),
            ("visits", cohort.visits),
            ("volumes", cohort.volumes),
        )
    }
    return replace(cohort, **tables)
