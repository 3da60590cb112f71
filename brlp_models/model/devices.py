"""The devices that PyTorch sees on this machine."""

import torch


def describe_device() -> str:
    """Return the name and memory of each GPU, or that predictions run on the processors."""
    if not torch.cuda.is_available():
        return "none: predictions run on the processors"
    found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return ", ".join(f"{gpu.name} ({gpu.total_memory / 2**30:.0f} GiB)" for gpu in found)
