"""A copy of a model that knows its own error, as it was measured on other people."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from brlp_models.baselines.context import ContextBaseline
from brlp_models.evaluation.calibration.gain import (
    apply_gain,
    describe_left_out,
    describe_measurement,
    measure_gain,
)
from brlp_models.evaluation.calibration.guidance import (
    choose_guidance,
    compare_guidance,
    describe_guidance,
)
from brlp_models.evaluation.calibration.shown_weight import (
    describe_shown_weight,
    estimate_shown_weight,
    weigh_by_others,
)
from brlp_models.evaluation.calibration.volume_error import (
    describe_volume_error,
    fit_draw_sd,
    fit_volume_error,
    predict_calibration_people,
    refuse_few_people,
)
from brlp_models.evaluation.evaluated_people import EvaluatedCohort
from brlp_models.model.calibrated_card import render_calibrated_card
from brlp_models.model.calibrated_context import apply_calibration, keep_calibration
from brlp_models.model.config import ModelConfig
from brlp_models.model.files import CARD
from brlp_models.model.folder import copy_model_folder, load_model, refuse_existing
from brlp_models.model.model import BrlpModel
from brlp_models.model.training_people import (
    CALIBRATION_PEOPLE,
    describe_calibration_people,
    refuse_people_trained_on,
)
from brlp_models.prediction.job import OnProgress
from cohorts.cohort import Cohort
from cohorts.sources.loading import load_cohort
from cohorts.volumes.measurement import tell_learned

Report = Callable[[str], None]
Watch = Callable[[int], AbstractContextManager[OnProgress]]
"""Given how many predictions are to be made, watches them: what it enters is called with each."""


@dataclass(frozen=True)
class CalibrationSettings:
    """What is measured of a model, and how.

    Parameters
    ----------
    horizons_months
        Months after baseline; gain and guidance are measured at the last of them.
    samples
        Draws for each person and horizon, at least 2.
    gain
        Whether the share of a true change is measured that predicted scans show.
    shown_weight
        Whether that change is weighed with the one that the context is told.
    guidance
        Weights of the context that are compared before all else; none where empty.
    seed
        Of draws and intervals.
    """

    horizons_months: tuple[float, ...]
    samples: int
    gain: bool
    shown_weight: bool
    guidance: tuple[float, ...]
    seed: int


def write_calibrated_copy(
    model: str,
    cohort: Path,
    out: Path,
    settings: CalibrationSettings,
    *,
    context_from: Path | None,
    measured_by: str | None,
    device: str,
    note: Report,
    report: Report,
    watch: Watch,
) -> BrlpModel:
    """Measure a model's error on the people of a cohort, and return a copy that has it in its sds.

    Parameters
    ----------
    model
        `mini`, or the path of a model folder.
    cohort
        People with scans and later volumes, who judge nothing else.
    out
        The copy's folder. Predictions are kept beside it, at `<out>.partial`, until it is there:
        the same call goes on where it was interrupted.
    settings
        What is measured.
    context_from
        The baseline that tells the context, as it will where the copy predicts.
    measured_by
        The tool whose volumes count.
    device
        Of PyTorch.
    note
        Called with what must be known of the people and of the context.
    report
        Called with what was measured, as each part of it is.
    watch
        Watches the predictions of each part.

    Raises
    ------
    ModelError
        Where the folder exists, the model was trained on these people, they are fewer than 10, or
        a change of its endpoint is not shown surely enough.
    CohortError
        Where the cohort cannot be read.
    """
    refuse_existing(out)
    loaded = load_model(model, device=device, precision="auto")
    people = load_cohort(cohort, measured_by=measured_by)
    months = settings.horizons_months
    teller = ContextBaseline.load_for(context_from, loaded.config, people, months)
    _tell_what_differs(loaded, teller, people, note)
    evaluated = EvaluatedCohort(people, cohort)
    refuse_people_trained_on(loaded, people)
    refuse_few_people(evaluated, months)
    partial = out.with_name(f"{out.name}.partial")
    job = _Job(loaded, evaluated, partial, settings, teller, watch)
    identity = None if teller is None else teller.identity
    config, sentences = apply_calibration(loaded.config, identity), list[str]()
    for measure in _list_measures(settings):
        measured = measure(job, config)
        config = measured.config
        sentences += measured.sentences
        report("\n".join([*measured.tables, *measured.sentences]))
    texts = {
        CARD: render_calibrated_card(loaded, config, people, sentences, context=identity),
        CALIBRATION_PEOPLE: describe_calibration_people(people, loaded),
    }
    whole = keep_calibration(loaded.config, identity, config)
    copied = load_model(copy_model_folder(model, out, whole, texts))
    # what was predicted is kept until the copy is there
    shutil.rmtree(partial)
    return copied


@dataclass(frozen=True)
class _Job:
    """The people on whom a model is measured, and what tells its context meanwhile."""

    model: BrlpModel
    people: EvaluatedCohort
    folder: Path
    settings: CalibrationSettings
    teller: ContextBaseline | None
    watch: Watch

    @property
    def n_people(self) -> int:
        return len(self.people.cohort.participants)

    @property
    def draws(self) -> dict[str, Any]:
        return {"samples": self.settings.samples, "seed": self.settings.seed}

    def configure(self, config: ModelConfig) -> BrlpModel:
        return replace(self.model, config=config)


class _Measured(NamedTuple):
    config: ModelConfig
    sentences: list[str]
    tables: tuple[str, ...] = ()


def _tell_what_differs(
    model: BrlpModel, teller: ContextBaseline | None, people: Cohort, note: Report
) -> None:
    """Note who tells the context, and where people's volumes are of other tools than learned."""
    learned = [(model.config.name, model.config.learned_from)]
    if teller is not None:
        learned.append((teller.baseline.config.name, teller.baseline.config.learned_from))
        note(teller.describe())
    for name, measured_before in learned:
        if (told := tell_learned(name, measured_before, people)) is not None:
            note(told)


