"""The autoencoder with less memory, for inference."""

import math
from typing import Final

from monai.networks.nets.autoencoderkl import AEKLResBlock
from torch import Tensor, nn
from torch.nn import functional

LARGE: Final = 2**26
"""Numbers in a feature map above which a convolution goes through it slab by slab: a quarter GB."""

N_SLABS: Final = 12


def save_memory(autoencoder: nn.Module) -> nn.Module:
    """Change an autoencoder, in place, so that it gives the same numbers with less memory.

    At the published size one feature map of the decoder has 1.1 GB. Residual blocks overwrite what
    they do not need any more, and convolutions, which reorder their input and output, do so with a
    slab at a time; gradients cannot be computed afterwards. Channels stay first: with channels
    last, PyTorch's group normalization is off by 1e-4 on the CPU.
    """
    for module in autoencoder.modules():
        if type(module) is AEKLResBlock:
            module.__class__ = _LeanResBlock
        elif type(module) is nn.Conv3d and module.stride == (1, 1, 1):
            module.__class__ = _SlabConvolution
    return autoencoder


class _LeanResBlock(AEKLResBlock):
    """MONAI's residual block, overwriting its own feature maps."""

    def forward(self, x: Tensor) -> Tensor:
        shortcut: Tensor = self.nin_shortcut(x)
        h: Tensor = self.norm1(x) if shortcut is x else _normalize_in_place(self.norm1, x)
        h = self.conv1(functional.silu(h, inplace=True))
        if shortcut is not x:
            # nobody reads x again, but the caller holds it until this block is done
            x.untyped_storage().resize_(0)
        h = self.conv2(functional.silu(_normalize_in_place(self.norm2, h), inplace=True))
        h += shortcut
        return h


def _normalize_in_place(norm: nn.GroupNorm, x: Tensor) -> Tensor:
    size = norm.num_channels // norm.num_groups
    for start in range(0, norm.num_channels, size):
        group = slice(start, start + size)
        x[:, group] = functional.group_norm(
            x[:, group], 1, norm.weight[group], norm.bias[group], norm.eps
        )
    return x


class _SlabConvolution(nn.Conv3d):
    """A convolution that keeps the shape, by slabs along the first axis where the map is large."""

    def forward(self, x: Tensor) -> Tensor:
        if x.numel() <= LARGE:
            return super().forward(x)
        size, halo = x.shape[2], self.kernel_size[0] // 2
        step = math.ceil(size / N_SLABS)
        result = x.new_empty(x.shape[0], self.out_channels, *x.shape[2:])
        for start in range(0, size, step):
            stop, low = min(start + step, size), max(start - halo, 0)
            # what the padding of an inner end spoils lies in the halo, which is not kept
            slab = super().forward(x[:, :, low : stop + halo])
            result[:, :, start:stop] = slab[:, :, start - low : stop - low]
        return result
