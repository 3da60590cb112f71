"""The evaluation of a model on a cohort: every table, in one folder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from brlp_models.baselines.baseline import Baseline
from brlp_models.baselines.context import ContextBaseline
from brlp_models.baselines.follow_up import ImageBaseline
from brlp_models.baselines.loading import AnyBaseline
from brlp_models.baselines.scoring import refuse_people_learned_from
from brlp_models.errors import ModelError
from brlp_models.evaluation.baselines import predict_by_baselines
from brlp_models.evaluation.comparisons import (
    Compared,
    compare_variants,
    predict_from_later_visit,
    summarize_comparisons,
    summarize_wrong_diagnoses,
    tell_wrong_diagnoses,
)
from brlp_models.evaluation.conditions import evaluate_conditions
from brlp_models.evaluation.evaluated_people import (
    EvaluatedCohort,
    describe_reference,
    refuse_known_people,
    simulate_archive,
)
from brlp_models.evaluation.follow_ups import (
    ScannedPeople,
    add_image_baselines,
    refuse_one_horizon,
)
from brlp_models.evaluation.images.floor import summarize_floor
from brlp_models.evaluation.images.later_scans import measure_later_scans
from brlp_models.evaluation.images.scans_on_grid import VisitImage
from brlp_models.evaluation.joined_methods import (
    find_determinants,
    join_methods,
    read_determinants,
)
from brlp_models.evaluation.measures.accuracy import (
    summarize_accuracy,
    summarize_by_sex,
    summarize_change_errors,
    tabulate_errors,
)
from brlp_models.evaluation.measures.coverage import (
    Factors,
    fit_factors,
    summarize_calibration,
    summarize_coverage,
)
from brlp_models.evaluation.measures.ranking import REGION, summarize_ranking
from brlp_models.evaluation.measures.uncertainty import relate_uncertainty, summarize_voxels
from brlp_models.evaluation.methods import KEY, MODEL
from brlp_models.evaluation.people_predictions import (
    PeoplePredictions,
    predict_people,
)
from brlp_models.evaluation.settings import EvaluationSettings
from brlp_models.evaluation.times import MethodTimes
from brlp_models.evaluation.truth import (
    compute_brain_volumes,
    find_sessions,
    find_volumes_at,
)
from brlp_models.model.model import BrlpModel
from brlp_models.prediction.person_files import PEOPLE
from brlp_models.scans.cache import ScanCache
from cohorts.cohort import Cohort
from cohorts.counting import tally
from cohorts.files.atomic import write_folder
from cohorts.files.table_files import write_table
from cohorts.volumes.measurement import require_one_tool

Progress = Callable[[str], None]
Tables = dict[str, pd.DataFrame]
PER_PERSON = (
    "floor", "predicted", "images", "condition_changes", "variants", "told_diagnoses", "failures",
    "unreadable_scans",
)  # fmt: skip
"""Tables with a row for each person; the others summarize these."""

FIGURES: Final = "figures"
"""The folder of figures in that of an evaluation."""

_PREPROCESSED, _PREDICTIONS, _VOLUMES = "preprocessed", "predictions", "predicted_volumes"


def evaluate_model(
    model: BrlpModel,
    people: EvaluatedCohort,
    out: Path,
    settings: EvaluationSettings,
    *,
    training: EvaluatedCohort | None = None,
    calibration: EvaluatedCohort | None = None,
    baselines: Sequence[AnyBaseline] = (),
    context_from: ContextBaseline | None = None,
    write_more: Callable[[Tables, Path], None] = lambda *_: None,
    report: Progress = lambda _: None,
) -> Tables:
    """Evaluate a model, and write each table to `out`, in place of those of an evaluation before.

    Parameters
    ----------
    model
        From `load_model`.
    people
        On whom.
    out
        Gets `<table>.csv`, and the predictions, which an interrupted evaluation takes up again.
    settings
        How much.
    training
        A cohort that the tabular reference is fitted on. Without one it is fitted on 4,000
        simulated people of their generator where the evaluated ones are simulated, and
        cross-fitted otherwise.
    calibration
        Other people, whose errors say how intervals are recalibrated; without them each half of
        the people tells it of the other.
    baselines
        Fitted on other people; each is one more method. Those that need two visits have a table of
        their own.
    context_from
        Tells the context of the endpoint, wherever nothing else is told on purpose.
    write_more
        Called with the tables and the folder that takes the place of `out` when all is written.
    report
        Told what is being done.

    Returns
    -------
    dict
        `predicted`, `floor`, `images`, `failures` (by person), where there are any
        `unreadable_scans` (later ones), `floor_summary`, `accuracy`, `sexes`, `ranking`,
        `reference` (what the regression on the baseline table was fitted on),
        `calibration` (of the model), `coverage` (of the other methods that give an sd), `times`,
        `uncertainty`, `voxel_uncertainty`; with baselines that need two visits `two_visits`; with
        `n_conditions` people `condition_changes` (by person) and `conditions`; with `n_compared`
        people `variants`, `comparisons`, `told_diagnoses`, `wrong_diagnosis`, `several_visits`.
        With `volumes_only`, neither `floor`, `images`, `unreadable_scans`, nor what stands on them:
        `floor_summary`, the errors of scans in `accuracy`, `uncertainty`, `voxel_uncertainty`.

    Raises
    ------
    ModelError
        Where nobody's later truth is known, nobody can be predicted, or somebody is among those
        whom the model, the calibration or the tabular reference knows; for a baseline that makes an
        image beside volumes only, or of two visits for one horizon, and for comparisons where
        nobody has a later scan.
    CohortError
        Where several tools measured the volumes of the three cohorts.
    """
    truth, kind = people.load_truth()
    at_horizon = find_volumes_at(truth, settings.horizons_months)
    _refuse(model, people, settings, training, calibration, baselines, context_from)
    regressions = [one for one in baselines if isinstance(one, Baseline)]
    makers = [one for one in baselines if isinstance(one, ImageBaseline)]
    if context_from is not None:
        # also where the truth is told on purpose, so that conditions differ in what is told alone
        model = model.told_by(context_from.identity)
    out.mkdir(parents=True, exist_ok=True)
    at_horizon["brain_mm3"] = at_horizon["participant_id"].map(compute_brain_volumes(truth))
    report(f"prediction of {tally(len(people.cohort.participants), 'people')}")
    times = MethodTimes()
    # those of an interrupted evaluation are taken up, in no time
    n_known = sum(1 for _ in (_choose_folder(out, settings) / PEOPLE).glob("*"))
    with times.measure(MODEL, len(people.cohort.participants) - n_known):
        found = _predict(model, people.cohort, out, settings, context_from)
    if found.table.empty:
        problems = " ".join(found.failures["problem"].unique())
        raise ModelError(f"Nobody could be predicted: {problems}")
    cache, tables, compared = ScanCache(out / _PREPROCESSED), Tables(), list[list[VisitImage]]()
    predicted = [str(name) for name in found.table["participant_id"].unique()]
    if settings.volumes_only:
        determinants = find_determinants(model, people.cohort.select(predicted), cache)
    else:
        report("floor, predicted scans")
        tables, compared = measure_later_scans(
            model,
            people,
            truth,
            find_sessions(at_horizon),
            found.scans,
            predicted,
            cache,
            compared=_choose_compared(people.cohort, settings),
        )
        determinants = read_determinants(tables["floor"])
    tables["failures"] = found.failures
    if "unreadable_scans" in tables:
        for name, session, problem in tables["unreadable_scans"].itertuples(index=False):
            report(f"left out: the scan of {name}, {session}: {problem}")
    if training is None and people.cohort.is_synthetic:
        training = simulate_archive(settings, people.find_generator())
    tables["reference"] = describe_reference(people, training)
    tables["predicted"] = join_methods(
        model, people.cohort, at_horizon, found.table, determinants, settings, training, times
    )
    if baselines:
        report("baselines")
    if regressions:
        known = tables["predicted"]
        rows = predict_by_baselines(regressions, model, people.cohort, known, cache, times)
        tables["predicted"] = pd.concat([known, rows], ignore_index=True)
    if makers:
        own = people.cohort.select(predicted)
        scanned = ScannedPeople(model, own, find_sessions(at_horizon), cache)
        tables |= add_image_baselines(makers, scanned, tables, at_horizon, out, settings, times)
    tables["times"] = times.tabulate()
    factors = None
    if calibration is not None:
        report(f"calibration on {len(calibration.cohort.participants)} other people")
        factors = _calibrate(model, calibration, out / "calibration", settings, context_from)
    tables |= _summarize(people.cohort, tables, settings, factors, model.config.endpoint)
    if settings.n_conditions:
        report("conditions: own, no change, true change, scans swapped")
        tables |= evaluate_conditions(
            model,
            people.cohort,
            at_horizon,
            tables["predicted"],
            out / "conditions",
            settings,
            scan_cache=out / _PREPROCESSED,
            context_from=context_from,
        )
    if settings.n_compared:
        last = at_horizon[at_horizon["horizon_months"] == max(settings.horizons_months)]
        few = Compared(
            model,
            people.cohort.select(_choose_compared(people.cohort, settings)),
            max(settings.horizons_months),
            compared,
            last,
            find_sessions(last),
            out / "comparisons",
            out / _PREPROCESSED,
            context_from,
        )
        tables |= _compare(few, settings, report)
    _write(tables, out, kind, write_more)
    return tables


def _refuse(
    model: BrlpModel,
    people: EvaluatedCohort,
    settings: EvaluationSettings,
    training: EvaluatedCohort | None,
    calibration: EvaluatedCohort | None,
    baselines: Sequence[AnyBaseline],
    context_from: ContextBaseline | None,
) -> None:
    """Refuse people whom something has seen, and what cannot stand beside the rest."""
    refuse_known_people(model, people, training, calibration)
    cohorts = {"the evaluated people": people}
    cohorts |= {} if training is None else {"the training people": training}
    cohorts |= {} if calibration is None else {"the calibration people": calibration}
    require_one_tool({who: one.cohort for who, one in cohorts.items()})
    makers = [one for one in baselines if isinstance(one, ImageBaseline)]
    if len(makers) < len(baselines) and model.config.endpoint != REGION:
        raise ModelError(
            f"Regressions predict the {REGION}; the endpoint of {model.config.name} is "
            f"{model.config.endpoint}, so they cannot stand beside it."
        )
    if makers and settings.volumes_only:
        names = " and ".join(one.config.name for one in makers)
        raise ModelError(
            f"{names} makes an image of the later visit, and an evaluation of volumes only reads "
            "none: leave out one of the two."
        )
    refuse_one_horizon(makers, settings.horizons_months)
    if settings.n_compared and not people.has_later_scans:
        raise ModelError(
            "Nobody has a later scan, in which ablation, draws and steps are compared: compare 0 "
            "people, or evaluate volumes only."
        )
    for baseline in baselines:
        baseline.config.check_horizons(settings.horizons_months)
        refuse_people_learned_from(baseline, people.cohort)
    if context_from is not None:
        refuse_people_learned_from(context_from.baseline, people.cohort)


def _write(
    tables: Tables, out: Path, kind: str, write_more: Callable[[Tables, Path], None]
) -> None:
    """Write the tables in place of those of an evaluation before, whole or not at all."""
    older = [path.name for path in (*out.glob("*.csv"), *out.glob(FIGURES))]
    with write_folder(out, without=older) as partial:
        for name, table in tables.items():
            write_table(table.assign(truth=kind), partial / f"{name}.csv")
        write_more(tables, partial)


def _predict(
    model: BrlpModel,
    cohort: Cohort,
    out: Path,
    settings: EvaluationSettings,
    context_from: ContextBaseline | None,
) -> PeoplePredictions:
    return predict_people(
        model,
        cohort,
        _choose_folder(out, settings),
        settings.horizons_months,
        settings.samples,
        keep_scans=not settings.volumes_only,
        seed=settings.seed,
        scan_cache=out / _PREPROCESSED,
        context_from=context_from,
    )


def _choose_folder(out: Path, settings: EvaluationSettings) -> Path:
    # people predicted without scans must not be taken up by an evaluation that looks at scans
    return out / (_VOLUMES if settings.volumes_only else _PREDICTIONS)


def _choose_compared(cohort: Cohort, settings: EvaluationSettings) -> Sequence[str]:
    return [str(name) for name in cohort.participants["participant_id"]][: settings.n_compared]


def _calibrate(
    model: BrlpModel,
    people: EvaluatedCohort,
    out: Path,
    settings: EvaluationSettings,
    context_from: ContextBaseline | None,
) -> Factors:
    truth, _ = people.load_truth()
    at_horizon = find_volumes_at(truth, settings.horizons_months)
    found = _predict(model, people.cohort, out, settings, context_from)
    return fit_factors(found.table.merge(at_horizon, on=KEY))


def _summarize(
    cohort: Cohort,
    tables: Tables,
    settings: EvaluationSettings,
    factors: Factors | None,
    endpoint: str,
) -> Tables:
    rng, n = np.random.default_rng(settings.seed), settings.n_bootstrap
    participants = cohort.participants.set_index("participant_id")
    predicted, images = tables["predicted"], tables.get("images", pd.DataFrame())
    errors = tabulate_errors(predicted, images)
    mine = predicted[predicted["method"] == MODEL]
    found = {}
    if "floor" in tables:
        found["floor_summary"] = summarize_floor(tables["floor"], rng=rng, n_bootstrap=n)
    found |= {
        "accuracy": summarize_accuracy(errors, rng=rng, n_bootstrap=n),
        "sexes": summarize_by_sex(errors, participants["sex"], rng=rng, n_bootstrap=n),
        "ranking": summarize_ranking(
            predicted, participants["diagnosis"], region=endpoint, rng=rng, n_bootstrap=n
        ),
        "calibration": summarize_calibration(mine, factors=factors),
        "coverage": summarize_coverage(predicted[predicted["method"] != MODEL]),
    }
    change = summarize_change_errors(predicted, rng=rng, n_bootstrap=n)
    found["accuracy"] = pd.concat([found["accuracy"], change], ignore_index=True)
    if not images.empty:
        found["uncertainty"] = relate_uncertainty(images, errors, region=endpoint)
        found["voxel_uncertainty"] = summarize_voxels(images)
    return found


def _compare(people: Compared, settings: EvaluationSettings, report: Progress) -> Tables:
    """Return what variants of the model say of a few people, at the last horizon."""
    earlier = sorted(settings.horizons_months)[:-1]
    rng, n = np.random.default_rng([settings.seed, 1]), settings.n_bootstrap
    tables = {"variants": compare_variants(people, settings, report=report)}
    tables["comparisons"] = summarize_comparisons(tables["variants"], rng=rng, n_bootstrap=n)
    report("wrong diagnoses")
    told = tell_wrong_diagnoses(people, settings.samples, seed=settings.seed)
    tables["told_diagnoses"] = told
    tables["wrong_diagnosis"] = summarize_wrong_diagnoses(told, rng=rng, n_bootstrap=n)
    # what tells the context reads the baseline visit alone
    if earlier and people.context_from is None:
        report("several visits")
        volumes = predict_from_later_visit(
            people, settings.samples, until_months=earlier[-1], seed=settings.seed
        )
        if not volumes.empty:
            errors = tabulate_errors(volumes)
            tables["several_visits"] = summarize_accuracy(errors, rng=rng, n_bootstrap=n)
    return tables
