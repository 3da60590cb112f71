"""Deformed label maps on the model's grid at 1 mm, the raw material of scan synthesis.

Every row is one random anatomy: a base label map, roughly aligned to MNI space by moments, then
moved by a random affine, a smooth random field, and a local growth or shrinkage of one medial
temporal lobe each. Intensities are drawn later, crop by crop (`brlp_models.training.synthesis`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch.nn import functional

from brlp_models.errors import ModelError
from brlp_models.scans.grid import Grid
from brlp_models.training.banks.volumes import make_stack
from brlp_models.training.tissues import EXTRACEREBRAL_CODES, TISSUES
from cohorts.files.atomic import write_folder
from cohorts.images import read_image

TEMPLATE_CENTROID_MM = (0.0, -21.99, 9.55)
TEMPLATE_SD_MM = (33.49, 40.67, 31.51)
"""Centroid and spread of the voxels of nilearn's MNI152 brain mask (RAS, mm)."""

_HIPPOCAMPUS = {-1: 17, 1: 53}


@dataclass(frozen=True)
class Box:
    """A box of voxels in RAS orientation.

    Parameters
    ----------
    shape
        Voxels along x, y, z.
    spacing_mm
        Edge of a voxel.
    origin_mm
        Centre of the first voxel, in MNI space.
    """

    shape: tuple[int, int, int]
    spacing_mm: float
    origin_mm: tuple[float, float, float]

    @classmethod
    def of_grid(cls, grid: Grid) -> "Box":
        """Return a model's grid; its axes must run right, anterior, superior.

        Raises
        ------
        ModelError
            Where they do not.
        """
        spacing = float(grid.affine[0, 0])
        if not np.allclose(grid.affine[:3, :3], spacing * np.eye(3)) or spacing <= 0:
            raise ModelError(
                "Synthesis from label maps needs a model grid with equal spacing and axes that "
                f"run right, anterior, superior; got the affine {grid.affine.tolist()}."
            )
        x, y, z = (float(value) for value in grid.affine[:3, 3])
        return cls(grid.shape, spacing, (x, y, z))

    def refine(self, factor: int) -> "Box":
        """Return the grid with every voxel cut into `factor`^3."""
        spacing = self.spacing_mm / factor
        shift = (self.spacing_mm - spacing) / 2
        x, y, z = self.shape
        return Box(
            (x * factor, y * factor, z * factor),
            spacing,
            (self.origin_mm[0] - shift, self.origin_mm[1] - shift, self.origin_mm[2] - shift),
        )

    def compute_centres(self) -> npt.NDArray[np.float32]:
        """Return the centre of every voxel in mm, shape (*shape, 3)."""
        axes = [
            o + self.spacing_mm * np.arange(n, dtype=np.float32)
            for o, n in zip(self.origin_mm, self.shape, strict=True)
        ]
        return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(np.float32)


@dataclass(frozen=True)
class BaseLabelMap:
    """One label map and where it lies.

    Parameters
    ----------
    name
        Names the anatomy in splits.
    codes
        Tissue index of every voxel (`brlp_models.training.tissues`), shape (x, y, z).
    mni_to_voxel
        Affine (4, 4) from roughly aligned MNI mm to voxels of `codes`.
    hippocampi_mm
        Centres of the left and the right hippocampus, in roughly aligned MNI mm.
    """

    name: str
    codes: npt.NDArray[np.uint8]
    mni_to_voxel: npt.NDArray[np.float64]
    hippocampi_mm: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def load_base_anatomy(path: Path) -> BaseLabelMap:
    """Read a label map and align it to MNI space by the moments of its brain.

    Raises
    ------
    ImageError
        Where the file cannot be read.
    """
    found = read_image(path)
    kind: Any = nib.Nifti1Image
    image: Any = nib.as_closest_canonical(  # type: ignore[no-untyped-call]
        kind(found.voxels, found.affine, dtype=found.voxels.dtype)
    )
    labels = np.asarray(image.dataobj).astype(np.int32)
    brain = (labels > 0) & ~np.isin(labels, [24, *EXTRACEREBRAL_CODES])
    points = _apply(image.affine, np.argwhere(brain))
    # one scale for all axes would keep proportions; three follow what an affine registration does
    scale = points.std(axis=0) / np.asarray(TEMPLATE_SD_MM)
    mni_to_world = np.diag([*scale, 1.0])
    mni_to_world[:3, 3] = points.mean(axis=0) - scale * np.asarray(TEMPLATE_CENTROID_MM)
    world_to_mni = np.linalg.inv(mni_to_world) @ image.affine
    centres = [
        _apply(world_to_mni, np.argwhere(labels == code).mean(axis=0))
        for code in _HIPPOCAMPUS.values()
    ]
    return BaseLabelMap(
        name=path.name.split(".")[0],
        codes=TISSUES.encode(labels),
        mni_to_voxel=np.linalg.inv(image.affine) @ mni_to_world,
        hippocampi_mm=(centres[0], centres[1]),
    )


