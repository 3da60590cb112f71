"""Which parts of a model's configuration do not fit together."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cohorts.identifiers import find_fault
from cohorts.schema import SIDES

if TYPE_CHECKING:
    from brlp_models.model.config import Calibration, ModelConfig


CHANNELS: Final = ("T1w", "FLAIR", "T2w", "PDw", "T2starw")
"""The contrasts that a scan may have, as BIDS calls them."""

_SCALES: Final = (1e-6, 1e6)
_GAINS: Final = (0.01, 100.0)

_OF_REGIONS: Final = ("volume:", "baseline:", "change:")
"""What the names of context entries of a region begin with."""

AUXILIARY: Final = ("one_visit", "several_visits")
"""The groups of people that auxiliary models are for."""


def find_misfits(config: "ModelConfig") -> list[str]:
    """Return a sentence for each part of a configuration that does not fit the others."""
    if missing := _size_problems(config):
        # nothing can be compared with what is not said
        return missing
    return [
        *_grid_problems(config),
        *_range_problems(config),
        *_scale_problems(config),
        *_file_problems(config),
        *_channel_problems(config),
        *_network_problems(config),
        *_context_problems(config),
        *_name_problems(config),
        *_region_problems(config),
    ]


def compute_downsampling(args: Mapping[str, Any]) -> int:
    """Return how many voxels along an axis a network makes one, by its arguments."""
    return int(2 ** (len(args["channels"]) - 1))


def _size_problems(config: "ModelConfig") -> list[str]:
    named = {"autoencoder": config.autoencoder, "unet": config.unet}
    lists = {f"{name}.channels": args.get("channels") for name, args in named.items()}
    problems = [
        f"{key} must be a list of whole numbers from 1 on, got {got}"
        for key, got in lists.items()
        if not (isinstance(got, list | tuple) and got and all(map(_is_count, got)))
    ]
    got = config.autoencoder.get("latent_channels")
    if not _is_count(got):
        problems.append(f"autoencoder.latent_channels must be a whole number from 1 on, got {got}")
    if [len(row) for row in config.affine] != [4] * 4:
        problems.append(f"affine must be 4 x 4, got {[list(row) for row in config.affine]}")
    return problems


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _grid_problems(config: "ModelConfig") -> list[str]:
    factor = compute_downsampling(config.autoencoder)
    problems = []
    if any(size % factor for size in config.shape):
        problems.append(f"shape must be divisible by {factor}, got {config.shape}")
    affine = np.asarray(config.affine, dtype=float)
    if affine[3].tolist() != [0, 0, 0, 1]:
        problems.append(f"affine's last row must be 0, 0, 0, 1, got {affine[3].tolist()}")
    if not np.allclose(np.linalg.norm(affine[:3, :3], axis=0), config.spacing_mm, atol=1e-4):
        problems.append(f"affine's voxel size must be spacing_mm {config.spacing_mm}")
    return problems


def _range_problems(config: "ModelConfig") -> list[str]:
    low, high = config.baseline_age_range
    problems = []
    if low >= high:
        problems.append(f"baseline_age_range must be two ages, the lower first, got {low}, {high}")
    problems += [
        f"training_ranges.{name} must be the lowest and the highest, got {low}, {high}"
        for name, (low, high) in config.training_ranges.items()
        if low > high
    ]
    steps, most = config.num_inference_steps, config.schedule.num_train_timesteps
    if steps > most:
        problems.append(
            f"num_inference_steps must be at most schedule.num_train_timesteps, {most}, got {steps}"
        )
    return problems


def _scale_problems(config: "ModelConfig") -> list[str]:
    # beyond these, what is multiplied or divided by them overflows or is nothing
    names = ("latent_scale", "residual_scale", "voxel_scale")
    scales = {name: getattr(config, name) for name in names}
    if config.shown_error > 0:
        scales["shown_error"] = config.shown_error
    if config.refiner is not None:
        scales["refiner.change_scale"] = config.refiner.change_scale
    limits = {name: (scale, *_SCALES) for name, scale in scales.items()}
    limits |= {
        f"{where}volume_gain.{region}": (gain, *_GAINS)
        for where, part in _list_parts(config).items()
        for region, gain in part.volume_gain.items()
    }
    return [
        f"{name} must lie from {low:g} to {high:g}, got {value:g}"
        for name, (value, low, high) in limits.items()
        if not low <= value <= high
    ]


def _file_problems(config: "ModelConfig") -> list[str]:
    problems = []
    for group, name in config.auxiliary.items():
        if group not in AUXILIARY:
            known = ", ".join(AUXILIARY)
            problems.append(f"auxiliary names {group}, it can name {known}")
        path = PurePosixPath(name)
        if not path.name or path.is_absolute() or "\\" in name or ".." in path.parts:
            problems.append(f"auxiliary.{group} must be a file within the folder, got {name!r}")
    return problems


def _channel_problems(config: "ModelConfig") -> list[str]:
    channels, problems = config.channels, []
    for name in dict.fromkeys(channels):
        if name not in CHANNELS:
            problems.append(f"channels names {name}, it can name {', '.join(CHANNELS)}")
        if channels.count(name) > 1:
            problems.append(f"channels names {name} {channels.count(name)} times, once is expected")
    if channels[:1] != ("T1w",):
        problems.append(f"the first of channels must be T1w, got {', '.join(channels) or 'none'}")
    n, told = len(channels), f"one for each of channels ({', '.join(channels)})"
    for key in ("in_channels", "out_channels"):
        if config.autoencoder.get(key) != n:
            got = config.autoencoder.get(key)
            problems.append(f"autoencoder.{key} must be {n}, {told}, got {got}")
    if config.refiner is not None and config.refiner.args.get("in_channels") != 3 * n:
        got = config.refiner.args.get("in_channels")
        problems.append(f"refiner.args.in_channels must be {3 * n}, three times {told}, got {got}")
    if config.segmenter is not None and config.segmenter.args.get("in_channels", 1) != 1:
        got = config.segmenter.args["in_channels"]
        problems.append(f"segmenter.args.in_channels must be 1, the T1w, got {got}")
    return problems


def _network_problems(config: "ModelConfig") -> list[str]:
    channels, problems = config.latent_channels, []
    for key in ("in_channels", "out_channels"):
        if config.unet.get(key) != channels:
            problems.append(
                f"unet.{key} must be {channels}, as the latent, got {config.unet.get(key)}"
            )
    wanted, got = channels + 1, config.controlnet.get("conditioning_embedding_in_channels")
    if got != wanted:
        problems.append(
            "controlnet.conditioning_embedding_in_channels must be "
            f"{wanted} (latent + age plane), got {got}"
        )
    if (config.decoding == "refined") != (config.refiner is not None):
        problems.append('decoding = "refined" and a refiner must be given together')
    if config.decoding == "latent" and config.shown_error > 0:
        problems.append(
            'shown_error weighs a change that is added to a scan, which decoding = "latent" does '
            "not do; it must be 0"
        )
    factor = compute_downsampling(config.unet)
    if any(size % factor for size in config.padded_latent_shape):
        problems.append(
            f"the padded latent must be divisible by {factor}, got {config.padded_latent_shape}"
        )
    return problems


def _context_problems(config: "ModelConfig") -> list[str]:
    names = [entry.name for entry in config.context]
    problems = ["context names an entry of no name"] if "" in names else []
    if len(set(names)) != len(names):
        problems.append(f"context names must be distinct, got {names}")
    if config.unet.get("cross_attention_dim") != len(names):
        problems.append(
            f"unet.cross_attention_dim must be {len(names)}, one for each context entry, "
            f"got {config.unet.get('cross_attention_dim')}"
        )
    return problems


def _name_problems(config: "ModelConfig") -> list[str]:
    # it stands in every table, file and sentence of the model
    if not config.name.strip() or not config.name.isprintable():
        return [f"name must be one line of visible characters, got {config.name!r}"]
    problems = [f"name is {config.name!r}: {fault}" for fault in [find_fault(config.name)] if fault]
    regions = {
        f"context entry {entry.name!r}": entry.name.partition(":")[2]
        for entry in config.context
        if entry.name.startswith(_OF_REGIONS)
    }
    for where, part in _list_parts(config).items():
        named = (part.volume_gain, part.shown_weight, part.volume_error, part.draw_sd)
        all_regions = dict.fromkeys((*part.regions, *(name for one in named for name in one)))
        regions |= {f"{where}region {name!r}": name for name in all_regions}
    if config.segmenter is not None:
        regions |= {f"segmenter.labels, {name!r}": name for name in config.segmenter.labels}
    return problems + [
        f"{where} names a region that cannot be: {fault}"
        for where, name in regions.items()
        if (fault := find_fault(name))
    ]


def _list_parts(config: "ModelConfig") -> dict[str, "ModelConfig | Calibration"]:
    """Return what holds measures of regions, by what their keys begin with."""
    parts: dict[str, ModelConfig | Calibration] = {"": config}
    return parts | {f"calibrations.{who}.": found for who, found in config.calibrations.items()}


def _region_problems(config: "ModelConfig") -> list[str]:
    named = {"regions": config.regions}
    named |= {f"calibrations.{who}.regions": c.regions for who, c in config.calibrations.items()}
    problems = [
        f"endpoint is {config.endpoint}, which is none of {where}"
        for where, regions in named.items()
        if config.endpoint not in regions
    ]
    problems += [
        f"{where} names {region} {regions.count(region)} times, once is expected"
        for where, regions in named.items()
        for region in dict.fromkeys(regions)
        if regions.count(region) > 1
    ]
    for where, part in _list_parts(config).items():
        measured = part.gain_measurement
        problems += [
            f"{where}gain_measurement.intervals lacks {region}, which {where}volume_gain names"
            for region in part.volume_gain
            if measured is not None and region not in measured.intervals
        ]
        for key in ("volume_gain", "shown_weight", "volume_error", "draw_sd"):
            named[f"{where}{key}"] = tuple(getattr(part, key))
    if config.segmenter is None:
        return problems
    labels = config.segmenter.labels
    return problems + [
        f"{where} names {region}, which segmenter.labels lacks"
        for where, regions in named.items()
        for region in regions
        if region not in labels and not {f"{side}_{region}" for side in SIDES} <= set(labels)
    ]
