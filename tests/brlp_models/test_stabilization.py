"""Averages over draws."""

import math

import pytest
import torch

from brlp_models.errors import ModelError
from brlp_models.prediction.stabilization import DrawSummary, RunningMoments

DRAWS = torch.randn(7, 3, 4, 4, 4, generator=torch.Generator().manual_seed(0)) + 5


@pytest.mark.parametrize("sizes", [[7], [1, 6], [2, 2, 3], [1] * 7])
def test_moments_do_not_depend_on_the_batches(sizes: list[int]) -> None:
    moments = RunningMoments()
    for part in DRAWS.split(sizes):
        moments.add(part)
    assert torch.allclose(moments.mean, DRAWS.mean(0), atol=1e-5)
    assert torch.allclose(moments.sd, DRAWS.std(0, correction=0), atol=1e-5)


def test_one_draw_has_no_spread() -> None:
    summary = DrawSummary()
    summary.latents.add(DRAWS[:1])
    summary.volumes.append({"hippocampus": 3000.0})
    assert summary.global_uncertainty == 0
    assert math.isnan(summary.compute_volume_sd()["hippocampus"])
    assert summary.compute_relative_error("hippocampus") == math.inf


def test_region_that_nothing_measures_is_named() -> None:
    summary = DrawSummary(volumes=[{"thalamus": 1.0}])
    with pytest.raises(ModelError, match="volume of the hippocampus"):
        summary.compute_relative_error("hippocampus")


def test_error_of_the_mean_shrinks_with_the_draws() -> None:
    summary = DrawSummary()
    summary.volumes.extend({"hippocampus": x} for x in (2900.0, 3000.0, 3100.0, 3000.0))
    sd = summary.compute_volume_sd()["hippocampus"]
    assert sd == pytest.approx(math.sqrt(20000 / 3))
    assert summary.compute_relative_error("hippocampus") == pytest.approx(sd / 2 / 3000)


def test_no_voxel_varies_more_than_intensities_can() -> None:
    summary = DrawSummary()
    summary.scans.add(torch.tensor([[0.2, 0.4, 0.2, 0.2], [0.4, 0.6, 0.4, 0.4]]))
    # hardly any change of the endpoint is predicted: its error is many times as large
    sd = summary.compute_voxel_sd(torch.tensor([0.0, -0.001, 0.2, -40.0]), 100.0)
    assert torch.allclose(sd, torch.tensor([0.1, 0.02**0.5, 0.5, 0.5]))
