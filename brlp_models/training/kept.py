"""What a model has of the one that its training started from, beside networks that learned on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from safetensors.torch import load_file
from torch import Tensor

from brlp_models.model.config import ModelConfig
from brlp_models.model.files import find_model_folder, read_config
from brlp_models.model.training_people import CALIBRATION_PEOPLE, TRAINING_PEOPLE
from brlp_models.training.recipe import MEASURED, Recipe

_SAID: Final = ("regions", "endpoint", "sampler", "num_inference_steps", "guidance")
"""What predicted volumes hang on beside networks, and that a recipe may say of kept ones."""

_OF_CONTEXT: Final = ("shown_weight", "volume_error", "draw_sd", "calibrations")
"""What hangs on the auxiliary models as well: they tell the context, or how regions keep pace with
the one that a baseline tells. The gain is measured with true volumes in their place."""


@dataclass(frozen=True)
class KeptParts:
    """What a recipe's model has of its start; nothing where it has none.

    Parameters
    ----------
    recipe
        Says which networks learn.
    """

    recipe: Recipe

    @cached_property
    def folder(self) -> Path | None:
        """The start's."""
        start = self.recipe.start_from
        return None if start is None else find_model_folder(start)

    @cached_property
    def config(self) -> ModelConfig | None:
        """The start's."""
        return None if self.folder is None else read_config(self.folder)

    @property
    def auxiliary(self) -> Mapping[str, str]:
        """The auxiliary models' files by group, where UNet and ControlNet do not learn.

        These learn with what new ones expect; segmenter and refiner do without any.
        """
        if self.config is None or self.recipe.list_diffusion_phases():
            return {}
        return self.config.auxiliary

    @property
    def measured(self) -> Mapping[str, Any]:
        """What was measured of predicted volumes and is still true, by its key.

        Volumes are read by the segmenter in decoded latents: every network has a part in them but
        the refiner, which has one in the scan that is shown, as `decoding` has.
        """
        config, model = self.config, self.recipe.model
        if config is None or {*self.recipe.list_trained()} - {"refiner"}:
            return {}
        if any(getattr(model, key) != getattr(config, key) for key in _SAID):
            return {}
        found = {key: getattr(config, key) for key in MEASURED}
        lost = () if self.auxiliary else _OF_CONTEXT
        return {key: value for key, value in found.items() if value and key not in lost}

    @property
    def texts(self) -> dict[str, str]:
        """The text of each file: auxiliary models, and on whom it was calibrated if that counts.

        The weight of the context may have been chosen on these people, as what was measured was.
        """
        names = list(self.auxiliary.values())
        if self.config is not None and (self.measured or self._is_guided_alike(self.config)):
            names.append(CALIBRATION_PEOPLE)
        found = {name: self._find(name) for name in names}
        return {name: path.read_text(encoding="utf-8") for name, path in found.items() if path}

    @property
    def training_people(self) -> Path | None:
        """The file of those whom it was trained on."""
        return self._find(TRAINING_PEOPLE)

    def load_weights(self) -> dict[str, dict[str, Tensor]]:
        """Return the weights of networks that do not learn, as precise as they are stored."""
        names = () if self.folder is None else (path.stem for path in self.folder.iterdir())
        kept = {*names} - {*self.recipe.list_trained()}
        found = {name: self._find(f"{name}.safetensors") for name in sorted(kept)}
        return {name: load_file(path) for name, path in found.items() if path}

    def _is_guided_alike(self, config: ModelConfig) -> bool:
        return config.guidance != 1 and self.recipe.model.guidance == config.guidance

    def _find(self, file: str) -> Path | None:
        path = None if self.folder is None else self.folder / file
        return path if path is not None and path.is_file() else None
