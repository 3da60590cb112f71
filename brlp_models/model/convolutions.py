"""Convolutions in less time on the processor, for inference."""

import torch
from torch import Tensor, nn


class QuickConvolution(nn.Conv3d):
    """A convolution that oneDNN does for single small maps too, as it does for all others.

    With one thread PyTorch leaves those to a kernel of its own, which takes three to four times as
    long: in the denoising networks that is nearly every convolution. Both round in single
    precision.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved map."""
        padding = self.padding
        if isinstance(padding, str) or not self._suits_onednn(x):
            return super().forward(x)
        return torch.mkldnn_convolution(
            x, self.weight, self.bias, padding, self.stride, self.dilation, self.groups
        )

    def _suits_onednn(self, x: Tensor) -> bool:
        return bool(
            x.device.type == "cpu"
            and x.dtype == self.weight.dtype == torch.float32
            # of one voxel it is a matrix product, for which PyTorch's own kernel is the quicker one
            and self.kernel_size != (1, 1, 1)
            and self.padding_mode == "zeros"
            and not torch.is_autocast_enabled("cpu")
            and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
            and torch.backends.mkldnn.enabled
        )


def quicken_convolutions(network: nn.Module) -> nn.Module:
    """Change a network's convolutions, in place, so that they take the processor less time.

    Single small maps go through `QuickConvolution`, and maps have their channels last where no
    group normalization reads them: PyTorch's is then off by up to 1e-4.
    """
    modules = list(network.modules())
    for module in modules:
        if type(module) is nn.Conv3d:
            module.__class__ = QuickConvolution
    if not any(isinstance(module, nn.GroupNorm) for module in modules):
        for parameter in network.parameters():
            if parameter.device.type == "cpu" and parameter.dim() == 5:
                parameter.data = parameter.contiguous(memory_format=torch.channels_last_3d)
    return network
