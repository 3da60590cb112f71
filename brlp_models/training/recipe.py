"""A training recipe: the model to make, and how each stage of it is trained."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from brlp_models.errors import ModelError, list_wrong_values
from brlp_models.model.config import ModelConfig
from brlp_models.model.files import find_model_folder, read_config
from brlp_models.training.loop import LoopSettings
from brlp_models.training.stages.autoencoder import AutoencoderSettings
from brlp_models.training.stages.diffusion import DiffusionSettings
from brlp_models.training.stages.refiner import RefinerSettings
from brlp_models.training.stages.segmenter import SegmenterSettings
from cohorts.synthetic.contrasts import CONTRASTS
from cohorts.synthetic.generators import Signal, choose_generator
from cohorts.synthetic.parameters import GeneratorParameters

BUNDLED = ("mini", "told", "refined", "official")
StageName = Literal["segmenter", "autoencoder", "diffusion", "controlnet", "refiner"]
STAGES: Final = get_args(StageName)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelBankRecipe(_Part):
    """How many random anatomies are drawn from the label maps."""

    n_anatomies: Annotated[int, Field(ge=1)]


class PeopleRecipe(_Part):
    """Which synthetic people take the place of a cohort."""

    n_people: Annotated[int, Field(ge=1)]
    months: tuple[float, float] = (12.0, 60.0)
    n_followups: Annotated[int, Field(ge=1)] = 1
    same_acquisition: bool = False
    """Visits of a person differ by anatomy alone, not by noise, bias field and contrast."""
    n_tabular: Annotated[int, Field(ge=100)] = 4000
    """People without scans, for the auxiliary models."""


class EvaluationRecipe(_Part):
    """Which synthetic people, of the held-out label maps, a model is evaluated on."""

    n_people: Annotated[int, Field(ge=1)] = 40
    schedule: tuple[float, ...] = (24.0, 48.0)
    """Months of their follow-up visits."""
    seed: int = 20261201


class AutoencoderPhase(AutoencoderSettings):
    """A phase of the autoencoder's training, on scans or on scans synthesized from label maps."""

    source: Literal["scans", "labels"] = "scans"


