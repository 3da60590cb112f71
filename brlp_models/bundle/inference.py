"""The inference configuration of a MONAI bundle: one prediction, in MONAI's words.

Everything is MONAI's or PyTorch's but scheduler and checks, which the bundle brings along. Names of
items are what `python -m monai.bundle run` takes as options (`--age 78 --scan scan.nii.gz`).
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from brlp_models.model.config import ContextEntry, ModelConfig, SegmenterConfig
from brlp_models.model.context import NO_CONTEXT
from brlp_models.model.model import WEIGHED_AROUND
from brlp_models.model.networks import SPATIAL_DIMS
from brlp_models.model.schedule import SCHEDULERS, list_scheduler_args

NETWORK_FILES: Final[Mapping[str, str]] = {
    "autoencoder": "autoencoder.pt",
    "unet": "model.pt",
    "controlnet": "controlnet.pt",
    "segmenter": "segmenter.pt",
    "refiner": "refiner.pt",
}
"""Weights by network; the one that MONAI loads unasked, `network_def`, must be `model.pt`."""

FOLLOWS: Final = {"interval": "$@age - @baseline_age"}
"""Covariates that are known from others, and how."""

_NETWORKS: Final = "monai.networks.nets"
_CHECKS: Final = "scripts.checks"
_RANGES: Final = "scripts.ranges"


def build_inference_config(config: ModelConfig) -> dict[str, Any]:
    """Return what `configs/inference.json` holds.

    Parameters
    ----------
    config
        Of the model.

    Returns
    -------
    dict
        Items of MONAI's `ConfigParser`. Of use to a reader are `latents` (of each draw),
        `mean_latent`, `reconstruction`, `decoded`, `prediction`, `volumes` and `outside`.
    """
    return {
        "imports": ["$import json", "$import monai", "$import torch", "$from pathlib import Path"],
        "bundle_root": ".",
        "model_dir": "$@bundle_root + '/models'",
        "output_dir": "$@bundle_root + '/output'",
        **dict.fromkeys(("dataset_dir", "dataset", "evaluator"), ""),
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        **_list_inputs(config),
        "asked": _define_asked(config),
        "outside": _define_outside(config),
        **_define_networks(config),
        **_define_scan(config),
        **_define_sampling(config),
        **_define_prediction(config),
        **_define_volumes(config),
        **{f"save_{channel}": _define_saver(config, channel) for channel in config.channels},
        "run": [
            "$@asked",
            "$@outside",
            "$@answered",
            *(
                f"$@save_{channel}(monai.data.MetaTensor(@prediction[0, {place}:{place + 1}]"
                ".cpu(), affine=torch.tensor(@affine), meta={'filename_or_obj': @scan}))"
                for place, channel in enumerate(config.channels)
            ),
            "$Path(@output_dir, 'volumes.json').write_text("
            "json.dumps({**@volumes, 'warnings': @outside}, indent=2))",
        ],
    }


def name_covariate(entry: ContextEntry) -> str:
    """Return what a context entry is called in the bundle: `volume_hippocampus`."""
    return re.sub(r"\W", "_", entry.name)


def name_scan(channel: str) -> str:
    """Return what the scan of a channel is called in the bundle: `scan`, `scan_FLAIR`."""
    return "scan" if channel == "T1w" else f"scan_{channel}"


def _define_saver(config: ModelConfig, channel: str) -> dict[str, Any]:
    return {
        "_target_": "monai.transforms.SaveImage",
        "output_dir": "@output_dir",
        # all are called after the T1w, since scans of two channels may lie in folders of their own
        "output_postfix": "predicted" if len(config.channels) == 1 else f"predicted_{channel}",
        "separate_folder": False,
        "resample": False,
    }


def _list_inputs(config: ModelConfig) -> dict[str, Any]:
    """Return what a user sets: nobody's age, sex or volumes are made up where they are left out."""
    known = _find_known(config)
    return {
        "scan": "scan.nii.gz",
        **{name_scan(channel): None for channel in config.channels[1:]},
        "baseline_age": None,
        **{name_covariate(entry): known.get(entry.name) for entry in config.context},
        "samples": 4,
        "seed": 1,
        "num_inference_steps": config.num_inference_steps,
        "guidance": None if config.guidance == 1 else config.guidance,
    }


def _find_known(config: ModelConfig) -> Mapping[str, str]:
    """Return how covariates are known from others that the context holds."""
    return FOLLOWS if any(entry.name == "age" for entry in config.context) else {}


