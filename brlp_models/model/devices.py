"""The devices that PyTorch sees on this machine."""

import torch

from brlp_models.errors import ModelError


def describe_device() -> str:
    """Return the name and memory of each GPU, or that predictions run on the processors."""
    if not torch.cuda.is_available():
        return "none: predictions run on the processors"
    found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return ", ".join(f"{gpu.name} ({gpu.total_memory / 2**30:.0f} GiB)" for gpu in found)


def find_device(name: str | torch.device) -> torch.device:
    """Return a device that this machine has.

    Parameters
    ----------
    name
        Such as cpu, cuda or cuda:1.

    Raises
    ------
    ModelError
        Where nothing can be computed there.

    Examples
    --------
    >>> find_device("cpu")
    device(type='cpu')
    """
    try:
        device = torch.device(name)
        # a device without memory of its own (meta) gives nothing back, and one that PyTorch was
        # built without is no runtime error
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            f"Nothing can be computed on the device {str(name)!r}: cpu is expected, or cuda "
            f"(cuda:1 ...) where there is a GPU; GPUs of this machine: {describe_device()}."
        ) from error
    return device
