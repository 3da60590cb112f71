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
class RegionTrajectory:
    """How one region's volume depends on head size, age and disease.

    V(t) = volume x (head / 1.5 l)^head_exponent x exp(between_sd eta - ageing(t)) x (1 - loss x
    logistic((stage(t) - midpoint) / width)), with negative losses for what grows.

    Parameters
    ----------
    region
        Both sides together.
    volume_mm3
        Mean at 60 years with a head of 1.5 litres, without disease.
    head_exponent
        How much of the head's size the region follows.
    between_sd
        Standard deviation between people, on the log scale.
    ageing_percent_per_year
        Loss at 73 years without disease.
    loss
        Share lost when the disease has run its course.
    midpoint_years, width_years
        Where on the stage axis half of it is lost, and the logistic's scale.
    measurement_sd
        Relative standard deviation of a segmentation's error.
    """

    region: str
    volume_mm3: float
    head_exponent: float
    between_sd: float
    ageing_percent_per_year: float
    loss: float
    midpoint_years: float
    width_years: float
    measurement_sd: float


@dataclass(frozen=True)
class DiagnosisGroup:
    """The people of one baseline diagnosis.

    Parameters
    ----------
    diagnosis
        CN, MCI or AD.
    share
        Share of the cohort.
    age_mean_years, age_sd_years
        At baseline.
    on_course_share
        Share of people whose disease is Alzheimer's; the others lie far before it.
    stage_mean_years, stage_sd_years
        Latent stage at baseline of those on course: years at average speed after the dementia
        threshold.
    allele_frequency
        Of APOE4 among those on course.
    annual_dropout
        Hazard per year.
    """

    diagnosis: str
    share: float
    age_mean_years: float
    age_sd_years: float
    on_course_share: float
    stage_mean_years: float
    stage_sd_years: float
    allele_frequency: float
    annual_dropout: float


@dataclass(frozen=True)
class CohortParameters:
    """The people of a cohort and the course of their regions."""

    groups: tuple[DiagnosisGroup, ...] = (
        DiagnosisGroup("CN", 0.40, 72.5, 6.5, 0.30, -7.0, 3.5, 0.30, 0.04),
        DiagnosisGroup("MCI", 0.40, 73.5, 7.2, 0.60, -1.5, 3.2, 0.36, 0.07),
        DiagnosisGroup("AD", 0.20, 75.0, 7.6, 0.97, 3.0, 2.6, 0.41, 0.13),
    )
    regions: tuple[RegionTrajectory, ...] = (
        RegionTrajectory("hippocampus", 7900.0, 0.6, 0.11, 1.0, 0.43, 2.0, 3.0, 0.013),
        RegionTrajectory("amygdala", 3400.0, 0.6, 0.095, 0.9, 0.46, 3.0, 3.2, 0.020),
        RegionTrajectory("lateral_ventricle", 19000.0, 1.0, 0.38, -2.6, -1.1, 4.0, 4.0, 0.008),
        RegionTrajectory("cerebral_cortex", 495000.0, 0.9, 0.045, 0.45, 0.19, 4.0, 3.6, 0.006),
        RegionTrajectory("cerebral_white_matter", 455000.0, 1.0, 0.05, 0.35, 0.10, 5.0, 4.5, 0.006),
        RegionTrajectory("thalamus", 14300.0, 0.7, 0.06, 0.50, 0.12, 4.5, 4.0, 0.012),
    )
    other_brain_mm3: float = 196000.0
    """Cerebellum, brain stem, basal ganglia, third and fourth ventricle."""
    other_brain_sd: float = 0.05
    other_ageing_percent_per_year: float = 0.2
    head_size_mean_mm3: tuple[float, float] = (1_420_000.0, 1_600_000.0)
    """Women, men."""
    head_size_sd_mm3: float = 105_000.0
    head_size_measurement_sd: float = 0.004
    age_range_years: tuple[float, float] = (55.0, 95.0)
    ageing_acceleration_per_year: float = 0.03
    """Relative increase of every ageing rate with each year of age."""
    ageing_rate_sd: float = 0.35
    speed_sd: float = 0.55
    speed_per_allele: float = 0.10
    off_course_stage_mean_years: float = -16.0
    off_course_stage_sd_years: float = 4.0
    off_course_allele_frequency: float = 0.12
    shared_variation: float = 0.5
    """Share of the between-person variation that all tissue regions have in common."""
    left_share_mean: float = 0.492
    left_share_sd: float = 0.012
    dropout_per_stage_year: float = 0.03
    """Relative increase of the drop-out hazard with each year of stage."""
    visit_jitter_sd_months: float = 0.3
    mci_threshold_years: float = -4.0
    dementia_threshold_years: float = 1.5
    n_sites: int = 12


@dataclass(frozen=True)
class SignParameters:
    """What a scan shows beyond the tabled volumes, and how much of it tells the course.

    Lobes are frontal, parietal, temporal, occipital. Contrast and lesions follow the stage through
    the pathology, logistic((stage - onset) / width); the shape of the hippocampus and the pattern
    of cortical thinning are correlated with the speed.

    Parameters
    ----------
    onset_stage_years, onset_width_years
        Where on the stage axis half of the pathology is there, and the logistic's scale.
    contrast_loss
        By lobe, the share by which the cortex brightens towards white matter with full pathology.
    lobe_contrast_sd
        Standard deviation between people of each lobe's cortical intensity, as a share.
    lesion_mm3
        Median volume of white-matter lesions at 73 years without pathology.
    lesion_sd, lesion_per_year, lesion_gain
        On the log scale: between people, with each year of age, with full pathology.
    lesion_depth
        The share by which a lesion is darker than white matter.
    head_sd_mm, ca1_sd_mm
        How far the hippocampal head's surface lies inside an average person's (the tail's outside
        by as much), and the same of the lateral, CA1 side against the medial one.
    pattern_sd_mm
        How much thinner the parietal cortex is, and thicker the temporal, than an average person's.
    shape_correlation, pattern_correlation
        Of head and CA1 side, and of the pattern, with the log speed.
    is_independent
        The signs follow a stranger's stage and speed in place of the person's own: the same
        pictures, of which none tells anything.
    """

    onset_stage_years: float
    onset_width_years: float
    contrast_loss: tuple[float, float, float, float]
    lobe_contrast_sd: float
    lesion_mm3: float
    lesion_sd: float
    lesion_per_year: float
    lesion_gain: float
    lesion_depth: float
    head_sd_mm: float
    ca1_sd_mm: float
    pattern_sd_mm: float
    shape_correlation: float
    pattern_correlation: float
    is_independent: bool = False


@dataclass(frozen=True)
class GeneratorParameters:
    """Every number of the generator, fixed before a model is trained on what it makes.

    Without signs a scan shows nothing beyond the tabled volumes.
    """

    cohort: CohortParameters = field(default_factory=CohortParameters)
    anatomy: AnatomyParameters = field(default_factory=AnatomyParameters)
    deformation: DeformationParameters = field(default_factory=DeformationParameters)
    appearance: AppearanceParameters = field(default_factory=AppearanceParameters)
    signs: SignParameters | None = None

    def digest(self) -> str:
        """Return the SHA-256 of all parameters, as recorded beside what was made with them."""
        numbers = asdict(self)
        if self.signs is None:
            # the digest of parameters that were frozen before there were signs
            del numbers["signs"]
        text = json.dumps(numbers, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
