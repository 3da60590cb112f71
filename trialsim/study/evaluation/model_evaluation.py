"""The evaluation of a model on a cohort as files: tables, figures, results in words, a verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from brlp_models.baselines.baseline import Baseline
from brlp_models.baselines.config import BaselineConfig
from brlp_models.baselines.context import ContextBaseline
from brlp_models.baselines.loading import load_baseline
from brlp_models.evaluation.evaluated_people import EvaluatedCohort, describe_anatomies
from brlp_models.evaluation.evaluation import FIGURES, PER_PERSON, evaluate_model
from brlp_models.evaluation.local_validation.judgement import judge, open_plan
from brlp_models.evaluation.results_text import SYNTHETIC, render_results
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.model.calibrated_context import apply_calibration, tell_other_context
from brlp_models.model.config import ModelConfig
from brlp_models.model.folder import load_model
from cohorts.sources.loading import load_cohort
from cohorts.volumes.measurement import tell_learned
from reports.figures.model_evaluation import write_evaluation_figures
from trialsim.study.evaluation.local_validation import PAGE, list_judged_facts, write_validation

_VOLUMES_ONLY: Final = (
    "Volumes only: no predicted scan was made and no later scan was read, so errors of scans, "
    "uncertainty of voxels, the floor and comparisons of variants are left out."
)


@dataclass(frozen=True)
class ModelEvaluation:
    """What an evaluation found.

    Parameters
    ----------
    summaries
        Its tables by name, but those with a row a person.
    n_failed
        How many people could not be predicted.
    verdict
        Of the local validation, if one was asked for, and where its page is.
    notes
        What must be known where people's volumes are not measured as those learned from.
    """

    summaries: Mapping[str, pd.DataFrame]
    n_failed: int
    verdict: tuple[str, Path] | None
    notes: tuple[str, ...] = ()


def write_evaluation(
    cohort: Path,
    out: Path,
    settings: EvaluationSettings,
    *,
    model: str,
    training: Path | None = None,
    calibration: Path | None = None,
    baselines: Sequence[Path] = (),
    context_from: Path | None = None,
    criteria: Path | None = None,
    measured_by: str | None = None,
    device: str = "cpu",
    report: Callable[[str], None],
) -> ModelEvaluation:
    """Evaluate a model on the people of a cohort, and write all that is found.

    Parameters
    ----------
    cohort
        People with scans and later volumes.
    out
        The folder to write; predictions that it holds are not made again.
    settings
        How much is evaluated.
    model
        `mini`, or the path of a model folder.
    training, calibration
        Cohorts that the tabular reference is fitted on, and that intervals are recalibrated on.
    baselines
        Folders of fitted ones to compare with.
    context_from
        Of one that tells the model's context how the endpoint changes.
    criteria
        Of a local validation, in TOML; no verdict is given where left out.
    measured_by
        The tool whose volumes count, in each of the cohorts.
    device
        Of PyTorch.
    report
        Called with a line as each part begins.

    Raises
    ------
    TrialsimError
        Where people, model or criteria cannot be read, or do not fit each other.
    """

    def read(folder: Path) -> EvaluatedCohort:
        return EvaluatedCohort(load_cohort(folder, measured_by=measured_by), folder)

    people = read(cohort)
    loaded = load_model(model, device=device, precision="auto")
    fitted = [load_baseline(folder) for folder in baselines]
    # what makes an image has learned from no volumes
    learned = [one.config for one in fitted if isinstance(one, Baseline)]
    teller = None if context_from is None else ContextBaseline.load(context_from)
    facts = list_judged_facts(loaded, people.cohort, settings, context=teller, training=training)
    identity = None if teller is None else teller.identity
    told_config = apply_calibration(loaded.config, identity)
    plan = open_plan(criteria, settings, out, told_config, facts) if criteria else None
    learned += [] if teller is None else [teller.baseline.config]
    applied: list[ModelConfig | BaselineConfig] = [loaded.config, *learned]
    notes = [
        told
        for config in applied
        if (told := tell_learned(config.name, config.learned_from, people.cohort)) is not None
    ]
    if teller is not None:
        notes.append(teller.describe())
    if (told := tell_other_context(loaded.config, identity)) is not None:
        notes.append(told)
    if settings.volumes_only:
        notes.append(_VOLUMES_ONLY)
    if (told := describe_anatomies(people)) is not None:
        notes.append(told)
    is_synthetic = people.cohort.is_synthetic
    for note in dict.fromkeys([SYNTHETIC, *notes] if is_synthetic else notes):
        report(note)

    def write_words_and_figures(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
        write_evaluation_figures(
            tables,
            folder / FIGURES,
            is_synthetic=is_synthetic,
            region=loaded.config.endpoint,
        )
        words = render_results(tables, notes=notes, is_synthetic=is_synthetic)
        (folder / "results.md").write_text(words, encoding="utf-8")

    tables = evaluate_model(
        loaded,
        people,
        out,
        settings,
        training=read(training) if training else None,
        calibration=read(calibration) if calibration else None,
        baselines=fitted,
        context_from=teller,
        write_more=write_words_and_figures,
        report=report,
    )
    verdict = None
    if plan is not None:
        rng = np.random.default_rng([settings.seed, 4])
        scanned = people.list_scanned()
        found = judge(tables, plan, scanned=scanned, rng=rng, n_bootstrap=settings.n_bootstrap)
        page = write_validation(found, out, facts, is_synthetic=is_synthetic, notes=notes)
        verdict = page.answer.headline, out / PAGE
    summaries = {name: table for name, table in tables.items() if name not in PER_PERSON}
    return ModelEvaluation(summaries, len(tables["failures"]), verdict, tuple(notes))