def _list_measures(
    settings: CalibrationSettings,
) -> list[Callable[[_Job, ModelConfig], _Measured]]:
    """Return what is measured, in an order in which each stands on those before."""
    return [
        *([_weigh_context] if settings.guidance else []),
        *([_measure_gain] if settings.gain else []),
        _measure_error,
    ]


def _weigh_context(job: _Job, config: ModelConfig) -> _Measured:
    n_weights = len({config.guidance, *job.settings.guidance})
    with job.watch(n_weights * job.n_people) as step:
        ranked = compare_guidance(
            job.configure(config),
            job.people,
            job.folder / "guidance",
            values=job.settings.guidance,
            horizon_months=max(job.settings.horizons_months),
            context_from=job.teller,
            on_progress=step,
            **job.draws,
        )
    chosen = choose_guidance(ranked)
    weighed = config.model_copy(update={"guidance": chosen})
    return _Measured(weighed, describe_guidance(ranked, chosen))


def _measure_gain(job: _Job, config: ModelConfig) -> _Measured:
    # of the model as it was, whatever an earlier calibration found, but for the context's weight
    weighed = {"guidance": config.guidance}
    with job.watch(job.n_people) as step:
        found = measure_gain(
            job.configure(job.model.config.model_copy(update=weighed)),
            job.people,
            job.folder / "gain",
            horizon_months=max(job.settings.horizons_months),
            endpoint_alone=job.teller is not None,
            on_progress=step,
            **job.draws,
        )
    divided = apply_gain(job.model.config, found).model_copy(update=weighed)
    table = found.round(3).to_string(index=False)
    return _Measured(divided, [describe_measurement(found), *describe_left_out(found)], (table,))


def _measure_error(job: _Job, config: ModelConfig) -> _Measured:
    settings, anatomies = job.settings, job.people.find_anatomies()
    with job.watch(job.n_people * len(settings.horizons_months)) as step:
        compared = predict_calibration_people(
            job.configure(config),
            job.people,
            job.folder / "error",
            horizons_months=settings.horizons_months,
            context_from=job.teller,
            on_progress=step,
            **job.draws,
        )
    weights: dict[str, float] = {}
    sentences: list[str] = []
    if settings.shown_weight:
        rng = np.random.default_rng(settings.seed)
        found = estimate_shown_weight(compared, rng=rng, anatomies=anatomies)
        weights = dict(zip(found["region"], found["value"].tolist(), strict=True))
        sentences += describe_shown_weight(found)
        compared = weigh_by_others(compared, anatomies)
    measures = {
        "volume_error": fit_volume_error(compared),
        "draw_sd": fit_draw_sd(compared, settings.samples),
        "shown_weight": weights,
    }
    rng = np.random.default_rng(settings.seed)
    sentences += describe_volume_error(compared, rng=rng, anatomies=anatomies)
    return _Measured(config.model_copy(update=measures), sentences)
