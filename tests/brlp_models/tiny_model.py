"""The settings and weights of a tiny model, structured as the official one."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from brlp_models.model.config import ModelConfig
from brlp_models.model.folder import write_model_folder
from brlp_models.model.networks import build_networks
from tests.brlp_models.brain_drawing import READABLE_AFFINE

CONTEXT = [
    {"name": "age", "range": [0, 100]},
    {"name": "sex", "coding": "categories", "categories": {"M": 0, "F": 1}},
    {
        "name": "diagnosis",
        "coding": "categories",
        "categories": {"CN": 0, "MCI": 0.5, "AD": 1},
    },
    {"name": "volume:hippocampus", "range": [5006, 13955]},
    {"name": "volume:lateral_ventricle", "range": [10404, 191374]},
]
REGIONS = ["left_hippocampus", "right_hippocampus", "lateral_ventricle"]
TINY = {
    "name": "tiny",
    "spacing_mm": [9.0, 9.0, 9.0],
    "shape": [20, 24, 20],
    "affine": [[-9, 0, 0, 88.5], [0, 9, 0, -124.5], [0, 0, 9, -70.5], [0, 0, 0, 1]],
    "autoencoder": {
        "in_channels": 1,
        "out_channels": 1,
        "latent_channels": 3,
        "channels": [4, 8, 8],
        "num_res_blocks": 1,
        "norm_num_groups": 4,
        "attention_levels": [False, False, False],
        "with_encoder_nonlocal_attn": False,
        "with_decoder_nonlocal_attn": False,
    },
    "unet": {
        "in_channels": 3,
        "out_channels": 3,
        "channels": [8, 8, 16],
        "num_res_blocks": 1,
        "attention_levels": [False, True, True],
        "norm_num_groups": 4,
        "norm_eps": 1e-6,
        "resblock_updown": True,
        "num_head_channels": [0, 8, 16],
        "transformer_num_layers": 1,
        "with_conditioning": True,
        "cross_attention_dim": 5,
        "upcast_attention": True,
    },
    "controlnet": {
        "conditioning_embedding_in_channels": 4,
        "conditioning_embedding_num_channels": [8],
    },
    "latent_padding": [[0, 3], [1, 1], [0, 3]],
    "context": CONTEXT,
    "regions": ["hippocampus", "lateral_ventricle"],
    "segmenter": {
        "network": "UNet",
        "args": {"in_channels": 1, "out_channels": 4, "channels": [4, 8], "strides": [2]},
        "labels": ["background", *REGIONS],
    },
    "num_inference_steps": 2,
    "context_dropout": 0.1,
    "training_ranges": {"age_years": [40, 95], "interval_years": [0, 10]},
    "license": "Apache-2.0",
    "provenance": "random weights for tests",
    "is_synthetic": True,
}


def fill_zero_convolutions(network: nn.Module, generator: torch.Generator) -> nn.Module:
    """Give zero-initialized weights values, since networks that output 0 hide every mistake."""
    for parameter in network.parameters():
        if parameter.dim() > 1 and not parameter.any():
            nn.init.kaiming_normal_(parameter.data, generator=generator)
    return network


READABLE = {"spacing_mm": [4, 4, 4], "affine": READABLE_AFFINE.tolist()}
"""A grid that is fine enough to be read."""

LONE = {
    **READABLE,
    "context": CONTEXT[:2],
    "unet": {**TINY["unet"], "cross_attention_dim": 2},  # type: ignore[dict-item]
}
"""A readable model that needs no auxiliary one."""


def write_tiny_model(
    folder: Path, *, texts: Mapping[str, str] | None = None, **changes: object
) -> Path:
    """Write a tiny model with random weights, with chosen settings and texts of further files."""
    config = ModelConfig.model_validate({**TINY, **changes})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = build_networks(config)
    generator = torch.Generator().manual_seed(0)
    filled = {name: fill_zero_convolutions(net, generator) for name, net in networks.items()}
    return write_model_folder(folder, config, filled, card="# Tiny\n", auxiliary=texts)
