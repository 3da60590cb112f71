"""The networks of a training: new ones, those it starts from, and those it has finished."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import torch
from torch import nn

from brlp_models.errors import ModelError
from brlp_models.model.folder import load_model
from brlp_models.model.model import BrlpModel
from brlp_models.model.networks import (
    build_autoencoder,
    build_controlnet,
    build_refiner,
    build_segmenter,
    build_unet,
)
from brlp_models.training.checkpoint import CHECKPOINT
from brlp_models.training.loop import Weights, load_trained
from brlp_models.training.recipe import STAGES, Recipe, StageName

_NETWORKS: Final = {
    "segmenter": "segmenter",
    "autoencoder": "autoencoder",
    "diffusion": "unet",
    "controlnet": "controlnet",
    "refiner": "refiner",
}
"""The network that each stage trains."""


@dataclass
class TrainingNetworks:
    """The network of each stage, before it learns and when it has.

    Parameters
    ----------
    recipe, folder
        Of `Training`.
    """

    recipe: Recipe
    folder: Path

    @property
    def stages(self) -> list[StageName]:
        """The stages whose network the model has, trained here or taken over."""
        model = self.recipe.model
        absent = {"segmenter": model.segmenter is None, "refiner": model.refiner is None}
        return [stage for stage in STAGES if not absent.get(stage)]

    def build(self, stage: StageName) -> nn.Module:
        """Return a stage's network as its first phase gets it: that of the start, else random.

        Raises
        ------
        ModelError
            Where the model has no such network, or the start has another one.
        """
        if stage not in self.stages:
            raise ModelError(f"The recipe's model has no {stage}, so none can be trained.")
        network = self._build_new(stage)
        # a start without segmenter or refiner gets one
        if self._start is not None and _NETWORKS[stage] in self._start.networks:
            try:
                network.load_state_dict(self._start.network(_NETWORKS[stage]).state_dict())
            except RuntimeError as error:
                raise ModelError(
                    f"The recipe's {_NETWORKS[stage]} is not built like that of "
                    f"{self._start.model_id}, which training starts from; leave its table out of "
                    "[model]."
                ) from error
        return network

    def load(self, stage: StageName) -> nn.Module:
        """Return the finished network of a stage.

        Raises
        ------
        ModelError
            Where the stage is not finished.
        """
        return self._load(stage, stage)

    def load_all(self) -> dict[str, nn.Module]:
        """Return every network of the model by the name of its weight file.

        The UNet is that of the ControlNet's stage where it went on learning there.
        """
        networks = {_NETWORKS[stage]: self.load(stage) for stage in self.stages}
        if self.recipe.controlnet and self.recipe.controlnet[-1].unet_learns:
            networks["unet"] = self._load("diffusion", "controlnet")
        return networks

    @cached_property
    def _start(self) -> BrlpModel | None:
        """The model that training goes on from."""
        start = self.recipe.start_from
        return None if start is None else load_model(start)

    def _build_new(self, stage: StageName) -> nn.Module:
        torch.manual_seed(self.recipe.seed + STAGES.index(stage))
        config = self.recipe.model
        if config.segmenter is not None and stage == "segmenter":
            return build_segmenter(config.segmenter)
        if config.refiner is not None and stage == "refiner":
            return build_refiner(config.refiner)
        build = {
            "autoencoder": build_autoencoder,
            "diffusion": build_unet,
            "controlnet": build_controlnet,
        }
        return build[stage](config)

    def _load(self, network: StageName, stage: StageName) -> nn.Module:
        """Return the network of one stage as another one left it."""
        built = self.build(network)
        if self.recipe.list_phases(stage) or self._start is None:
            built.load_state_dict(self._load_weights(stage)[_NETWORKS[network]])
        return built.eval().requires_grad_(False)

    def _load_weights(self, stage: StageName) -> Weights:
        phases = self.recipe.list_phases(stage)
        folder = self.folder / stage / str(len(phases))
        if not (folder / CHECKPOINT).exists():
            raise ModelError(
                f"Stage {stage} is not trained yet ({folder / CHECKPOINT} is missing)."
            )
        return load_trained(folder, steps=phases[-1].steps)
