"""Baselines that learn from a cohort of one's own."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

from brlp_models.baselines.baseline import Baseline
from brlp_models.baselines.config import RegressionName
from brlp_models.baselines.people import BaselinePeople, find_percent_changes
from brlp_models.baselines.scoring import read_baseline_scans, write_cross_fitted
from brlp_models.errors import ModelError
from brlp_models.evaluation.evaluated_people import refuse_shared_people
from brlp_models.model.model import BrlpModel
from brlp_models.model.training_people import describe_training_people
from brlp_models.scans.cache import ScanCache
from brlp_models.training.baselines import cross_fit_baseline, fit_baseline, render_card
from brlp_models.training.network_reader import NetworkTraining
from brlp_models.training.origin import identify, keep_origin
from cohorts.cohort import Cohort
from cohorts.volumes.measurement import list_tools, require_one_tool

SCANS: Final = "scans"
"""Where preprocessed scans are kept, beside the baseline's folder."""

TRAINING: Final = "training"
"""Where the checkpoint of a network's training is kept, beside the baseline's folder."""


def fit_cohort_baseline(
    name: RegressionName,
    cohort: Cohort,
    out: Path,
    *,
    archive: Cohort | None = None,
    horizons_months: Sequence[float],
    model: BrlpModel,
    report: Callable[[str, float, float], None] = lambda *_: None,
) -> Baseline:
    """Fit a baseline on a cohort's measured volumes, and write its folder.

    Beside it, `<out>.cross_fitted.parquet` holds what baselines that learned from the others
    expect of each of its own people, whom the baseline itself cannot score.

    Parameters
    ----------
    name
        Which.
    cohort
        The people, with scans for those that read them.
    out
        The baseline's folder; preprocessed scans are kept beside it, in `<out>.scans`, and a
        network's checkpoint in `<out>.training`.
    archive
        People with tables that the regression on the table is fitted on instead.
    horizons_months
        Months after baseline.
    model
        On whose grid scans are read.
    report
        Called with what is being done, how far it is, and of how much: after each scan that is
        read, and after each that is described, or each epoch of a network.

    Raises
    ------
    ModelError
        Where nobody has a later volume, nobody's scan can be read, somebody is in both cohorts, or
        the checkpoint beside the folder is of other people or horizons.
    CohortError
        Where several tools measured the volumes.
    """
    people = {"the people with scans": cohort}
    people |= {} if archive is None else {"the archive": archive}
    require_one_tool(people)
    if archive is not None:
        refuse_shared_people(cohort, archive, "The regression on the table must be fitted on")
    images = None
    if name != "elastic_net":
        cache = ScanCache(out.with_name(f"{out.name}.{SCANS}"))
        n_read, n_people = count(1), len(cohort.participants)
        images, problems = read_baseline_scans(
            model, None, cohort, cache, lambda: report("reading scans", next(n_read), n_people)
        )
        if not images:
            raise ModelError(f"Nobody's scan can be read: {' '.join(sorted({*problems.values()}))}")
        cohort = cohort.select(list(images))
    learned = _learn_from(cohort, horizons_months)
    if images is not None:
        scans = [images[str(person)] for person in learned.table.index]
        learned = replace(learned, images=scans)
    everyone = [learned] if archive is None else [learned, _learn_from(archive, horizons_months)]
    training = out.with_name(f"{out.name}.{TRAINING}")
    if name == "cnn_regression":
        keep_origin(
            training,
            {
                "name": name,
                "people": identify(learned.table.index),
                "archive": None if archive is None else identify(everyone[-1].table.index),
                "horizons": list(horizons_months),
                "volumes": identify([one.change.to_csv(index=False) for one in everyone]),
                "model": model.model_id,
            },
        )
    n_done = count(1)
    # a network may stop before its last epoch
    n_parts = NetworkTraining().epochs if name == "cnn_regression" else len(learned.table)
    baseline = fit_baseline(
        name,
        learned,
        provenance=f"Fitted on the cohort {cohort.name}.",
        archive=everyone[-1],
        model=model,
        checkpoint=training,
        report=lambda: report("learning", next(n_done), n_parts),
    )
    tools = [tool for one in people.values() for tool in list_tools(one).index]
    measured = baseline.config.model_copy(update={"measured_by": tools[0] if tools else None})
    baseline = replace(baseline, config=measured)
    names = [str(person) for own in everyone for person in own.table.index]
    expected = cross_fit_baseline(
        name, learned, archive=None if archive is None else everyone[-1], model=model
    )

    def write_beside(written: Path) -> None:
        if expected is not None:
            write_cross_fitted(expected, cohort.baseline()["age_years"], out, written=written)

    baseline.write(
        out,
        card=render_card(baseline),
        people=describe_training_people(names),
        write_beside=write_beside,
    )
    return baseline


def _learn_from(cohort: Cohort, horizons_months: Sequence[float]) -> BaselinePeople:
    table = cohort.baseline()
    change = find_percent_changes(cohort, horizons_months, table.index)
    if not change.notna().all(axis=1).any():
        months = ", ".join(f"{month:g}" for month in horizons_months)
        raise ModelError(f"Nobody of the cohort {cohort.name} has volumes at months {months}.")
    return BaselinePeople(table, change, is_synthetic=cohort.is_synthetic)
