"""The brain in a whole head, found by a network that is constructed to know it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation
from torch import Tensor, nn

from brlp_models.model.config import ModelConfig
from brlp_models.model.model import BrlpModel
from brlp_models.scans.brain_network import NetworkBrainSegmenter, choose_brain_segmenter
from brlp_models.scans.files import Scan
from brlp_models.scans.grid import Grid, make_grid, resample
from brlp_models.scans.template import load_template

NATIVE_TO_MNI = np.array([[1.1, 0, 0, 4], [0, 1.1, 0, -6], [0, 0, 1.1, 8], [0, 0, 0, 1]])
LEVELS = {
    "background": 0.0,
    "csf": 0.2,
    "lateral_ventricle": 0.35,
    "cerebral_cortex": 0.55,
    "cerebral_white_matter": 0.75,
    "extracerebral": 0.95,
}
"""The brightness that the constructed network takes for each label, white matter as in training."""

VENTRICLE, SCALP = 350, 950
"""In the head's own units, white matter at 750."""


class NearestBrightness(nn.Module):
    """Label each voxel by the level that its brightness is nearest to."""

    def __init__(self, levels: Sequence[float]) -> None:
        super().__init__()
        self.levels = nn.Parameter(torch.tensor(levels))

    def forward(self, images: Tensor) -> Tensor:
        return -((images - self.levels[:, None, None, None]) ** 2)


def make_model(settings: dict[str, object], levels: dict[str, float]) -> BrlpModel:
    """Return a model of a 4 mm grid whose segmenter tells labels by brightness."""
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    affine[:3, 3] = [-90, -126, -76]
    changes = {
        "shape": [48, 56, 48],
        "affine": affine.tolist(),
        "spacing_mm": [4.0, 4.0, 4.0],
        "latent_padding": [[0, 0], [0, 2], [0, 0]],
        "segmenter": {"network": "UNet", "args": {}, "labels": list(levels)},
        "regions": ["cerebral_cortex"],
        "endpoint": "cerebral_cortex",
    }
    config = ModelConfig.model_validate({**settings, **changes})
    networks = {
        "autoencoder": nn.Linear(1, 1),
        "segmenter": NearestBrightness(list(levels.values())),
    }
    return BrlpModel(config, networks)


@pytest.fixture(scope="module")
def head() -> tuple[Scan, np.ndarray]:
    """A brain in fluid, skull and scalp at 2 mm, and where it is; the template's, moved."""
    template = load_template()
    native = Grid(template.grid.shape, np.linalg.inv(NATIVE_TO_MNI) @ template.grid.affine)
    grid = make_grid(native, 2.0, margin_mm=(16, 16, 16))
    bright, inside = (resample(x, native, grid) for x in (template.image, template.mask))
    brain = inside & (bright > 0.45)
    data = np.zeros(grid.shape, np.float32)
    data[binary_dilation(inside, iterations=5)] = SCALP
    data[binary_dilation(inside, iterations=2)] = 0
    data[inside] = 200
    data[brain] = 550
    data[inside & (bright > 0.7)] = 750
    far = np.indices(grid.shape) - np.argwhere(brain).mean(0)[:, None, None, None]
    ventricle = np.linalg.norm(far, axis=0) < 8
    data[ventricle] = VENTRICLE
    return Scan(data, grid, "head"), brain | ventricle


def test_network_finds_the_brain_with_its_ventricles(
    tiny_settings: dict[str, object], head: tuple[Scan, np.ndarray]
) -> None:
    scan, brain = head
    segmenter = choose_brain_segmenter(make_model(tiny_settings, LEVELS))
    assert segmenter is not None
    found = segmenter.find_brain(scan, NATIVE_TO_MNI)
    assert 2 * (found & brain).sum() / (found.sum() + brain.sum()) > 0.95
    assert found[scan.data == VENTRICLE].all()
    assert not found[scan.data == SCALP].any()


def test_scale_of_the_scanner_does_not_matter(
    tiny_settings: dict[str, object], head: tuple[Scan, np.ndarray]
) -> None:
    segmenter = NetworkBrainSegmenter(make_model(tiny_settings, LEVELS))
    first, second = (
        segmenter.find_brain(replace(head[0], data=scale * head[0].data), NATIVE_TO_MNI)
        for scale in (1, 0.004)
    )
    np.testing.assert_array_equal(first, second)


def test_brain_is_found_in_another_contrast_of_the_head(
    tiny_settings: dict[str, object], head: tuple[Scan, np.ndarray]
) -> None:
    segmenter = NetworkBrainSegmenter(make_model(tiny_settings, LEVELS))
    scan, _ = head
    own, darker = (segmenter.find_brain(scan, NATIVE_TO_MNI, power) for power in (1.0, 3.0))
    # gray matter is as dark as fluid then, white matter as bright as before
    white, gray = scan.data == 750, scan.data == 550
    assert darker[white].mean() > 0.9
    assert darker[gray].mean() < own[gray].mean() - 0.15


def test_scan_without_brightness_has_no_brain(
    tiny_settings: dict[str, object], head: tuple[Scan, np.ndarray]
) -> None:
    segmenter = NetworkBrainSegmenter(make_model(tiny_settings, LEVELS))
    dark = replace(head[0], data=0 * head[0].data)
    assert not segmenter.find_brain(dark, NATIVE_TO_MNI).any()


def test_other_weights_have_another_name(tiny_settings: dict[str, object]) -> None:
    first, same, other = (
        NetworkBrainSegmenter(make_model(tiny_settings, {**LEVELS, "csf": level})).name
        for level in (0.2, 0.2, 0.25)
    )
    assert first == same != other
    assert first.startswith("tiny segmenter ")


def test_network_of_stripped_scans_is_not_asked(
    tiny_settings: dict[str, object], tiny_model: BrlpModel
) -> None:
    stripped = {name: level for name, level in LEVELS.items() if name != "extracerebral"}
    assert choose_brain_segmenter(make_model(tiny_settings, stripped)) is None
    assert choose_brain_segmenter(tiny_model) is None
