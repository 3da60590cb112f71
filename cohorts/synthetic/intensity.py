"""T1-weighted intensities of a synthetic scan."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from cohorts.synthetic.anatomy import CSF
from cohorts.synthetic.cortex import Floats
from cohorts.synthetic.deformation import Deformation, MovableAnatomy, find_sources
from cohorts.synthetic.extracerebral import paint_fat, sample_extracerebral_means
from cohorts.synthetic.parameters import AppearanceParameters
from cohorts.synthetic.resampling import average_by_area

MEAN_INTENSITIES: Final = {
    "white_matter": ((2, 41), 1.00),
    "cortex": ((3, 42), 0.66),
    "fluid": ((4, 5, 14, 15, 43, 44, CSF), 0.22),
    "cerebellum_white_matter": ((7, 46), 0.96),
    "cerebellum_cortex": ((8, 47), 0.63),
    "thalamus": ((10, 49), 0.83),
    "caudate": ((11, 50), 0.71),
    "putamen": ((12, 51), 0.77),
    "pallidum": ((13, 52), 0.91),
    "brain_stem": ((16,), 0.92),
    "hippocampus": ((17, 53), 0.65),
    "amygdala": ((18, 54), 0.63),
    "accumbens": ((26, 58), 0.69),
    "ventral_dc": ((28, 60), 0.87),
}
"""Mean T1w intensity by tissue, relative to cerebral white matter.

Ratios of the intensity-normalized T1w scans of the FreeSurfer atlas (Fischl et al. 2002, Neuron
33:341; 2004, NeuroImage 23 S1:S69).
"""


@dataclass(frozen=True)
class Appearance:
    """How a person's head looks at every visit.

    Parameters
    ----------
    image
        The ideal T1w intensities on the person's 1 mm grid: no bias, no noise.
    fluid_minus_cortex
        The change of intensity where cortex becomes fluid.
    """

    image: Floats
    fluid_minus_cortex: float


def sample_appearance(
    anatomy: MovableAnatomy,
    *,
    rng: np.random.Generator,
    parameters: AppearanceParameters | None = None,
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
    """
    parameters = parameters or AppearanceParameters()
    labels = anatomy.person.labels
    highest = int(labels.max())
    means = _sample_means(highest, rng, parameters)
    texture = rng.standard_normal(labels.shape, dtype=np.float32)
    texture = ndimage.gaussian_filter(texture, parameters.texture_size_mm / 2, truncate=2.5)
    fat = 0.0
    if highest >= 500:
        means[500:], fat = sample_extracerebral_means(highest, rng)
    image = means[labels]
    if fat:
        paint_fat(image, labels, fat, rng=rng)
    image *= 1 + np.float32(parameters.texture_sd / texture.std()) * texture
    image = ndimage.gaussian_filter(image, anatomy.parameters.edge_sd_mm, truncate=3)
    return Appearance(image, float(means[CSF] - means[3]))


def render_t1w(
    anatomy: MovableAnatomy,
    deformation: Deformation,
    appearance: Appearance,
    *,
    rng: np.random.Generator,
    resolution_mm: float = 1.0,
    parameters: AppearanceParameters | None = None,
) -> Floats:
    """Return a visit's T1w scan: partial volume, bias field, Rician noise.

    Parameters
    ----------
    anatomy, deformation, appearance
        The person at this visit.
    rng
        Decides bias field, noise and the scanner's contrast.
    resolution_mm
        The voxel size, one of `RESOLUTIONS_MM`.
    parameters
        How much visits differ.

    Returns
    -------
    array
        Intensities, white matter near `white_matter_intensity`; exactly 0 outside the head.
    """
    parameters = parameters or AppearanceParameters()
    fine = _warp_image(anatomy, deformation, appearance)
    clean = average_by_area(fine, resolution_mm)
    bias = _sample_bias(clean.shape, rng, parameters)
    gamma = np.exp(rng.normal(0, parameters.visit_contrast_sd))
    signal = np.clip(clean, 0, None) ** np.float32(gamma) * bias
    noise = rng.standard_normal((2, *clean.shape), dtype=np.float32) * np.float32(
        parameters.noise_sd
    )
    scan = np.hypot(signal + noise[0], noise[1]) * np.float32(parameters.white_matter_intensity)
    inside = average_by_area((anatomy.person.labels > 0).astype(np.float32), resolution_mm) >= 0.5
    return np.where(inside, scan, np.float32(0))


def _warp_image(
    anatomy: MovableAnatomy, deformation: Deformation, appearance: Appearance
) -> Floats:
    image = appearance.image.copy()
    cortex = anatomy.cortex
    loss = deformation.cortical_gain * np.float32(appearance.fluid_minus_cortex)
    image.ravel()[cortex.voxels] -= loss
    moved = np.abs(deformation.displacement).max(axis=0) > 1e-3
    points = np.stack([own[moved] for own in find_sources(anatomy, deformation)])
    image[anatomy.box][moved] = ndimage.map_coordinates(image, points, order=1, mode="nearest")
    return image


def _sample_means(
    highest: int, rng: np.random.Generator, parameters: AppearanceParameters
) -> Floats:
    means = np.zeros(highest + 1, dtype=np.float32)
    tissue_contrast = np.exp(rng.normal(0, parameters.person_contrast_sd))
    for codes, mean in MEAN_INTENSITIES.values():
        own = mean**tissue_contrast * np.exp(rng.normal(0, parameters.person_tissue_sd))
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
