"""Region volumes of scans on a model's grid."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import Any, Protocol

import nibabel as nib
import numpy as np
import torch
from torch import Tensor

from brlp_models.errors import ModelError
from brlp_models.model.config import ModelConfig, SegmenterConfig
from brlp_models.model.model import BrlpModel
from cohorts.errors import CohortError
from cohorts.schema import SIDES
from cohorts.volumes.volumetry import compute_volumes

SYNTHSEG = "mri_synthseg"
Volumes = Mapping[str, float]


class Segmenter(Protocol):
    """Anything that measures the regions of scans.

    `name` is the `source` under which its volumes are kept; `measures_draws` is False where only
    the mean and the reconstructed scan can be measured.
    """

    @property
    def name(self) -> str:
        """What made the volumes."""
        ...

    @property
    def measures_draws(self) -> bool:
        """Whether single draws can be measured."""
        ...

    def measure(self, images: Tensor, names: Sequence[str]) -> list[Volumes]:
        """Return the volumes (mm3, in the model's space) of scans (B, channels, *shape), by region.

        Parameters
        ----------
        images
            Scans on the model's grid, intensities 0 to 1; the first channel is measured.
        names
            What each scan is called, without the ending of its file.
        """
        ...

    def measure_and_locate(
        self, images: Tensor, names: Sequence[str], region: str
    ) -> tuple[list[Volumes], Tensor | None]:
        """Return `measure`, and the share (B, *shape) of each voxel that a region fills.

        The share is None where it is not known.
        """
        ...


class NetworkSegmenter:
    """The model folder's own segmentation network."""

    measures_draws = True

    def __init__(self, model: BrlpModel) -> None:
        if model.config.segmenter is None:
            raise ModelError(f"Model {model.config.name} has no segmentation network.")
        self.model, self.config = model, model.config.segmenter

    @property
    def name(self) -> str:
        """The model's name."""
        return f"{self.model.config.name} segmenter"

    def measure(self, images: Tensor, names: Sequence[str]) -> list[Volumes]:  # noqa: ARG002
        """Return the volumes of every region and of both sides together."""
        return self._measure(compute_logits(self.model, images))

    def measure_and_locate(
        self,
        images: Tensor,
        names: Sequence[str],  # noqa: ARG002
        region: str,
    ) -> tuple[list[Volumes], Tensor | None]:
        """Return `measure`, and the probability of the region, of both its sides together."""
        logits = compute_logits(self.model, images)
        sides = {region, *(f"{side}_{region}" for side in SIDES)}
        own = [place for place, label in enumerate(self.config.labels) if label in sides]
        share = logits.softmax(dim=1)[:, own].sum(dim=1).cpu() if own else None
        return self._measure(logits), share

    def _measure(self, logits: Tensor) -> list[Volumes]:
        spatial = tuple(range(2, logits.dim()))
        if self.config.soft_volumes:
            counts = logits.softmax(dim=1).sum(dim=spatial, dtype=torch.float64)
        else:
            chosen = logits.argmax(dim=1, keepdim=True)
            channels = torch.arange(logits.shape[1], device=logits.device)
            counts = torch.stack([(chosen == k).sum(dim=spatial)[:, 0] for k in channels], dim=1)
        volumes = counts.cpu().numpy() * np.prod(self.model.config.spacing_mm)
        return [_add_both_sides(dict(zip(self.config.labels, row, strict=True))) for row in volumes]


class SynthSegCommand:
    """FreeSurfer's `mri_synthseg`, run on files."""

    name = SYNTHSEG
    measures_draws = True

    def __init__(self, config: ModelConfig) -> None:
        self.config = config

    def measure(self, images: Tensor, names: Sequence[str]) -> list[Volumes]:
        """Return the volumes of the label maps that the command writes."""
        with tempfile.TemporaryDirectory() as folder:
            scans, maps = Path(folder) / "scans", Path(folder) / "maps"
            scans.mkdir()
            for index, image in enumerate(images):
                path = scans / f"{index}.nii.gz"
                nib.save(make_grid_image(image[0].cpu().numpy(), self.config), path)
            self._run(scans, maps)
            paths = [_find_map(maps, f"{index}*") for index in range(len(images))]
            return [_measure_map(path, name) for path, name in zip(paths, names, strict=True)]

    def measure_and_locate(
        self,
        images: Tensor,
        names: Sequence[str],
        region: str,  # noqa: ARG002
    ) -> tuple[list[Volumes], None]:
        """Return `measure` alone: its label maps are gone once they are measured."""
        return self.measure(images, names), None

    def _run(self, scans: Path, maps: Path) -> None:
        command = [SYNTHSEG, "--i", str(scans), "--o", str(maps), "--cpu"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise ModelError(f"{SYNTHSEG} failed with exit code {done.returncode}: {reason}.")


class GivenSegmentations:
    """Label maps that the user made of predicted and reconstructed scans."""

    name = "given segmentations"
    measures_draws = False

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ModelError(f"{folder} must be a folder of label maps.")
        self.folder = folder

    def measure(self, images: Tensor, names: Sequence[str]) -> list[Volumes]:  # noqa: ARG002
        """Return the volumes of the label map `<name>.nii.gz` of each scan."""
        patterns = {name: f"**/{escape(name)}.*" for name in names}
        return [_measure_map(_find_map(self.folder, patterns[name]), name) for name in names]

    def measure_and_locate(
        self,
        images: Tensor,
        names: Sequence[str],
        region: str,  # noqa: ARG002
    ) -> tuple[list[Volumes], None]:
        """Return `measure` alone: the given maps lie in spaces of their own."""
        return self.measure(images, names), None


def choose_segmenter(model: BrlpModel, segmentations: Path | None = None) -> Segmenter:
    """Return the given segmentations, the model's own network, or `mri_synthseg`.

    Raises
    ------
    ModelError
        Where there is none of them.
    """
    if segmentations is not None:
        return GivenSegmentations(segmentations)
    if model.config.segmenter is not None:
        return NetworkSegmenter(model)
    if shutil.which(SYNTHSEG):
        return SynthSegCommand(model.config)
    raise ModelError(
        f"Predicted scans cannot be measured: model {model.config.name} has no segmentation "
        f"network, {SYNTHSEG} is not on the PATH, and no folder of segmentations was given."
    )


@torch.inference_mode()
def compute_logits(model: BrlpModel, images: Tensor) -> Tensor:
    """Return the segmentation network's output (B, labels, *shape) for scans (B, channels, *shape).

    It reads the first channel.
    """
    logits = model.network("segmenter")(images[:, :1].to(model.device))
    # deep supervision stacks outputs of coarser grids behind the full one
    full: Tensor = logits[:, 0] if logits.dim() == images.dim() + 1 else logits
    return full.float()


def compute_label_maps(model: BrlpModel, images: Tensor) -> np.ndarray:
    """Return label maps (B, *shape) of scans (B, channels, *shape), coded as the folder says."""
    config = NetworkSegmenter(model).config
    ids = np.asarray(_label_ids(config), dtype=np.int32)
    channels = compute_logits(model, images).argmax(dim=1).cpu().numpy()
    return np.asarray(ids[channels])


def make_grid_image(array: np.ndarray, config: ModelConfig) -> Any:
    """Return an array on the model's grid as a NIfTI image."""
    image: Any = nib.Nifti1Image(array.astype(np.float32), np.asarray(config.affine))  # type: ignore[no-untyped-call]
    return image


def _label_ids(config: SegmenterConfig) -> tuple[int, ...]:
    return config.label_ids or tuple(range(len(config.labels)))


def _add_both_sides(volumes: dict[str, float]) -> Volumes:
    left, right = (f"{side}_" for side in SIDES)
    pairs = [name.removeprefix(left) for name in volumes if name.startswith(left)]
    both = {
        name: volumes[left + name] + volumes[right + name]
        for name in pairs
        if right + name in volumes
    }
    return {**volumes, **both}


def _find_map(folder: Path, pattern: str) -> Path:
    found = sorted(path for path in folder.glob(pattern) if path.name.endswith(_ENDINGS))
    if not found:
        raise ModelError(f"No segmentation {folder / pattern} (.nii, .nii.gz or .mgz) was found.")
    return found[0]


_ENDINGS = (".nii", ".nii.gz", ".mgz")


def _measure_map(path: Path, name: str) -> Volumes:
    try:
        table = compute_volumes(path)
    except CohortError as error:
        raise ModelError(*(f"Segmentation of {name}: {text}" for text in error.problems)) from error
    return {str(k): float(v) for k, v in zip(table["region"], table["volume_mm3"], strict=True)}
