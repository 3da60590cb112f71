"""Small convolutions take the quicker kernel, and give the same numbers."""

import copy
import importlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from brlp_models.model.convolutions import QuickConvolution, quicken_convolutions
from brlp_models.model.model import BrlpModel
from brlp_models.model.precision import autocast
from brlp_models.model.threads import limited_threads
from brlp_models.scans.segmentation import compute_logits

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1, "bias": False},
        {"kernel_size": 3, "padding": "same"},
        {"kernel_size": 3, "padding": 1, "padding_mode": "circular"},
        {"kernel_size": 1},
    ],
)
def test_same_numbers_by_either_kernel(options: dict[str, object]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain = nn.Conv3d(4, 6, **options)  # type: ignore[arg-type]
        x = torch.randn(1, 4, 5, 6, 7)
    quick = quicken_convolutions(copy.deepcopy(plain))
    assert type(quick) is QuickConvolution
    expected = plain.double()(x.double())
    with torch.inference_mode():
        torch.testing.assert_close(quick(x).double(), expected, rtol=0, atol=2e-6)
        with torch.autocast("cpu", torch.bfloat16):
            assert quick(x).dtype == torch.bfloat16


def test_a_loaded_model_denoises_without_the_slow_kernel(tiny_model: BrlpModel) -> None:
    config, unet = tiny_model.config, tiny_model.network("unet")
    x = torch.randn(1, config.latent_channels, *config.padded_latent_shape)
    context = torch.zeros(1, 1, len(config.context))
    with (
        limited_threads(1),
        torch.inference_mode(),
        profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen,
    ):
        unet(x=x, timesteps=torch.zeros(1), context=context)
    calls = seen.key_averages(group_by_input_shape=True)
    assert any(call.key == "aten::mkldnn_convolution" for call in calls)
    slow = [call for call in calls if call.key == "aten::slow_conv3d_forward"]
    # of one voxel it is the quicker one
    assert all(call.input_shapes[1][2:] == [1, 1, 1] for call in slow)


@pytest.mark.parametrize("groups", [1, 2])
def test_a_benchmark_counts_what_each_kernel_multiplies(
    groups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)  # type: ignore[no-untyped-call]
    count = importlib.import_module("bench_mini").count_operations
    x = torch.rand(1, 4, 9, 8, 7)
    convolution = nn.Conv3d(4, 6, 3, stride=2, padding=1, groups=groups)
    # each of 5 x 4 x 4 voxels of 6 maps is a sum of 27 products for each map that it reads
    expected = 2 * 5 * 4 * 4 * 6 * 27 * 4 // groups
    with torch.inference_mode():
        assert count(lambda: convolution(x)) == expected
        assert count(lambda: quicken_convolutions(convolution)(x)) == expected
        query = torch.rand(1, 2, 5, 16)
        # 5 x 5 weights of 16 products, and as many of the values, for each of 2 heads
        attend = functional.scaled_dot_product_attention
        assert count(lambda: attend(query, query, query)) == 2 * 2 * 2 * 5 * 5 * 16


def test_a_benchmark_counts_the_same_of_a_stage_in_either_precision(
    tiny_model: BrlpModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)  # type: ignore[no-untyped-call]
    count = importlib.import_module("bench_mini").count_operations
    image = torch.rand(1, 1, *tiny_model.config.shape)
    latent = tiny_model.encode(image)
    stages: list[Callable[[], object]] = [
        lambda: tiny_model.encode(image),
        lambda: tiny_model.decode(latent),
        lambda: compute_logits(tiny_model, image),
    ]
    for stage in stages:
        in_full = count(stage)
        with autocast("bf16", tiny_model.device):
            assert count(stage) == in_full > 1e6
