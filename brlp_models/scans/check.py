"""Whether a model can be trusted with a scan: pass, warn or fail, with the reasons.

`fail` means that this is no T1w head scan in MNI152, or that most of the brain is not in it; it is
refused. `warn` means that it is one, outside of what the model was trained on; it is predicted, and
flagged wherever its numbers go. The limits were set on real scans of four sources and on phantoms
(`docs/methods-brlp-inputs.md` has the numbers).
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from brlp_models.errors import ScanError
from brlp_models.scans.contrast import CONTRASTS, LEAST_CONTRAST, change_contrast, compute_spread
from brlp_models.scans.preprocessing import PreprocessedScan, VisitScan
from cohorts.sources.scans.image_reading import THICKEST_MM

if TYPE_CHECKING:
    from brlp_models.model.model import BrlpModel

Verdict = Literal["pass", "warn", "fail"]
Reconstruct = Callable[[NDArray[np.float32]], NDArray[np.float32]]
MeasureSpread = Callable[[NDArray[np.float32]], Mapping[str, float]]


@dataclass(frozen=True)
class Limit:
    """The interval of a metric that passes, and the wider one that warns.

    Parameters
    ----------
    good
        Lowest and highest value that passes.
    usable
        Lowest and highest value that is not refused.
    meaning
        What a value outside says, with the places of the value `{value}`, and of the
        interval that was left `{low}` and `{high}`.
    """

    good: tuple[float, float]
    usable: tuple[float, float]
    meaning: str


_INF: Final = float("inf")

LIMITS: Final[dict[str, Limit]] = {
    "correlation": Limit(
        (0.42, _INF),
        (0.30, _INF),
        "the scan does not resemble a T1w brain: its correlation with the MNI152 template is "
        "{value:.2f}, at least {low:.2f} is expected",
    ),
    "coarse_correlation": Limit(
        (0.40, _INF),
        (0.25, _INF),
        "inside the brain the scan does not resemble a T1w brain the right way up: its correlation "
        "with the smoothed MNI152 template is {value:.2f}, at least {low:.2f} is expected",
    ),
    "offset_mm": Limit(
        (0, 6),
        (0, 12),
        "the brain's center lies {value:.0f} mm from where it is in MNI152, at most {high:.0f} mm "
        "is expected",
    ),
    "mutual_information": Limit(
        (0.12, _INF),
        (0.08, _INF),
        "the registration to MNI152 did not succeed: the mutual information is {value:.2f} nats, "
        "at least {low:.2f} is expected",
    ),
    "mask_dice": Limit(
        (0.90, _INF),
        (0.80, _INF),
        "the brain mask overlaps with the template's by a Dice of {value:.2f}, at least {low:.2f} "
        "is expected",
    ),
    "white_over_gray": Limit(
        (1.05, 2.2),
        (LEAST_CONTRAST, 4.0),
        "the contrast is not T1-weighted: white matter is {value:.2f} times as bright as gray "
        "matter, {low:.2f} to {high:.2f} is expected",
    ),
    "contrast_exponent": Limit(
        (0.6, 1.7),
        (0.4, 2.5),
        "the contrast of white and gray matter is far from the model's: brightness had to be "
        "raised to the power {value:.2f}, {low:.2f} to {high:.2f} is expected",
    ),
    # beyond these the hippocampus of one of seven brains is measured 5 % off (0.83, 1.24)
    "contrast_lacking": Limit(
        (0.85, 1.2),
        (0.4, 2.5),
        "the contrast of white and gray matter is not the model's: brightness to the power "
        "{value:.2f} would have it, and scans on the model's grid are taken as they are",
    ),
    "contrast_spread": Limit(
        (0, 0.05),
        (0, _INF),
        "volumes hang on the scan's contrast: one differs by {value:.0%} between versions that "
        "are alike to the eye, at most {high:.0%} is expected",
    ),
    "coverage": Limit(
        (0.98, _INF),
        (0.85, _INF),
        "the field of view holds {value:.0%} of the brain, at least {low:.0%} is expected",
    ),
    "determinant": Limit(
        (0.85, 1.9),
        (0.6, 2.5),
        "the head would be scaled by {value:.2f} in volume to fit MNI152, {low:.2f} to {high:.2f} "
        "is expected",
    ),
    "rotation_degrees": Limit(
        (0, 35),
        (0, 60),
        "the head is turned by {value:.0f} degrees against the axes in the file's header, at most "
        "{high:.0f} is expected; the header's orientation may be wrong",
    ),
    "slice_thickness_mm": Limit(
        (0, 1.6),
        (0, THICKEST_MM),  # thicker ones no cohort takes
        "voxels are up to {value:.1f} mm long, at most {high:.1f} mm is expected",
    ),
    "brain_volume_ml": Limit(
        (800, 2000),
        (500, 2500),
        "the brain mask holds {value:.0f} ml, {low:.0f} to {high:.0f} ml is expected",
    ),
    "noise_share": Limit(
        (0, 0.06),
        (0, _INF),
        "the scan is noisy: the sd of its noise is {value:.0%} of white matter's brightness, at "
        "most {high:.0%} is expected",
    ),
    "brightness_cut_share": Limit(
        (0, 0.005),
        (0, 0.05),
        "{value:.1%} of the brain is far brighter than the rest and was cut, at most {high:.1%} "
        "is expected",
    ),
    "brightness_95": Limit(
        (0.6, _INF),
        (0.25, _INF),
        "vessels or scalp outshine the brain: 95% of it is darker than {value:.2f} of the maximum, "
        "at least {low:.2f} is expected",
    ),
}
"""What is expected of each metric of a preprocessed scan."""

_RECONSTRUCTION_REFUSED: Final = 3.0
"""Times the largest reconstruction error of training at which a scan is refused."""


@dataclass(frozen=True)
class ScanCheck:
    """A verdict with its reasons.

    Parameters
    ----------
    verdict
        ``"pass"``, ``"warn"`` or ``"fail"``.
    reasons
        One clause for each thing that does not pass.
    metrics
        The numbers judged.
    brain_mask
        Where the brain mask came from; see `brlp_models.scans.brain_mask.BrainMask`.
    contrast_spread
        By region, the sd of its volume between contrasts of the scan, and of the head that its
        brain is found in, as a share of it.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    metrics: Mapping[str, float]
    brain_mask: str = ""
    contrast_spread: Mapping[str, float] = field(default_factory=dict)

    @property
    def reason_text(self) -> str:
        """The reasons as one line; empty for a pass."""
        return "; ".join(self.reasons)

    def render(self) -> str:
        """Return the verdict, its reasons and the numbers as lines of text."""
        lines = [f"Verdict: {self.verdict}", *(f"  {reason}" for reason in self.reasons)]
        lines += [f"Brain mask: {self.brain_mask}"] if self.brain_mask else []
        lines += [f"{name:>24}  {value:.3f}" for name, value in self.metrics.items()]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON content."""
        return {
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "brain_mask": self.brain_mask,
            "metrics": dict(self.metrics),
        }


def check_scan(
    preprocessed: PreprocessedScan,
    *,
    training_ranges: Mapping[str, tuple[float, float]] | None = None,
    covariates: Mapping[str, object] | None = None,
    reconstruct: Reconstruct | None = None,
    measure_spread: MeasureSpread | None = None,
) -> ScanCheck:
    """Judge a preprocessed scan.

    Parameters
    ----------
    preprocessed
        The scan.
    training_ranges
        Lowest and highest value in training of each covariate, and of `reconstruction_error`
        (`ModelConfig.training_ranges`).
    covariates
        The person's values under the same names; names without a range are not judged.
    reconstruct
        The model's autoencoder, there and back, on an image of the model's grid; asked where the
        ranges have its error.
    measure_spread
        How far volumes differ between contrasts of an image, by region, as a share; asked of scans
        that were not on the model's grid before.

    Returns
    -------
    ScanCheck
        `fail` where any metric is beyond use, `warn` where any is beyond expectation.
    """
    ranges = training_ranges or {}
    metrics = dict(preprocessed.metrics)
    spread: Mapping[str, float] = {}
    if measure_spread is not None and not preprocessed.is_in_place:
        of_contrast, of_mask = measure_spread(preprocessed.image), preprocessed.mask_spread
        spread = {name: math.hypot(sd, of_mask.get(name, 0)) for name, sd in of_contrast.items()}
        metrics["contrast_spread"] = max(spread.values(), default=0.0)
    findings = [_judge(metrics[name], limit) for name, limit in LIMITS.items() if name in metrics]
    findings += [_judge_orientation(preprocessed), _judge_mask(preprocessed)]
    findings.append(_judge_sides(preprocessed))
    findings += [_judge_covariate(name, covariates or {}, span) for name, span in ranges.items()]
    if reconstruct is not None and "reconstruction_error" in ranges:
        error = compute_reconstruction_error(preprocessed, reconstruct)
        metrics["reconstruction_error"] = error
        findings.append(_judge_reconstruction(error, ranges["reconstruction_error"]))
    verdicts = [verdict for verdict, _ in findings]
    worst: Verdict = "fail" if "fail" in verdicts else "warn" if "warn" in verdicts else "pass"
    # why a scan is refused comes before what would merely have been warned of
    ordered = sorted(findings, key=lambda finding: finding[0] != "fail")
    reasons = tuple(reason for _, reason in ordered if reason)
    mask = preprocessed.provenance.get("mask", "")
    return ScanCheck(worst, reasons, metrics, mask, spread)


def check_scan_with_model(
    model: "BrlpModel", visit: VisitScan, *, covariates: Mapping[str, object] | None = None
) -> tuple[ScanCheck, PreprocessedScan | None]:
    """Preprocess a file for a model and judge it, with the model's autoencoder and ranges.

    A file that cannot be used at all fails with the reason.

    Parameters
    ----------
    model
        A loaded model folder.
    visit
        The file, with its segmentation or mask if there is one.
    covariates
        As in `check_scan`.

    Returns
    -------
    check : ScanCheck
    preprocessed : PreprocessedScan or None
        None where the file could not be preprocessed.
    """
    from brlp_models.scans.placing import load_onto_grid

    try:
        preprocessed = load_onto_grid(model, [visit])
    except ScanError as error:
        return ScanCheck("fail", tuple(error.problems), {}), None
    return check_against_model(model, preprocessed, covariates=covariates), preprocessed


def check_against_model(
    model: "BrlpModel",
    preprocessed: PreprocessedScan,
    *,
    covariates: Mapping[str, object] | None = None,
) -> ScanCheck:
    """Judge a preprocessed scan as `check_scan`, with a model's ranges and networks."""
    has_segmenter = model.config.segmenter is not None
    return check_scan(
        preprocessed,
        training_ranges=model.config.training_ranges,
        covariates=covariates,
        reconstruct=lambda image: reconstruct_image(model, image),
        measure_spread=(lambda image: measure_spread(model, image)) if has_segmenter else None,
    )


