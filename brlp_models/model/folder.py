"""Model folders: one directory holds a whole model; see `brlp_models.model.files`."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from monai.networks.nets.autoencoderkl import AutoencoderKL
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from brlp_models.errors import ModelError
from brlp_models.model.calibrated_context import apply_calibration
from brlp_models.model.config import ModelConfig
from brlp_models.model.convolutions import quicken_convolutions
from brlp_models.model.devices import find_device
from brlp_models.model.files import (
    CARD,
    CONFIG,
    find_model_folder,
    read_config,
    verify_model_folder,
    write_checksums,
)
from brlp_models.model.lean_autoencoder import save_work
from brlp_models.model.model import BrlpModel
from brlp_models.model.networks import build_empty_networks
from brlp_models.model.precision import Precision, choose_precision, halve_matrices
from brlp_models.model.sampling import check_guidance
from cohorts.counting import tally
from cohorts.files.atomic import write_folder

DENOISING = ("unet", "controlnet")
"""The networks that may be kept in half precision."""


def load_model(
    source: str | Path,
    *,
    device: str | torch.device = "cpu",
    precision: Literal["auto", "full", "bf16"] = "full",
) -> BrlpModel:
    """Read and verify a model folder.

    Parameters
    ----------
    source
        `mini`, the bundled model, or the path of a model folder.
    device
        Where the networks are put.
    precision
        `bf16` keeps the matrices in bfloat16: half the memory, and faster where the processor
        multiplies in it; `auto` does so there.

    Raises
    ------
    ModelError
        Where the device is none, a file is missing, altered, truncated, or of another
        architecture, or the context is weighed against what the networks never learned.
    """
    place = find_device(device)
    folder = find_model_folder(source)
    checksums = verify_model_folder(folder)
    config = read_config(folder)
    calibrated = [found.guidance for found in config.calibrations.values()]
    check_guidance(config, [config.guidance, *calibrated])
    chosen = choose_precision(precision, place)
    networks = {
        name: quicken_convolutions(
            _load_network(
                network, folder / f"{name}.safetensors", chosen if name in DENOISING else "full"
            ).to(place)
        )
        for name, network in build_empty_networks(config).items()
    }
    return BrlpModel(config, networks, checksums, folder, chosen)


def write_model_folder(
    folder: Path,
    config: ModelConfig,
    networks: Mapping[str, nn.Module | Mapping[str, Tensor]],
    *,
    card: str,
    auxiliary: Mapping[str, str] | None = None,
    dtype: torch.dtype | None = None,
) -> Path:
    """Write a model folder, whole or not at all.

    Parameters
    ----------
    folder
        Made when absent; another model in it is replaced.
    config
        Written as `config.json`.
    networks
        `autoencoder`, `unet`, `controlnet`, `segmenter`: a network or its state dict.
    card
        The text of `MODEL_CARD.md`.
    auxiliary
        The text of each file that `config.auxiliary` names, and of any other by its name.
    dtype
        Floating-point weights are stored in it, as they are by default.

    Raises
    ------
    ModelError
        Where the folder holds something else than a model.
    StorageError
        Where the folder cannot be written.
    """
    _refuse_others(folder)
    with write_folder(folder, keeps_others=False) as partial:
        _write_config(partial, config)
        (partial / CARD).write_text(card, encoding="utf-8")
        for name, network in networks.items():
            state = network.state_dict() if isinstance(network, nn.Module) else network
            _save_network(_storable(state, dtype), partial / f"{name}.safetensors")
        for name, content in (auxiliary or {}).items():
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        write_checksums(partial)
    return folder


def copy_model_folder(
    source: str | Path, folder: Path, config: ModelConfig, texts: Mapping[str, str] | None = None
) -> Path:
    """Write a model folder with the files of another and a configuration of its own.

    Parameters
    ----------
    source
        `mini`, or a model folder.
    folder
        The copy's.
    config
        The copy's.
    texts
        The text of each file that the copy has in place of the other's, or beside them.

    Raises
    ------
    ModelError
        Where the folder exists.
    """
    refuse_existing(folder)
    with write_folder(folder) as partial:
        shutil.copytree(find_model_folder(source), partial, dirs_exist_ok=True)
        _write_config(partial, config)
        for name, text in (texts or {}).items():
            (partial / name).write_text(text, encoding="utf-8")
        write_checksums(partial)
    return folder


def refuse_existing(folder: Path) -> None:
    """Raise `ModelError` where a folder for a new model exists."""
    if folder.exists():
        raise ModelError(f"{folder} exists already; choose another folder for the model.")


def _refuse_others(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / CONFIG).is_file():
        raise ModelError(f"{folder} holds other files; choose another folder for the model.")


def _save_network(state: dict[str, Tensor], path: Path) -> None:
    try:
        save_file(state, path)
    except SafetensorError as error:
        raise OSError(f"{path.name}: {error}") from error


def _write_config(folder: Path, config: ModelConfig) -> None:
    text = json.dumps(config.model_dump(mode="json"), indent=2) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")


def compare_state_dicts(
    expected: Mapping[str, Tensor], found: Mapping[str, Tensor], *, source: str
) -> list[str]:
    """Return one sentence for each tensor that is missing, unused, misshapen or of no numbers.

    One alone where no name fits: the file is another network's.
    """
    if expected and found and not expected.keys() & found.keys():
        mine, theirs = next(iter(expected)), next(iter(found))
        return [
            f"{source} is of another network: none of its {len(found)} tensors (first: {theirs}) "
            f"is one that the architecture uses (first: {mine})."
        ]
    problems = [f"{source} lacks the tensor {key}." for key in expected if key not in found]
    problems += [
        f"{source} holds the tensor {key}, which the architecture does not use."
        for key in found
        if key not in expected
    ]
    problems += [
        f"{source}: tensor {key} must have shape {tuple(expected[key].shape)}, "
        f"got {tuple(found[key].shape)}."
        for key in expected
        if key in found and expected[key].shape != found[key].shape
    ]
    for key, tensor in found.items():
        if key in expected and expected[key].is_floating_point():
            if not tensor.is_floating_point():
                kind = str(tensor.dtype).removeprefix("torch.")
                problems.append(
                    f"{source}: tensor {key} must hold floating-point numbers, got {kind}."
                )
            elif not bool(torch.isfinite(tensor).all()):
                problems.append(f"{source}: tensor {key} holds values that are no number.")
    return problems


def _load_network(network: nn.Module, path: Path, precision: Precision) -> nn.Module:
    try:
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} cannot be read as safetensors: {error}") from error
    problems = compare_state_dicts(network.state_dict(), state, source=str(path))
    if problems:
        raise ModelError(*problems)
    # assigning keeps the file's memory map: no second copy of the weights
    network.load_state_dict(
        {key: _full_precision(value) for key, value in state.items()}, assign=True
    )
    if precision == "bf16":
        halve_matrices(network)
    if isinstance(network, AutoencoderKL):
        save_work(network)
    return network.eval().requires_grad_(False)


def _full_precision(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _storable(state: Mapping[str, Tensor], dtype: torch.dtype | None) -> dict[str, Tensor]:
    return {
        key: value.detach()
        .cpu()
        .to(dtype if dtype is not None and value.is_floating_point() else value.dtype)
        .contiguous()
        for key, value in state.items()
    }


def describe_model(source: str | Path) -> dict[str, Any]:
    """Return the facts of a model, from its verified folder, without loading weights.

    Raises
    ------
    ModelError
        Where the folder is not as it was written.
    """
    folder = find_model_folder(source)
    verify_model_folder(folder)
    config = read_config(folder)
    sizes = {
        name: sum(parameter.numel() for parameter in network.parameters())
        for name, network in build_empty_networks(config).items()
    }
    return {
        "name": config.name,
        "folder": str(folder),
        "trained_on": "synthetic scans" if config.is_synthetic else "real scans",
        "provenance": config.provenance,
        "license": config.license,
        "grid": f"{' x '.join(map(str, config.shape))} voxels of "
        f"{' x '.join(f'{mm:g}' for mm in config.spacing_mm)} mm, MNI152",
        "channels": list(config.channels),
        "latent": f"{config.latent_channels} x {' x '.join(map(str, config.latent_shape))}, "
        f"scale {config.latent_scale:g}",
        "target": config.diffusion_target,
        "sampler": f"{config.sampler}, {config.num_inference_steps} steps",
        "parameters": sizes,
        "context": [entry.name for entry in config.context],
        "regions": list(config.regions),
        "endpoint": config.endpoint,
        "segmentation": config.segmenter.network if config.segmenter else "none of its own",
        "auxiliary": dict(config.auxiliary),
        "volume_gain": _describe_gain(config),
        "shown_weight": _describe_weight(config),
        "calibrated also for": {
            who: {
                "regions": list(found.regions),
                "volume_gain": _describe_gain(apply_calibration(config, who)),
                "shown_weight": _describe_weight(apply_calibration(config, who)),
            }
            for who, found in config.calibrations.items()
        },
        "learned from": config.learned_from,
        "training_ranges": {k: list(v) for k, v in config.training_ranges.items()},
    }


def _describe_weight(config: ModelConfig) -> str:
    """Return how much of each region's predicted change is the predicted scan's."""
    return ", ".join(f"{k} {v:.2f}" for k, v in config.shown_weight.items()) or "none"


def _describe_gain(config: ModelConfig) -> str:
    """Return by how much each region's predicted change is divided, and on whom that stands."""
    if not config.volume_gain:
        return "none"
    measured = config.gain_measurement
    if measured is None:
        gains = [f"{region} {gain:.2f}" for region, gain in config.volume_gain.items()]
        return f"{', '.join(gains)}; measured on training people"
    gains = [
        f"{region} {gain:.2f} ({measured.intervals[region][0]:.2f} to "
        f"{measured.intervals[region][1]:.2f})"
        for region, gain in config.volume_gain.items()
    ]
    left_out = [region for region in measured.intervals if region not in config.volume_gain]
    return (
        f"{', '.join(gains)}; measured on {measured.n_people} other people of "
        f"{tally(measured.n_anatomies, 'anatomies')}; left out: {', '.join(left_out) or 'none'}"
    )


def render_description(description: Mapping[str, Any]) -> str:
    """Return the facts as lines for a terminal."""
    width = max(len(key) for key in description)
    return "\n".join(f"{key:<{width}}  {_render(value)}" for key, value in description.items())


def _render(value: Any) -> str:
    if isinstance(value, Mapping):
        parts = (f"{key} {_render(item)}" for key, item in value.items())
        return "; ".join(parts) or "none"
    if isinstance(value, list):
        return (" to " if all(isinstance(v, float) for v in value) else ", ").join(
            map(_render, value)
        )
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
