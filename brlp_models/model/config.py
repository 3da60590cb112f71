"""What a model folder's `config.json` holds.

Nothing about a model is written in code: the networks' sizes, the noise schedule, the grid, the
coding of the context with its normalization constants, the latent scale and the training ranges
are all read from here.
"""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from brlp_models.model.config_checks import compute_downsampling, find_misfits
from cohorts.identifiers import PLAIN
from cohorts.volumes.measurement import describe_learned

Triple = tuple[int, int, int]
Range = tuple[float, float]
Matrix = tuple[tuple[float, ...], ...]


class _Part(BaseModel):
    """A frozen part of the configuration that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ContextEntry(_Part):
    """One number of the context vector, with its coding.

    Parameters
    ----------
    name
        `age` (years at the target), `baseline_age`, `interval` (years between them), `sex`,
        `diagnosis` (at BASELINE), `volume:<region>` (at the target, mm3 in MNI space),
        `baseline:<region>`, `change:<region>` (target minus baseline), or any covariate of the
        participants table.
    coding
        `linear` maps `range` onto [0, 1]; `categories` looks the value up.
    range
        The two raw values that code to 0 and 1.
    categories
        The code of each category.
    clip
        The coded value is clipped to this interval.
    missing
        The code of a missing value; without it a missing value is an error.
    """

    name: str
    coding: Literal["linear", "categories"] = "linear"
    range: Range | None = None
    categories: dict[str, float] | None = None
    clip: Range | None = None
    missing: float | None = None

    @model_validator(mode="after")
    def _check_coding(self) -> "ContextEntry":
        if self.coding == "linear" and (self.range is None or self.range[0] == self.range[1]):
            raise ValueError(
                f"context entry {self.name}: a linear coding needs range = [at 0, at 1]"
            )
        if self.coding == "categories" and not self.categories:
            raise ValueError(f"context entry {self.name}: categories = {{value: code}} is missing")
        return self


class ScheduleConfig(_Part):
    """The noise schedule, in MONAI's words."""

    num_train_timesteps: Annotated[int, Field(gt=1)] = 1000
    schedule: Literal["linear_beta", "scaled_linear_beta", "sigmoid_beta"] = "scaled_linear_beta"
    beta_start: Annotated[float, Field(gt=0, lt=1)] = 0.0015
    beta_end: Annotated[float, Field(gt=0, lt=1)] = 0.0205
    prediction_type: Literal["epsilon", "sample", "v_prediction"] = "epsilon"


NetworkName = Literal["UNet", "BasicUNet", "DynUNet", "SegResNet"]


class RefinerConfig(_Part):
    """The network that carries a decoded change into the scan that a prediction starts from.

    Parameters
    ----------
    network
        A MONAI network class.
    args
        Its arguments: three times the scan's channels in (the starting scan, what its
        reconstruction lacks, the decoded change); of those out a last convolution makes what is
        added to the change.
    change_scale
        Changes are multiplied by it before they enter the network, corrections divided by it.
    """

    network: NetworkName = "UNet"
    args: dict[str, Any]
    change_scale: Annotated[float, Field(gt=0)] = 10.0


class SegmenterConfig(_Part):
    """The folder's own segmentation network.

    Parameters
    ----------
    network
        A MONAI network class.
    args
        Its arguments.
    labels
        The region of each output channel, `background` first; `left_` and `right_` prefixes as in
        `cohorts.schema`.
    label_ids
        The number of each label in a written label map (FreeSurfer's); the channel by default.
    soft_volumes
        Volumes are sums of probabilities; otherwise counts of the most likely label.
    """

    network: NetworkName = "UNet"
    args: dict[str, Any]
    labels: tuple[str, ...]
    label_ids: tuple[int, ...] | None = None
    soft_volumes: bool = True

    @model_validator(mode="after")
    def _check_labels(self) -> "SegmenterConfig":
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("segmenter.labels must be distinct")
        if self.labels[:1] != ("background",):
            raise ValueError("the first of segmenter.labels must be background")
        if self.label_ids is not None and len(set(self.label_ids)) != len(self.label_ids):
            raise ValueError("segmenter.label_ids must be distinct")
        if self.label_ids is not None and len(self.label_ids) != len(self.labels):
            raise ValueError("segmenter.label_ids must have one number for each label")
        return self


