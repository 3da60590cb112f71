"""The brain in a whole head, found by the segmentation network of a model folder."""

import hashlib
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from brlp_models.model.model import BrlpModel
from brlp_models.scans.brain_mask import keep_largest_part
from brlp_models.scans.contrast import change_contrast
from brlp_models.scans.files import Scan
from brlp_models.scans.grid import Affine, Grid, resample
from brlp_models.scans.segmentation import NetworkSegmenter, Volumes, compute_logits
from brlp_models.scans.template import load_template, load_widened_mask

HEAD: Final = "extracerebral"
"""The label of a network that has learned to tell brain from head."""

_NO_BRAIN: Final = ("background", "csf", HEAD)
_WHITE_LEVEL: Final = 0.75
"""Brightness of white matter in a scan scaled from 0 to 1, as in training."""

_BRIDGE_MM: Final = 2.0
"""Parts that hang on the brain by less than twice this are cut off: eyes, muscles, marrow."""


def choose_brain_segmenter(model: BrlpModel) -> "NetworkBrainSegmenter | None":
    """Return the model's own network, where it has one that knows whole heads."""
    config = model.config.segmenter
    knows_heads = config is not None and HEAD in config.labels
    return NetworkBrainSegmenter(model) if knows_heads else None


class NetworkBrainSegmenter:
    """A model folder's segmentation network as a `BrainSegmenter`."""

    def __init__(self, model: BrlpModel) -> None:
        labels = NetworkSegmenter(model).config.labels
        self.model, self.grid = model, Grid.of_config(model.config)
        self._brain = [k for k, label in enumerate(labels) if label not in _NO_BRAIN]

    @property
    def name(self) -> str:
        """The model's name with a digest of the network's weights."""
        digest = hashlib.sha256()
        for key, tensor in self.model.network("segmenter").state_dict().items():
            digest.update(key.encode() + tensor.cpu().numpy().tobytes())
        return f"{self.model.config.name} segmenter {digest.hexdigest()[:16]}"

    def find_brain(
        self, scan: Scan, native_to_mni: Affine, exponent: float = 1.0
    ) -> NDArray[np.bool_]:
        """Return the brain with its ventricles, without the fluid around it.

        The whole head is resampled onto the model's grid with white matter at the brightness that
        it has in training; the most likely label decides. What lies far from the template's brain,
        is a third brighter than white matter (fat), or hangs on by a thin bridge, is no brain.
        """
        head = resample(scan.data, scan.grid, self.grid, source_to_target=native_to_mni)
        image = change_contrast(_scale_head(head, self.grid), exponent, white=_WHITE_LEVEL)
        logits = compute_logits(self.model, torch.from_numpy(image)[None, None])
        labeled = np.isin(logits.argmax(dim=1)[0].cpu().numpy(), self._brain)
        possible = resample(*load_widened_mask(), self.grid) & (image < 1)
        brain = _cut_bridges(labeled & possible, self.grid)
        back = np.linalg.inv(native_to_mni)
        smooth = resample(brain.astype(np.float32), self.grid, scan.grid, source_to_target=back)
        return np.asarray(smooth >= 0.5)

    def measure(self, brain: NDArray[np.float32]) -> Volumes:
        """Return the volumes in a brain on the model's grid, by region."""
        volumes = NetworkSegmenter(self.model).measure(torch.from_numpy(brain)[None, None], [""])
        return volumes[0]


def _scale_head(head: NDArray[np.float32], grid: Grid) -> NDArray[np.float32]:
    """Return a whole head in MNI152 with the brightness of training scans.

    Nine tenths of the voxels in the template's brain are no brighter than white matter; fat,
    vessels and the scanner's scale do not enter.
    """
    template = load_template()
    inside = head[resample(template.mask, template.grid, grid)]
    white = float(np.percentile(inside, 90)) if inside.size else 0.0
    scale = np.float32(_WHITE_LEVEL / white) if white > 0 else np.float32(0)
    return np.asarray(np.clip(scale * head, 0, 1))


def _cut_bridges(mask: NDArray[np.bool_], grid: Grid) -> NDArray[np.bool_]:
    """Return the largest part that no thin bridge joins to others, its holes filled."""
    from scipy.ndimage import binary_dilation, binary_erosion, binary_fill_holes

    steps = max(1, round(_BRIDGE_MM / float(grid.spacing_mm.mean())))
    core = keep_largest_part(binary_erosion(mask, iterations=steps))
    return np.asarray(binary_fill_holes(binary_dilation(core, iterations=steps, mask=mask)))
