"""Mixed precision for inference.

The matrices of convolutions and linear layers are kept in bfloat16, so that autocast does not
convert them again at every step; normalizations stay in full precision.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import nn

Precision = Literal["full", "bf16"]


def choose_precision(wanted: Literal["auto", "full", "bf16"], device: torch.device) -> Precision:
    """Return `bf16` where it is asked for, or for `auto` where the processor multiplies in it."""
    if wanted == "auto":
        return "bf16" if has_bf16(device) else "full"
    return wanted


@contextmanager
def autocast(precision: Precision, device: torch.device) -> Iterator[None]:
    """Evaluate networks in the precision that their weights are kept in."""
    enabled = precision == "bf16"
    # a cache would hold copies of weights that are in bfloat16 already
    with torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=False):
        yield


def halve_matrices(network: nn.Module) -> nn.Module:
    """Convert the network's matrices to bfloat16, in place."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d | nn.Linear):
            module.to(torch.bfloat16)
    for tensor in (*network.parameters(), *network.buffers()):
        if tensor.dtype != torch.bfloat16:
            # a small tensor that still pointed into the file's memory map would keep all of it
            tensor.data = tensor.data.clone()
    return network


def has_bf16(device: torch.device) -> bool:
    """Return whether the processor multiplies in bfloat16 itself."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
