"""The segmentation network on a real scan whose segmentation is known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from brlp_models.model.model import BrlpModel
from brlp_models.scans.files import read_labels
from brlp_models.scans.grid import Affine, Grid, resample_winner
from brlp_models.scans.placing import load_onto_grid
from brlp_models.scans.preprocessing import VisitScan
from brlp_models.scans.segmentation import NetworkSegmenter, compute_logits
from cohorts.labels import get_codes

Labels = npt.NDArray[np.intp]


def score_real_scan(
    model: BrlpModel, scan: Path, segmentation: Path, regions: Sequence[str] = ("hippocampus",)
) -> dict[str, dict[str, float]]:
    """Return how far the network's regions agree with a given segmentation, on its voxels.

    Parameters
    ----------
    model
        Its segmenter.
    scan
        Unprocessed T1w, whole head; the segmentation takes no part in its preprocessing.
    segmentation
        A label map (SynthSeg or FreeSurfer codes) in the scan's world.
    regions
        Which.

    Returns
    -------
    dict
        By region: `volume_mm3` as `predict` measures it in a starting scan, `given_volume_mm3`,
        `volume_ratio` of both, and `dice` of the label maps.
    """
    preprocessed = load_onto_grid(model, [VisitScan(scan)])
    given, given_grid = read_labels(segmentation)
    image = torch.from_numpy(preprocessed.image)[None]
    (measured,) = NetworkSegmenter(model).measure(image, [scan.name])
    back = np.asarray(np.linalg.inv(preprocessed.native_to_mni), dtype=float)
    found = segment_on(model, image, given_grid, mni_to_native=back)
    return {
        region: _compare(
            model, found, given, given_grid, region, measured[region] / preprocessed.determinant
        )
        for region in regions
    }


def segment_on(
    model: BrlpModel, image: torch.Tensor, target: Grid, *, mni_to_native: Affine
) -> Labels:
    """Return the network's channel at each voxel of a finer grid.

    The probabilities are interpolated before the most likely label is chosen, so that boundaries
    lie between the model's voxels.

    Parameters
    ----------
    model
        Its segmenter.
    image
        (1, channels, *shape), on the model's grid.
    target
        In the person's own world.
    mni_to_native
        From the model's world to that.
    """
    probabilities = compute_logits(model, image).softmax(dim=1)[0].cpu().numpy()
    source = Grid.of_config(model.config)
    return resample_winner(probabilities, source, target, source_to_target=mni_to_native)


def _compare(
    model: BrlpModel,
    found: Labels,
    given: npt.NDArray[np.int32],
    grid: Grid,
    region: str,
    volume_mm3: float,
) -> dict[str, float]:
    labels = NetworkSegmenter(model).config.labels
    names = (region, f"left_{region}", f"right_{region}")
    channels = [number for number, label in enumerate(labels) if label in names]
    mine, true = np.isin(found, channels), np.isin(given, list(get_codes(region)))
    n_mine, n_true = int(mine.sum()), int(true.sum())
    given_mm3 = n_true * grid.voxel_volume_mm3
    return {
        "dice": 2 * int((mine & true).sum()) / max(1, n_mine + n_true),
        "volume_ratio": volume_mm3 / given_mm3 if n_true else float("nan"),
        "volume_mm3": volume_mm3,
        "given_volume_mm3": given_mm3,
    }