class RelativeSd(_Part):
    """An sd of a predicted volume, as a share of the measured baseline volume.

    It is sqrt(`at_baseline`^2 + (`per_year` x years)^2 + (`of_change` x predicted change)^2), the
    change as a share of the baseline volume too: who is predicted to lose much is predicted worse.
    """

    at_baseline: Annotated[float, Field(ge=0)]
    per_year: Annotated[float, Field(ge=0)]
    of_change: Annotated[float, Field(ge=0)] = 0.0

    def compute_sd(self, years: float, change: float) -> float:
        """Return the sd, as a share of the baseline volume, of a change predicted years on."""
        return math.hypot(self.at_baseline, self.per_year * years, self.of_change * change)


class GainMeasurement(_Part):
    """On whom `volume_gain` was measured, and how sure it is.

    Parameters
    ----------
    n_people, n_anatomies
        Nobody of whom training read. A person is an anatomy, but for synthetic people who were
        drawn from the same one.
    intervals
        By region, the 95 % interval of the gain, of regions that it left out too.
    """

    n_people: Annotated[int, Field(ge=1)]
    n_anatomies: Annotated[int, Field(ge=1)]
    intervals: dict[str, Range]


class Calibration(_Part):
    """What `trialsim model calibrate` measured while a baseline told a model's context.

    Parameters
    ----------
    regions, volume_gain, gain_measurement, shown_weight, volume_error, draw_sd
        As of `ModelConfig`, whose own are those of its auxiliary models' context.
    guidance
        As there, which holds where it is None.
    """

    regions: tuple[str, ...]
    volume_gain: dict[str, Annotated[float, Field(gt=0)]] = {}
    gain_measurement: GainMeasurement | None = None
    shown_weight: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    volume_error: dict[str, RelativeSd] = {}
    draw_sd: dict[str, RelativeSd] = {}
    guidance: Annotated[float, Field(ge=0)] | None = None