class Recipe(_Part):
    """Everything about a training.

    Parameters
    ----------
    seed
        Each stage's randomness derives from it.
    model
        Of the model that comes out; latent scales are measured in training, and whether it
        `is_synthetic`, and its `provenance`, follow from what it was trained on.
    label_bank
        For stages that learn from label maps.
    people
        Synthetic people to train on where no cohort is given.
    held_out_label_maps
        Beginnings of the names of label maps that training never reads.
    evaluation
        The people who are drawn from those.
    covariates
        Columns of the cohort's baseline table that the auxiliary regression has beside age, sex,
        diagnosis and volumes: `apoe4`, `edss`. Those of the networks are the model's context.
    generator, signal
        Of the synthetic people, see `cohorts.synthetic.generators.choose_generator`.
    measure_volume_gain
        Whether the model says how much of a true change it renders, so that predicted changes can
        be corrected; it takes volumes without measurement error, so synthetic people.
    start_from
        `mini`, or a model folder, whose networks are trained on: a stage without a phase keeps its
        network as it is. `[model]` is then that model's but for what the recipe says of it.
    segmenter, autoencoder, controlnet, refiner
        Phases, each starting with the weights of the one before.
    diffusion
        The UNet on its own.
    """

    seed: int
    model: ModelConfig
    label_bank: LabelBankRecipe | None = None
    people: PeopleRecipe | None = None
    held_out_label_maps: tuple[str, ...] = ()
    measure_volume_gain: bool = False
    evaluation: EvaluationRecipe = EvaluationRecipe()
    covariates: tuple[str, ...] = ()
    generator: Literal[1, 2] = 1
    signal: Signal = "strong"
    start_from: str | None = None
    segmenter: tuple[SegmenterSettings, ...] = ()
    autoencoder: tuple[AutoencoderPhase, ...] = ()
    diffusion: DiffusionSettings | None = None
    controlnet: tuple[DiffusionSettings, ...] = ()
    refiner: tuple[RefinerSettings, ...] = ()

    def choose_generator(self) -> GeneratorParameters:
        """Return the parameters that synthetic people are made with."""
        return choose_generator(self.generator, self.signal)

    @property
    def wants_noiseless(self) -> bool:
        """Whether synthetic people's scans are needed without noise too."""
        return any(phase.noiseless for phase in self.refiner)

    @property
    def predicts_changes(self) -> bool:
        """Whether the refiner learns from what UNet and ControlNet predict."""
        return any(phase.changes == "predicted" for phase in self.refiner)

    @property
    def context_dropout(self) -> float | None:
        """The share of examples without context in the last phase, which the networks remember.

        Where UNet and ControlNet stay as they are, that of the model they come from.
        """
        return (
            self.controlnet[-1].context_dropout if self.controlnet else self.model.context_dropout
        )

    def list_diffusion_phases(self) -> list[DiffusionSettings]:
        """Return how UNet and ControlNet are trained, one phase after the other."""
        return [*([] if self.diffusion is None else [self.diffusion]), *self.controlnet]

    def list_trained(self) -> list[str]:
        """Return the networks that learn, by the names of their weights."""
        learns = {
            "segmenter": bool(self.segmenter),
            "autoencoder": bool(self.autoencoder),
            "unet": any((self.diffusion, *(phase.unet_learns for phase in self.controlnet))),
            "controlnet": bool(self.controlnet),
            "refiner": bool(self.refiner),
        }
        return [name for name, does in learns.items() if does]

    def list_loops(self) -> list[LoopSettings]:
        """Return the loop of every phase of every stage, those of the diffusion first."""
        first: tuple[StageName, ...] = ("diffusion", "controlnet")
        others = (stage for stage in STAGES if stage not in first)
        return [loop for stage in (*first, *others) for loop in self.list_phases(stage)]

    def list_phases(self, stage: StageName) -> list[LoopSettings]:
        """Return how long and how fast a stage learns, one phase after the other."""
        loops = {
            "segmenter": [phase.loop for phase in self.segmenter],
            "autoencoder": [phase.loop for phase in self.autoencoder],
            "diffusion": [] if self.diffusion is None else [self.diffusion.loop],
            "controlnet": [phase.loop for phase in self.controlnet],
            "refiner": [phase.loop for phase in self.refiner],
        }
        return loops[stage]

    @model_validator(mode="after")
    def _check_volume_weight(self) -> "Recipe":
        weighed = any(phase.volume_weight for phase in self.list_diffusion_phases())
        if weighed and self.model.schedule.prediction_type != "sample":
            raise ValueError('volume_weight needs [model.schedule] prediction_type = "sample"')
        if self.diffusion is not None and self.diffusion.volume_weight:
            raise ValueError("volume_weight is for [[controlnet]], which sees the baseline scan")
        if self.diffusion is not None and self.diffusion.volumes == "told":
            raise ValueError('volumes = "told" is for [[controlnet]], which learns to follow')
        return self

    @model_validator(mode="after")
    def _check_start(self) -> "Recipe":
        if self.start_from is None and not (
            self.autoencoder and self.diffusion and self.controlnet
        ):
            raise ValueError(
                "[[autoencoder]], [diffusion] and [[controlnet]] are needed, or start_from, a "
                "model whose networks are trained on"
            )
        if not self.list_loops():
            raise ValueError("no stage has a phase, so that nothing would be learned")
        if self.start_from is not None and self.covariates and not self.list_diffusion_phases():
            raise ValueError(
                "covariates are those of the auxiliary models, which stay those of start_from "
                "where neither [diffusion] nor [[controlnet]] learns: leave them out"
            )
        if self.start_from is not None and self.autoencoder and self.diffusion is None:
            raise ValueError(
                "another [[autoencoder]] makes other latents, so the UNet of start_from must learn "
                "too: give [diffusion]"
            )
        return self

    @model_validator(mode="after")
    def _check_guidance(self) -> "Recipe":
        if self.model.guidance != 1 and not self.context_dropout:
            raise ValueError("model.guidance other than 1 needs context_dropout in [[controlnet]]")
        return self

    @model_validator(mode="after")
    def _check_crops(self) -> "Recipe":
        whole = self.model.shape
        problems = [
            f"crop of [[{stage}]] must be 1 to {' x '.join(map(str, whole))} voxels (model.shape), "
            f"got {' x '.join(map(str, phase.crop))}"
            for stage in ("segmenter", "autoencoder", "refiner")
            for phase in getattr(self, stage)
            if not all(1 <= size <= most for size, most in zip(phase.crop, whole, strict=True))
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="after")
    def _check_channels(self) -> "Recipe":
        channels = self.model.channels
        if len(channels) > 1 and any(phase.source == "labels" for phase in self.autoencoder):
            raise ValueError(
                f"model.channels are {', '.join(channels)}, but scans made from label maps are T1w "
                'alone: an [[autoencoder]] needs source = "scans"'
            )
        unknown = [name for name in channels if name not in CONTRASTS]
        if self.people is not None and unknown:
            raise ValueError(
                f"[people] have scans of {', '.join(CONTRASTS)}, not of {', '.join(unknown)}; "
                "train on a cohort"
            )
        return self

    @model_validator(mode="after")
    def _check_refiner(self) -> "Recipe":
        taken_over = self.start_from is not None and not self.refiner
        if (self.model.refiner is not None) != bool(self.refiner) and not taken_over:
            raise ValueError("[model.refiner] and [[refiner]] must be given together")
        if self.predicts_changes and (self.start_from is None or self.list_diffusion_phases()):
            raise ValueError(
                'changes = "predicted" in [[refiner]] is for a refiner that is trained on alone '
                "(start_from, without [diffusion] and [[controlnet]]): UNet and ControlNet know "
                "the people whom they learn from, and predict others less well"
            )
        return self


