"""One synthetic person's scans, in memory."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from cohorts.synthetic.anatomy.base import BaseAnatomy
from cohorts.synthetic.anatomy.deformation import deform_to_volumes, prepare_anatomy
from cohorts.synthetic.anatomy.person import sample_person
from cohorts.synthetic.contrasts import check_channels
from cohorts.synthetic.intensity import acquire_scan, render_scan, sample_appearance
from cohorts.synthetic.parameters import GeneratorParameters
from cohorts.synthetic.resampling import (
    average_by_area,
    compute_output_affine,
    validate_resolution,
)
from cohorts.synthetic.segmentation import render_labels
from cohorts.synthetic.signs.maps import map_signs
from cohorts.synthetic.signs.sampling import PersonSigns


@dataclass(frozen=True)
class SyntheticScan:
    """A T1w scan and the label map that it was made from.

    Parameters
    ----------
    t1w
        Intensities; 0 outside the head.
    labels
        Codes of SynthSeg 2.0, on the same grid.
    affine
        Voxel indices to mm (RAS).
    ideal
        The T1w intensities without bias field, noise and the visit's contrast, white matter near 1.
    others
        Scans of further channels by name, on the same voxels.
    noiseless
        The T1w as the person's first acquisition would show it without noise: that one's bias field
        and contrast.
    """

    t1w: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint16]
    affine: npt.NDArray[np.float64]
    ideal: npt.NDArray[np.float32]
    others: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    noiseless: npt.NDArray[np.float32] | None = None

    @property
    def channels(self) -> dict[str, npt.NDArray[np.float32]]:
        """The scans of all channels, the T1w first."""
        return {"T1w": self.t1w, **self.others}


def synthesize_scans(
    base: BaseAnatomy,
    visits: Sequence[Mapping[str, float]],
    *,
    rng: np.random.Generator,
    head_size_mm3: float | None = None,
    resolution_mm: float = 1.0,
    parameters: GeneratorParameters | None = None,
    same_acquisition: bool = False,
    signs: PersonSigns | None = None,
    channels: Sequence[str] = ("T1w",),
    with_noiseless: bool = False,
) -> list[SyntheticScan]:
    """Return a person's scans: one anatomy, at each visit with the volumes asked for.

    Parameters
    ----------
    base
        The anatomy that the person's is drawn from.
    visits
        For each visit the targets in mm3, by region of `deformation.TARGET_REGIONS`.
    rng
        Decides shape, contrast, texture, bias and noise.
    head_size_mm3
        The volume inside the skull; None keeps the base anatomy's.
    resolution_mm
        The voxel size: 1, 1.5 or 2 mm. Everything is made at 1 mm and averaged.
    parameters
        The generator's.
    same_acquisition
        Give every visit the first one's bias field, noise and contrast, so that visits differ by
        anatomy alone.
    signs
        What the scans show beyond the volumes, at as many visits.
    channels
        Contrasts (`cohorts.synthetic.contrasts.CONTRASTS`), the T1w first, which does not depend on
        the others.
    with_noiseless
        Make each scan's `noiseless` too.

    Raises
    ------
    CohortError
        Where the anatomy cannot reach a volume without folding.
    """
    validate_resolution(resolution_mm)
    check_channels(channels)
    parameters = parameters or GeneratorParameters()
    shape_rng, look_rng, *visit_rngs = rng.spawn(2 + len(visits))
    first_rng = deepcopy(visit_rngs[0])
    without_noise = replace(parameters.appearance, noise_sd=0.0)
    if same_acquisition:
        visit_rngs = [deepcopy(visit_rngs[0]) for _ in visits]
    person = sample_person(
        base, rng=shape_rng, head_size_mm3=head_size_mm3, parameters=parameters.anatomy
    )
    anatomy = prepare_anatomy(person, parameters.deformation)
    appearance = sample_appearance(anatomy, rng=look_rng, parameters=parameters.appearance)
    maps = None
    if signs is not None:
        anatomy, maps = map_signs(anatomy, signs, rng.spawn(1)[0])
    looks, noises = {"T1w": appearance}, {"T1w": visit_rngs}
    for channel, own in zip(channels[1:], rng.spawn(len(channels) - 1), strict=True):
        look_rng, *own_rngs = own.spawn(1 + len(visits))
        noises[channel] = [deepcopy(own_rngs[0]) for _ in visits] if same_acquisition else own_rngs
        looks[channel] = sample_appearance(
            anatomy, rng=look_rng, parameters=parameters.appearance, channel=channel
        )
    affine = compute_output_affine(person.affine, resolution_mm)
    inside = average_by_area((person.labels > 0).astype(np.float32), resolution_mm) >= 0.5
    scans, deformation = [], None
    for visit, volumes in enumerate(visits):
        deformation = deform_to_volumes(anatomy, volumes, start=deformation)
        labels = render_labels(anatomy, deformation, volumes, resolution_mm=resolution_mm)
        ideal = {
            channel: render_scan(
                anatomy, deformation, look, resolution_mm=resolution_mm, signs=maps, visit=visit
            )
            for channel, look in looks.items()
        }
        acquired = {
            channel: acquire_scan(
                own, inside, rng=noises[channel][visit], parameters=parameters.appearance
            )
            for channel, own in ideal.items()
        }
        t1w, shown = acquired.pop("T1w"), np.where(inside, ideal["T1w"], np.float32(0))
        noiseless = None
        if with_noiseless:
            noiseless = acquire_scan(
                ideal["T1w"], inside, rng=deepcopy(first_rng), parameters=without_noise
            )
        scans.append(SyntheticScan(t1w, labels, affine, shown, acquired, noiseless))
    return scans
