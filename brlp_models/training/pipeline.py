"""The stages of a training in their order, each taking up where it stopped."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from accelerate import Accelerator
from torch import nn

from brlp_models.auxiliary.files import load_auxiliary
from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig
from brlp_models.model.context import encode_context
from brlp_models.model.model import BrlpModel
from brlp_models.training.banks.crop_sources import RenderingSource, ScanSource, SynthesisSource
from brlp_models.training.banks.expected_volumes import (
    CROSS_FITTED,
    CrossFitted,
    find_measurement_sd,
    tell_expected,
)
from brlp_models.training.banks.latents import (
    Latents,
    compute_latent_scale,
    compute_residual_scale,
    read_latents,
    write_decoded,
    write_latents,
)
from brlp_models.training.banks.pairs import (
    VisitPairs,
    build_single_visits,
    build_visit_pairs,
    list_context_covariates,
    name_regions,
)
from brlp_models.training.banks.predicted_visits import PredictedVisits, write_predicted
from brlp_models.training.banks.told_changes import ToldChanges
from brlp_models.training.banks.volumes import Bank, read_scans
from brlp_models.training.kept import KeptParts
from brlp_models.training.loop import Stage, Weights, start_accelerator, train_stage
from brlp_models.training.networks import TrainingNetworks
from brlp_models.training.recipe import STAGES, Recipe, StageName
from brlp_models.training.stages.autoencoder import AutoencoderStage, CropSource
from brlp_models.training.stages.diffusion import (
    DiffusionSettings,
    DiffusionStage,
    initialize_controlnet,
)
from brlp_models.training.stages.refiner import RefinerStage
from brlp_models.training.stages.segmenter import SegmenterStage
from brlp_models.training.stages.volume_term import VolumeTerm, write_volume_gradients

LABEL_BANK, SCAN_BANK = "label_bank", "scan_bank"
LATENTS, DECODED, PREDICTED = "latents.npy", "decoded.npy", "predicted.npy"
VOLUME_GRADIENTS = "volume_gradients_{region}.npy"

Report = Callable[[str, int, int, Mapping[str, float]], None]
"""Called with the stage, the step, its number of steps, and the metrics."""


@dataclass
class Training:
    """A training in a folder of its own.

    Parameters
    ----------
    recipe
        What is made, and how.
    folder
        Holds the banks (`label_bank`, `scan_bank`), each stage's checkpoints, and cached latents.
    report
        Told of every step.
    """

    recipe: Recipe
    folder: Path
    report: Report = lambda _stage, _step, _steps, _metrics: None

    def train(self, stage: StageName) -> Weights:
        """Train one stage; the stages that it stands on must be finished."""
        stages: dict[str, Callable[[], Weights]] = {
            "segmenter": self._train_segmenter,
            "autoencoder": self._train_autoencoder,
            "diffusion": self._train_diffusion,
            "controlnet": self._train_controlnet,
            "refiner": self._train_refiner,
        }
        return stages[stage]()

    @property
    def stages(self) -> list[StageName]:
        """The stages that the recipe trains: a model without segmenter or refiner trains none."""
        return [stage for stage in self.networks.stages if self.recipe.list_phases(stage)]

    @cached_property
    def networks(self) -> TrainingNetworks:
        """New ones, and those of finished stages."""
        return TrainingNetworks(self.recipe, self.folder)

    def check_people(self) -> None:
        """Check that people tell what is learned of them, before networks learn for hours.

        Raises
        ------
        ModelError
            Where somebody lacks what the context needs, or nobody has two visits.
        """
        index, phases = (
            Bank.load(self.folder / SCAN_BANK).index,
            self.recipe.list_diffusion_phases(),
        )
        visits = index.groupby("participant_id")["age_years"].nunique()
        if (phases or self.recipe.refiner) and visits.max() < 2:
            stage = "controlnet" if phases else "refiner"
            raise ModelError(
                "Nobody of the training people has scans of two visits at different ages, which "
                f"[[{stage}]] learns from."
            )
        if not (phases or self.recipe.predicts_changes):
            return
        if entries := list_context_covariates(self.recipe.model):
            people = index.drop_duplicates("participant_id").set_index("participant_id")
            encode_context(entries, people)
        if missing := self._find_missing_volumes(index):
            raise ModelError(*missing)

    def _find_missing_volumes(self, index: pd.DataFrame) -> list[str]:
        """Return a sentence for everyone of whom the context cannot tell a region's volume."""
        phases = self.recipe.list_diffusion_phases()
        from_pairs = self.recipe.diffusion is None or (
            self.recipe.model.diffusion_target == "residual"
        )
        if from_pairs and all(phase.volumes != "true" for phase in phases):
            # from a person's last visit nothing is expected
            last = index.sort_values("age_years").groupby("participant_id").tail(1)
            index = index.drop(last.index)
        return [
            f"A visit of {person} lacks the volume {region}, which the context needs."
            for region in name_regions(self.recipe.model)
            for person in index.loc[index[f"{region}_mm3"].isna(), "participant_id"].unique()
        ]

    def load_config(self) -> ModelConfig:
        """Return the model's configuration, with the latent scales measured in training."""
        if not self.recipe.autoencoder:
            # the networks that go on learning know latents on their own scale
            return self.recipe.model
        bank = Bank.load(self.folder / SCAN_BANK)
        latents = self._cache_latents(bank)
        config = self.recipe.model
        scale = compute_latent_scale(latents, bank.rows)
        update = {"latent_scale": scale}
        if config.diffusion_target == "residual":
            pairs = build_visit_pairs(bank.index, config)
            update["residual_scale"] = compute_residual_scale(latents, pairs.rows)
        return config.model_copy(update=update)

    def _run(self, stage: Stage, name: StageName, phase: int) -> Weights:
        settings = self.recipe.list_phases(name)[phase - 1]
        return train_stage(
            stage,
            settings,
            self.folder / name / str(phase),
            seed=self.recipe.seed + 100 * STAGES.index(name) + phase,
            accelerator=start_accelerator(settings),
            report=lambda step, metrics: self.report(name, step, settings.steps, metrics),
        )

    def _train_segmenter(self) -> Weights:
        network = self.networks.build("segmenter")
        weights: Weights = {}
        for phase, settings in enumerate(self.recipe.segmenter, start=1):
            # without a crop from label maps none need be there
            bank = Bank.load(self.folder / (LABEL_BANK if settings.scan_share < 1 else SCAN_BANK))
            stage = SegmenterStage(
                network, bank, settings, scans=self._open_scans(settings.scan_share)
            )
            weights = self._run(stage, "segmenter", phase)
            network.load_state_dict(weights["segmenter"])
        return weights

    def _open_scans(self, share: float) -> Bank | None:
        return Bank.load(self.folder / SCAN_BANK) if share else None

    def _train_autoencoder(self) -> Weights:
        network = self.networks.build("autoencoder")
        weights: Weights = {}
        for phase, settings in enumerate(self.recipe.autoencoder, start=1):
            source = self._open_source(settings.source)
            judge = self._load_judge(settings.perceptual_weight)
            n_channels = len(self.recipe.model.channels)
            stage = AutoencoderStage(network, source, settings, n_channels=n_channels, judge=judge)
            weights = self._run(stage, "autoencoder", phase)
            network.load_state_dict(weights["autoencoder"])
        return weights

    def _load_judge(self, weight: float) -> nn.Module | None:
        segmenter = self.recipe.model.segmenter
        return self.networks.load("segmenter") if weight and segmenter is not None else None

    def _open_source(self, source: Literal["scans", "labels"]) -> CropSource:
        if source == "labels":
            return SynthesisSource(Bank.load(self.folder / LABEL_BANK))
        return ScanSource(Bank.load(self.folder / SCAN_BANK))

    def _train_diffusion(self) -> Weights:
        bank, settings = Bank.load(self.folder / SCAN_BANK), self.recipe.diffusion
        if settings is None:
            return {}
        latents, config = self._cache_latents(bank), self.load_config()
        pairs = self._tell(self._choose_pairs(bank, config), bank, settings)
        unet = self.networks.build("diffusion")
        stage = DiffusionStage(config, unet, latents, pairs, settings, labels=bank.labels)
        return self._run(stage, "diffusion", 1)

    def _train_controlnet(self) -> Weights:
        bank = Bank.load(self.folder / SCAN_BANK)
        latents, config = self._cache_latents(bank), self.load_config()
        pairs = build_visit_pairs(bank.index, config)
        networks = {
            "unet": self.networks.load("diffusion"),
            "controlnet": self.networks.build("controlnet"),
        }
        if self.recipe.start_from is None:
            initialize_controlnet(networks["controlnet"], networks["unet"])
        weights: Weights = {}
        for phase, settings in enumerate(self.recipe.controlnet, start=1):
            expected = self._tell(pairs, bank, settings)
            stage = DiffusionStage(
                config,
                networks["unet"],
                latents,
                expected,
                settings,
                labels=bank.labels,
                controlnet=networks["controlnet"],
                volume_terms={
                    region: self._build_volume_term(region, pairs, latents)
                    for region in settings.volume_weight
                },
                told=self._tell_changes(expected, bank, settings),
            )
            weights = self._run(stage, "controlnet", phase)
            for name, values in weights.items():
                networks[name].load_state_dict(values)
        return weights

    def _build_volume_term(self, region: str, pairs: VisitPairs, latents: Latents) -> VolumeTerm:
        path = self.folder / VOLUME_GRADIENTS.format(region=region)
        segmenter = self.recipe.model.segmenter
        if segmenter is None or region not in segmenter.labels:
            raise ModelError(f"volume_weight names {region}, which the segmenter does not label.")

        def make(accelerator: Accelerator) -> None:
            networks = {name: self.networks.load(name) for name in ("autoencoder", "segmenter")}
            write_volume_gradients(
                networks,
                segmenter.labels.index(region),
                latents,
                path,
                accelerator,
                self._count(f"{region}'s gradients", len(latents)),
            )

        self._make_once(path, make)
        gradients = np.load(path, mmap_mode="r")
        return VolumeTerm.of(pairs, gradients, latents)

    def _train_refiner(self) -> Weights:
        network, config = self.networks.build("refiner"), self.recipe.model.refiner
        bank, path = Bank.load(self.folder / SCAN_BANK), self.folder / DECODED
        latents = self._cache_latents(bank)
        self._make_once(
            path,
            lambda accelerator: write_decoded(
                self._load_coder(accelerator),
                latents,
                path,
                accelerator,
                self._count("decoding", len(latents)),
            ),
        )
        decoded = read_scans(path)
        scale = config.change_scale if config is not None else 1.0
        weights: Weights = {}
        for phase, settings in enumerate(self.recipe.refiner, start=1):
            predicts = settings.changes == "predicted"
            predicted = self._predict_visits(bank, latents) if predicts else None
            source = RenderingSource(bank, decoded, predicted)
            judge = self._load_judge(settings.perceptual_weight)
            stage = RefinerStage(network, source, settings, change_scale=scale, judge=judge)
            weights = self._run(stage, "refiner", phase)
            network.load_state_dict(weights["refiner"])
        return weights

    def _predict_visits(self, bank: Bank, latents: Latents) -> PredictedVisits:
        """Return what the start predicts of its people's later visits, told as others are."""
        config, path = self.recipe.model, self.folder / PREDICTED
        pairs = self._tell_expected(build_visit_pairs(bank.index, config), bank)

        def make(accelerator: Accelerator) -> None:
            stages: dict[str, StageName] = {"unet": "diffusion", "controlnet": "controlnet"}
            networks = {name: self.networks.load(stage) for name, stage in stages.items()}
            coder = self._load_coder(accelerator).networks
            placed = {name: own.to(accelerator.device) for name, own in networks.items()}
            model = BrlpModel(config, {**coder, **placed})
            write_predicted(
                model,
                pairs,
                latents,
                path,
                accelerator,
                seed=self.recipe.seed,
                report=self._count("predicting", len(pairs)),
            )

        self._make_once(path, make)
        return PredictedVisits(pairs.rows, read_scans(path))

    def _choose_pairs(self, bank: Bank, config: ModelConfig) -> VisitPairs:
        if config.diffusion_target == "residual":
            return build_visit_pairs(bank.index, config)
        return build_single_visits(bank.index, config)

    def _tell(self, pairs: VisitPairs, bank: Bank, settings: DiffusionSettings) -> VisitPairs:
        """Return pairs whose context holds the volumes that the settings ask for."""
        return pairs if settings.volumes == "true" else self._tell_expected(pairs, bank)

    def _tell_expected(self, pairs: VisitPairs, bank: Bank) -> VisitPairs:
        """Return pairs whose context holds what an auxiliary model expects of each person."""
        config = self.recipe.model
        if not name_regions(config):
            return pairs
        return tell_expected(
            pairs,
            bank.index,
            config,
            self._load_fitted(),
            measurement_sd=find_measurement_sd(bank.index),
            seed=self.recipe.seed,
        )

    def _load_fitted(self) -> CrossFitted:
        """Return auxiliary models that have not seen the people: the start's, where it keeps its.

        Raises
        ------
        ModelError
            Where there are none, or the start's need several visits.
        """
        kept = KeptParts(self.recipe)
        if kept.folder is None or not kept.auxiliary:
            return CrossFitted.load(self.folder / CROSS_FITTED)
        if "one_visit" not in kept.auxiliary:
            raise ModelError(
                f"{self.recipe.start_from} has no auxiliary model of one visit, by which "
                '[[refiner]] changes = "predicted" is told of later volumes.'
            )
        fitted = load_auxiliary(kept.folder / kept.auxiliary["one_visit"])
        return CrossFitted(((None, fitted),))

    def _tell_changes(
        self, expected: VisitPairs, bank: Bank, settings: DiffusionSettings
    ) -> ToldChanges | None:
        if settings.volumes != "told":
            return None
        lead, error = self.recipe.model.endpoint, settings.told_error
        return ToldChanges.of(expected, bank.index, lead=lead, error=error)

    def _cache_latents(self, bank: Bank) -> Latents:
        path = self.folder / LATENTS
        self._make_once(
            path,
            lambda accelerator: write_latents(
                self._load_coder(accelerator),
                bank,
                path,
                accelerator,
                self._count("encoding", len(bank.images)),
            ),
        )
        return read_latents(path)

    def _count(self, name: str, n: int) -> Callable[[int], None]:
        return lambda row: self.report(name, row, n, {})

    def _make_once(self, path: Path, make: Callable[[Accelerator], None]) -> None:
        """Have one process make a file that is not there yet, while the others wait."""
        accelerator = start_accelerator(self.recipe.list_loops()[0])
        if accelerator.is_main_process and not path.exists():
            make(accelerator)
        accelerator.wait_for_everyone()

    def _load_coder(self, accelerator: Accelerator) -> BrlpModel:
        """Return a model that can encode and decode, but not predict."""
        autoencoder = self.networks.load("autoencoder").to(accelerator.device)
        return BrlpModel(self.recipe.model, {"autoencoder": autoencoder})
