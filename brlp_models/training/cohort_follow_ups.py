"""Baselines that make an image, learned from pairs of scans of a cohort's people."""

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from brlp_models.baselines.config import write_baseline_folder
from brlp_models.baselines.deformation import DeformationConfig, DeformationNetwork, ScanDeformation
from brlp_models.baselines.follow_up import ImageBaseline
from brlp_models.baselines.latent_follow_up import (
    LatentConfig,
    LatentFollowUp,
    LatentName,
    list_unet_args,
)
from brlp_models.baselines.people import TableCoding, find_covariates
from brlp_models.errors import ModelError
from brlp_models.evaluation.images.scans_on_grid import VisitImage, iterate_people
from brlp_models.model.model import BrlpModel
from brlp_models.model.networks import build_denoiser
from brlp_models.model.threads import limited_threads
from brlp_models.model.training_people import describe_training_people
from brlp_models.scans.cache import ScanCache
from brlp_models.scans.grid import Grid
from brlp_models.training.cohort_baselines import SCANS, TRAINING
from brlp_models.training.loop import Stage, start_accelerator, train_stage
from brlp_models.training.origin import identify, keep_origin
from brlp_models.training.stages.deformation import DeformationSettings, DeformationStage
from brlp_models.training.stages.latent_follow_up import LatentSettings, LatentStage
from brlp_models.training.stages.latent_loss import find_near_medial_temporal
from brlp_models.training.stages.timed_pair import TimedPair
from brlp_models.training.tissues import TISSUES
from cohorts.cohort import Cohort
from cohorts.counting import tally

TrainedName = Literal["deformation"] | LatentName
Settings = DeformationSettings | LatentSettings

_SEED: Final = 0