class ModelConfig(_Part):
    """Everything about a model except its weights.

    Parameters
    ----------
    name
        The model's name, shown in every table made with it.
    spacing_mm, shape, affine
        The grid: voxel size (mm), voxels, and voxel-to-MNI152 matrix (4, 4) of the images.
    channels
        The contrasts of a scan, by their BIDS suffixes. The first is T1w: registration,
        segmentation and the input check read it. The others lie beside it in the same folder
        (`cohorts.sources.bids.files.find_contrast`).
    white_over_gray
        The contrast, white over gray matter, that preprocessed T1w scans are brought to: that of
        the training. None leaves scans as bright as they are.
    autoencoder, unet, controlnet
        Arguments of MONAI's AutoencoderKL, DiffusionModelUNet and ControlNet; the ControlNet gets
        the UNet's arguments where it does not set its own.
    latent_scale
        Latents are multiplied by it before they enter the UNet and the ControlNet.
    latent_padding
        Zero voxels (before, after) on each latent axis around what the UNet sees.
    diffusion_target
        What is denoised: the follow-up `latent`, or the `residual`, follow-up minus baseline
        latent (so that zero output carries the baseline forward).
    residual_scale
        The residual is multiplied by it (in place of `latent_scale`) before noise is added.
    baseline_age_range
        The ages in years that code to 0 and 1 on the ControlNet's age plane.
    context
        The context vector, in order.
    decoding
        The predicted scan is the decoded latent (`latent`), the input scan plus the difference
        between the decoded predicted and baseline latents (`difference`), or that plus what the
        `refiner` makes of the input scan and both decoded latents (`refined`).
    shown_error
        The sd of what a shown change gets wrong, in intensities: a change is shown as far as it
        stands out of that around a voxel (`weigh_change`). 0 shows it as it is.
    guidance
        The weight of the context: 1 as learned, more than that exaggerates what it changes, 0
        leaves it out; other than 1 only for networks trained with context dropout, and at twice
        the work.
    context_dropout
        The share of examples without context, of which the networks learned what `guidance` weighs
        the context against. Written by training; None where that is not recorded.
    sampler, num_inference_steps
        What `predict` uses unless told otherwise.
    regions
        The regions whose predicted volumes are reported (both sides).
    endpoint
        The one of them that draws are counted by, and people ranked by in an evaluation: the
        disease's outcome.
    volume_gain
        The share of a region's true relative change that a predicted scan shows when the context
        holds the true volumes; predicted changes are divided by it. 1 for a region that is not
        named.
    gain_measurement
        On whom that was measured; None: on training people. Written by `trialsim model calibrate`.
    shown_weight
        By region, how much of a predicted change is that of the predicted scan; the rest is the
        change that the context tells. 1 for a region that is not named, or that the context tells
        nothing of. Written by `trialsim model calibrate`.
    volume_error
        By region, what the sd over draws is combined with in `volume_sd_mm3`: errors of the
        auxiliary model and of the segmenter are the same in every draw. Written by
        `trialsim model calibrate`; nothing for a region that is not named.
    draw_sd
        By region, what takes the place of the sd over draws where there is one draw, which has
        none. Written by `trialsim model calibrate`; unknown for a region that is not named.
    voxel_scale
        The map of uncertainty is multiplied by it, so that its size is that of the error of the
        scan that is shown: `evaluate` tells both (`rms_sd`, `rms_error`) where follow-ups without
        noise are known.
    calibrations
        What takes the place of `regions` and of the five above where a baseline tells the context
        in place of the auxiliary models, by that baseline's name and checksum; written by
        `trialsim model calibrate --context-from`.
    auxiliary
        The auxiliary models' files by group, relative to the folder.
    measured_by
        The tool that measured the training volumes, as `cohorts.volumes.measurement.name_tool`
        calls it; None where that is not recorded.
    training_ranges
        The span of each input in training: `age_years` (at the target), `interval_years`,
        `<covariate>`, `volume:<region>` (mm3 in MNI space), `reconstruction_error`.
    license, provenance, is_synthetic
        Where the weights come from; `is_synthetic` when trained on simulated scans.
    """

    format_version: Literal[1] = 1
    name: str
    spacing_mm: tuple[float, float, float]
    shape: Triple
    affine: Matrix
    channels: tuple[str, ...] = ("T1w",)
    white_over_gray: Annotated[float, Field(gt=1)] | None = None
    autoencoder: dict[str, Any]
    unet: dict[str, Any]
    controlnet: dict[str, Any]
    schedule: ScheduleConfig = ScheduleConfig()
    latent_scale: Annotated[float, Field(gt=0)] = 1.0
    latent_padding: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] = ((0, 0),) * 3
    diffusion_target: Literal["latent", "residual"] = "latent"
    residual_scale: Annotated[float, Field(gt=0)] = 1.0
    baseline_age_range: Range = (0.0, 100.0)
    context: tuple[ContextEntry, ...]
    decoding: Literal["latent", "difference", "refined"] = "latent"
    refiner: RefinerConfig | None = None
    shown_error: Annotated[float, Field(ge=0)] = 0.0
    sampler: Literal["ddim", "dpm-solver++"] = "ddim"
    num_inference_steps: Annotated[int, Field(gt=0)] = 25
    guidance: Annotated[float, Field(ge=0)] = 1.0
    context_dropout: Annotated[float, Field(ge=0, lt=1)] | None = None
    regions: tuple[str, ...]
    endpoint: str = "hippocampus"
    segmenter: SegmenterConfig | None = None
    volume_gain: dict[str, Annotated[float, Field(gt=0)]] = {}
    gain_measurement: GainMeasurement | None = None
    shown_weight: dict[str, Annotated[float, Field(ge=0, le=1)]] = {}
    volume_error: dict[str, RelativeSd] = {}
    draw_sd: dict[str, RelativeSd] = {}
    voxel_scale: Annotated[float, Field(gt=0)] = 1.0
    calibrations: dict[Annotated[str, Field(pattern=f"^{PLAIN}$")], Calibration] = {}
    auxiliary: dict[str, str] = {}
    measured_by: str | None = None
    training_ranges: dict[str, Range] = {}
    license: str
    provenance: str
    is_synthetic: bool

    @property
    def learned_from(self) -> str:
        """What the training volumes were, in the words of `describe_learned`."""
        return describe_learned(self.measured_by, is_synthetic=self.is_synthetic)

    @property
    def latent_channels(self) -> int:
        """Channels of a latent."""
        return int(self.autoencoder["latent_channels"])

    @property
    def latent_shape(self) -> Triple:
        """Voxels of a latent, before padding."""
        factor = compute_downsampling(self.autoencoder)
        return (self.shape[0] // factor, self.shape[1] // factor, self.shape[2] // factor)

    @property
    def padded_latent_shape(self) -> Triple:
        """Voxels of a latent, as the UNet sees it."""
        (a, b, c), pads = self.latent_shape, [sum(pair) for pair in self.latent_padding]
        return (a + pads[0], b + pads[1], c + pads[2])

    def controlnet_args(self) -> dict[str, Any]:
        """All arguments of the ControlNet."""
        shared = {key: value for key, value in self.unet.items() if key not in _UNET_ONLY}
        return {**shared, **self.controlnet}

    @model_validator(mode="after")
    def _check_parts_fit(self) -> "ModelConfig":
        if problems := find_misfits(self):
            raise ValueError("; ".join(problems))
        return self


_UNET_ONLY = frozenset({"out_channels", "dropout_cattn"})
