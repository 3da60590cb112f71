"""A small convolutional network that reads numbers in a scan."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
from monai.networks.nets.regressor import Regressor
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from brlp_models.baselines.regression import Array
from brlp_models.baselines.weights import load_weights, write_weights


class NetworkConfig(BaseModel):
    """The network: strided convolutions, then one linear layer on all that is left of the grid.

    Parameters
    ----------
    shape
        Of the scans.
    n_outputs
        Numbers that are read.
    channels
        Of each convolution, 3 x 3 x 3 with stride 2.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shape: tuple[int, int, int]
    n_outputs: Annotated[int, Field(ge=1)]
    channels: Annotated[tuple[int, ...], Field(min_length=1)] = (16, 32, 64, 64)

    def build(self) -> nn.Module:
        """Return the network with random weights, scans (B, 1, *shape) to (B, outputs)."""
        return Regressor(
            in_shape=(1, *self.shape),
            out_shape=(self.n_outputs,),
            channels=self.channels,
            strides=(2,) * len(self.channels),
            num_res_units=0,
            norm="BATCH",
        )


@dataclass(frozen=True)
class NetworkReader:
    """Numbers that a network reads in a scan.

    Parameters
    ----------
    config
        Of the network.
    network
        Trained.
    """

    config: NetworkConfig
    network: nn.Module

    def read(self, features: npt.NDArray[np.float32]) -> Array:
        """Return the numbers of one scan (1, *shape), (outputs,)."""
        self.network.eval()
        with torch.inference_mode():
            found = self.network(torch.from_numpy(features)[None])[0]
        return np.asarray(found.numpy(), dtype=float)

    def write(self, path: Path) -> None:
        """Write the weights as safetensors."""
        write_weights(self.network, path)

    @classmethod
    def load(cls, path: Path, config: NetworkConfig) -> "NetworkReader":
        """Read the weights.

        Raises
        ------
        ModelError
            Where the file cannot be read, or is of another network.
        """
        network = config.build()
        load_weights(network, path)
        return cls(config, network)
