"""One synthetic person's scans, in memory."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cohorts.synthetic.anatomy.base import BaseAnatomy
from cohorts.synthetic.anatomy.deformation import (
    Deformation,
    MovableAnatomy,
    deform_to_volumes,
    prepare_anatomy,
)
from cohorts.synthetic.anatomy.person import sample_person
from cohorts.synthetic.contrasts import check_channels
from cohorts.synthetic.intensity import (
    Appearance,
    acquire_scan,
    render_scan,
    sample_appearance,
)
from cohorts.synthetic.parameters import AppearanceParameters, GeneratorParameters
from cohorts.synthetic.resampling import (
    average_by_area,
    compute_output_affine,
    validate_resolution,
)
from cohorts.synthetic.segmentation import render_labels
from cohorts.synthetic.signs.maps import SignMaps, map_signs
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


@dataclass(frozen=True)
class SyntheticLabels:
    """The label map of a visit of which no scan is made.

    Parameters
    ----------
    labels, affine
        As of a `SyntheticScan`.
    """

    labels: npt.NDArray[np.uint16]
    affine: npt.NDArray[np.float64]


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
    person = _sample_scanned(
        base,
        visits,
        rng=rng,
        head_size_mm3=head_size_mm3,
        resolution_mm=resolution_mm,
        parameters=parameters,
        same_acquisition=same_acquisition,
        signs=signs,
        channels=channels,
    )
    return [
        person.acquire(visit, labels, deformation, with_noiseless=with_noiseless)
        for visit, (labels, deformation) in enumerate(person.deform(visits))
    ]


def synthesize_first_scan(
    base: BaseAnatomy,
    visits: Sequence[Mapping[str, float]],
    *,
    with_noiseless: bool = False,
    **options: Any,
) -> tuple[SyntheticScan, list[SyntheticLabels]]:
    """Return the first of a person's scans, and of later visits the label maps alone.

    Both are, bit for bit, those of `synthesize_scans`.

    Parameters
    ----------
    base, visits, with_noiseless
        As in `synthesize_scans`.
    **options
        Its other ones.

    Raises
    ------
    CohortError
        As there, for later visits too.
    """
    person = _sample_scanned(base, visits, **options)
    (labels, deformation), *later = person.deform(visits)
    first = person.acquire(0, labels, deformation, with_noiseless=with_noiseless)
    return first, [SyntheticLabels(labels, first.affine) for labels, _ in later]


Labeled = tuple[npt.NDArray[np.uint16], Deformation]


@dataclass(frozen=True)
class _ScannedPerson:
    """One person's anatomy and looks, before it is known which visits get a scan."""

    anatomy: MovableAnatomy
    maps: SignMaps | None
    looks: Mapping[str, Appearance]
    noises: Mapping[str, Sequence[np.random.Generator]]
    first_rng: np.random.Generator
    resolution_mm: float
    parameters: AppearanceParameters

    @cached_property
    def inside(self) -> npt.NDArray[np.bool_]:
        """Where the head is, at the scans' resolution."""
        head = (self.anatomy.person.labels > 0).astype(np.float32)
        return np.asarray(average_by_area(head, self.resolution_mm) >= 0.5)

    def deform(self, visits: Sequence[Mapping[str, float]]) -> Iterator[Labeled]:
        """Yield each visit's label map and deformation."""
        deformation = None
        for volumes in visits:
            deformation = deform_to_volumes(self.anatomy, volumes, start=deformation)
            yield (
                render_labels(self.anatomy, deformation, volumes, resolution_mm=self.resolution_mm),
                deformation,
            )

    def acquire(
        self,
        visit: int,
        labels: npt.NDArray[np.uint16],
        deformation: Deformation,
        *,
        with_noiseless: bool,
    ) -> SyntheticScan:
        """Return a visit's scan; each visit is acquired once."""
        ideal = {
            channel: render_scan(
                self.anatomy,
                deformation,
                look,
                resolution_mm=self.resolution_mm,
                signs=self.maps,
                visit=visit,
            )
            for channel, look in self.looks.items()
        }
        acquired = {
            channel: acquire_scan(
                own, self.inside, rng=self.noises[channel][visit], parameters=self.parameters
            )
            for channel, own in ideal.items()
        }
        t1w, shown = acquired.pop("T1w"), np.where(self.inside, ideal["T1w"], np.float32(0))
        noiseless = None
        if with_noiseless:
            noiseless = acquire_scan(
                ideal["T1w"],
                self.inside,
                rng=deepcopy(self.first_rng),
                parameters=replace(self.parameters, noise_sd=0.0),
            )
        affine = compute_output_affine(self.anatomy.person.affine, self.resolution_mm)
        return SyntheticScan(t1w, labels, affine, shown, acquired, noiseless)


def _sample_scanned(
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
) -> _ScannedPerson:
    """Draw a person; the arguments are those of `synthesize_scans`."""
    validate_resolution(resolution_mm)
    check_channels(channels)
    parameters = parameters or GeneratorParameters()
    shape_rng, look_rng, *visit_rngs = rng.spawn(2 + len(visits))
    first_rng = deepcopy(visit_rngs[0])
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
    return _ScannedPerson(
        anatomy, maps, looks, noises, first_rng, resolution_mm, parameters.appearance
    )
