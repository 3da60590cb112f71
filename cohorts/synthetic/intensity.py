"""Intensities of a synthetic scan, in one of the contrasts."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cohorts.synthetic.anatomy.base import CORTEX, CSF, find_codes
from cohorts.synthetic.anatomy.cortex import Floats
from cohorts.synthetic.anatomy.deformation import Deformation, MovableAnatomy, find_sources
from cohorts.synthetic.anatomy.extracerebral import paint_fat, sample_extracerebral_means
from cohorts.synthetic.anatomy.masks import find_box
from cohorts.synthetic.contrasts import CONTRASTS, TISSUE_CODES, Contrast
from cohorts.synthetic.parameters import AppearanceParameters
from cohorts.synthetic.resampling import average_by_area
from cohorts.synthetic.signs.maps import SignMaps

_BLUR_REACH_SD: Final = 3.0


@dataclass(frozen=True)
class Appearance:
    """How a person's head looks at every visit.

    Parameters
    ----------
    image
        The ideal intensities on the person's 1 mm grid: no bias, no noise.
    fluid_minus_cortex
        The change of intensity where cortex becomes fluid.
    cortex_mean
        Of the cortex's tissue.
    contrast
        Which it is.
    """

    image: Floats
    fluid_minus_cortex: float
    cortex_mean: float
    contrast: Contrast


def sample_appearance(
    anatomy: MovableAnatomy,
    *,
    rng: np.random.Generator,
    parameters: AppearanceParameters | None = None,
    channel: str = "T1w",
) -> Appearance:
    """Draw a person's tissue contrast and texture.

    Parameters
    ----------
    anatomy
        The person.
    rng
        Decides contrast and texture.
    parameters
        How much people differ.
    channel
        One of `CONTRASTS`. Skull and scalp look as in a T1w scan.
    """
    parameters = parameters or AppearanceParameters()
    labels = anatomy.person.labels
    highest = int(labels.max())
    contrast = CONTRASTS[channel]
    means = _sample_means(highest, rng, parameters, contrast)
    texture = rng.standard_normal(labels.shape, dtype=np.float32)
    texture = ndimage.gaussian_filter(texture, parameters.texture_size_mm / 2, truncate=2.5)
    fat = 0.0
    if highest >= 500:
        means[500:], fat = sample_extracerebral_means(highest, rng)
    image = means[labels]
    if fat:
        paint_fat(image, labels, fat, rng=rng)
    edge_sd = anatomy.parameters.edge_sd_mm
    box = find_box(labels > 0, margin=int(np.ceil(_BLUR_REACH_SD * edge_sd)))
    head = image[box] * (1 + np.float32(parameters.texture_sd / texture.std()) * texture[box])
    image[box] = ndimage.gaussian_filter(head, edge_sd, truncate=_BLUR_REACH_SD)
    return Appearance(image, float(means[CSF] - means[3]), float(means[3]), contrast)


def render_scan(
    anatomy: MovableAnatomy,
    deformation: Deformation,
    appearance: Appearance,
    *,
    resolution_mm: float = 1.0,
    signs: SignMaps | None = None,
    visit: int = 0,
) -> Floats:
    """Return a visit's ideal intensities: partial volume, no bias field, no noise.

    Parameters
    ----------
    anatomy, deformation, appearance
        The person at this visit.
    resolution_mm
        The voxel size, one of `RESOLUTIONS_MM`.
    signs
        What the scan shows beyond the volumes.
    visit
        Which of the signs' visits this is.

    Returns
    -------
    array
        Intensities relative to white matter, also outside the head.
    """
    image = appearance.image.copy()
    cortex = anatomy.cortex
    loss = deformation.cortical_gain * np.float32(appearance.fluid_minus_cortex)
    image.ravel()[cortex.voxels] -= loss
    if signs is not None:
        share = find_codes(anatomy.person.labels[cortex.box], CORTEX).astype(np.float32)
        kept = cortex.weight * cortex.tissue + deformation.cortical_gain
        share.ravel()[cortex.in_box] = np.clip(kept, 0, 1)
        image *= 1 + signs.change_lesions(visit, appearance.contrast.lesion_change)
        brighter = signs.brighten(visit)[cortex.box]
        brighter = brighter * np.float32(appearance.contrast.cortex_brightening)
        image[cortex.box] += np.float32(appearance.cortex_mean) * share * brighter
    moved = np.logical_or.reduce([np.abs(own) > 1e-3 for own in deformation.displacement])
    points = np.stack([own[moved] for own in find_sources(anatomy, deformation)])
    image[anatomy.box][moved] = ndimage.map_coordinates(image, points, order=1, mode="nearest")
    return average_by_area(image, resolution_mm)


def acquire_scan(
    ideal: Floats,
    inside: npt.NDArray[np.bool_],
    *,
    rng: np.random.Generator,
    parameters: AppearanceParameters | None = None,
) -> Floats:
    """Return a scan of the ideal intensities: bias field, the scanner's contrast, Rician noise.

    Parameters
    ----------
    ideal
        From `render_scan`.
    inside
        The head, or the brain where there is no head.
    rng
        Decides bias field, noise and contrast.
    parameters
        How much visits differ.

    Returns
    -------
    array
        Intensities, white matter near `white_matter_intensity`; exactly 0 outside.
    """
    parameters = parameters or AppearanceParameters()
    bias = _sample_bias(ideal.shape, rng, parameters)
    gamma = np.exp(rng.normal(0, parameters.visit_contrast_sd))
    signal = np.clip(ideal, 0, None) ** np.float32(gamma) * bias
    noise = rng.standard_normal((2, *ideal.shape), dtype=np.float32) * np.float32(
        parameters.noise_sd
    )
    scan = np.hypot(signal + noise[0], noise[1]) * np.float32(parameters.white_matter_intensity)
    return np.where(inside, scan, np.float32(0))


def _sample_means(
    highest: int,
    rng: np.random.Generator,
    parameters: AppearanceParameters,
    contrast: Contrast,
) -> Floats:
    means = np.zeros(highest + 1, dtype=np.float32)
    tissue_contrast = np.exp(rng.normal(0, parameters.person_contrast_sd))
    for tissue, codes in TISSUE_CODES.items():
        mean = contrast.means[tissue] ** tissue_contrast
        own = mean * np.exp(rng.normal(0, parameters.person_tissue_sd))
        means[[code for code in codes if code <= highest]] = own
    return means


def _sample_bias(
    shape: tuple[int, ...], rng: np.random.Generator, parameters: AppearanceParameters
) -> Floats:
    """Return a smooth multiplicative field: the exponential of a random cosine series."""
    order = parameters.bias_order
    weights = rng.normal(0, 1, (order, order, order))
    degree = np.add.outer(np.add.outer(np.arange(order), np.arange(order)), np.arange(order))
    weights *= np.where((degree > 0) & (degree < order), 1.0, 0.0)
    x, y, z = (np.cos(np.pi * np.outer((np.arange(n) + 0.5) / n, np.arange(order))) for n in shape)
    field = np.tensordot(x, y @ (weights @ z.T), axes=(1, 0))
    field *= parameters.bias_sd / max(float(field.std()), 1e-9)
    bias: Floats = np.exp(field).astype(np.float32)
    return bias