def _apply(affine: npt.NDArray[np.float64], points: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    moved: npt.NDArray[np.float64] = points @ affine[:3, :3].T + affine[:3, 3]
    return moved


def deform_anatomy(
    anatomy: BaseLabelMap, grid: Box, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Draw one random person of a base anatomy; tissue indices on `grid`."""
    mm = _move(torch.from_numpy(grid.compute_centres()), anatomy, grid, rng)
    matrix = torch.from_numpy(anatomy.mni_to_voxel.astype(np.float32))
    voxels = mm @ matrix[:3, :3].T + matrix[:3, 3]
    size = torch.tensor(anatomy.codes.shape, dtype=torch.float32)
    unit = (2 * voxels + 1) / size - 1
    sampled = functional.grid_sample(
        torch.from_numpy(anatomy.codes)[None, None].float(),
        unit.flip(-1)[None],
        mode="nearest",
        align_corners=False,
    )
    return sampled[0, 0].to(torch.uint8).numpy()


def _move(
    mm: torch.Tensor, anatomy: BaseLabelMap, grid: Box, rng: np.random.Generator
) -> torch.Tensor:
    centre = torch.tensor(TEMPLATE_CENTROID_MM, dtype=torch.float32)
    linear = torch.from_numpy(_draw_linear(rng))
    moved = (mm - centre) @ linear.T + centre
    moved = moved + torch.from_numpy(rng.normal(0, 2.5, 3).astype(np.float32))
    for points, sd_mm in ((6, 4.0), (12, 1.5)):
        moved = moved + _draw_field(grid.shape, points, rng.uniform(0, sd_mm), rng)
    for hippocampus in anatomy.hippocampi_mm:
        towards = moved - torch.from_numpy(hippocampus.astype(np.float32))
        bump = torch.exp(-(towards**2).sum(-1, keepdim=True) / (2 * 16.0**2))
        moved = moved + float(rng.uniform(-0.25, 0.45)) * bump * towards
    return moved


def _draw_linear(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    x, y, z = rng.normal(0, np.deg2rad(4), 3)
    rotation = np.array([[1, -z, y], [z, 1, -x], [-y, x, 1]])
    stretch = np.diag(rng.uniform(0.92, 1.08, 3))
    return (rotation @ stretch).astype(np.float32)


def _draw_field(
    shape: Sequence[int], points: int, sd_mm: float, rng: np.random.Generator
) -> torch.Tensor:
    coarse = torch.from_numpy(rng.normal(0, sd_mm, (1, 3, points, points, points)))
    field = functional.interpolate(
        coarse.float(), size=tuple(shape), mode="trilinear", align_corners=True
    )
    return field[0].permute(1, 2, 3, 0)


def write_label_bank(
    label_maps: Sequence[Path],
    folder: Path,
    *,
    n_anatomies: int,
    grid: Box,
    seed: int,
    report: Callable[[int], None] = lambda _: None,
) -> pd.DataFrame:
    """Write `n_anatomies` random people of the base anatomies, each base equally often.

    Parameters
    ----------
    label_maps
        Files with SynthSeg or FreeSurfer codes.
    folder
        Gets `labels.npy` (n, x, y, z) of tissue indices and `index.csv`.
    n_anatomies
        Rows to write.
    grid
        Where to sample (1 mm for a 2 mm model).
    seed
        Row k depends on (seed, k) only.
    report
        Called with each finished row's number.

    Returns
    -------
    DataFrame
        `row`, `base_anatomy`.
    """
    bases = [load_base_anatomy(path) for path in label_maps]
    index = pd.DataFrame(
        {
            "row": range(n_anatomies),
            "base_anatomy": [bases[row % len(bases)].name for row in range(n_anatomies)],
        }
    )
    with write_folder(folder) as partial:
        labels = make_stack(partial / "labels.npy", (n_anatomies, *grid.shape), np.uint8)
        for row in range(n_anatomies):
            rng = np.random.default_rng([seed, row])
            labels[row] = deform_anatomy(bases[row % len(bases)], grid, rng)
            report(row)
        labels.flush()
        index.to_csv(partial / "index.csv", index=False)
    return index


def list_label_maps(
    folder: Path | None, held_out: tuple[str, ...], *, for_evaluation: bool = False
) -> list[Path]:
    """Return the label maps of a folder that training may read, or those that it may not.

    Parameters
    ----------
    folder
        Of NIfTI or MGH files.
    held_out
        Beginnings of the names that are for evaluation only.
    for_evaluation
        Return these instead.

    Raises
    ------
    ModelError
        Where there is none, or the recipe holds none out.
    """
    if for_evaluation and not held_out:
        raise ModelError(
            "This recipe holds no label maps out (held_out_label_maps) to evaluate on."
        )
    wanted = f"named {', '.join(held_out)}" if for_evaluation else "to learn from"
    if folder is None:
        raise ModelError(
            f"This recipe needs label maps {wanted}: name their folder (--label-maps)."
        )
    if not folder.is_dir():
        raise ModelError(f"{folder} is no folder; this recipe needs one of label maps {wanted}.")
    found = sorted(folder.glob("*.nii*")) + sorted(folder.glob("*.mgz"))
    paths = [path for path in found if path.name.startswith(held_out) == for_evaluation]
    if not paths:
        kept = f"; its {len(found)} are held out for evaluation ({', '.join(held_out)})"
        raise ModelError(
            f"{folder} holds no label maps {wanted} (NIfTI or MGH files)"
            f"{kept * (not for_evaluation and bool(found))}."
        )
    return paths
