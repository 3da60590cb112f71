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
    # (channels, voxels), so far apart that none is near another
    change = torch.zeros(1, 40)
    change[0, [10, 20, 30]] = torch.tensor([-0.001, 0.2, -40.0])
    summary.scans = RunningMoments()
    summary.scans.add(torch.tensor([0.2, 0.4])[:, None, None].expand(2, 1, 40))
    sd = summary.compute_voxel_sd(change, 100.0)
    # a Gaussian of one voxel leaves 0.399 of a voxel in its place
    near = 0.39894
    assert torch.allclose(sd[0, 10], torch.tensor(0.1 * (2 + near**2) ** 0.5), rtol=1e-3)
    assert torch.allclose(sd[0, [0, 20, 30]], torch.tensor([0.1, 0.5, 0.5]))


def test_a_change_is_uncertain_in_amount_and_in_place() -> None:
    summary = DrawSummary()
    summary.scans.add(torch.full((1, 2, 21, 21, 21), 0.5))
    # one voxel of the first channel changes
    change = torch.zeros(2, 21, 21, 21)
    change[0, 10, 10, 10] = -0.1
    sd = summary.compute_voxel_sd(change, 0.5)
    # the Gaussian of one voxel at its center and one voxel off, in three directions
    center, off = 0.39894, 0.24197
    assert sd[0, 10, 10, 10] == pytest.approx(0.05 * math.hypot(1, center**3), rel=1e-3)
    assert sd[0, 10, 11, 10] == pytest.approx(0.05 * center**2 * off, rel=1e-3)
    assert sd[0, 11, 11, 11] == pytest.approx(0.05 * off**3, rel=1e-3)
    # far away, and in the other channel, nothing does
    assert not sd[0, 10, 10, 16:].any()
    assert not sd[1].any()
    # whichever way it changes
    assert torch.equal(summary.compute_voxel_sd(-change, 0.5), sd)
    # all of it is as many times as large as it is told to be, up to the most there can be
    assert torch.allclose(summary.compute_voxel_sd(change, 0.5, scale=3), 3 * sd)
    assert summary.compute_voxel_sd(change, 0.5, scale=100).max() == 0.5
