"""The autoencoder with less memory gives the same numbers."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from brlp_models.model import lean_autoencoder
from brlp_models.model.config import ModelConfig
from brlp_models.model.folder import load_model
from brlp_models.model.lean_autoencoder import save_memory
from brlp_models.model.networks import build_autoencoder


@pytest.mark.parametrize("large", [lean_autoencoder.LARGE, 0], ids=["whole", "slabs"])
def test_same_numbers_with_less_memory(
    tiny_config: ModelConfig, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean_autoencoder, "LARGE", large)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain = build_autoencoder(tiny_config).eval()
    lean = save_memory(copy.deepcopy(plain))
    images = torch.rand(2, 1, *tiny_config.shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        first, second = ((net.encode(images)[0], net.reconstruct(images)) for net in (plain, lean))
    for expected, found in zip(first, second, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_loaded_weights_are_the_files(tiny_folder: Callable[..., Path]) -> None:
    folder = tiny_folder()
    stored = load_file(folder / "autoencoder.safetensors")
    loaded = load_model(folder).network("autoencoder").state_dict()
    assert loaded.keys() == stored.keys()
    assert all(torch.equal(loaded[key], stored[key]) for key in stored)
