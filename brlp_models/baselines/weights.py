"""Weights of a baseline's network, as a safetensors file."""

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from brlp_models.errors import ModelError


def write_weights(network: nn.Module, path: Path) -> None:
    """Write the weights of a network."""
    save_file({name: own.contiguous().cpu() for name, own in network.state_dict().items()}, path)


def load_weights(network: nn.Module, path: Path) -> None:
    """Give a network the weights of a file.

    Raises
    ------
    ModelError
        Where the file cannot be read, or is of another network.
    """
    try:
        network.load_state_dict(load_file(path))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise ModelError(f"{path} cannot be read as that network's safetensors: {error}") from error
