"""The deformation model, learned from pairs of scans of a cohort's people."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brlp_models.baselines.config import write_baseline_folder
from brlp_models.baselines.deformation import DeformationConfig, DeformationNetwork, ScanDeformation
from brlp_models.baselines.follow_up import ImageBaseline
from brlp_models.baselines.people import TableCoding, find_covariates
from brlp_models.errors import ModelError
from brlp_models.evaluation.images.scans_on_grid import iterate_people
from brlp_models.model.model import BrlpModel
from brlp_models.model.threads import limited_threads
from brlp_models.model.training_people import describe_training_people
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.grid import Grid
from brlp_models.training.cohort_baselines import SCANS, TRAINING
from brlp_models.training.loop import start_accelerator, train_stage
from brlp_models.training.stages.deformation import (
    DeformationSettings,
    DeformationStage,
    DeformedPair,
)
from cohorts.cohort import Cohort

_SEED = 0


def fit_cohort_deformation(
    cohort: Cohort,
    out: Path,
    *,
    model: BrlpModel,
    settings: DeformationSettings | None = None,
    report: Callable[[], None] = lambda: None,
) -> ImageBaseline:
    """Learn from each person's baseline scan and every later one, and write the folder.

    Parameters
    ----------
    cohort
        People with scans at several visits.
    out
        The baseline's folder; preprocessed scans are kept beside it, in `<out>.scans`, and the
        checkpoints in `<out>.training`, from which an interrupted training goes on.
    model
        On whose grid scans are read.
    settings
        How it is trained.
    report
        Called after each person's scans.

    Raises
    ------
    ModelError
        Where nobody has a later scan, and all that is known at baseline.
    """
    settings = settings or DeformationSettings()
    cache = ScanCache(out.with_name(f"{out.name}.{SCANS}"))
    table = cohort.baseline()
    names = find_covariates(table)
    coding = TableCoding.fit(table[table[list(names)].notna().all(axis=1)], names)
    pairs, people = _read_pairs(cohort, table, coding, model, cache, report)
    if not pairs:
        raise ModelError(
            f"Nobody of the cohort {cohort.name} has a scan at baseline and at a later visit, and "
            f"{', '.join(names)} beside it."
        )
    grid = Grid.of_config(model.config)
    config = DeformationConfig(
        horizons_months=(),
        shape=grid.shape,
        affine=tuple(tuple(row) for row in grid.affine.tolist()),
        n_people=len(people),
        is_synthetic=cohort.is_synthetic,
        provenance=f"Fitted on the cohort {cohort.name}.",
        coding=coding.covariates.to_dict(),
        n_planes=len(pairs[0].planes),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        network = DeformationNetwork(config.n_planes, config.channels)
    stage = DeformationStage(network, pairs, settings)
    with limited_threads(1):
        weights = train_stage(
            stage,
            settings.loop,
            out.with_name(f"{out.name}.{TRAINING}"),
            seed=_SEED,
            accelerator=start_accelerator(settings.loop),
        )
    network.load_state_dict(weights["deformation"])
    fitted = ScanDeformation(config, network)
    write_baseline_folder(
        out,
        config,
        card=_render_card(config, len(pairs), settings),
        people=describe_training_people(people),
        write_weights=fitted.write,
    )
    return ImageBaseline(config, fitted, out)


def _read_pairs(
    cohort: Cohort,
    table: pd.DataFrame,
    coding: TableCoding,
    model: BrlpModel,
    cache: ScanCache,
    report: Callable[[], None],
) -> tuple[list[DeformedPair], list[str]]:
    pairs, people = [], []
    for visits in iterate_people(model, cohort, cache):
        first, *rest = visits
        row = table[table.index == first.participant_id]
        scans = [np.round(255 * own.image[0].numpy()).astype(np.uint8) for own in visits]
        if first.months == 0 and rest and len(row) and coding.find_complete(row).all():
            planes = coding.encode(row)[0].astype(np.float32)
            people.append(first.participant_id)
            pairs += [
                DeformedPair(scans[0], scan, planes, later.months / 12)
                for later, scan in zip(rest, scans[1:], strict=True)
            ]
        report()
    return pairs, people


def _render_card(config: DeformationConfig, n_pairs: int, settings: DeformationSettings) -> str:
    who = (
        "**Fitted on SYNTHETIC people: evidence about software, none about patients.**"
        if config.is_synthetic
        else config.provenance
    )
    lines = [
        who,
        "",
        f"# {config.name}",
        "",
        "- Deforms the baseline scan into that of any later time.",
        f"- {config.provenance}",
        f"- Learned from {n_pairs} pairs of scans of {config.n_people} people, in "
        f"{settings.loop.steps} steps of {settings.batch_size}.",
    ]
    return "\n".join(lines) + "\n"
