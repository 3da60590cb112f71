"""MONAI's networks, built from a model's configuration."""

from collections.abc import Mapping
from typing import Any

import torch
from monai.networks.nets.autoencoderkl import AutoencoderKL
from monai.networks.nets.basic_unet import BasicUNet
from monai.networks.nets.controlnet import ControlNet
from monai.networks.nets.diffusion_model_unet import DiffusionModelUNet
from monai.networks.nets.dynunet import DynUNet
from monai.networks.nets.segresnet import SegResNet
from monai.networks.nets.unet import UNet
from torch import nn

from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig, NetworkName, RefinerConfig, SegmenterConfig

SPATIAL_DIMS = 3

IMAGE_NETWORKS: Mapping[NetworkName, type[nn.Module]] = {
    "UNet": UNet,
    "BasicUNet": BasicUNet,
    "DynUNet": DynUNet,
    "SegResNet": SegResNet,
}


def build_autoencoder(config: ModelConfig) -> nn.Module:
    """Return the KL autoencoder, scans (B, channels, *shape) to latents and back."""
    return _build("autoencoder", AutoencoderKL, config.autoencoder)


def build_unet(config: ModelConfig) -> nn.Module:
    """Return the latent diffusion UNet.

    Attention runs through PyTorch's fused kernel: the same numbers with less memory.
    """
    return build_denoiser(config.unet)


def build_denoiser(args: Mapping[str, Any]) -> nn.Module:
    """Return a diffusion UNet of any arguments of MONAI's."""
    return _build("unet", DiffusionModelUNet, {"use_flash_attention": True, **args})


def build_controlnet(config: ModelConfig) -> nn.Module:
    """Return the ControlNet, which sees the baseline latent and the baseline age."""
    args = {"use_flash_attention": True, **config.controlnet_args()}
    return _build("controlnet", ControlNet, args)


def build_segmenter(config: SegmenterConfig) -> nn.Module:
    """Return the segmentation network, T1w (B, 1, *shape) to logits (B, labels, *shape)."""
    return _build("segmenter", IMAGE_NETWORKS[config.network], config.args)


def build_refiner(config: RefinerConfig) -> nn.Module:
    """Return the refining network, three scans (B, 3 channels, *shape) to a correction of one.

    Its head starts at zero, as ControlNet's do (Zhang et al. 2023), so that learning starts from
    no correction.
    """
    body = _build("refiner", IMAGE_NETWORKS[config.network], config.args)
    head = nn.Conv3d(config.args["out_channels"], config.args["in_channels"] // 3, 1)
    for parameter in head.parameters():
        nn.init.zeros_(parameter)
    return nn.Sequential(body, head)


def build_networks(config: ModelConfig) -> dict[str, nn.Module]:
    """Return every network of the model by the name of its weight file."""
    networks = {
        "autoencoder": build_autoencoder(config),
        "unet": build_unet(config),
        "controlnet": build_controlnet(config),
    }
    if config.segmenter is not None:
        networks["segmenter"] = build_segmenter(config.segmenter)
    if config.refiner is not None:
        networks["refiner"] = build_refiner(config.refiner)
    return networks


def build_empty_networks(config: ModelConfig) -> dict[str, nn.Module]:
    """Return the networks without memory for their weights, ready to have files assigned."""
    with torch.device("meta"):
        return build_networks(config)


def _build(part: str, network: type[nn.Module], args: Mapping[str, Any]) -> nn.Module:
    values = {key: tuple(v) if isinstance(v, list) else v for key, v in args.items()}
    try:
        return network(spatial_dims=SPATIAL_DIMS, **values)
    except (TypeError, ValueError) as error:
        raise ModelError(f"The {part} cannot be built from config.json: {error}") from error
