"""Small convolutions take the quicker kernel, and give the same numbers."""

import copy

import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from brlp_models.model.convolutions import QuickConvolution, quicken_convolutions
from brlp_models.model.model import BrlpModel
from brlp_models.model.threads import limited_threads


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