def load_recipe(source: str | Path) -> Recipe:
    """Read a bundled recipe by its name, or a TOML file.

    Raises
    ------
    ModelError
        Where the file is missing or not TOML, and one sentence for each wrong key.
    """
    if str(source) in BUNDLED:
        text = (files("brlp_models.training") / "configs" / f"{source}.toml").read_text("utf-8")
    else:
        text = _read(Path(source))
    try:
        content: dict[str, Any] = tomllib.loads(text)
        start = content.get("start_from")
        if not isinstance(start, str):
            return Recipe.model_validate(content)
        before = read_config(find_model_folder(start))
        own = content.get("model", {})
        content["model"] = {**_take_over(before), **own} if isinstance(own, dict) else own
        recipe = Recipe.model_validate(content)
    except tomllib.TOMLDecodeError as error:
        raise ModelError(f"Training recipe {source} is not TOML: {error}.") from error
    except ValidationError as error:
        raise ModelError(
            *(
                f"Training recipe {source}: {key or 'recipe'}: {text}."
                for key, text in list_wrong_values(error)
            )
        ) from error
    _refuse_unlearned(recipe, before, source)
    return recipe


MEASURED: Final = (
    *("volume_gain", "gain_measurement", "shown_weight", "volume_error", "draw_sd"),
    "calibrations",
)
"""What of a configuration was measured of predicted volumes."""

_KNOWN: Final = {
    "segmenter": ("segmenter",),
    "refiner": ("refiner",),
    "controlnet": ("guidance",),
    "autoencoder": (
        "spacing_mm",
        "shape",
        "affine",
        "channels",
        "white_over_gray",
        "autoencoder",
        "latent_scale",
    ),
    "unet": (
        "schedule",
        "diffusion_target",
        "residual_scale",
        "latent_padding",
        "context",
        "baseline_age_range",
        "unet",
    ),
}
"""What networks know without their weights' shapes telling it."""


def _refuse_unlearned(recipe: Recipe, before: ModelConfig, source: str | Path) -> None:
    """Refuse a recipe whose model differs from its start in what a network knows that it keeps."""
    learns = recipe.list_trained()
    problems = [
        f"Training recipe {source}: model.{key} is not that of {before.name}, whose {network} "
        "is kept as it is; leave it out."
        for network, keys in _KNOWN.items()
        for key in keys
        if network not in learns and getattr(recipe.model, key) != getattr(before, key)
    ]
    if problems:
        raise ModelError(*problems)


def _take_over(config: ModelConfig) -> dict[str, Any]:
    """Return the configuration of a model without what was measured of its weights."""
    own = {*MEASURED, "training_ranges", "auxiliary"}
    return config.model_dump(mode="json", exclude=own)


def _read(path: Path) -> str:
    if not path.is_file():
        names = ", ".join(BUNDLED)
        raise ModelError(f"Training recipe {path} is no file; the bundled ones are {names}.")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"Training recipe {path} cannot be read: {error}.") from error