def _define_asked(config: ModelConfig) -> dict[str, Any]:
    """Return the check of what a user sets, before anything is read."""
    known = _find_known(config)
    own = [entry for entry in config.context if entry.name not in known]
    numbers = ["baseline_age", *(name_covariate(entry) for entry in own if not entry.categories)]
    return {
        "_target_": f"{_CHECKS}.check_asked",
        "scans": {name: f"@{name}" for name in map(name_scan, config.channels)},
        "numbers": {name: f"@{name}" for name in numbers},
        "choices": {
            name_covariate(entry): [f"@{name_covariate(entry)}", list(entry.categories)]
            for entry in own
            if entry.categories
        },
        "draws": {
            name: f"@{name}" for name in ("samples", "num_inference_steps", "seed", "guidance")
        },
        "can_be_guided": bool(config.context_dropout),
        "may_lack": [name_covariate(entry) for entry in own if entry.missing is not None],
    }


def _define_outside(config: ModelConfig) -> dict[str, Any]:
    """Return what is told of values that the networks never saw, as a prediction tells it."""
    options = {entry.name: name_covariate(entry) for entry in config.context}
    asked = {name: (f"--{option}", f"@{option}") for name, option in options.items()}
    if "age" in options:
        asked["age_years"] = asked["age"]
        asked.setdefault("interval", ("--age minus --baseline_age", "$@age - @baseline_age"))
    elif "interval" in options:
        summed = "$@baseline_age + @interval"
        asked["age_years"] = ("--baseline_age and --interval together", summed)
    if "interval" in asked:
        asked["interval_years"] = asked["interval"]
    known = {name: span for name, span in config.training_ranges.items() if name in asked}
    return {
        "_target_": f"{_RANGES}.warn_outside",
        "values": {asked[name][0]: asked[name][1] for name in known},
        "ranges": {asked[name][0]: list(span) for name, span in known.items()},
        "model": config.name,
    }


def _define_networks(config: ModelConfig) -> dict[str, Any]:
    fused = {"use_flash_attention": True}
    defined: dict[str, Any] = {
        "autoencoder_def": _define("AutoencoderKL", config.autoencoder),
        "network_def": _define("DiffusionModelUNet", {**fused, **config.unet}),
        "controlnet_def": _define("ControlNet", {**fused, **config.controlnet_args()}),
    }
    names = {"autoencoder": "autoencoder_def", "unet": "network_def"}
    names["controlnet"] = "controlnet_def"
    if config.segmenter is not None:
        names["segmenter"] = "segmenter_def"
        defined["segmenter_def"] = _define(config.segmenter.network, config.segmenter.args)
    if config.refiner is not None:
        names["refiner"] = "refiner_def"
        body = config.refiner.args["out_channels"]
        defined["refiner_body"] = _define(config.refiner.network, config.refiner.args)
        defined["refiner_def"] = (
            f"$torch.nn.Sequential(@refiner_body, "
            f"torch.nn.Conv3d({body}, {len(config.channels)}, 1))"
        )
    for name, definition in names.items():
        defined[f"load_{name}"] = (
            f"$@{definition}.load_state_dict(torch.load(@model_dir + '/{NETWORK_FILES[name]}', "
            "map_location=@device, weights_only=True))"
        )
        # a list, so that no network is used before its weights are there
        defined[name] = (
            f"$[@load_{name}, @{definition}.to(@device).eval().requires_grad_(False)][-1]"
        )
    return defined


def _define(network: str, args: Mapping[str, Any]) -> dict[str, Any]:
    return {"_target_": f"{_NETWORKS}.{network}", "spatial_dims": SPATIAL_DIMS, **args}


def _define_scan(config: ModelConfig) -> dict[str, Any]:
    x, y, z = config.latent_padding
    at_zero, at_one = config.baseline_age_range
    return {
        "affine": config.affine,
        "shape": config.shape,
        "loader": {
            "_target_": "monai.transforms.LoadImage",
            "reader": "NibabelReader",
            "image_only": True,
            "ensure_channel_first": True,
        },
        "resampler": {
            "_target_": "monai.transforms.SpatialResample",
            "mode": "bilinear",
            "padding_mode": "zeros",
            "align_corners": True,
        },
        "loaded": {
            "_target_": f"{_CHECKS}.load_scans",
            "load": "@loader",
            "files": {name: f"@{name}" for name in map(name_scan, config.channels)},
        },
        "channels": [
            f"$@resampler(@loaded[{place}], dst_affine=torch.tensor(@affine), "
            "spatial_size=@shape).as_tensor().float()"
            for place in range(len(config.channels))
        ],
        "scans": {
            "_target_": f"{_CHECKS}.check_scans",
            "scans": "@channels",
            "names": [name_scan(channel) for channel in config.channels],
        },
        "image": "$@scans.to(@device)",
        "latent": "$@autoencoder.encode(@image)[0]",
        "baseline": f"$torch.nn.functional.pad(@latent, {(*z, *y, *x)})",
        "age_plane": f"$torch.full_like(@baseline[:, :1], "
        f"(@baseline_age - {at_zero}) / {at_one - at_zero})",
        "condition": f"$torch.cat([@baseline * {config.latent_scale}, @age_plane], 1)"
        ".expand(@samples, -1, -1, -1, -1)",
    }


