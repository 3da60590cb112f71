"""The parameters of the generative model."""

import hashlib
import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class AnatomyParameters:
    """How one person's anatomy differs from the base anatomy.

    The shape is the base warped by an affine transform and a cubic B-spline free-form deformation
    (Rueckert et al. 1999, IEEE TMI 18:712) with independent Gaussian control points.
    """

    rotation_sd_degrees: float = 2.0
    translation_sd_mm: float = 1.5
    anisotropy_sd: float = 0.03
    control_spacing_mm: float = 24.0
    control_sd_mm: float = 3.2


@dataclass(frozen=True)
class DeformationParameters:
    """How a region's boundary moves along its normal.

    `reach_mm` is the width rho of the window exp(-phi^2 / (2 rho^2)) over which the movement fades
    with the distance phi from the boundary; the largest amplitude is `largest_amplitude` x rho,
    below the 1.65 rho at which the map would fold.
    """

    hippocampus_reach_mm: float = 4.0
    amygdala_reach_mm: float = 4.0
    thalamus_reach_mm: float = 5.0
    lateral_ventricle_reach_mm: float = 9.0
    largest_amplitude: float = 1.6
    edge_sd_mm: float = 0.6
    normal_smoothing_mm: float = 1.5
    largest_cortical_shift_mm: float = 1.2


@dataclass(frozen=True)
class AppearanceParameters:
    """What a T1w scan looks like: contrast between people, bias field, noise, texture.

    The standard deviations of contrast are shares of the label's mean intensity; noise, texture and
    bias are in units of the white matter's mean.
    """

    person_contrast_sd: float = 0.04
    person_tissue_sd: float = 0.03
    visit_contrast_sd: float = 0.01
    texture_sd: float = 0.025
    texture_size_mm: float = 1.2
    bias_sd: float = 0.05
    bias_order: int = 3
    noise_sd: float = 0.02
    white_matter_intensity: float = 600.0


@dataclass(frozen=True)
class GeneratorParameters:
    """Every number of the generator, fixed before a model is trained on what it makes."""

    anatomy: AnatomyParameters = field(default_factory=AnatomyParameters)
    deformation: DeformationParameters = field(default_factory=DeformationParameters)
    appearance: AppearanceParameters = field(default_factory=AppearanceParameters)

    def digest(self) -> str:
        """Return the SHA-256 of all parameters, as recorded beside what was made with them."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