def measure_spread(model: "BrlpModel", image: NDArray[np.float32]) -> dict[str, float]:
    """Return how far each region's volume differs between two contrasts of a scan.

    Brightness of the scan (channels, *shape) is raised to the powers of
    `brlp_models.scans.contrast.CONTRASTS`; the share is the sd of both volumes over their mean.
    """
    import torch

    from brlp_models.scans.segmentation import NetworkSegmenter

    versions = np.stack([change_contrast(image, exponent) for exponent in CONTRASTS])
    names = [f"contrast {exponent:g}" for exponent in CONTRASTS]
    spread = compute_spread(*NetworkSegmenter(model).measure(torch.from_numpy(versions), names))
    return {region: spread[region] for region in model.config.regions if region in spread}


def reconstruct_image(model: "BrlpModel", image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a scan (channels, *shape) after the model's autoencoder, there and back."""
    import torch

    images = torch.from_numpy(np.ascontiguousarray(image))[None]
    decoded = model.decode(model.encode(images))
    return np.asarray(decoded[0].cpu().numpy(), dtype=np.float32)


def compute_reconstruction_error(preprocessed: PreprocessedScan, reconstruct: Reconstruct) -> float:
    """Return the mean absolute error in the brain after the autoencoder, in units of intensity."""
    difference = np.abs(reconstruct(preprocessed.image) - preprocessed.image)
    inside = difference[:, preprocessed.mask]
    return float(inside.mean()) if inside.size else float("nan")


def _judge(value: float, limit: Limit) -> tuple[Verdict, str]:
    if limit.good[0] <= value <= limit.good[1]:
        return "pass", ""
    low, high = limit.good
    verdict: Verdict = "warn" if limit.usable[0] <= value <= limit.usable[1] else "fail"
    told = _tell_apart(limit.meaning, value, low if value < low else high)
    return verdict, told.format(value=value, low=low, high=high)


def _tell_apart(meaning: str, value: float, bound: float) -> str:
    """Return the meaning with as many digits of the value as tell it from the bound."""
    (digits, kind) = re.findall(r"\{value:\.(\d)(.)\}", meaning)[0]
    forms = (f".{n}{kind}" for n in range(int(digits), 9))
    form = next((one for one in forms if f"{value:{one}}" != f"{bound:{one}}"), f".9{kind}")
    return meaning.replace(f"{{value:.{digits}{kind}}}", f"{{value:{form}}}")


def _judge_orientation(preprocessed: PreprocessedScan) -> tuple[Verdict, str]:
    told = preprocessed.provenance.get("orientation", "given")
    return ("pass", "") if told == "given" else ("warn", told)


def _judge_sides(preprocessed: PreprocessedScan) -> tuple[Verdict, str]:
    wrong = preprocessed.provenance.get("sides", "")
    return ("fail" if wrong else "pass"), wrong


def _judge_mask(preprocessed: PreprocessedScan) -> tuple[Verdict, str]:
    doubt = preprocessed.provenance.get("mask_doubt", "")
    return ("warn" if doubt else "pass"), doubt


def _judge_covariate(
    name: str, covariates: Mapping[str, object], span: tuple[float, float]
) -> tuple[Verdict, str]:
    value = covariates.get(name)
    if not isinstance(value, int | float | np.number) or span[0] <= float(value) <= span[1]:
        return "pass", ""
    return "warn", (
        f"{name} is {float(value):g}, outside of the model's training range "
        f"{span[0]:g} to {span[1]:g}"
    )


def _judge_reconstruction(error: float, span: tuple[float, float]) -> tuple[Verdict, str]:
    if error <= span[1]:
        return "pass", ""
    verdict: Verdict = "warn" if error <= _RECONSTRUCTION_REFUSED * span[1] else "fail"
    return verdict, (
        f"the model reconstructs the scan with an error of {error:.3f}, in training it was "
        f"{span[0]:.3f} to {span[1]:.3f}"
    )