def fit_cohort_follow_up(
    name: TrainedName,
    cohort: Cohort,
    out: Path,
    *,
    model: BrlpModel,
    settings: Settings | None = None,
    report: Callable[[str, float, float], None] = lambda *_: None,
) -> ImageBaseline:
    """Learn from each person's baseline scan and every later one, and write the folder.

    Parameters
    ----------
    name
        Which.
    cohort
        People with scans at several visits.
    out
        The baseline's folder; preprocessed scans are kept beside it, in `<out>.scans`, and the
        checkpoints in `<out>.training`, from which an interrupted training goes on.
    model
        On whose grid scans are read, and whose latents are learned.
    settings
        How it is trained: `DeformationSettings`, or `LatentSettings` for networks on latents.
    report
        Called with what is being done, how far it is, and of how much: after each person's scans,
        and after each step of the training.

    Raises
    ------
    ModelError
        Where nobody has a later scan, and all that is known at baseline, or the checkpoint beside
        the folder is of other people or settings.
    """
    table = cohort.baseline()
    names = find_covariates(table)
    coding = TableCoding.fit(table[table[list(names)].notna().all(axis=1)], names)
    cache = ScanCache(out.with_name(f"{out.name}.{SCANS}"))
    show = _quantize if name == "deformation" else _Encoder(model)
    n_read, n_people = count(1), len(cohort.participants)
    pairs, people = _read_pairs(
        cohort,
        table,
        coding,
        model,
        cache,
        show,
        lambda: report("reading scans", next(n_read), n_people),
    )
    if not pairs:
        raise ModelError(
            f"Nobody of the cohort {cohort.name} has a scan at baseline and at a later visit, and "
            f"{', '.join(names)} beside it."
        )
    grid = Grid.of_config(model.config)
    common = {
        "horizons_months": (),
        "shape": grid.shape,
        "affine": tuple(tuple(row) for row in grid.affine.tolist()),
        "n_people": len(people),
        "is_synthetic": cohort.is_synthetic,
        "provenance": f"Fitted on the cohort {cohort.name}.",
        "coding": coding.covariates.to_dict(),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        fitted, stage, settings = _prepare(name, common, model, pairs, settings)
    folder = out.with_name(f"{out.name}.{TRAINING}")
    keep_origin(
        folder,
        {
            "name": name,
            "people": identify(people),
            "visits": identify([f"{pair.years:g}" for pair in pairs]),
            "model": model.model_id,
            "settings": settings.model_dump(mode="json"),
        },
    )
    with limited_threads(1):
        accelerator = start_accelerator(settings.loop)
        weights = train_stage(
            stage,
            settings.loop,
            folder,
            seed=_SEED,
            accelerator=accelerator,
            report=lambda step, _: report("learning", step + 1, settings.loop.steps),
        )
    fitted.network.load_state_dict(weights[stage.exported[0]])
    write_baseline_folder(
        out,
        fitted.config,
        card=_render_card(fitted.config, len(pairs), settings),
        people=describe_training_people(people),
        write_weights=fitted.write,
    )
    return ImageBaseline(fitted.config, fitted, out)


def _prepare(
    name: TrainedName,
    common: Mapping[str, Any],
    model: BrlpModel,
    pairs: list[TimedPair],
    settings: Settings | None,
) -> tuple[ScanDeformation | LatentFollowUp, Stage, Settings]:
    """Return what will predict, with random weights, and what trains them."""
    n_planes = len(pairs[0].planes)
    if name == "deformation":
        how = settings or DeformationSettings()
        if not isinstance(how, DeformationSettings):
            raise ModelError(f"{name} is trained by DeformationSettings.")
        config = DeformationConfig(n_planes=n_planes, **common)
        moving = DeformationNetwork(n_planes, config.channels)
        return ScanDeformation(config, moving), DeformationStage(moving, pairs, how), how
    pace = settings or LatentSettings()
    if not isinstance(pace, LatentSettings):
        raise ModelError(f"{name} is trained by LatentSettings.")
    args = list_unet_args(model, n_planes)
    latents = LatentConfig(
        name=name,
        model_id=model.model_id,
        unet=args,
        diffusion_target=model.config.diffusion_target,
        **common,
    )
    network = build_denoiser(args)
    stage = LatentStage(name, model.config, network, pairs, pace)
    return LatentFollowUp(latents, network), stage, pace


def _quantize(visit: VisitImage) -> npt.NDArray[np.uint8]:
    return np.round(255 * visit.image[0].numpy()).astype(np.uint8)


class _Encoder:
    """A scan's latent."""

    def __init__(self, model: BrlpModel) -> None:
        self._model = model

    def __call__(self, visit: VisitImage) -> npt.NDArray[np.float32]:
        with limited_threads(1):
            return np.asarray(self._model.encode(visit.image[None])[0].cpu().numpy())


def _read_pairs(
    cohort: Cohort,
    table: pd.DataFrame,
    coding: TableCoding,
    model: BrlpModel,
    cache: ScanCache,
    show: Callable[[VisitImage], npt.NDArray[Any]],
    report: Callable[[], None],
) -> tuple[list[TimedPair], list[str]]:
    pairs, people = [], []
    for visits in iterate_people(model, cohort, cache):
        first, *rest = visits
        row = table[table.index == first.participant_id]
        if first.months == 0 and rest and len(row) and coding.find_complete(row).all():
            planes = coding.encode(row)[0].astype(np.float32)
            people.append(first.participant_id)
            shown, near = show(first), None
            if first.labels is not None:
                labels = TISSUES.encode(first.labels)
                near = find_near_medial_temporal(labels, model.config.latent_shape)
            pairs += [
                TimedPair(shown, show(later), planes, later.months / 12, near) for later in rest
            ]
        report()
    return pairs, people


def _render_card(config: DeformationConfig | LatentConfig, n_pairs: int, settings: Settings) -> str:
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
        "- Makes the scan of any later time from the baseline scan.",
        f"- {config.provenance}",
        f"- Learned from {n_pairs} pairs of scans of {tally(config.n_people, 'people')}, in "
        f"{settings.loop.steps} steps of {settings.batch_size}.",
    ]
    return "\n".join(lines) + "\n"