def _define_sampling(config: ModelConfig) -> dict[str, Any]:
    coded = {f"coded_{name_covariate(entry)}": _code(entry) for entry in config.context}
    noise = f"@samples, {config.latent_channels}, {', '.join(map(str, config.padded_latent_shape))}"
    return {
        **coded,
        "context": f"$torch.tensor([[[{', '.join(f'@{name}' for name in coded)}]]])"
        ".expand(@samples, -1, -1).to(@device)",
        "noise": f"$torch.randn(({noise}), generator=torch.Generator().manual_seed(@seed))"
        ".to(@device)",
        "scheduler_def": {
            "_target_": f"scripts.schedulers.{SCHEDULERS[config.sampler].__name__}",
            **list_scheduler_args(config.schedule),
        },
        "scheduler": "$[@scheduler_def.set_timesteps(@num_inference_steps, device=@device), "
        "@scheduler_def][-1]",
        "inferer": {
            "_target_": "monai.inferers.ControlNetDiffusionInferer",
            "scheduler": "@scheduler",
        },
        "drawn": "$@inferer.sample(input_noise=@noise, diffusion_model=@unet, "
        "controlnet=@controlnet, cn_cond=@condition, conditioning=@context, cfg=@guidance, "
        f"cfg_fill_value={NO_CONTEXT}, verbose=False)",
    }


def _code(entry: ContextEntry) -> str:
    value = f"@{name_covariate(entry)}"
    if entry.categories:
        code = f"{dict(entry.categories)}[str({value})]"
    else:
        at_zero, at_one = entry.range or (0.0, 1.0)
        code = f"({value} - {at_zero}) / {at_one - at_zero}"
    if entry.clip is not None:
        code = f"min(max({code}, {entry.clip[0]}), {entry.clip[1]})"
    if entry.missing is not None:
        code = f"{entry.missing} if {value} is None else {code}"
    return f"$float({code})"


def _define_prediction(config: ModelConfig) -> dict[str, Any]:
    inner = ", ".join(
        f"{before}:{before + size}"
        for (before, _), size in zip(config.latent_padding, config.latent_shape, strict=True)
    )
    drawn = f"@drawn[..., {inner}]"
    if config.diffusion_target == "residual":
        latents = f"$@latent + {drawn} / {config.residual_scale}"
    else:
        latents = f"${drawn} / {config.latent_scale}"
    items = {
        "latents": latents,
        "mean_latent": "$@latents.mean(0, keepdim=True)",
        "reconstruction": "$@autoencoder.decode(@latent)",
        "decoded": "$@autoencoder.decode(@mean_latent)",
        "change": "$@decoded - @reconstruction",
        **_define_shown(config),
        "answered": {"_target_": f"{_CHECKS}.check_answer", "prediction": "@prediction"},
    }
    if config.refiner is not None:
        scale = config.refiner.change_scale
        items["correction"] = (
            "$@refiner(torch.cat([@image, @image - @reconstruction, "
            f"{scale} * @change], 1)) / {scale}"
        )
    return items


def _define_shown(config: ModelConfig) -> dict[str, Any]:
    if config.decoding == "latent":
        return {"prediction": "$@decoded.clamp(0, 1)"}
    items = {
        "shown_change": "$@change" + " + @correction" * (config.decoding == "refined"),
        "prediction": "$(@image + @shown_change).clamp(0, 1)",
    }
    if config.shown_error > 0:
        around = f"monai.networks.layers.GaussianFilter(3, {WEIGHED_AROUND}).to(@device)"
        items |= {
            "energy": f"${around}(@shown_change.square())",
            "weight": f"$@energy / (@energy + {config.shown_error} ** 2)",
            "prediction": "$(@image + @weight * @shown_change).clamp(0, 1)",
        }
    return items


def _define_volumes(config: ModelConfig) -> dict[str, Any]:
    if config.segmenter is None:
        return {"volumes": {}}
    voxel = math.prod(config.spacing_mm)
    return {
        "regions": list(config.segmenter.labels),
        "volumes": {
            scan: f"$dict(zip(@regions, ({_count(config.segmenter, image)} * {voxel}).tolist()))"
            for scan, image in (("baseline", "@reconstruction"), ("predicted", "@decoded"))
        },
    }


def _count(segmenter: SegmenterConfig, image: str) -> str:
    logits = f"@segmenter({image}[:, :1].clamp(0, 1))"
    if segmenter.soft_volumes:
        return f"{logits}.softmax(1).double().sum((0, 2, 3, 4))"
    return f"torch.bincount({logits}.argmax(1).flatten(), minlength=len(@regions))"
