"""The autoencoder with less work and memory gives the same numbers."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from brlp_models.model import lean_autoencoder
from brlp_models.model.config import ModelConfig
from brlp_models.model.folder import load_model
from brlp_models.model.lean_autoencoder import save_work
from brlp_models.model.networks import build_autoencoder


@pytest.mark.parametrize("large", [lean_autoencoder.LARGE, 0], ids=["whole", "slabs"])
def test_same_numbers_with_less_work(
    tiny_config: ModelConfig, large: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean_autoencoder, "LARGE", large)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain = build_autoencoder(tiny_config).eval()
    lean = save_work(copy.deepcopy(plain))
    images = torch.rand(2, 1, *tiny_config.shape, generator=torch.Generator().manual_seed(1))
    exact = plain.double()
    with torch.inference_mode():
        latents, scans = exact.encode(images.double())[0], exact.reconstruct(images.double())
        found = lean.encode(images)[0], lean.reconstruct(images)
    # scans go up to 4; MONAI's own network is off by 1e-5 in single precision
    for expected, single in zip((latents, scans), found, strict=True):
        torch.testing.assert_close(single.double(), expected, rtol=0, atol=2e-5)


def test_maps_with_channels_last_are_normalized_to_rounding() -> None:
    rng = torch.Generator().manual_seed(0)
    # far from 0, where sums of squares lose digits
    x = 50 + torch.randn(2, 6, 30, 32, 30, generator=rng)
    norm = nn.Sequential(nn.GroupNorm(3, 6, eps=1e-6))
    weight, bias = (torch.rand(6, generator=rng) for _ in range(2))
    norm.load_state_dict({"0.weight": weight, "0.bias": bias})
    groups = x.double().view(2, 3, -1)
    centered = (groups - groups.mean(-1, keepdim=True)) / groups.std(-1, unbiased=False)[..., None]
    channels = (slice(None), None, None, None)
    expected = centered.view_as(x) * weight[channels] + bias[channels]
    with torch.inference_mode():
        found = save_work(norm)(x.contiguous(memory_format=torch.channels_last_3d))
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-5)


def test_loaded_weights_are_the_files(tiny_folder: Callable[..., Path]) -> None:
    folder = tiny_folder()
    stored = load_file(folder / "autoencoder.safetensors")
    loaded = load_model(folder).network("autoencoder").state_dict()
    assert loaded.keys() == stored.keys()
    assert all(torch.equal(loaded[key], stored[key]) for key in stored)
